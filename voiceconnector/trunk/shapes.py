"""AWS's shapes as plain tables, read into the values of `model` and written from them.

The keys and the constraints are those of `chime-sdk-voice` 2022-08-03, with patterns that match from end to
end, and phone numbers that have their `+`: without it a local number would be taken for another country's.
The same tables stand in the configuration file, in the store and, one resource at a time, in requests of the
API. Rules that need more than one field, or the profile, are checked by the functions at the end.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from ipaddress import ip_address, ip_interface, ip_network
from typing import get_args

from .countries import product_types
from .model import (
    AWS_REGIONS,
    ContactCenterSystemType,
    Credential,
    DNISEmergencyCallingConfiguration,
    EmergencyCallingConfiguration,
    ExternalSystemsConfiguration,
    IntegrationType,
    LoggingConfiguration,
    MediaInsightsConfiguration,
    NetworkType,
    NotificationTarget,
    Origination,
    OriginationRoute,
    PhoneNumber,
    PhoneNumberProductType,
    PhoneNumberProgress,
    Resource,
    RouteProtocol,
    SessionBorderControllerType,
    StreamingConfiguration,
    StreamingNotificationTarget,
    Termination,
    VoiceConnector,
    VoiceConnectorGroup,
    VoiceConnectorItem,
    identity,
)
from .numbers import country_of
from .profile import Profile
from .tables import Reader, ShapeError, Table, boolean, choice, matching, text, whole
from .tables import number as real_number

_ODD_KEYS = {"enable_sip_logs": "EnableSIPLogs"}
_ACRONYMS = frozenset({"dnis", "pin", "sms"})
NETWORK = "an IPv4 or IPv6 network such as 192.0.2.0/27"

# ISO 3166-1 alpha-2, officially assigned.
COUNTRIES = frozenset(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW
    BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI
    FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN
    IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME
    MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF
    PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV
    SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE
    YT ZA ZM ZW
    """.split()  # noqa: SIM905  # eight lines, not 250
)

voice_connector_id = matching("[0-9a-z]{22}", "22 characters of 0-9 and a-z")
voice_connector_group_id = voice_connector_id
name = matching("[a-zA-Z0-9 _.-]{1,256}", "1 to 256 letters, digits, spaces, _, . or -")
aws_region = choice(*AWS_REGIONS)
network_type: Reader[NetworkType] = choice("IPV4_ONLY", "DUAL_STACK")
integration_type: Reader[IntegrationType] = choice("CONNECT_CALL_TRANSFER_CONNECTOR", "CONNECT_ANALYTICS_CONNECTOR")
route_protocol: Reader[RouteProtocol] = choice("UDP", "TCP")
notification_target: Reader[NotificationTarget] = choice("EventBridge", "SNS", "SQS")
session_border_controller_type: Reader[SessionBorderControllerType] = choice(*get_args(SessionBorderControllerType))
contact_center_system_type: Reader[ContactCenterSystemType] = choice(*get_args(ContactCenterSystemType))
arn = matching(r"arn[/:_.a-zA-Z0-9-]{1,1021}", "an Amazon Resource Name such as arn:aws:chime:us-east-1:…")
# RFC 2617 as the guide wants it, in US-ASCII.
user_or_password = matching("[ -~]{1,256}", "1 to 256 printable US-ASCII characters")
phone_number_name = matching(r"|[a-zA-Z0-9,._-]+(\s+[a-zA-Z0-9,._-]+)*", "letters, digits and , . _ - in words")
calling_name = matching("|[a-zA-Z0-9 ]{2,15}", "2 to 15 letters, digits and spaces, or empty")
product_type: Reader[PhoneNumberProductType] = choice("VoiceConnector", "SipMediaApplicationDialIn", "BusinessCalling")
_progress: Reader[PhoneNumberProgress] = choice(
    "AcquireInProgress", "PortinInProgress", "PortinCancelRequested", "Cancelled"
)
uuid = matching("[a-fA-F0-9]{8}(-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}", "a UUID")
unix_time = real_number(0, 1e12)
phone_number = matching(r"\+[1-9][0-9]{1,14}", "an E.164 number with its +, such as +12065550100")
_network = matching("[0-9A-Fa-f:.]+(/[0-9]{1,3})?", NETWORK)
_host_name = matching(r"(?=.{1,253}$)(\w([\w-]{0,61}\w)?\.)*\w([\w-]{0,61}\w)?\.?", "a host name or an IP address")


