"""The one owner of Voice Connectors: an immutable `Snapshot` for readers, SQLite underneath.

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

from .model import Credential, Origination, Snapshot, Termination, TerminationHealth, VoiceConnector
from .shapes import shape_of, voice_connector

FILE_NAME = "voiceconnector.sqlite"

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
)


class StoreError(Exception):
    """The file cannot be used: one line with its path and why. Its content was not changed."""


class NotFound(LookupError):
    """There is no Voice Connector with this id."""


class Conflict(ValueError):
    """The change contradicts what is there; nothing was changed."""


class Store:
    """Voice Connectors, kept in `<data_dir>/voiceconnector.sqlite`. Close it when done."""

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
                self.snapshot = Snapshot.of(self._stored())
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

    def update_voice_connector(self, voice_connector_id: str, name: str, require_encryption: bool) -> None:
        known = self._known(voice_connector_id)
        self._write([replace(known, name=name, require_encryption=require_encryption)])

    def delete_voice_connector(self, voice_connector_id: str) -> None:
        """Remove a connector with its health. Raises Conflict while it has phone numbers."""
        if self._known(voice_connector_id).phone_numbers:
            raise Conflict(f"{voice_connector_id} still has phone numbers; disassociate them first")
        remaining = [known for id_, known in self.snapshot.by_id.items() if id_ != voice_connector_id]
        with self._transaction():
            self._database.execute("DELETE FROM voice_connectors WHERE voice_connector_id = ?", (voice_connector_id,))
        self._health.pop(voice_connector_id, None)
        self._unsaved_health.pop(voice_connector_id, None)
        self.snapshot = Snapshot.of(remaining)

    def put_voice_connector_termination(self, voice_connector_id: str, termination: Termination) -> None:
        self._write([replace(self._known(voice_connector_id), termination=termination)])

    def delete_voice_connector_termination(self, voice_connector_id: str) -> None:
        self._write([replace(self._known(voice_connector_id), termination=None)])

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
        self._write([replace(self._known(voice_connector_id), origination=origination)])

    def delete_voice_connector_origination(self, voice_connector_id: str) -> None:
        self._write([replace(self._known(voice_connector_id), origination=None)])

    def associate_phone_numbers_with_voice_connector(
        self, voice_connector_id: str, phone_numbers: Collection[str], *, force_associate: bool = False
    ) -> tuple[str, ...]:
        """Associate E.164 numbers. Those of another connector move if forced; if not, they are returned."""
        known = self._known(voice_connector_id)
        added: list[str] = []
        refused: list[str] = []
        for number in dict.fromkeys(phone_numbers):
            owner = self.snapshot.owner(number)
            if owner is None or (force_associate and owner is not known):
                added.append(number)
            elif owner is not known:
                refused.append(number)
        losing = [
            replace(owner, phone_numbers=tuple(kept for kept in owner.phone_numbers if kept not in added))
            for owner in self.snapshot.by_id.values()
            if owner is not known and not set(added).isdisjoint(owner.phone_numbers)
        ]
        self._write([*losing, replace(known, phone_numbers=(*known.phone_numbers, *added))])
        return tuple(refused)

    def disassociate_phone_numbers_from_voice_connector(
        self, voice_connector_id: str, phone_numbers: Collection[str]
    ) -> tuple[str, ...]:
        """Take E.164 numbers away; those that were not associated are returned."""
        known = self._known(voice_connector_id)
        remaining = tuple(number for number in known.phone_numbers if number not in phone_numbers)
        self._write([replace(known, phone_numbers=remaining)])
        return tuple(number for number in phone_numbers if number not in known.phone_numbers)

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
        """Write the health noted since the last time; costs nothing when there is none."""
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

    def _write(self, changed: Iterable[VoiceConnector], *, created: bool = False) -> None:
        """Commit connectors, then show them. What could not be read back is refused, as a ShapeError."""
        now = self._clock()
        connectors = dict(self.snapshot.by_id)
        rows: list[tuple[str, str, float, float]] = []
        for connector in changed:
            id_, shape = connector.voice_connector_id, shape_of(connector)
            if created and id_ in connectors:
                raise Conflict(f"there is a Voice Connector {id_} already")
            created_timestamp = now if created else connector.created_timestamp
            connectors[id_] = replace(
                voice_connector(shape, id_), created_timestamp=created_timestamp, updated_timestamp=now
            )
            rows.append((id_, json.dumps(shape), created_timestamp, now))
        try:
            snapshot = Snapshot.of(connectors.values())
        except ValueError as error:
            raise Conflict(str(error)) from None
        with self._transaction():
            self._database.executemany(
                """INSERT INTO voice_connectors
                    (voice_connector_id, shape, created_timestamp, updated_timestamp) VALUES (?, ?, ?, ?)
                    ON CONFLICT (voice_connector_id) DO UPDATE
                    SET shape = excluded.shape, updated_timestamp = excluded.updated_timestamp""",
                rows,
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
