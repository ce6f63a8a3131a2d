"""The one owner of Voice Connectors, their groups and numbers: an immutable `Snapshot` for readers, SQLite underneath.

A change is checked, committed and only then shown: `snapshot` is replaced whole, so a reader never sees half
of it, and what a method has returned from survives a kill of the process (WAL, synchronous=NORMAL). One
process at a time holds the file; all methods belong to one thread.

Digest needs the clear password for any realm and algorithm, so passwords are in the file, which only its
owner may read (mode 0600).
"""

import json
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path

from .model import (
    Credential,
    EmergencyCallingConfiguration,
    Origination,
    Snapshot,
    Termination,
    TerminationHealth,
    VoiceConnector,
    VoiceConnectorGroup,
    VoiceConnectorItem,
    identity,
)
from .shapes import emergency_prerequisite, shape_of, voice_connector, voice_connector_group

FILE_NAME = "voiceconnector.sqlite"
DELETION_QUEUE_SECONDS = 7 * 86_400.0
"""How long a deleted number can be restored (guide p. 58)."""

_APPLICATION_ID = 0x56436E72  # "VCnr", SQLite's application_id: tells our file from another program's
_LOCK_WAIT = 1.0  # seconds; as long as a predecessor may need to close the file
_START_AFRESH = "move it away to start afresh, or use another data_dir"
# Statements that lead from schema version n to n + 1; the version is SQLite's user_version.
_MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE voice_connectors (
            position INTEGER PRIMARY KEY,
            voice_connector_id TEXT NOT NULL UNIQUE,
            shape TEXT NOT NULL,
            created_timestamp REAL NOT NULL,
            updated_timestamp REAL NOT NULL
        )""",
        """CREATE TABLE termination_health (
            voice_connector_id TEXT PRIMARY KEY
                REFERENCES voice_connectors (voice_connector_id) ON DELETE CASCADE,
            source TEXT NOT NULL,
            timestamp REAL NOT NULL
        ) WITHOUT ROWID""",
    ),
    (
        """CREATE TABLE voice_connector_groups (
            position INTEGER PRIMARY KEY,
            voice_connector_group_id TEXT NOT NULL UNIQUE,
            shape TEXT NOT NULL,
            created_timestamp REAL NOT NULL,
            updated_timestamp REAL NOT NULL
        )""",
        """CREATE TABLE deletion_queue (
            phone_number TEXT PRIMARY KEY,
            deletion_timestamp REAL NOT NULL
        ) WITHOUT ROWID""",
    ),
)
_KINDS = (
    ("voice_connectors", "voice_connector_id", VoiceConnector),
    ("voice_connector_groups", "voice_connector_group_id", VoiceConnectorGroup),
)
"""Table, its column of ids, and what is in it."""


class StoreError(Exception):
    """The file cannot be used: one line with its path and why. Its content was not changed."""


class NotFound(LookupError):
    """There is no Voice Connector or group with this id, or no such number in the deletion queue."""


class Conflict(ValueError):
    """The change contradicts what is there; nothing was changed."""


class Store:
    """Voice Connectors, groups and numbers, kept in `<data_dir>/voiceconnector.sqlite`. Close it when done."""

    def __init__(self, data_dir: Path, clock: Callable[[], float] = time.time) -> None:
        """Open the file, or create it. Raises StoreError; `clock` gives Unix time in seconds."""
        self.path = data_dir / FILE_NAME
        self._clock = clock
        with self._explaining():
            data_dir.mkdir(parents=True, exist_ok=True)
            self.path.touch(mode=0o600)
            self.path.chmod(0o600)  # before SQLite gives its -wal file the same mode
            self._database = sqlite3.connect(self.path, timeout=_LOCK_WAIT, isolation_level=None)
        try:
            with self._explaining():
                self._prepare()
                self.snapshot = Snapshot.of(self._stored(), self._stored_groups(), self._stored_deletion_queue())
                """What readers take; replaced whole on each change."""
                self._health = self._stored_health()
        except BaseException:
            self._database.close()
            raise
        self._unsaved_health: dict[str, TerminationHealth] = {}

    def close(self) -> None:
        """Write what is not yet written and give the file free."""
        self.flush()
        self._database.close()

    # One method for each change that the API knows

    def create_voice_connector(self, connector: VoiceConnector) -> None:
        """Add a connector. Raises Conflict if its id or a number of its is taken."""
        self._write([connector], created=True)

    def create_absent(self, connectors: Iterable[VoiceConnector]) -> tuple[VoiceConnector, ...]:
        """Add those connectors whose id is not there yet, all or none, and return them.

        Raises Conflict if a number of theirs is taken.
        """
        absent = [known for known in connectors if known.voice_connector_id not in self.snapshot.by_id]
        self._write(absent, created=True)
        return tuple(self.snapshot.by_id[known.voice_connector_id] for known in absent)

    def create_groups_absent(self, groups: Iterable[VoiceConnectorGroup]) -> tuple[VoiceConnectorGroup, ...]:
        """The same for groups. Raises Conflict if a connector of theirs is not there, too."""
        absent = [known for known in groups if known.voice_connector_group_id not in self.snapshot.groups]
        self._write(absent, created=True)
        return tuple(self.snapshot.groups[known.voice_connector_group_id] for known in absent)

    def update_voice_connector(self, voice_connector_id: str, name: str, require_encryption: bool) -> None:
        """Raises Conflict for encryption with routes over UDP."""
        known = self._known(voice_connector_id)
        self._write([_prepared(replace(known, name=name, require_encryption=require_encryption))])

    def delete_voice_connector(self, voice_connector_id: str) -> None:
        """Remove a connector with its health. Raises Conflict while it has phone numbers or is in a group."""
        snapshot = self.snapshot
        if self._known(voice_connector_id).phone_numbers:
            raise Conflict(f"{voice_connector_id} still has phone numbers; disassociate them first")
        for group in snapshot.groups.values():
            if voice_connector_id in group.ranked:
                raise Conflict(f"{voice_connector_id} is in group {group.voice_connector_group_id}; take it out first")
        remaining = [known for id_, known in snapshot.by_id.items() if id_ != voice_connector_id]
        with self._transaction():
            self._database.execute("DELETE FROM voice_connectors WHERE voice_connector_id = ?", (voice_connector_id,))
        self._health.pop(voice_connector_id, None)
        self._unsaved_health.pop(voice_connector_id, None)
        self.snapshot = Snapshot.of(remaining, snapshot.groups.values(), snapshot.deletion_queue)

    # Emergency calling needs termination and origination, so it has to go before they do

    def put_voice_connector_termination(self, voice_connector_id: str, termination: Termination) -> None:
        """Raises Conflict if it is disabled while the connector has emergency calling."""
        self._write([_prepared(replace(self._known(voice_connector_id), termination=termination))])

    def delete_voice_connector_termination(self, voice_connector_id: str) -> None:
        """Raises Conflict while the connector has emergency calling."""
        self._write([_prepared(replace(self._known(voice_connector_id), termination=None))])

    def put_voice_connector_termination_credentials(
        self, voice_connector_id: str, credentials: Collection[Credential]
    ) -> None:
        """Add credentials; one whose user name is there already takes the place of the old one."""
        known = self._known(voice_connector_id)
        by_username = {old.username: old for old in known.credentials}
        by_username.update({new.username: new for new in credentials})
        self._write([replace(known, credentials=tuple(by_username.values()))])

    def delete_voice_connector_termination_credentials(
        self, voice_connector_id: str, usernames: Collection[str]
    ) -> None:
        known = self._known(voice_connector_id)
        remaining = tuple(old for old in known.credentials if old.username not in usernames)
        self._write([replace(known, credentials=remaining)])

    def put_voice_connector_origination(self, voice_connector_id: str, origination: Origination) -> None:
        """Raises Conflict if it is disabled while the connector has emergency calling."""
        self._write([_prepared(replace(self._known(voice_connector_id), origination=origination))])

    def delete_voice_connector_origination(self, voice_connector_id: str) -> None:
        """Raises Conflict while the connector has emergency calling."""
        self._write([_prepared(replace(self._known(voice_connector_id), origination=None))])

    def put_voice_connector_emergency_calling_configuration(
        self, voice_connector_id: str, configuration: EmergencyCallingConfiguration
    ) -> None:
        """Raises Conflict unless termination and origination are on."""
        self._write(
            [_prepared(replace(self._known(voice_connector_id), emergency_calling_configuration=configuration))]
        )

    def delete_voice_connector_emergency_calling_configuration(self, voice_connector_id: str) -> None:
        self._write([replace(self._known(voice_connector_id), emergency_calling_configuration=None)])

    # Groups

    def create_voice_connector_group(self, group: VoiceConnectorGroup) -> None:
        """Add a group. Raises Conflict if its id or a number of its is taken, or a connector is not there."""
        self._write([group], created=True)

    def update_voice_connector_group(
        self, voice_connector_group_id: str, name: str, items: Iterable[VoiceConnectorItem]
    ) -> None:
        """Raises Conflict if a connector is not there."""
        group = self._known_group(voice_connector_group_id)
        self._write([replace(group, name=name, voice_connector_items=tuple(items))])

    def delete_voice_connector_group(self, voice_connector_group_id: str) -> None:
        """Remove a group. Raises Conflict while it has connectors or phone numbers (guide p. 66)."""
        group = self._known_group(voice_connector_group_id)
        if group.phone_numbers or group.voice_connector_items:
            what = "phone numbers" if group.phone_numbers else "Voice Connectors"
            raise Conflict(f"{voice_connector_group_id} still has {what}; take them out first")
        snapshot = self.snapshot
        remaining = [known for id_, known in snapshot.groups.items() if id_ != voice_connector_group_id]
        with self._transaction():
            self._database.execute(
                "DELETE FROM voice_connector_groups WHERE voice_connector_group_id = ?", (voice_connector_group_id,)
            )
        self.snapshot = Snapshot.of(snapshot.by_id.values(), remaining, snapshot.deletion_queue)

    # Phone numbers

    def associate_phone_numbers_with_voice_connector(
        self, voice_connector_id: str, phone_numbers: Collection[str], *, force_associate: bool = False
    ) -> tuple[str, ...]:
        """Associate E.164 numbers. Those of another connector or group move if forced; if not, they are returned.

        Numbers in the deletion queue are returned in any case.
        """
        return self._associate(self._known(voice_connector_id), phone_numbers, force_associate)

    def associate_phone_numbers_with_voice_connector_group(
        self, voice_connector_group_id: str, phone_numbers: Collection[str], *, force_associate: bool = False
    ) -> tuple[str, ...]:
        """The same with a group."""
        return self._associate(self._known_group(voice_connector_group_id), phone_numbers, force_associate)

    def disassociate_phone_numbers_from_voice_connector(
        self, voice_connector_id: str, phone_numbers: Collection[str]
    ) -> tuple[str, ...]:
        """Take E.164 numbers away; those that were not associated are returned."""
        return self._disassociate(self._known(voice_connector_id), phone_numbers)

    def disassociate_phone_numbers_from_voice_connector_group(
        self, voice_connector_group_id: str, phone_numbers: Collection[str]
    ) -> tuple[str, ...]:
        """The same from a group."""
        return self._disassociate(self._known_group(voice_connector_group_id), phone_numbers)

    def delete_phone_number(self, phone_number: str) -> None:
        """Put an E.164 number into the deletion queue. Raises Conflict while it is associated (guide p. 58)."""
        holder = self.snapshot.by_phone_number.get(phone_number)
        if holder is not None:
            raise Conflict(f"{phone_number} is a number of {identity(holder)}; disassociate it first")
        due = self._clock() + DELETION_QUEUE_SECONDS
        self._queue({phone_number: due, **self.snapshot.deletion_queue})

    def restore_phone_number(self, phone_number: str) -> None:
        """Take a number out of the deletion queue. Raises NotFound if it is not in it."""
        if not self.snapshot.awaits_deletion(phone_number):
            raise NotFound(f"{phone_number} is not in the deletion queue")
        self._queue({known: due for known, due in self.snapshot.deletion_queue.items() if known != phone_number})

    def _associate(
        self, taker: VoiceConnector | VoiceConnectorGroup, phone_numbers: Collection[str], force: bool
    ) -> tuple[str, ...]:
        snapshot = self.snapshot
        added: list[str] = []
        refused: list[str] = []
        for number in dict.fromkeys(phone_numbers):
            holder = snapshot.by_phone_number.get(number)
            if snapshot.awaits_deletion(number) or (holder not in (None, taker) and not force):
                refused.append(number)
            elif holder is not taker:
                added.append(number)
        losing = {identity(holder): holder for number in added if (holder := snapshot.by_phone_number.get(number))}
        self._write(
            [
                *(_with_numbers(holder, [kept for kept in holder.phone_numbers if kept not in added])
                  for holder in losing.values()),
                _with_numbers(taker, [*taker.phone_numbers, *added]),
            ]
        )  # fmt: skip
        return tuple(refused)

    def _disassociate(
        self, holder: VoiceConnector | VoiceConnectorGroup, phone_numbers: Collection[str]
    ) -> tuple[str, ...]:
        self._write([_with_numbers(holder, [kept for kept in holder.phone_numbers if kept not in phone_numbers])])
        return tuple(number for number in phone_numbers if number not in holder.phone_numbers)

    def _queue(self, deletion_queue: dict[str, float]) -> None:
        """Commit another deletion queue, then show it."""
        snapshot = Snapshot.of(self.snapshot.by_id.values(), self.snapshot.groups.values(), deletion_queue)
        with self._transaction():
            self._database.execute("DELETE FROM deletion_queue")
            self._database.executemany("INSERT INTO deletion_queue VALUES (?, ?)", deletion_queue.items())
        self.snapshot = snapshot

    # Termination health, which changes with each OPTIONS and is written when the edge says so

    def record_termination_health(self, voice_connector_id: str, source: str) -> None:
        """Note a successful OPTIONS from an IP address, now. Nothing is written before `flush`."""
        self._known(voice_connector_id)
        health = TerminationHealth(source, self._clock())
        self._health[voice_connector_id] = self._unsaved_health[voice_connector_id] = health

    def termination_health(self, voice_connector_id: str) -> TerminationHealth | None:
        """The last successful OPTIONS, None before the first. Raises NotFound."""
        self._known(voice_connector_id)
        return self._health.get(voice_connector_id)

    def flush(self) -> None:
        """Write the health noted since the last time, and let go of the numbers whose deletion is due.

        Costs nothing when there is neither.
        """
        now = self._clock()
        if any(due <= now for due in self.snapshot.deletion_queue.values()):
            self._queue({number: due for number, due in self.snapshot.deletion_queue.items() if due > now})
        if not self._unsaved_health:
            return
        rows = [(id_, health.source, health.timestamp) for id_, health in self._unsaved_health.items()]
        with self._transaction():
            self._database.executemany("INSERT OR REPLACE INTO termination_health VALUES (?, ?, ?)", rows)
        self._unsaved_health.clear()

    # The file

    def _known(self, voice_connector_id: str) -> VoiceConnector:
        try:
            return self.snapshot.by_id[voice_connector_id]
        except KeyError:
            raise NotFound(f"there is no Voice Connector {voice_connector_id}") from None

    def _known_group(self, voice_connector_group_id: str) -> VoiceConnectorGroup:
        try:
            return self.snapshot.groups[voice_connector_group_id]
        except KeyError:
            raise NotFound(f"there is no Voice Connector group {voice_connector_group_id}") from None

    def _write(self, changed: Iterable[VoiceConnector | VoiceConnectorGroup], *, created: bool = False) -> None:
        """Commit connectors and groups, then show them. What could not be read back is refused, as a ShapeError."""
        now = self._clock()
        connectors, groups = dict(self.snapshot.by_id), dict(self.snapshot.groups)
        rows: dict[type, list[tuple[str, str, float, float]]] = {VoiceConnector: [], VoiceConnectorGroup: []}
        for holder in changed:
            id_, shape = identity(holder), shape_of(holder)
            if created and (id_ in connectors or id_ in groups):
                raise Conflict(f"there is a Voice Connector or group {id_} already")
            created_timestamp = now if created else holder.created_timestamp
            if isinstance(holder, VoiceConnector):
                connector = voice_connector(shape, id_)
                connectors[id_] = replace(connector, created_timestamp=created_timestamp, updated_timestamp=now)
            else:
                group = voice_connector_group(shape, id_)
                groups[id_] = replace(group, created_timestamp=created_timestamp, updated_timestamp=now)
            rows[type(holder)].append((id_, json.dumps(shape), created_timestamp, now))
        try:
            snapshot = Snapshot.of(connectors.values(), groups.values(), self.snapshot.deletion_queue)
        except ValueError as error:
            raise Conflict(str(error)) from None
        with self._transaction():
            for table, id_column, kind in _KINDS:
                self._database.executemany(
                    f"""INSERT INTO {table} ({id_column}, shape, created_timestamp, updated_timestamp)
                        VALUES (?, ?, ?, ?) ON CONFLICT ({id_column}) DO UPDATE
                        SET shape = excluded.shape, updated_timestamp = excluded.updated_timestamp""",
                    rows[kind],
                )
        self.snapshot = snapshot

    def _prepare(self) -> None:
        """Take the file for this process, make sure that it is ours, and bring its schema to this version."""
        execute = self._database.execute
        execute("PRAGMA locking_mode = EXCLUSIVE")
        (damage,) = execute("PRAGMA quick_check(1)").fetchone()
        if damage != "ok":
            raise StoreError(f"{self.path} is damaged ({' '.join(damage.split())}); {_START_AFRESH}")
        (application_id,) = execute("PRAGMA application_id").fetchone()
        (version,) = execute("PRAGMA user_version").fetchone()
        (tables,) = execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application_id != _APPLICATION_ID and tables:
            raise StoreError(f"{self.path} is a database of another program; {_START_AFRESH}")
        if version > len(_MIGRATIONS):
            raise StoreError(
                f"{self.path} has schema version {version}, this program knows up to {len(_MIGRATIONS)}: "
                "it was written by a newer voiceconnector; use that one, or another data_dir"
            )
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = NORMAL")
        execute("PRAGMA foreign_keys = ON")
        if version < len(_MIGRATIONS):
            self._migrate(version)

    def _migrate(self, version: int) -> None:
        with self._transaction():
            for statement in chain.from_iterable(_MIGRATIONS[version:]):
                self._database.execute(statement)
            self._database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            self._database.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")

    def _stored(self) -> Iterator[VoiceConnector]:
        rows = self._database.execute(
            """SELECT shape, voice_connector_id, created_timestamp, updated_timestamp
                FROM voice_connectors ORDER BY position"""
        )
        for shape, id_, created_timestamp, updated_timestamp in rows:
            connector = voice_connector(json.loads(shape), id_)
            yield replace(connector, created_timestamp=created_timestamp, updated_timestamp=updated_timestamp)

    def _stored_groups(self) -> Iterator[VoiceConnectorGroup]:
        rows = self._database.execute(
            """SELECT shape, voice_connector_group_id, created_timestamp, updated_timestamp
                FROM voice_connector_groups ORDER BY position"""
        )
        for shape, id_, created_timestamp, updated_timestamp in rows:
            group = voice_connector_group(json.loads(shape), id_)
            yield replace(group, created_timestamp=created_timestamp, updated_timestamp=updated_timestamp)

    def _stored_deletion_queue(self) -> dict[str, float]:
        return dict(self._database.execute("SELECT phone_number, deletion_timestamp FROM deletion_queue"))

    def _stored_health(self) -> dict[str, TerminationHealth]:
        rows = self._database.execute("SELECT voice_connector_id, source, timestamp FROM termination_health")
        return {id_: TerminationHealth(source, timestamp) for id_, source, timestamp in rows}

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing. Raises StoreError when the disk refuses."""
        with self._explaining():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Turn what the file system, SQLite and unreadable rows raise into a StoreError of one line."""
        try:
            yield
        except OSError as error:
            raise StoreError(f"{self.path} cannot be used: {error.strerror}") from error
        except sqlite3.OperationalError as error:
            why = "another voiceconnector is using it" if "locked" in str(error) else str(error)
            raise StoreError(f"{self.path} cannot be used: {why}") from error
        except sqlite3.ProgrammingError:
            raise
        except (sqlite3.DatabaseError, ValueError) as error:
            raise StoreError(f"{self.path} is damaged ({error}); {_START_AFRESH}") from error


def _prepared(connector: VoiceConnector) -> VoiceConnector:
    """The same connector. Raises Conflict if it lacks what its emergency calling or its encryption needs."""
    if connector.emergency_calling_configuration and (missing := emergency_prerequisite(connector)):
        raise Conflict(missing)
    for route in connector.origination.routes if connector.origination else ():
        if connector.require_encryption and route.protocol != "TCP":
            raise Conflict(
                f"the route to {route.host} port {route.port} is over {route.protocol}, and must be over TCP, which "
                f"carries TLS, as {connector.voice_connector_id} requires encryption"
            )
    return connector


def _with_numbers(
    holder: VoiceConnector | VoiceConnectorGroup, phone_numbers: Iterable[str]
) -> VoiceConnector | VoiceConnectorGroup:
    return replace(holder, phone_numbers=tuple(phone_numbers))