def country(value: object) -> str:
    """A country, ISO 3166-1 alpha-2 in capitals."""
    if not isinstance(value, str) or value not in COUNTRIES:
        raise ValueError("must be an ISO 3166-1 alpha-2 country code such as US or GB")
    return value


def network(value: object) -> str:
    """A network in CIDR notation, or a single address, as it was written."""
    written = _network(value)
    try:
        ip_network(written)
    except ValueError:
        try:
            meant = ip_interface(written).network
        except ValueError:
            raise ValueError(f"must be {NETWORK}") from None
        raise ValueError(f"has bits set after its prefix; did you mean {meant}?") from None
    return written


def route_host(value: object) -> str:
    """A host name, or an IP address without brackets."""
    try:
        return str(ip_address(text(value)))
    except ValueError:
        return _host_name(value)


# Shapes, from a table and its path


def termination(entries: object, path: str) -> Termination:
    keys = ("CpsLimit", "DefaultPhoneNumber", "CallingRegions", "CidrAllowedList", "Disabled")
    table = Table(entries, path, keys)
    return Termination(
        cps_limit=table.get("CpsLimit", whole(1), None),
        default_phone_number=table.get("DefaultPhoneNumber", phone_number, None),
        calling_regions=table.each("CallingRegions", country),
        cidr_allowed_list=table.each("CidrAllowedList", network),
        disabled=table.get("Disabled", boolean, False),
    )


def credential(entries: object, path: str) -> Credential:
    table = Table(entries, path, ("Username", "Password"))
    return Credential(
        username=table.required("Username", user_or_password),
        password=table.required("Password", user_or_password),
    )


def origination_route(entries: object, path: str) -> OriginationRoute:
    table = Table(entries, path, ("Host", "Port", "Protocol", "Priority", "Weight"))
    return OriginationRoute(
        host=table.required("Host", route_host),
        port=table.get("Port", whole(0, 65535), 5060),
        protocol=table.get("Protocol", route_protocol, "UDP"),
        priority=table.get("Priority", whole(1, 100), 1),
        weight=table.get("Weight", whole(1, 100), 1),
    )


def origination(entries: object, path: str) -> Origination:
    table = Table(entries, path, ("Routes", "Disabled"))
    return Origination(
        routes=table.shapes("Routes", origination_route),
        disabled=table.get("Disabled", boolean, False),
    )


def dnis_emergency_calling_configuration(entries: object, path: str) -> DNISEmergencyCallingConfiguration:
    table = Table(entries, path, ("EmergencyPhoneNumber", "TestPhoneNumber", "CallingCountry"))
    return DNISEmergencyCallingConfiguration(
        emergency_phone_number=table.required("EmergencyPhoneNumber", phone_number),
        calling_country=table.required("CallingCountry", country),
        test_phone_number=table.get("TestPhoneNumber", phone_number, None),
    )


def emergency_calling_configuration(entries: object, path: str) -> EmergencyCallingConfiguration:
    """Raises ShapeError for a country that occurs twice."""
    table = Table(entries, path, ("DNIS",))
    dnis = table.shapes("DNIS", dnis_emergency_calling_configuration)
    distinct([entry.calling_country for entry in dnis], f"{path}.DNIS", "CallingCountry")
    return EmergencyCallingConfiguration(dnis)


def streaming_notification_target(entries: object, path: str) -> StreamingNotificationTarget:
    table = Table(entries, path, ("NotificationTarget",))
    return StreamingNotificationTarget(table.required("NotificationTarget", notification_target))


def media_insights_configuration(entries: object, path: str) -> MediaInsightsConfiguration:
    table = Table(entries, path, ("Disabled", "ConfigurationArn"))
    return MediaInsightsConfiguration(
        disabled=table.get("Disabled", boolean, False),
        configuration_arn=table.get("ConfigurationArn", arn, None),
    )


