"""Voice Connectors and their groups as immutable values: AWS's shapes of `chime-sdk-voice` 2022-08-03, names in
snake_case.

A `Snapshot` is everything there is, indexed for a call. The store replaces it whole on each change, so a reader
takes the reference once and needs no lock. The first field of each kind of resource is its id.

Two differences from the API: a `VoiceConnector` carries its termination, credentials, origination and phone
numbers (separate resources there), and a phone number always has its `+`. Constraints on single fields are
checked where values come in, by `shapes`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from types import MappingProxyType
from typing import Any, Literal, TypeVar

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

PhoneNumberProductType = Literal["VoiceConnector", "SipMediaApplicationDialIn", "BusinessCalling"]
"""The last one is of the API `chime` only."""
PhoneNumberProgress = Literal["AcquireInProgress", "PortinInProgress", "PortinCancelRequested", "Cancelled"]
NetworkType = Literal["IPV4_ONLY", "DUAL_STACK"]
IntegrationType = Literal["CONNECT_CALL_TRANSFER_CONNECTOR", "CONNECT_ANALYTICS_CONNECTOR"]
RouteProtocol = Literal["UDP", "TCP"]
NotificationTarget = Literal["EventBridge", "SNS", "SQS"]
SessionBorderControllerType = Literal[
    "RIBBON_SBC", "ORACLE_ACME_PACKET_SBC", "AVAYA_SBCE", "CISCO_UNIFIED_BORDER_ELEMENT", "AUDIOCODES_MEDIANT_SBC"
]
ContactCenterSystemType = Literal[
    "GENESYS_ENGAGE_ON_PREMISES", "AVAYA_AURA_CALL_CENTER_ELITE", "AVAYA_AURA_CONTACT_CENTER",
    "CISCO_UNIFIED_CONTACT_CENTER_ENTERPRISE",
]  # fmt: skip


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
class DNISEmergencyCallingConfiguration:
    """Where emergency calls of one country are routed to: the numbers of a third-party provider (guide p. 62)."""

    emergency_phone_number: str
    """E.164 number that is called in place of the emergency number."""
    calling_country: str
    """ISO 3166-1 alpha-2."""
    test_phone_number: str | None = None
    """E.164 number that is called in place of the test number."""


@dataclass(frozen=True, slots=True)
class EmergencyCallingConfiguration:
    """How a connector routes emergency calls, by the number dialled (DNIS)."""

    dnis: tuple[DNISEmergencyCallingConfiguration, ...] = ()
    """One for each country."""


@dataclass(frozen=True, slots=True)
class StreamingNotificationTarget:
    """Who hears that a stream has started, changed, ended or failed."""

    notification_target: NotificationTarget


@dataclass(frozen=True, slots=True)
class MediaInsightsConfiguration:
    """Call analytics of what is streamed; kept and shown, without effect."""

    disabled: bool = False
    configuration_arn: str | None = None


@dataclass(frozen=True, slots=True)
class StreamingConfiguration:
    """Whether calls are streamed to Kinesis, and for how long the streams are kept (guide p. 66-68)."""

    data_retention_in_hours: int
    """0: nothing is kept."""
    disabled: bool = False
    streaming_notification_targets: tuple[StreamingNotificationTarget, ...] = ()
    media_insights_configuration: MediaInsightsConfiguration | None = None


@dataclass(frozen=True, slots=True)
class LoggingConfiguration:
    """Which logs are sent to CloudWatch Logs (guide p. 27-30)."""

    enable_sip_logs: bool = False
    enable_media_metric_logs: bool = False


@dataclass(frozen=True, slots=True)
class ExternalSystemsConfiguration:
    """What is behind the connector; kept and shown, without effect."""

    session_border_controller_types: tuple[SessionBorderControllerType, ...] = ()
    contact_center_system_types: tuple[ContactCenterSystemType, ...] = ()


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
    integration_type: IntegrationType | None = None
    """What of Amazon Connect it is for; kept and shown, without effect."""
    phone_numbers: tuple[str, ...] = ()
    """E.164 numbers associated with this connector, each with its `+`."""
    termination: Termination | None = None
    """None: never put, or deleted; nothing may be called then."""
    credentials: tuple[Credential, ...] = ()
    """Digest is asked for when there is one at least."""
    origination: Origination | None = None
    """None: never put, or deleted; nothing can come in then."""
    emergency_calling_configuration: EmergencyCallingConfiguration | None = None
    """None: never put, or deleted; emergency calls leave as they were dialled."""
    streaming_configuration: StreamingConfiguration | None = None
    """None: never put, or deleted; nothing is streamed."""
    logging_configuration: LoggingConfiguration | None = None
    """None: never put; nothing is logged."""
    external_systems_configuration: ExternalSystemsConfiguration | None = None
    """None: never put, or deleted."""
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
class VoiceConnectorItem:
    """A connector's place in a group."""

    voice_connector_id: str
    priority: int
    """1 to 99, distinct in the group; 1 is tried first."""


