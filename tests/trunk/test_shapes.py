"""AWS's shapes as tables: what is read, what is refused, and that writing and reading are inverse.

Constraints are those of the model `chime-sdk-voice` 2022-08-03.
"""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceconnector.trunk.model import (
    AWS_REGIONS,
    Credential,
    DNISEmergencyCallingConfiguration,
    EmergencyCallingConfiguration,
    ExternalSystemsConfiguration,
    LoggingConfiguration,
    MediaInsightsConfiguration,
    Origination,
    OriginationRoute,
    StreamingConfiguration,
    StreamingNotificationTarget,
    Termination,
    VoiceConnector,
    VoiceConnectorGroup,
    VoiceConnectorItem,
)
from voiceconnector.trunk.profile import Profile
from voiceconnector.trunk.shapes import (
    COUNTRIES,
    check_voice_connector_groups,
    check_voice_connectors,
    credential,
    differences,
    external_systems_configuration,
    logging_configuration,
    origination,
    origination_route,
    shape_of,
    streaming_configuration,
    termination,
    voice_connector,
    voice_connector_group,
)
from voiceconnector.trunk.tables import ShapeError

ID = "abcdef1ghij2klmno3pqr4"
INSIGHTS = "arn:aws:chime:us-east-1:111122223333:media-insights-pipeline-configuration/calls"
LAB = Profile.named("lab")
AWS = Profile.named("aws")


def test_a_full_connector_is_read_field_for_field() -> None:
    table = {
        "VoiceConnectorId": ID,
        "Name": "lab",
        "AwsRegion": "us-west-2",
        "RequireEncryption": True,
        "NetworkType": "DUAL_STACK",
        "PhoneNumbers": ["+12065550100"],
        "Termination": {
            "CpsLimit": 2,
            "DefaultPhoneNumber": "+12065550100",
            "CallingRegions": ["US", "GB"],
            "CidrAllowedList": ["198.51.100.4/32"],
            "Disabled": True,
        },
        "Credentials": [{"Username": "pbx", "Password": "secret"}],
        "Origination": {
            "Routes": [{"Host": "pbx.example.com", "Port": 5080, "Protocol": "TCP", "Priority": 2, "Weight": 90}],
            "Disabled": True,
        },
        "EmergencyCallingConfiguration": {
            "DNIS": [
                {"EmergencyPhoneNumber": "+12065550911", "CallingCountry": "US", "TestPhoneNumber": "+12065550933"},
                {"EmergencyPhoneNumber": "+12065550912", "CallingCountry": "CA"},
            ]
        },
        "StreamingConfiguration": {
            "DataRetentionInHours": 24,
            "Disabled": True,
            "StreamingNotificationTargets": [{"NotificationTarget": "EventBridge"}, {"NotificationTarget": "SQS"}],
            "MediaInsightsConfiguration": {"Disabled": True, "ConfigurationArn": INSIGHTS},
        },
        "LoggingConfiguration": {"EnableSIPLogs": True, "EnableMediaMetricLogs": True},
        "ExternalSystemsConfiguration": {
            "SessionBorderControllerTypes": ["RIBBON_SBC", "AVAYA_SBCE"],
            "ContactCenterSystemTypes": ["GENESYS_ENGAGE_ON_PREMISES"],
        },
    }
    expected = VoiceConnector(
        voice_connector_id=ID,
        name="lab",
        aws_region="us-west-2",
        require_encryption=True,
        network_type="DUAL_STACK",
        phone_numbers=("+12065550100",),
        termination=Termination(2, "+12065550100", ("US", "GB"), ("198.51.100.4/32",), True),
        credentials=(Credential("pbx", "secret"),),
        origination=Origination((OriginationRoute("pbx.example.com", 5080, "TCP", 2, 90),), True),
        emergency_calling_configuration=EmergencyCallingConfiguration(
            (
                DNISEmergencyCallingConfiguration("+12065550911", "US", "+12065550933"),
                DNISEmergencyCallingConfiguration("+12065550912", "CA"),
            )
        ),
        streaming_configuration=StreamingConfiguration(
            24,
            True,
            (StreamingNotificationTarget("EventBridge"), StreamingNotificationTarget("SQS")),
            MediaInsightsConfiguration(True, INSIGHTS),
        ),
        logging_configuration=LoggingConfiguration(True, True),
        external_systems_configuration=ExternalSystemsConfiguration(
            ("RIBBON_SBC", "AVAYA_SBCE"), ("GENESYS_ENGAGE_ON_PREMISES",)
        ),
    )
    assert voice_connector(table, "") == expected
    assert shape_of(expected) == table