def streaming_configuration(entries: object, path: str) -> StreamingConfiguration:
    keys = ("DataRetentionInHours", "Disabled", "StreamingNotificationTargets", "MediaInsightsConfiguration")
    table = Table(entries, path, keys)
    return StreamingConfiguration(
        data_retention_in_hours=table.required("DataRetentionInHours", whole(0)),
        disabled=table.get("Disabled", boolean, False),
        streaming_notification_targets=table.shapes("StreamingNotificationTargets", streaming_notification_target),
        media_insights_configuration=table.shape("MediaInsightsConfiguration", media_insights_configuration),
    )


def logging_configuration(entries: object, path: str) -> LoggingConfiguration:
    table = Table(entries, path, ("EnableSIPLogs", "EnableMediaMetricLogs"))
    return LoggingConfiguration(
        enable_sip_logs=table.get("EnableSIPLogs", boolean, False),
        enable_media_metric_logs=table.get("EnableMediaMetricLogs", boolean, False),
    )


def external_systems_configuration(entries: object, path: str) -> ExternalSystemsConfiguration:
    table = Table(entries, path, ("SessionBorderControllerTypes", "ContactCenterSystemTypes"))
    return ExternalSystemsConfiguration(
        session_border_controller_types=table.each("SessionBorderControllerTypes", session_border_controller_type),
        contact_center_system_types=table.each("ContactCenterSystemTypes", contact_center_system_type),
    )


def voice_connector_item(entries: object, path: str) -> VoiceConnectorItem:
    table = Table(entries, path, ("VoiceConnectorId", "Priority"))
    return VoiceConnectorItem(
        voice_connector_id=table.required("VoiceConnectorId", voice_connector_id),
        priority=table.required("Priority", whole(1, 99)),
    )


def voice_connector_items(table: Table) -> tuple[VoiceConnectorItem, ...]:
    """A group's connectors. Raises ShapeError for a connector or a priority that occurs twice."""
    items, path = table.shapes("VoiceConnectorItems", voice_connector_item), table.path_of("VoiceConnectorItems")
    distinct([item.voice_connector_id for item in items], path, "VoiceConnectorId")
    distinct([item.priority for item in items], path, "Priority")
    return items


def voice_connector_group(entries: object, path: str) -> VoiceConnectorGroup:
    """A group with its numbers. Raises ShapeError."""
    table = Table(entries, path, ("VoiceConnectorGroupId", "Name", "VoiceConnectorItems", "PhoneNumbers"))
    items = voice_connector_items(table)
    return VoiceConnectorGroup(
        voice_connector_group_id=table.required("VoiceConnectorGroupId", voice_connector_group_id),
        name=table.required("Name", name),
        voice_connector_items=items,
        phone_numbers=table.each("PhoneNumbers", phone_number),
    )


def distinct(values: Sequence[str | int], path: str, key: str) -> None:
    """Raise ShapeError for the first value of a key that an item of a list shares with one before it."""
    before: set[str | int] = set()
    for index, value in enumerate(values):
        if value in before:
            raise ShapeError(f"{path}[{index}].{key}", f"= {value!r}: is there already")
        before.add(value)


def voice_connector(entries: object, path: str) -> VoiceConnector:
    """A connector with all that is configured on it. Raises ShapeError for a user name that occurs twice."""
    keys = (
        "VoiceConnectorId", "Name", "AwsRegion", "RequireEncryption", "NetworkType", "IntegrationType", "PhoneNumbers",
        "Termination", "Credentials", "Origination", "EmergencyCallingConfiguration",
        "StreamingConfiguration", "LoggingConfiguration", "ExternalSystemsConfiguration",
    )  # fmt: skip
    table = Table(entries, path, keys)
    credentials = table.shapes("Credentials", credential)
    distinct([known.username for known in credentials], f"{path}.Credentials", "Username")
    return VoiceConnector(
        voice_connector_id=table.required("VoiceConnectorId", voice_connector_id),
        name=table.required("Name", name),
        aws_region=table.get("AwsRegion", aws_region, "us-east-1"),
        require_encryption=table.get("RequireEncryption", boolean, False),
        network_type=table.get("NetworkType", network_type, "IPV4_ONLY"),
        integration_type=table.get("IntegrationType", integration_type, None),
        phone_numbers=table.each("PhoneNumbers", phone_number),
        termination=table.shape("Termination", termination),
        credentials=credentials,
        origination=table.shape("Origination", origination),
        emergency_calling_configuration=table.shape("EmergencyCallingConfiguration", emergency_calling_configuration),
        streaming_configuration=table.shape("StreamingConfiguration", streaming_configuration),
        logging_configuration=table.shape("LoggingConfiguration", logging_configuration),
        external_systems_configuration=table.shape("ExternalSystemsConfiguration", external_systems_configuration),
    )


