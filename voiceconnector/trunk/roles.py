"""The service-linked role by which Voice Connectors act in other services (guide p. 16-18, 66).

It is there once a Voice Connector streams, or a SIP media application is created or updated. Nobody can edit it, and
it can be deleted once nothing streams. Rules as functions of a snapshot, which change nothing themselves.
"""

from dataclasses import dataclass

from .model import Snapshot, VoiceConnector
from .tables import Table, choice

ROLE_NAME = "AWSServiceRoleForAmazonChimeVoiceConnector"


@dataclass(frozen=True, slots=True)
class ServiceLinkedRole:
    """The role, where it is."""

    role_name: str = ROLE_NAME
    created_timestamp: float = 0.0
    """Unix time, seconds."""
    updated_timestamp: float = 0.0
    """Unix time, seconds."""


def service_linked_role(entries: object, path: str) -> ServiceLinkedRole:
    """Raises ShapeError."""
    return ServiceLinkedRole(Table(entries, path, ("RoleName",)).required("RoleName", choice(ROLE_NAME)))


def role_owed(snapshot: Snapshot) -> tuple[ServiceLinkedRole, ...]:
    """What is to be committed with a connector that starts to stream, and with a SIP media application."""
    return () if snapshot.all(ServiceLinkedRole) else (ServiceLinkedRole(),)


def streaming(snapshot: Snapshot) -> tuple[VoiceConnector, ...]:
    """The connectors that stream; while there is one, the role cannot be deleted."""
    return tuple(
        connector
        for connector in snapshot.by_id.values()
        if connector.streaming_configuration and not connector.streaming_configuration.disabled
    )