def test_a_group_is_read_field_for_field() -> None:
    table = {
        "VoiceConnectorGroupId": "0" * 22,
        "Name": "both",
        "VoiceConnectorItems": [
            {"VoiceConnectorId": "1" * 22, "Priority": 99},
            {"VoiceConnectorId": ID, "Priority": 1},
        ],
        "PhoneNumbers": ["+12065550111"],
    }
    items = (VoiceConnectorItem("1" * 22, 99), VoiceConnectorItem(ID, 1))
    expected = VoiceConnectorGroup("0" * 22, "both", items, ("+12065550111",))
    assert voice_connector_group(table, "") == expected
    assert shape_of(expected) == table
    assert expected.ranked == (ID, "1" * 22)


def test_what_is_not_given_has_the_documented_default() -> None:
    """CreateVoiceConnector: AwsRegion us-east-1; OriginationRoute: Port 5060."""
    connector = voice_connector({"VoiceConnectorId": ID, "Name": "lab"}, "")
    assert connector == VoiceConnector(ID, "lab")
    assert connector.aws_region == "us-east-1"
    assert origination_route({"Host": "192.0.2.7"}, "").port == 5060


def test_an_empty_termination_is_not_a_missing_one() -> None:
    connector = VoiceConnector(ID, "lab", termination=Termination())
    assert voice_connector(shape_of(connector), "") == connector


networks = st.one_of(
    st.ip_addresses(v=4).map(lambda address: f"{address}/32"), st.ip_addresses(v=6).map(lambda a: f"{a}/128")
)
us_ascii = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=40)
numbers = st.integers(10, 999_999_999_999_999).map("+{}".format)
terminations = st.builds(
    Termination,
    cps_limit=st.none() | st.integers(1, 5000),
    default_phone_number=st.none() | numbers,
    calling_regions=st.lists(st.sampled_from(sorted(COUNTRIES)), max_size=4).map(tuple),
    cidr_allowed_list=st.lists(networks, max_size=4).map(tuple),
    disabled=st.booleans(),
)
routes = st.builds(
    OriginationRoute,
    host=st.sampled_from(["pbx", "pbx-1.example.com", "xn--bcher-kva.example."]) | st.ip_addresses().map(str),
    port=st.integers(0, 65535),
    protocol=st.sampled_from(["UDP", "TCP"]),
    priority=st.integers(1, 100),
    weight=st.integers(1, 100),
)
connectors = st.builds(
    VoiceConnector,
    voice_connector_id=st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=22, max_size=22),
    name=st.text("azAZ09 _.-", min_size=1, max_size=256),
    aws_region=st.sampled_from(AWS_REGIONS),
    require_encryption=st.booleans(),
    network_type=st.sampled_from(["IPV4_ONLY", "DUAL_STACK"]),
    phone_numbers=st.lists(numbers, max_size=4, unique=True).map(tuple),
    termination=st.none() | terminations,
    credentials=st.lists(
        st.builds(Credential, username=us_ascii, password=us_ascii),
        max_size=3,
        unique_by=lambda c: c.username,
    ).map(tuple),
    origination=st.none()
    | st.builds(Origination, routes=st.lists(routes, max_size=3).map(tuple), disabled=st.booleans()),
)