def phone_number_of_inventory(entries: object, path: str) -> PhoneNumber:
    """A number with what is known of it; times are Unix times in seconds."""
    keys = (
        "E164PhoneNumber", "ProductType", "Name", "CallingName", "FormerCallingName", "CallingNameDue", "Progress",
        "Associated", "UserId", "OrderId", "DeletionDue",
    )  # fmt: skip
    table = Table(entries, path, keys)
    return PhoneNumber(
        e164_phone_number=table.required("E164PhoneNumber", phone_number),
        product_type=table.get("ProductType", product_type, "VoiceConnector"),
        name=table.get("Name", phone_number_name, ""),
        calling_name=table.get("CallingName", calling_name, ""),
        former_calling_name=table.get("FormerCallingName", calling_name, ""),
        calling_name_due=table.get("CallingNameDue", unix_time, None),
        progress=table.get("Progress", _progress, None),
        associated=table.get("Associated", unix_time, None),
        user_id=table.get("UserId", uuid, None),
        order_id=table.get("OrderId", uuid, None),
        deletion_due=table.get("DeletionDue", unix_time, None),
    )


def shape_of(value: Resource) -> dict[str, object]:
    """The table of a value, with AWS's keys; what is None, derived or a time of change is left out."""
    return {
        key_of(field.name): _plain(content)
        for field in fields(value)
        if field.init and not field.name.endswith("_timestamp")
        if (content := getattr(value, field.name)) is not None
    }


def key_of(field_name: str) -> str:
    """AWS's key for one of our fields: "CpsLimit" for "cps_limit"."""
    words = (word.upper() if word in _ACRONYMS else word.capitalize() for word in field_name.split("_"))
    return _ODD_KEYS.get(field_name) or "".join(words)


def _plain(content: object) -> object:
    if isinstance(content, tuple):
        return [_plain(item) for item in content]
    return shape_of(content) if is_dataclass(content) else content


def differences(stored: VoiceConnector, configured: VoiceConnector) -> tuple[str, ...]:
    """The keys of two connectors whose values are not the same: ("Name", "Termination.CpsLimit")."""
    return tuple(_differing(shape_of(stored), shape_of(configured), ""))


def _differing(one: Mapping[str, object], other: Mapping[str, object], prefix: str) -> Iterator[str]:
    for key in dict.fromkeys((*one, *other)):
        left, right = one.get(key), other.get(key)
        if isinstance(left, dict) and isinstance(right, dict):
            yield from _differing(left, right, f"{prefix}{key}.")
        elif left != right:
            yield prefix + key


# Rules beyond the single field


def check_voice_connectors(
    connectors: Sequence[VoiceConnector], regions: Collection[str], profile: Profile, path: str
) -> None:
    """Raise ShapeError for the first connector that is wrong, by itself or next to the others.

    Each has an id and phone numbers of its own, is in one of the Regions that are served, and there are no
    more of them than the profile takes.
    """
    ids: dict[str, str] = {}
    owners: dict[str, str] = {}
    in_region: dict[str, int] = {}
    for index, connector in enumerate(connectors):
        here, id_, region = f"{path}[{index}]", connector.voice_connector_id, connector.aws_region
        if other := ids.get(id_):
            problem = f"= '{id_}': is the id of {other} already; give each its VoiceConnectorId or its Name"
            raise ShapeError(f"{here}.VoiceConnectorId", problem)
        ids[id_] = here
        for position, number in enumerate(connector.phone_numbers):
            number_path = f"{here}.PhoneNumbers[{position}]"
            if other := owners.get(number):
                raise ShapeError(number_path, f"= '{number}': stands in {other} already")
            owners[number] = number_path
        if region not in regions:
            problem = f"must be a Region that is served, {' or '.join(regions)}; [regions.{region}] adds it"
            raise ShapeError(f"{here}.AwsRegion", f"= '{region}': {problem}")
        check_voice_connector(connector, profile, here)
        in_region[region] = in_region.get(region, 0) + 1
        at_most(profile.voice_connectors_max, in_region[region], f"{path} in {region}", profile)
    at_most(profile.phone_numbers_max, len(owners), f"{path}[*].PhoneNumbers", profile)