@dataclass(frozen=True, slots=True)
class VoiceConnectorGroup:
    """Connectors that take calls from the PSTN for one another, across Regions (guide p. 64)."""

    voice_connector_group_id: str
    """22 characters of `[0-9a-z]`."""
    name: str
    voice_connector_items: tuple[VoiceConnectorItem, ...] = ()
    phone_numbers: tuple[str, ...] = ()
    """E.164 numbers associated with this group, each with its `+`."""
    created_timestamp: float = 0.0
    """Unix time, seconds."""
    updated_timestamp: float = 0.0
    """Unix time, seconds."""

    @property
    def ranked(self) -> tuple[str, ...]:
        """The ids of its connectors in the order in which they are tried."""
        items = sorted(self.voice_connector_items, key=lambda item: item.priority)
        return tuple(item.voice_connector_id for item in items)


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A number of the account's inventory, associated or not (guide p. 39)."""

    e164_phone_number: str
    """E.164 with its `+`."""
    product_type: PhoneNumberProductType = "VoiceConnector"
    name: str = ""
    """The user's own word for it."""
    calling_name: str = ""
    """What those who are called are to see; empty: the account's."""
    former_calling_name: str = ""
    """What they see until `calling_name_due`."""
    calling_name_due: float | None = None
    """From when they see `calling_name`, Unix time in seconds; None: always."""
    progress: PhoneNumberProgress | None = None
    """How far its order has come, while it is not in service; None: it is the account's."""
    associated: float | None = None
    """Since when it is associated with what it is associated with, Unix time in seconds."""
    order_id: str | None = None
    """The order that brought it; None: the configuration did."""
    deletion_due: float | None = None
    """When it is gone for good, in Unix time; None: it is not in the deletion queue (guide p. 58)."""
    user_id: str | None = None
    """The user of an Amazon Chime account that it is associated with (BusinessCalling); None: no user."""
    created_timestamp: float = 0.0
    """Unix time, seconds."""
    updated_timestamp: float = 0.0
    """Unix time, seconds."""