@settings(max_examples=50, deadline=None)
@given(connectors)
def test_every_connector_survives_json(connector: VoiceConnector) -> None:
    assert voice_connector(json.loads(json.dumps(shape_of(connector))), "") == connector


@pytest.mark.parametrize(
    ("shape", "table", "message"),
    [
        (termination, {"CpsLimit": 0}, "T.CpsLimit = 0: must be a whole number from 1 upwards"),
        (termination, {"CpsLimit": True}, "T.CpsLimit = true: must be a whole number from 1 upwards"),
        (termination, {"CpsLimit": 1.0}, "T.CpsLimit = 1.0: must be a whole number from 1 upwards"),
        (termination, {"Disabled": 0}, "T.Disabled = 0: must be true or false"),
        (termination, {"CidrAllowedList": "10.0.0.0/8"}, "T.CidrAllowedList = '10.0.0.0/8': must be a list"),
        (
            termination,
            {"CidrAllowedList": ["10.0.0.0/8", "10.0.0.300/8"]},
            "T.CidrAllowedList[1] = '10.0.0.300/8': must be an IPv4 or IPv6 network such as 192.0.2.0/27",
        ),
        (
            termination,
            {"CidrAllowedList": ["10.0.0.1/8"]},
            "T.CidrAllowedList[0] = '10.0.0.1/8': has bits set after its prefix; did you mean 10.0.0.0/8?",
        ),
        (
            termination,
            {"CidrAllowedList": ["10.0.0.0/255.0.0.0"]},
            "T.CidrAllowedList[0] = '10.0.0.0/255.0.0.0': must be an IPv4 or IPv6 network such as 192.0.2.0/27",
        ),
        (
            termination,
            {"CallingRegions": ["UK"]},
            "T.CallingRegions[0] = 'UK': must be an ISO 3166-1 alpha-2 country code such as US or GB",
        ),
        (
            termination,
            {"DefaultPhoneNumber": "12065550100"},
            "T.DefaultPhoneNumber = '12065550100': must be an E.164 number with its +, such as +12065550100",
        ),
        (
            termination,
            {"CpsLimt": 3},
            "T.CpsLimt is an unknown key; did you mean CpsLimit? "
            "(known here: CpsLimit, DefaultPhoneNumber, CallingRegions, CidrAllowedList, Disabled)",
        ),
        (origination_route, {"Port": 5060}, "T.Host is missing"),
        (origination_route, {"Host": "a b"}, "T.Host = 'a b': must be a host name or an IP address"),
        (
            origination_route,
            {"Host": "h", "Port": 65536},
            "T.Port = 65536: must be a whole number from 0 to 65535",
        ),
        (
            origination_route,
            {"Host": "h", "Weight": 101},
            "T.Weight = 101: must be a whole number from 1 to 100",
        ),
        (origination_route, {"Host": "h", "Protocol": "TLS"}, "T.Protocol = 'TLS': must be UDP or TCP"),
        (origination, {"Routes": ["h"]}, "T.Routes[0] = 'h': must be a table"),
        (credential, {"Username": "pbx"}, "T.Password is missing"),
        (streaming_configuration, {}, "T.DataRetentionInHours is missing"),
        (
            streaming_configuration,
            {"DataRetentionInHours": -1},
            "T.DataRetentionInHours = -1: must be a whole number from 0 upwards",
        ),
        (
            streaming_configuration,
            {"DataRetentionInHours": 1, "StreamingNotificationTargets": [{"NotificationTarget": "Kinesis"}]},
            "T.StreamingNotificationTargets[0].NotificationTarget = 'Kinesis': must be EventBridge, SNS or SQS",
        ),
        (
            streaming_configuration,
            {"DataRetentionInHours": 1, "MediaInsightsConfiguration": {"ConfigurationArn": "calls"}},
            "T.MediaInsightsConfiguration.ConfigurationArn = 'calls': "
            "must be an Amazon Resource Name such as arn:aws:chime:us-east-1:…",
        ),
        (logging_configuration, {"EnableSIPLogs": 1}, "T.EnableSIPLogs = 1: must be true or false"),
        (
            external_systems_configuration,
            {"ContactCenterSystemTypes": ["RIBBON_SBC"]},
            "T.ContactCenterSystemTypes[0] = 'RIBBON_SBC': must be GENESYS_ENGAGE_ON_PREMISES, "
            "AVAYA_AURA_CALL_CENTER_ELITE, AVAYA_AURA_CONTACT_CENTER or CISCO_UNIFIED_CONTACT_CENTER_ENTERPRISE",
        ),
        (
            voice_connector,
            {"Name": "lab", "VoiceConnectorId": "ABC"},
            "T.VoiceConnectorId = 'ABC': must be 22 characters of 0-9 and a-z",
        ),
        (
            voice_connector,
            {"VoiceConnectorId": ID, "Name": "bad/name*"},
            "T.Name = 'bad/name*': must be 1 to 256 letters, digits, spaces, _, . or -",
        ),
        (
            voice_connector,
            {
                "VoiceConnectorId": ID,
                "Name": "lab",
                "EmergencyCallingConfiguration": {
                    "DNIS": [{"EmergencyPhoneNumber": "+12065550911", "CallingCountry": "US"}] * 2
                },
            },
            "T.EmergencyCallingConfiguration.DNIS[1].CallingCountry = 'US': is there already",
        ),
        (
            voice_connector,
            {
                "VoiceConnectorId": ID,
                "Name": "lab",
                "Credentials": [{"Username": "pbx", "Password": "1"}, {"Username": "pbx", "Password": "2"}],
            },
            "T.Credentials[1].Username = 'pbx': is there already",
        ),
    ],
)
def test_a_refusal_names_the_key_the_value_and_what_is_allowed(
    shape: Callable[[object, str], object], table: dict[str, object], message: str
) -> None:
    with pytest.raises(ShapeError) as caught:
        shape(table, "T")
    assert str(caught.value) == message