def check_voice_connector_groups(
    groups: Sequence[VoiceConnectorGroup],
    connectors: Sequence[VoiceConnector],
    profile: Profile,
    path: str,
    connectors_path: str,
) -> None:
    """The same for groups next to the connectors that there are.

    Each has an id and phone numbers of its own, and all its connectors are among `connectors`.
    """
    known = {connector.voice_connector_id for connector in connectors}
    ids: dict[str, str] = {}
    owners = {
        number: f"{connectors_path}[{index}].PhoneNumbers"
        for index, connector in enumerate(connectors)
        for number in connector.phone_numbers
    }
    at_most(profile.voice_connector_groups_max, len(groups), path, profile)
    for index, group in enumerate(groups):
        here, id_ = f"{path}[{index}]", group.voice_connector_group_id
        if other := ids.get(id_):
            problem = f"= '{id_}': is the id of {other} already; give each its VoiceConnectorGroupId or its Name"
            raise ShapeError(f"{here}.VoiceConnectorGroupId", problem)
        ids[id_] = here
        at_most(profile.group_members_max, len(group.voice_connector_items), f"{here}.VoiceConnectorItems", profile)
        for position, item in enumerate(group.voice_connector_items):
            if item.voice_connector_id not in known:
                problem = f"= '{item.voice_connector_id}': is the id of no Voice Connector in {connectors_path}"
                raise ShapeError(f"{here}.VoiceConnectorItems[{position}].VoiceConnectorId", problem)
        for position, number in enumerate(group.phone_numbers):
            number_path = f"{here}.PhoneNumbers[{position}]"
            if other := owners.get(number):
                raise ShapeError(number_path, f"= '{number}': stands in {other} already")
            owners[number] = f"{here}.PhoneNumbers"
    at_most(profile.phone_numbers_max, len(owners), f"{path}[*].PhoneNumbers", profile)


def check_phone_numbers(
    numbers: Sequence[PhoneNumber], holders: Sequence[VoiceConnector | VoiceConnectorGroup], path: str
) -> None:
    """Raise ShapeError for a number that occurs twice, or has a product type that it cannot have.

    What a Voice Connector or a group has is for Voice Connectors.
    """
    distinct([number.e164_phone_number for number in numbers], path, "E164PhoneNumber")
    owners = {number: identity(holder) for holder in holders for number in holder.phone_numbers}
    for index, number in enumerate(numbers):
        product_type, owner = number.product_type, owners.get(number.e164_phone_number)
        here = f"{path}[{index}].ProductType"
        if owner and product_type != "VoiceConnector":
            raise ShapeError(here, f"= '{product_type}': must be VoiceConnector, as {owner} has the number")
        allowed = product_types(number.e164_phone_number)
        if not owner and product_type not in allowed:
            problem = f"must be {' or '.join(allowed)} for a number of its country and type (guide p. 40)"
            raise ShapeError(here, f"= '{product_type}': {problem}")


def check_deletion_queue(
    numbers: Sequence[str], holders: Sequence[VoiceConnector | VoiceConnectorGroup], path: str
) -> None:
    """Raise ShapeError for a number that is associated, as such a number cannot be deleted (guide p. 58)."""
    owners = {number: identity(holder) for holder in holders for number in holder.phone_numbers}
    for index, deleted in enumerate(numbers):
        if deleted in owners:
            raise ShapeError(f"{path}[{index}]", f"= '{deleted}': is a number of {owners[deleted]}")


