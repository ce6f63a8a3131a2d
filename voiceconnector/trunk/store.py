"""The one owner of Voice Connectors, groups, numbers and whatever else is configured.

An immutable `Snapshot` for readers, a `Database` underneath. A change is checked, written and only then shown:
`snapshot` is replaced whole, so a reader never sees half of it, and what `commit` has returned from survives a
kill of the process. All methods belong to one thread.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from pathlib import Path

from .account_model import contradiction as contradiction_of_accounts
from .database import Database, Row, StoreError
from .kinds import KINDS, Kind
from .model import EMPTY, Resource, TerminationHealth, VoiceConnector, identity
from .shapes import emergency_prerequisite, shape_of
from .sip_rules import contradiction as contradiction_of_rules
from .tagging import Tags

__all__ = ["FILE_NAME", "Conflict", "NotFound", "Store", "StoreError"]

FILE_NAME = "voiceconnector.sqlite"


class NotFound(LookupError):
    """There is nothing with this id."""


class Conflict(ValueError):
    """The change contradicts what is there; nothing was changed."""


class Store:
    """Everything that is configured, kept in `<data_dir>/voiceconnector.sqlite`. Close it when done."""

    def __init__(self, data_dir: Path, clock: Callable[[], float], kinds: Iterable[Kind] = KINDS) -> None:
        """Open the file, or create it. Raises StoreError; `clock` gives Unix time in seconds."""
        self._clock = clock
        self._kinds = {kind.name: kind for kind in kinds}
        self._database = Database(data_dir / FILE_NAME)
        self.path = self._database.path
        try:
            with self._database.explaining():
                self.snapshot = EMPTY.after(map(self._resource, self._database.rows()))
                """What readers take; replaced whole on each change."""
                self._health = self._database.health()
        except BaseException:
            self._database.close()
            raise
        self._unsaved_health: dict[str, TerminationHealth | None] = {}

    def close(self) -> None:
        """Write what is not yet written and give the file free."""
        self.flush()
        self._database.close()

    def commit(self, *put: Resource, remove: Collection[Resource] = ()) -> None:
        """Add or replace resources, by kind and id, and remove others with their tags: all or nothing.

        The times of creation and change are set here. Raises Conflict if what would be there contradicts
        itself (see `Snapshot.after`; emergency calling without termination or origination; encryption with
        routes over UDP; SIP rules, or accounts, users and their numbers, without what they refer to),
        ShapeError for what could not be read back, StoreError when the disk refuses.
        """
        now = self._clock()
        tags = self.snapshot.all(Tags)
        remove = (*remove, *(tags[id_] for id_ in map(identity, remove) if id_ in tags))
        rows = [self._row(resource, now) for resource in put]
        changed = tuple(map(self._resource, rows))
        for resource in changed:
            if isinstance(resource, VoiceConnector) and (problem := contradiction(resource)):
                raise Conflict(problem)
        try:
            snapshot = self.snapshot.after(changed, remove)
        except ValueError as error:
            raise Conflict(str(error)) from None
        if problem := contradiction_of_rules(snapshot) or contradiction_of_accounts(snapshot, changed, remove):
            raise Conflict(problem)
        self._database.write(rows, [(type(resource).__name__, identity(resource)) for resource in remove])
        self.snapshot = snapshot
        for resource in remove:
            if self._health.pop(identity(resource), None) is not None:
                self._unsaved_health[identity(resource)] = None

    def _row(self, resource: Resource, now: float) -> Row:
        known = self.snapshot.all(type(resource)).get(identity(resource))
        created = known.created_timestamp if known else now
        return Row(type(resource).__name__, identity(resource), shape_of(resource), created, now)

    def _resource(self, row: Row) -> Resource:
        """Raises ShapeError, whose path begins with the id, for a row that has not the shape of its kind."""
        if row.kind not in self._kinds:
            raise ValueError(f"{row.id} is of the unknown kind {row.kind}")
        resource = self._kinds[row.kind].read(row.shape, row.id)
        return replace(resource, created_timestamp=row.created_timestamp, updated_timestamp=row.updated_timestamp)

    # Termination health, which changes with each OPTIONS and is written when the edge says so

    def record_termination_health(self, voice_connector_id: str, source: str) -> None:
        """Note a successful OPTIONS from an IP address, now. Nothing is written before `flush`."""
        self._know(voice_connector_id)
        health = TerminationHealth(source, self._clock())
        self._health[voice_connector_id] = self._unsaved_health[voice_connector_id] = health

    def termination_health(self, voice_connector_id: str) -> TerminationHealth | None:
        """The last successful OPTIONS, None before the first. Raises NotFound."""
        self._know(voice_connector_id)
        return self._health.get(voice_connector_id)

    def flush(self) -> None:
        """Write the health noted since the last time; costs nothing when there is none."""
        if self._unsaved_health:
            self._database.write_health(self._unsaved_health)
            self._unsaved_health.clear()

    def _know(self, voice_connector_id: str) -> None:
        if voice_connector_id not in self.snapshot.by_id:
            raise NotFound(f"there is no Voice Connector {voice_connector_id}")


def contradiction(connector: VoiceConnector) -> str:
    """What a connector lacks for its emergency calling or its encryption, in words; empty where nothing."""
    if connector.emergency_calling_configuration and (missing := emergency_prerequisite(connector)):
        return f"{missing}; see to that, or delete the emergency calling configuration first"
    for route in connector.origination.routes if connector.origination else ():
        if connector.require_encryption and route.protocol != "TCP":
            return (
                f"the route to {route.host} port {route.port} is over {route.protocol}, and must be over TCP, which "
                f"carries TLS, as {connector.voice_connector_id} requires encryption"
            )
    return ""
