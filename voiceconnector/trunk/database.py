"""The SQLite file under the store: resources as tables in JSON, and the health of terminations.

What `write` has returned from survives a kill of the process (WAL, synchronous=NORMAL). One process at a time
holds the file; all methods belong to one thread.

Digest needs the clear password for any realm and algorithm, so passwords are in the file, which only its
owner may read (mode 0600).
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from .model import TerminationHealth

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
    # Resources of any kind in one table; every number that somebody has, or had, is in the inventory.
    (
        """CREATE TABLE resources (
            position INTEGER PRIMARY KEY,
            kind TEXT NOT NULL,
            id TEXT NOT NULL,
            shape TEXT NOT NULL,
            created_timestamp REAL NOT NULL,
            updated_timestamp REAL NOT NULL,
            UNIQUE (kind, id)
        )""",
        """INSERT INTO resources (kind, id, shape, created_timestamp, updated_timestamp)
            SELECT 'VoiceConnector', voice_connector_id, shape, created_timestamp, updated_timestamp
            FROM voice_connectors ORDER BY position""",
        """INSERT INTO resources (kind, id, shape, created_timestamp, updated_timestamp)
            SELECT 'VoiceConnectorGroup', voice_connector_group_id, shape, created_timestamp, updated_timestamp
            FROM voice_connector_groups ORDER BY position""",
        """INSERT INTO resources (kind, id, shape, created_timestamp, updated_timestamp)
            SELECT 'PhoneNumber', number.value, json_object('E164PhoneNumber', number.value),
                holder.created_timestamp, holder.updated_timestamp
            FROM resources AS holder, json_each(holder.shape, '$.PhoneNumbers') AS number
            ORDER BY holder.position, number.key""",
        """INSERT INTO resources (kind, id, shape, created_timestamp, updated_timestamp)
            SELECT 'PhoneNumber', phone_number,
                json_object('E164PhoneNumber', phone_number, 'DeletionDue', deletion_timestamp), 0, 0
            FROM deletion_queue""",
        """CREATE TABLE health (
            voice_connector_id TEXT PRIMARY KEY,
            source TEXT NOT NULL,
            timestamp REAL NOT NULL
        ) WITHOUT ROWID""",
        "INSERT INTO health SELECT * FROM termination_health",
        "DROP TABLE termination_health",
        "DROP TABLE voice_connectors",
        "DROP TABLE voice_connector_groups",
        "DROP TABLE deletion_queue",
    ),
)


class StoreError(Exception):
    """The file cannot be used: one line with its path and why. Its content was not changed."""


@dataclass(frozen=True, slots=True)
class Row:
    """A resource as it is stored."""

    kind: str
    id: str
    shape: Mapping[str, object]
    created_timestamp: float
    updated_timestamp: float


class Database:
    """The file, open for one process. Close it when done."""

    def __init__(self, path: Path) -> None:
        """Open the file, or create it. Raises StoreError."""
        self.path = path
        with self.explaining():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.chmod(0o600)  # before SQLite gives its -wal file the same mode
            self.connection = sqlite3.connect(path, timeout=_LOCK_WAIT, isolation_level=None)
        try:
            with self.explaining():
                self._prepare()
        except BaseException:
            self.connection.close()
            raise

    def close(self) -> None:
        self.connection.close()

    def rows(self) -> Iterator[Row]:
        """All resources in order of creation."""
        found = self.connection.execute(
            "SELECT kind, id, shape, created_timestamp, updated_timestamp FROM resources ORDER BY position"
        )
        for kind, id_, shape, created_timestamp, updated_timestamp in found:
            yield Row(kind, id_, json.loads(shape), created_timestamp, updated_timestamp)

    def write(self, put: Iterable[Row], remove: Iterable[tuple[str, str]]) -> None:
        """Add or replace resources, and remove those of a kind and id: all or nothing. Raises StoreError."""
        with self._transaction():
            self.connection.executemany("DELETE FROM resources WHERE kind = ? AND id = ?", remove)
            self.connection.executemany(
                """INSERT INTO resources (kind, id, shape, created_timestamp, updated_timestamp)
                    VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind, id) DO UPDATE
                    SET shape = excluded.shape, updated_timestamp = excluded.updated_timestamp""",
                [
                    (row.kind, row.id, json.dumps(row.shape), row.created_timestamp, row.updated_timestamp)
                    for row in put
                ],
            )

    def health(self) -> dict[str, TerminationHealth]:
        """By Voice Connector id."""
        rows = self.connection.execute("SELECT voice_connector_id, source, timestamp FROM health")
        return {id_: TerminationHealth(source, timestamp) for id_, source, timestamp in rows}

    def write_health(self, changed: Mapping[str, TerminationHealth | None]) -> None:
        """Replace what is changed; None: there is none any more. Raises StoreError."""
        with self._transaction():
            self.connection.executemany(
                "DELETE FROM health WHERE voice_connector_id = ?",
                [(id_,) for id_, known in changed.items() if not known],
            )
            self.connection.executemany(
                "INSERT OR REPLACE INTO health VALUES (?, ?, ?)",
                [(id_, known.source, known.timestamp) for id_, known in changed.items() if known],
            )

    def _prepare(self) -> None:
        """Take the file for this process, make sure that it is ours, and bring its schema to this version."""
        execute = self.connection.execute
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
        if version < len(_MIGRATIONS):
            self._migrate(version)

    def _migrate(self, version: int) -> None:
        with self._transaction():
            for statement in chain.from_iterable(_MIGRATIONS[version:]):
                self.connection.execute(statement)
            self.connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            self.connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing. Raises StoreError when the disk refuses."""
        with self.explaining():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    @contextmanager
    def explaining(self) -> Iterator[None]:
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