def check_voice_connector(connector: VoiceConnector, profile: Profile, path: str) -> None:
    """Raise ShapeError for the first setting that breaks a rule of the service, or a limit of the profile."""
    if connector.termination:
        check_termination(connector.termination, profile, f"{path}.Termination")
    check_credentials(connector.credentials, profile, f"{path}.Credentials")
    if connector.origination:
        encrypted = connector.require_encryption
        check_origination(connector.origination, encrypted, profile, f"{path}.Origination")
    if connector.emergency_calling_configuration:
        check_emergency_calling(connector, profile, f"{path}.EmergencyCallingConfiguration")


def check_termination(termination: Termination, profile: Profile, path: str) -> None:
    """The same for a termination by itself."""
    at_most(profile.cps_limit_max, termination.cps_limit or 0, f"{path}.CpsLimit", profile)
    path = f"{path}.CidrAllowedList"
    at_most(profile.cidr_allowed_list_max, len(termination.cidr_allowed_list), path, profile)
    for index, allowed in enumerate(termination.allowed_networks):
        if allowed.version == 4 and allowed.prefixlen < profile.allowed_prefix_min:
            problem = f"= '{allowed}': the profile {profile.name} takes /{profile.allowed_prefix_min} to /32"
            raise ShapeError(f"{path}[{index}]", problem)
        if not (profile.private_addresses_allowed or allowed.is_global):
            problem = f"= '{allowed}': the profile {profile.name} takes public addresses only"
            raise ShapeError(f"{path}[{index}]", problem)


def check_credentials(credentials: Collection[Credential], profile: Profile, path: str) -> None:
    """The same for the digest users of a connector."""
    at_most(profile.credentials_max, len(credentials), path, profile)


def check_origination(origination: Origination, encrypted: bool, profile: Profile, path: str) -> None:
    """The same for an origination by itself; `encrypted` is the connector's RequireEncryption."""
    at_most(profile.routes_max, len(origination.routes), f"{path}.Routes", profile)
    for index, route in enumerate(origination.routes):
        if encrypted and route.protocol != "TCP":
            problem = f"= '{route.protocol}': must be TCP, which carries TLS, as RequireEncryption is true"
            raise ShapeError(f"{path}.Routes[{index}].Protocol", problem)
        if not (profile.private_addresses_allowed or _is_public(route.host)):
            problem = f"= '{route.host}': the profile {profile.name} takes public addresses only"
            raise ShapeError(f"{path}.Routes[{index}].Host", problem)


def check_emergency_calling(connector: VoiceConnector, profile: Profile, path: str) -> None:
    """The same for a connector's emergency calling: what it needs, and where its numbers are (guide p. 62)."""
    missing = emergency_prerequisite(connector)
    if missing:
        raise ShapeError(path, f"must not be there: {missing}")
    configuration = connector.emergency_calling_configuration
    allowed = profile.emergency_routing_countries
    for index, entry in enumerate(configuration.dnis if configuration else ()):
        for key, number in (
            ("EmergencyPhoneNumber", entry.emergency_phone_number),
            ("TestPhoneNumber", entry.test_phone_number),
        ):
            if number and country_of(number) not in allowed:
                problem = (
                    f"is a number of {country_of(number) or 'no country'}: must be one of {' or '.join(allowed)}, "
                    "as emergency calls are routed there"
                )
                raise ShapeError(f"{path}.DNIS[{index}].{key}", problem)


def emergency_prerequisite(connector: VoiceConnector) -> str:
    """What a connector lacks for emergency calling, in words; empty where it has termination and origination."""
    for setting, value in (("Termination", connector.termination), ("Origination", connector.origination)):
        if value is None or value.disabled:
            state = "is not configured" if value is None else "is disabled"
            return f"emergency calling needs termination and origination, and {setting} {state}"
    return ""


def at_most(limit: int | None, given: int, path: str, profile: Profile) -> None:
    """Raise ShapeError for more than a limit of the profile; None: no limit."""
    if limit is not None and given > limit:
        raise ShapeError(path, f"= {given}: the profile {profile.name} takes at most {limit}")


def _is_public(host: str) -> bool:
    try:
        return ip_address(host).is_global
    except ValueError:
        return True  # a name, which is resolved at call time