Holder = VoiceConnector | VoiceConnectorGroup
"""What has phone numbers."""
Resource = Any
"""A frozen dataclass whose first field is its id, with `created_timestamp` and `updated_timestamp`."""
Kind = TypeVar("Kind")
_NONE: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything there is at one moment, indexed for a call. Build one with `Snapshot.of` or `after`."""

    by_id: Mapping[str, VoiceConnector]
    """In order of creation."""
    by_host_name: Mapping[str, VoiceConnector]
    """Keys in lower case."""
    by_phone_number: Mapping[str, Holder]
    """The connector or group that each E.164 number is associated with."""
    groups: Mapping[str, VoiceConnectorGroup]
    """By id, in order of creation."""
    deletion_queue: Mapping[str, float]
    """Numbers that were deleted and can still be restored, and when they are gone for good, in Unix time."""
    expected: frozenset[str]
    """Numbers that are not in service, as their order is not fulfilled; they may be associated beforehand."""
    _inbound: Mapping[str, tuple[VoiceConnector, ...]]
    _kinds: Mapping[type, Mapping[str, Any]]

    @staticmethod
    def of(
        voice_connectors: Iterable[VoiceConnector],
        groups: Iterable[VoiceConnectorGroup] = (),
        phone_numbers: Iterable[PhoneNumber] = (),
    ) -> "Snapshot":
        """A snapshot of these and nothing else. Raises ValueError as `after` does, and when two share an id."""
        resources = (*voice_connectors, *groups, *phone_numbers)
        known: set[tuple[type, str]] = set()
        for resource in resources:
            if (type(resource), identity(resource)) in known:
                raise ValueError(f"two of {type(resource).__name__} have the id {identity(resource)}")
            known.add((type(resource), identity(resource)))
        return EMPTY.after(resources)

    def all(self, kind: type[Kind]) -> Mapping[str, Kind]:
        """The resources of one kind by id, in order of creation."""
        return self._kinds.get(kind, _NONE)

    def after(self, put: Iterable[Resource] = (), remove: Iterable[Resource] = ()) -> "Snapshot":
        """The snapshot with some resources added or replaced, by their ids, and others taken out.

        Raises ValueError when two share a phone number, when a group has a connector that is not there, and
        when a number in the deletion queue or of a user is associated with something else.
        """
        put, remove = tuple(put), tuple(remove)
        kinds = _kinds_after(self._kinds, put, remove)
        connectors: Mapping[str, VoiceConnector] = kinds.get(VoiceConnector, _NONE)
        groups: Mapping[str, VoiceConnectorGroup] = kinds.get(VoiceConnectorGroup, _NONE)
        changed, regrouped, renumbered = (
            {identity(value) for value in (*put, *remove) if isinstance(value, kind)}
            for kind in (VoiceConnector, VoiceConnectorGroup, PhoneNumber)
        )
        regrouped.update(id_ for id_, group in groups.items() if changed.intersection(group.ranked))
        before: list[Holder] = [*_those(self.by_id, changed), *_those(self.groups, regrouped)]
        after: list[Holder] = [*_those(connectors, changed), *_those(groups, regrouped)]
        by_phone_number, inbound = self.by_phone_number, self._inbound
        if changed or regrouped:
            by_phone_number, inbound = _numbers_after(by_phone_number, inbound, before, after, connectors)
        phone_numbers: Mapping[str, PhoneNumber] = kinds.get(PhoneNumber, _NONE)
        for number in renumbered.union(*(holder.phone_numbers for holder in after)):
            if number in phone_numbers:
                _check_place(phone_numbers[number], by_phone_number.get(number))
        return Snapshot(
            connectors,
            _by_host_name_after(self.by_host_name, _those(self.by_id, changed), _those(connectors, changed)),
            by_phone_number,
            groups,
            _deletion_queue_after(self.deletion_queue, renumbered, phone_numbers),
            _expected_after(self.expected, renumbered, phone_numbers),
            inbound,
            kinds,
        )

    def for_host_name(self, host_name: str) -> VoiceConnector | None:
        """The connector behind a host name; case (RFC 4343) and a final dot (RFC 1034 3.1) do not matter."""
        return self.by_host_name.get(host_name.lower().removesuffix("."))

    def owner(self, phone_number: str) -> VoiceConnector | None:
        """The connector that an E.164 number (with its `+`) in service is itself associated with."""
        holder = self.by_phone_number.get(phone_number)
        return holder if isinstance(holder, VoiceConnector) and phone_number not in self.expected else None

    def inbound(self, phone_number: str) -> tuple[VoiceConnector, ...]:
        """The connectors that take calls to an E.164 number, in the order in which they are to be tried.

        One for a connector's own number, a group's by rank; none for a number that is associated with
        nothing, of a group without connectors, in the deletion queue, or not yet in service.
        """
        return () if phone_number in self.expected else self._inbound.get(phone_number, ())

    def awaits_deletion(self, phone_number: str) -> bool:
        """Whether an E.164 number is in the deletion queue, where no call reaches it."""
        return phone_number in self.deletion_queue


EMPTY = Snapshot(_NONE, _NONE, _NONE, _NONE, _NONE, frozenset(), _NONE, _NONE)


def identity(resource: Resource) -> str:
    """The id of a resource: its first field."""
    id_: str = getattr(resource, next(iter(resource.__dataclass_fields__)))
    return id_


def _kinds_after(
    kinds: Mapping[type, Mapping[str, Any]], put: tuple[Resource, ...], remove: tuple[Resource, ...]
) -> Mapping[type, Mapping[str, Any]]:
    """The resources by kind and id; kinds that are not touched are shared with those of before."""
    changed: dict[type, dict[str, Any]] = {}
    for resource in (*remove, *put):
        kind = type(resource)
        if kind not in changed:
            changed[kind] = dict(kinds.get(kind, _NONE))
    for resource in remove:
        changed[type(resource)].pop(identity(resource), None)
    for resource in put:
        changed[type(resource)][identity(resource)] = resource
    return {**kinds, **{kind: MappingProxyType(of_kind) for kind, of_kind in changed.items()}}


def _those(resources: Mapping[str, Kind], ids: set[str]) -> list[Kind]:
    return [resources[id_] for id_ in ids if id_ in resources]


def _members(group: VoiceConnectorGroup, connectors: Mapping[str, VoiceConnector]) -> tuple[VoiceConnector, ...]:
    """The connectors of a group by rank. Raises ValueError for one that is not there."""
    for id_ in group.ranked:
        if id_ not in connectors:
            raise ValueError(f"{group.voice_connector_group_id} has {id_}, and there is no such Voice Connector")
    return tuple(connectors[id_] for id_ in group.ranked)


def _numbers_after(
    by_phone_number: Mapping[str, Holder],
    inbound: Mapping[str, tuple[VoiceConnector, ...]],
    before: list[Holder],
    after: list[Holder],
    connectors: Mapping[str, VoiceConnector],
) -> tuple[Mapping[str, Holder], Mapping[str, tuple[VoiceConnector, ...]]]:
    """Who has each number, and who takes its calls. Raises ValueError for a number that two have."""
    held, taken = dict(by_phone_number), dict(inbound)
    for holder in before:
        for number in holder.phone_numbers:
            del held[number], taken[number]
    for holder in after:
        serving = (holder,) if isinstance(holder, VoiceConnector) else _members(holder, connectors)
        for number in holder.phone_numbers:
            other = held.setdefault(number, holder)
            if other is not holder:
                raise ValueError(f"{identity(other)} and {identity(holder)} both have {number}")
            taken[number] = serving
    return MappingProxyType(held), taken


def _by_host_name_after(
    by_host_name: Mapping[str, VoiceConnector], before: list[VoiceConnector], after: list[VoiceConnector]
) -> Mapping[str, VoiceConnector]:
    if not (before or after):
        return by_host_name
    changed = dict(by_host_name)
    for connector in before:
        del changed[connector.outbound_host_name.lower()]
    for connector in after:
        changed[connector.outbound_host_name.lower()] = connector
    return MappingProxyType(changed)


def _check_place(known: PhoneNumber, holder: Holder | None) -> None:
    """Raises ValueError for a number that is in two places: with a connector or a group, with a user, deleted."""
    number = known.e164_phone_number
    if holder and known.user_id is not None:
        raise ValueError(f"{identity(holder)} has {number}, which belongs to the user {known.user_id}")
    if known.deletion_due is not None and (holder or known.user_id):
        owner = identity(holder) if holder else f"the user {known.user_id}"
        raise ValueError(f"{owner} has {number}, which is in the deletion queue")


def _deletion_queue_after(
    queue: Mapping[str, float], changed: set[str], phone_numbers: Mapping[str, PhoneNumber]
) -> Mapping[str, float]:
    if not changed:
        return queue
    after = {number: due for number, due in queue.items() if number not in changed}
    for known in _those(phone_numbers, changed):
        if known.deletion_due is not None:
            after[known.e164_phone_number] = known.deletion_due
    return MappingProxyType(after)


def _expected_after(
    expected: frozenset[str], changed: set[str], phone_numbers: Mapping[str, PhoneNumber]
) -> frozenset[str]:
    return expected - changed | {known.e164_phone_number for known in _those(phone_numbers, changed) if known.progress}
