"""Voice Connectors as immutable values: AWS's shapes of `chime-sdk-voice` 2022-08-03, names in snake_case.

A `Snapshot` is everything that a call needs to know, indexed. The store replaces it whole on each change, so
a reader takes the reference once and needs no lock.

Two differences from the API: a `VoiceConnector` carries its termination, credentials, origination and phone
numbers (separate resources there), and a phone number always has its `+`. Constraints on single fields are
checked where values come in, by `shapes`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from types import MappingProxyType
from typing import Literal

HOST_NAME_SUFFIX = ".voiceconnector.chime.aws"

AWS_REGIONS = (
    "us-east-1",
    "us-west-2",
    "ca-central-1",
    "eu-central-1",
    "eu-west-1",
    "eu-west-2",
    "ap-northeast-2",
    "ap-northeast-1",
    "ap-southeast-1",
    "ap-southeast-2",
)
"""Regions that have Voice Connectors."""

NetworkType = Literal["IPV4_ONLY", "DUAL_STACK"]
RouteProtocol = Literal["UDP", "TCP"]


@dataclass(frozen=True, slots=True)
class Credential:
    """A digest user; the clear password is kept, as HA1 depends on realm and algorithm (RFC 7616 3.4.2)."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Termination:
    """What a PBX may do on its way to the PSTN: from where, to where, how fast."""

    cps_limit: int | None = None
    """Calls per second, at least 1; None: never set, the profile's default applies."""
    default_phone_number: str | None = None
    """E.164 number presented in place of the caller's."""
    calling_regions: tuple[str, ...] = ()
    """Countries that may be called, ISO 3166-1 alpha-2."""
    cidr_allowed_list: tuple[str, ...] = ()
    """Networks that calls may come from, as they were given; a single address is a network of one."""
    disabled: bool = False
    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = field(init=False, repr=False, compare=False)
    """`cidr_allowed_list`, parsed."""

    def __post_init__(self) -> None:
        """Raise ValueError for an entry of `cidr_allowed_list` that is not a network."""
        object.__setattr__(self, "allowed_networks", tuple(map(ip_network, self.cidr_allowed_list)))

    def allows(self, source_address: str) -> bool:
        """Whether an IP address, as text, is in an allowed network.

        An IPv4 address that a dual-stack socket shows as `::ffff:192.0.2.7` counts as 192.0.2.7. Raises
        ValueError for text that is no address.
        """
        address = ip_address(source_address)
        if isinstance(address, IPv6Address):
            address = address.ipv4_mapped or address
        return any(address in network for network in self.allowed_networks)


@dataclass(frozen=True, slots=True)
class OriginationRoute:
    """A place where calls from the PSTN are sent; priority 1 comes first, equal ones share by weight."""

    host: str
    """IP address or host name of the PBX."""
    port: int = 5060
    protocol: RouteProtocol = "UDP"
    priority: int = 1
    """1 to 100."""
    weight: int = 1
    """1 to 100."""


@dataclass(frozen=True, slots=True)
class Origination:
    """Where calls from the PSTN are sent."""

    routes: tuple[OriginationRoute, ...] = ()
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class TerminationHealth:
    """The last successful OPTIONS of a PBX; one entry, not a history."""

    source: str
    """IP address it came from."""
    timestamp: float
    """Unix time, seconds."""


@dataclass(frozen=True, slots=True)
class VoiceConnector:
    """A SIP trunk and everything configured on it."""

    voice_connector_id: str
    """22 characters of `[0-9a-z]`."""
    name: str
    aws_region: str = "us-east-1"
    require_encryption: bool = False
    network_type: NetworkType = "IPV4_ONLY"
    phone_numbers: tuple[str, ...] = ()
    """E.164 numbers associated with this connector, each with its `+`."""
    termination: Termination | None = None
    """None: never put, or deleted; nothing may be called then."""
    credentials: tuple[Credential, ...] = ()
    """Digest is asked for when there is one at least."""
    origination: Origination | None = None
    """None: never put, or deleted; nothing can come in then."""
    created_timestamp: float = 0.0
    """Unix time, seconds."""
    updated_timestamp: float = 0.0
    """Unix time, seconds."""

    @property
    def outbound_host_name(self) -> str:
        """The host name that a PBX sends its calls to."""
        return self.voice_connector_id + HOST_NAME_SUFFIX

    def credential(self, username: str) -> Credential | None:
        """The credential of a digest user name, which is case-sensitive."""
        return next((known for known in self.credentials if known.username == username), None)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All Voice Connectors at one moment, indexed for a call. Build one with `Snapshot.of`."""

    by_id: Mapping[str, VoiceConnector]
    """In order of creation."""
    by_host_name: Mapping[str, VoiceConnector]
    """Keys in lower case."""
    by_phone_number: Mapping[str, VoiceConnector]
    """The connector that each E.164 number is associated with."""
    deletion_queue: frozenset[str] = frozenset()
    """E.164 numbers that were deleted and can still be restored (guide p. 59); they belong to no connector."""

    @classmethod
    def of(cls, voice_connectors: Iterable[VoiceConnector]) -> "Snapshot":
        """Index connectors. Raises ValueError when two share an id or a phone number."""
        by_id: dict[str, VoiceConnector] = {}
        by_phone_number: dict[str, VoiceConnector] = {}
        for connector in voice_connectors:
            if by_id.setdefault(connector.voice_connector_id, connector) is not connector:
                raise ValueError(f"two Voice Connectors have the id {connector.voice_connector_id}")
            for number in connector.phone_numbers:
                owner = by_phone_number.setdefault(number, connector)
                if owner is not connector:
                    raise ValueError(
                        f"{owner.voice_connector_id} and {connector.voice_connector_id} both have {number}"
                    )
        by_host_name = {connector.outbound_host_name.lower(): connector for connector in by_id.values()}
        return cls(MappingProxyType(by_id), MappingProxyType(by_host_name), MappingProxyType(by_phone_number))

    def for_host_name(self, host_name: str) -> VoiceConnector | None:
        """The connector behind a host name; case (RFC 4343) and a final dot (RFC 1034 3.1) do not matter."""
        return self.by_host_name.get(host_name.lower().removesuffix("."))

    def owner(self, phone_number: str) -> VoiceConnector | None:
        """The connector that an E.164 number (with its `+`) is associated with."""
        return self.by_phone_number.get(phone_number)

    def inbound(self, number: str) -> tuple[VoiceConnector, ...]:
        """The connectors that take calls to an E.164 number, the first to be tried first; none: it is unassigned."""
        owner = self.by_phone_number.get(number)
        return (owner,) if owner else ()