@pytest.mark.parametrize("credentials", [[{"Username": "pbx", "Password": "sécret"}], ["pbx:sécret"], "sécret"])
def test_a_refused_password_is_not_shown(credentials: object) -> None:
    with pytest.raises(ShapeError, match=r"Credentials.*not shown") as caught:
        voice_connector({"VoiceConnectorId": ID, "Name": "lab", "Credentials": credentials}, "")
    assert "cret" not in str(caught.value)


def test_the_countries_are_the_249_of_iso_3166_1() -> None:
    """ISO 3166-1 has 249 officially assigned alpha-2 codes; GB is one, UK is only reserved."""
    assert len(COUNTRIES) == 249
    assert "GB" in COUNTRIES
    assert "UK" not in COUNTRIES


def public(**changes: object) -> VoiceConnector:
    base = VoiceConnector(
        ID,
        "lab",
        termination=Termination(cidr_allowed_list=("8.8.8.0/27",)),
        origination=Origination((OriginationRoute("pbx.example.com"), OriginationRoute("8.8.8.8"))),
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # the field names are the test's


def allowing(*networks: str) -> Termination:
    return Termination(cidr_allowed_list=networks)


@pytest.mark.parametrize(
    ("connectors", "message"),
    [
        ([public(termination=allowing("8.8.8.0/26"))], "takes /27 to /32"),
        ([public(termination=allowing("10.24.34.0/32"))], "public addresses only"),
        ([public(termination=allowing(*(f"8.8.8.{n}/32" for n in range(11))))], "takes at most 10"),
        ([public(termination=Termination(cps_limit=257))], "takes at most 256"),
        ([public(credentials=tuple(Credential(str(n), "p") for n in range(11)))], "takes at most 10"),
        ([public(origination=Origination((OriginationRoute("192.168.0.9"),)))], "public addresses only"),
        ([public(origination=Origination((OriginationRoute("8.8.8.8"),) * 11))], "takes at most 10"),
        ([replace(public(), voice_connector_id=f"{n:022}") for n in range(4)], "takes at most 3"),
        ([public(phone_numbers=tuple(f"+1206555010{n}" for n in range(6)))], "takes at most 5"),
    ],
)
def test_the_limits_of_the_real_service_are_the_aws_profiles_alone(
    connectors: list[VoiceConnector], message: str
) -> None:
    """Allowlist /27 to /32 and public, 10 entries; 10 credentials; 10 routes; 3 connectors; 5 numbers."""
    check_voice_connectors(connectors, AWS_REGIONS, LAB, "voice_connectors")
    check_voice_connectors([public()], AWS_REGIONS, AWS, "voice_connectors")
    with pytest.raises(ShapeError, match=f"profile aws {message}|{message}"):
        check_voice_connectors(connectors, AWS_REGIONS, AWS, "voice_connectors")


@pytest.mark.parametrize(
    ("connectors", "path"),
    [
        ([public(), public()], "[1].VoiceConnectorId"),
        (
            [
                public(phone_numbers=("+12065550100",)),
                public(voice_connector_id="0" * 22, phone_numbers=("+12065550101", "+12065550100")),
            ],
            "[1].PhoneNumbers[1]",
        ),
        ([public(aws_region="eu-west-1")], "[0].AwsRegion"),
        ([public(require_encryption=True)], "[0].Origination.Routes[0].Protocol"),
    ],
)
def test_rules_across_fields_and_connectors_name_the_later_key(connectors: list[VoiceConnector], path: str) -> None:
    """An encryption-enabled connector has TCP routes only."""
    with pytest.raises(ShapeError) as caught:
        check_voice_connectors(connectors, ("us-east-1",), LAB, "voice_connectors")
    assert caught.value.path == f"voice_connectors{path}"


def test_differences_are_named_by_key_and_never_by_value() -> None:
    stored = public(credentials=(Credential("pbx", "old"),), created_timestamp=1.0)
    configured = replace(
        stored,
        name="new",
        termination=Termination(cps_limit=2, cidr_allowed_list=("8.8.8.0/27",)),
        credentials=(Credential("pbx", "new"),),
        created_timestamp=0.0,
    )
    assert differences(stored, stored) == ()
    assert differences(stored, configured) == ("Name", "Termination.CpsLimit", "Credentials")
    assert differences(stored, replace(stored, origination=None)) == ("Origination",)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([VoiceConnectorGroup(f"{n:022}", "g") for n in range(4)], "groups = 4: the profile aws takes at most 3"),
        (
            [VoiceConnectorGroup("0" * 22, "g", tuple(VoiceConnectorItem(f"{n:022}", n + 1) for n in range(4)))],
            r"groups\[0\].VoiceConnectorItems = 4: the profile aws takes at most 3",
        ),
        (
            [VoiceConnectorGroup("0" * 22, "g", (), tuple(f"+1206555011{n}" for n in range(5)))],
            r"groups\[\*\].PhoneNumbers = 6: the profile aws takes at most 5",
        ),
    ],
)
def test_the_limits_of_groups_are_the_aws_profiles_alone(groups: list[VoiceConnectorGroup], message: str) -> None:
    """Guide p. 65: up to three groups; three connectors in each; the numbers of connectors count too."""
    connectors = [VoiceConnector(f"{n:022}", "c") for n in range(4)]
    connectors[0] = replace(connectors[0], phone_numbers=("+12065550100",))
    check_voice_connector_groups(groups, connectors, LAB, "groups", "connectors")
    with pytest.raises(ShapeError, match=message):
        check_voice_connector_groups(groups, connectors, AWS, "groups", "connectors")
