"""The configuration: defaults, keys, the three sources, and errors with where, what and what is allowed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from voiceconnector.config import Address, Config, ConfigError, Hep, Media, PstnRoute, load
from voiceconnector.description import describe
from voiceconnector.trunk.model import (
    Credential,
    DNISEmergencyCallingConfiguration,
    EmergencyCallingConfiguration,
    Origination,
    OriginationRoute,
    PhoneNumber,
    Termination,
    VoiceConnector,
)
from voiceconnector.trunk.profile import Profile

EXAMPLE = """\
profile = "lab"                      # "lab": private addresses, no quotas; "aws": the real service's limits
data_dir = "var"                     # SQLite store, buckets/, logs/, streams/, recordings/
account_id = "111122223333"

[http]
address = "127.0.0.1:8060"           # AWS API, /emulator/*, /console/, /metrics on one port
[dns]
address = "127.0.0.1:8053"           # answers <id>.voiceconnector.chime.aws

[regions.us-east-1]
udp = "127.0.0.1:5060"
tcp = "127.0.0.1:5060"
tls = "127.0.0.1:5061"
media_address = "127.0.0.1"
rtp_ports = [20000, 29998]
# us-west-2 defaults to 127.0.0.2; more regions are added the same way

[pstn]
address = "127.0.0.1:5070"           # an INVITE sent here to an owned number is an incoming PSTN call
[[pstn.routes]]                      # first match wins; unmatched numbers: "answer"
match = "+1206555*"
behaviour = "busy"
[[pstn.routes]]
match = "+44*"
target = "sip:127.0.0.1:6000"        # or hand the call to a SIP peer of yours (sipp -sn uas, …)

[[voice_connectors]]                 # created at start if absent; the keys below are the AWS API's own shapes
VoiceConnectorId = "abcdef1ghij2klmno3pqr4"
Name = "lab"
AwsRegion = "us-east-1"
RequireEncryption = false
PhoneNumbers = ["+12065550100"]
[voice_connectors.Termination]
CpsLimit = 1
CallingRegions = ["US"]
CidrAllowedList = ["127.0.0.0/8"]
Disabled = false
[[voice_connectors.Credentials]]
Username = "pbx"
Password = "secret"
[[voice_connectors.Origination.Routes]]
Host = "127.0.0.1"
Port = 5080
Protocol = "UDP"
Priority = 1
Weight = 10
"""

Configure = Callable[..., Config]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """Loads a configuration from its text, with settings and environment as `load` takes them."""

    def loaded(text: str, *settings: str, environment: dict[str, str] | None = None) -> Config:
        path = tmp_path / "lab.toml"
        path.write_text(text)
        return load(path, settings, environment)

    return loaded


def test_the_documented_example_is_read_key_for_key(configure: Configure) -> None:
    config = configure(EXAMPLE)
    assert config.profile == Profile.named("lab")
    assert config.data_dir == Path("var")
    assert config.account_id == "111122223333"
    assert config.http_address == ("127.0.0.1", 8060)
    assert config.dns_address == ("127.0.0.1", 8053)
    assert list(config.regions) == ["us-east-1", "us-west-2"]
    region = config.regions["us-east-1"]
    assert (region.name, region.media_address) == ("us-east-1", "127.0.0.1")
    assert (region.udp, region.tcp, region.tls) == (
        ("127.0.0.1", 5060),
        ("127.0.0.1", 5060),
        ("127.0.0.1", 5061),
    )
    assert (region.rtp_ports[0], region.rtp_ports[-1], len(region.rtp_ports)) == (20000, 29998, 5000)
    assert config.pstn_address == ("127.0.0.1", 5070)
    assert config.pstn_routes == (
        PstnRoute(match="+1206555*", behaviour="busy"),
        PstnRoute(match="+44*", target="sip:127.0.0.1:6000"),
    )
    assert config.voice_connectors == (
        VoiceConnector(
            voice_connector_id="abcdef1ghij2klmno3pqr4",
            name="lab",
            phone_numbers=("+12065550100",),
            termination=Termination(cps_limit=1, calling_regions=("US",), cidr_allowed_list=("127.0.0.0/8",)),
            credentials=(Credential("pbx", "secret"),),
            origination=Origination((OriginationRoute("127.0.0.1", 5080, "UDP", 1, 10),)),
        ),
    )


def test_without_a_file_the_defaults_are_those_of_the_example(configure: Configure) -> None:
    defaults = load()
    assert defaults.voice_connectors == ()
    assert defaults.pstn_routes == ()
    assert configure("") == defaults
    head, _, _ = EXAMPLE.partition("[[pstn.routes]]")
    assert configure(head) == defaults


def test_the_second_region_listens_on_the_second_loopback_address() -> None:
    region = load().regions["us-west-2"]
    assert region.udp == region.tcp == ("127.0.0.2", 5060)
    assert region.tls == ("127.0.0.2", 5061)
    assert region.media_address == "127.0.0.2"


def test_a_region_is_added_by_naming_it_and_left_out_by_disabling_it(configure: Configure) -> None:
    config = configure("[regions.eu-west-1]\n[regions.us-west-2]\nenabled = false\n")
    assert list(config.regions) == ["us-east-1", "eu-west-1"]
    assert config.regions["eu-west-1"].udp == ("127.0.0.5", 5060)


def test_dns_has_a_server_for_other_names_and_one_for_hosts_of_routes_where_they_are_given(
    configure: Configure,
) -> None:
    config = configure('[dns]\nforward = "192.0.2.53:53"\nresolver = "[2001:db8::53]:5353"\n')
    assert config.dns_address == ("127.0.0.1", 8053)
    assert config.dns_forward == ("192.0.2.53", 53)
    assert config.dns_resolver == ("2001:db8::53", 5353)
    assert (load().dns_forward, load().dns_resolver) == (None, None)
    assert "other names from 192.0.2.53:53, hosts of routes from [2001:db8::53]:5353" in describe(config)


def test_a_region_may_have_further_addresses(configure: Configure) -> None:
    config = configure('[regions.us-east-1]\nfurther_addresses = ["127.0.0.11", "::1"]\n')
    assert config.regions["us-east-1"].further_addresses == ("127.0.0.11", "::1")
    assert "also at 127.0.0.11, ::1" in describe(config)


def test_tcp_tls_and_media_follow_udp_unless_they_are_given(configure: Configure) -> None:
    region = configure('[regions.us-east-1]\nudp = "192.0.2.1:6060"\n').regions["us-east-1"]
    assert (region.tcp, region.tls) == (("192.0.2.1", 6060), ("192.0.2.1", 5061))
    assert region.media_address == "192.0.2.1"


def test_port_0_takes_any_free_port_for_all_three_transports(configure: Configure) -> None:
    region = configure("", "regions.us-east-1.udp=127.0.0.1:0").regions["us-east-1"]
    assert (region.udp.port, region.tcp.port, region.tls.port) == (0, 0, 0)


def test_an_ipv6_address_stands_in_brackets(configure: Configure) -> None:
    """RFC 3986 3.2.2."""
    address = configure('[pstn]\naddress = "[::1]:5070"\n').pstn_address
    assert address == Address("::1", 5070)
    assert str(address) == "[::1]:5070"
    assert str(Address("127.0.0.1", 5070)) == "127.0.0.1:5070"


def test_every_key_of_a_pstn_route_is_read(configure: Configure, tmp_path: Path) -> None:
    wav = tmp_path / "hello.wav"
    wav.write_bytes(b"RIFF\x24\0\0\0WAVEfmt ")
    route = configure(
        f"""[[pstn.routes]]
        match = "+1206555010?"
        behaviour = "play"
        ring_seconds = 0.5
        hangup_after_seconds = 3
        play = {json.dumps(str(wav))}
        tone_hz = 1000
        digits = "12#"
        """
    ).pstn_routes[0]
    assert route == PstnRoute("+1206555010?", "play", None, 0.5, 3.0, wav, 1000.0, "12#")


@pytest.mark.parametrize(
    "behaviour", ["answer", "busy", "no-answer", "reject-404", "early-media", "tone", "echo", "fax"]
)
def test_every_behaviour_of_the_pstn_has_a_name(configure: Configure, behaviour: str) -> None:
    assert configure(f'[[pstn.routes]]\nbehaviour = "{behaviour}"').pstn_routes[0].behaviour == behaviour


@pytest.mark.parametrize(
    "target",
    ["sip:127.0.0.1", "sip:127.0.0.1:6000;transport=tcp", "sip:[::1]:6000", "sip:alice@192.0.2.1:5060"],
)
def test_a_target_is_a_sip_uri(configure: Configure, target: str) -> None:
    """RFC 3261 19.1."""
    assert configure(f'[[pstn.routes]]\ntarget = "{target}"').pstn_routes[0].target == target


def test_a_connector_without_an_id_has_the_same_one_at_each_start(configure: Configure) -> None:
    text = '[[voice_connectors]]\nName = "a"\n[[voice_connectors]]\nName = "b"\n'
    first, second = configure(text).voice_connectors
    assert len(first.voice_connector_id) == 22
    assert first.voice_connector_id != second.voice_connector_id
    assert configure(text).voice_connectors == (first, second)


GROUP = """
[[voice_connectors]]
VoiceConnectorId = "eastabcdefghijklmnopqr"
Name = "east"
PhoneNumbers = ["+12065550100"]
[[voice_connectors]]
VoiceConnectorId = "westabcdefghijklmnopqr"
Name = "west"
AwsRegion = "us-west-2"
[[voice_connector_groups]]
Name = "both coasts"
PhoneNumbers = ["+12065550111"]
VoiceConnectorItems = [
    {VoiceConnectorId = "westabcdefghijklmnopqr", Priority = 2},
    {VoiceConnectorId = "eastabcdefghijklmnopqr", Priority = 1},
]
"""


def test_a_group_is_read_with_its_ranks_and_numbers(configure: Configure) -> None:
    config = configure("deletion_queue = ['+12065550199']\n" + GROUP)
    (group,) = config.voice_connector_groups
    assert len(group.voice_connector_group_id) == 22
    assert (group.name, group.phone_numbers) == ("both coasts", ("+12065550111",))
    assert group.ranked == ("eastabcdefghijklmnopqr", "westabcdefghijklmnopqr")
    assert config.deletion_queue == ("+12065550199",)
    described = describe(config)
    assert "tried in this order: eastabcdefghijklmnopqr, westabcdefghijklmnopqr" in described
    assert "deletion queue: +12065550199" in described


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Priority = 2", "Priority = 100", ":13: voice_connector_groups[0].VoiceConnectorItems[0].Priority = 100: "
         "must be a whole number from 1 to 99"),
        ("Priority = 2", "Priority = 1", ":13: voice_connector_groups[0].VoiceConnectorItems[1].Priority = 1: "
         "is there already"),
        ('{VoiceConnectorId = "west', '{VoiceConnectorId = "east', ":13: voice_connector_groups[0]."
         "VoiceConnectorItems[1].VoiceConnectorId = 'eastabcdefghijklmnopqr': is there already"),
        ('{VoiceConnectorId = "west', '{VoiceConnectorId = "none', ":13: voice_connector_groups[0]."
         "VoiceConnectorItems[0].VoiceConnectorId = 'noneabcdefghijklmnopqr': is the id of no Voice Connector in "
         "voice_connectors"),
        ('["+12065550111"]', '["+12065550100"]', ":12: voice_connector_groups[0].PhoneNumbers[0] = '+12065550100': "
         "stands in voice_connectors[0].PhoneNumbers already"),
        ("PhoneNumbers = [\"+12065550111\"]", "PhoneNumber = []", ":12: voice_connector_groups[0].PhoneNumber is an "
         "unknown key; did you mean PhoneNumbers? (known here: VoiceConnectorGroupId, Name, VoiceConnectorItems, "
         "PhoneNumbers)"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_group_is_one_line(
    configure: Configure, tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in GROUP
    assert refusal(configure, GROUP.replace(old, new, 1)) == f"{tmp_path / 'lab.toml'}{message}"


def test_a_number_that_is_associated_cannot_be_in_the_deletion_queue(configure: Configure) -> None:
    """Guide p. 58: only unassigned numbers can be deleted."""
    refused = refusal(configure, "deletion_queue = ['+12065550111']\n" + GROUP)
    assert "deletion_queue[0] = '+12065550111': is a number of " in refused


NUMBERS = """
[[phone_numbers]]
E164PhoneNumber = "+12065550150"
Name = "front desk"
CallingName = "Example Corp"
[[phone_numbers]]
E164PhoneNumber = "+442079460123"
ProductType = "SipMediaApplicationDialIn"
"""


def test_numbers_of_the_inventory_are_read_and_described(configure: Configure) -> None:
    config = configure(NUMBERS)
    assert config.content.of(PhoneNumber) == (
        PhoneNumber("+12065550150", name="front desk", calling_name="Example Corp"),
        PhoneNumber("+442079460123", "SipMediaApplicationDialIn"),
    )
    assert "phone numbers: +12065550150, +442079460123" in describe(config)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('ProductType = "Sip', '# "Sip', "[1].ProductType = 'VoiceConnector': must be SipMediaApplicationDialIn for"),
        ("+442079460123", "+12065550150", "[1].E164PhoneNumber = '+12065550150': is there already"),
        ("+442079460123", "+12065550111", "[1].ProductType = 'SipMediaApplicationDialIn': must be VoiceConnector, as"),
        ("Name = ", "Nmae = ", "[0].Nmae is an unknown key"),
        ("Example Corp", "Example Corporation", "[0].CallingName = 'Example Corporation': must be 2 to 15 letters"),
    ],
)
def test_a_mistake_in_a_number_is_one_line(configure: Configure, old: str, new: str, message: str) -> None:
    """Guide p. 40, 58."""
    assert old in NUMBERS
    assert f"phone_numbers{message}" in refusal(configure, NUMBERS.replace(old, new, 1) + GROUP)


EMERGENCY = """
[[voice_connectors]]
Name = "lab"
[voice_connectors.Termination]
CallingRegions = ["US"]
[voice_connectors.Origination]
[[voice_connectors.EmergencyCallingConfiguration.DNIS]]
EmergencyPhoneNumber = "+12065550911"
TestPhoneNumber = "+12065550933"
CallingCountry = "US"
"""


def test_emergency_calling_is_read_and_described(configure: Configure) -> None:
    config = configure(EMERGENCY)
    configuration = config.voice_connectors[0].emergency_calling_configuration
    assert configuration == EmergencyCallingConfiguration(
        (DNISEmergencyCallingConfiguration("+12065550911", "US", "+12065550933"),)
    )
    assert "emergency calls of US: to +12065550911, tests to +12065550933" in describe(config)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('CallingCountry = "US"', 'CallingCountry = "UK"', ":10: voice_connectors[0].EmergencyCallingConfiguration."
         "DNIS[0].CallingCountry = 'UK': must be an ISO 3166-1 alpha-2 country code such as US or GB"),
        ('"+12065550911"', '"+442079460911"', ":8: voice_connectors[0].EmergencyCallingConfiguration.DNIS[0]."
         "EmergencyPhoneNumber is a number of GB: must be one of US, as emergency calls are routed there"),
        ('"+12065550933"', '"933"', ":9: voice_connectors[0].EmergencyCallingConfiguration.DNIS[0].TestPhoneNumber = "
         "'933': must be an E.164 number with its +, such as +12065550100"),
        ("[voice_connectors.Origination]", "", ": voice_connectors[0].EmergencyCallingConfiguration must not be there: "
         "emergency calling needs termination and origination, and Origination is not configured"),
        ("[voice_connectors.Origination]", "[voice_connectors.Origination]\nDisabled = true", ": voice_connectors[0]."
         "EmergencyCallingConfiguration must not be there: emergency calling needs termination and origination, and "
         "Origination is disabled"),
    ],
)  # fmt: skip
def test_a_mistake_in_emergency_calling_is_one_line(configure: Configure, old: str, new: str, message: str) -> None:
    """Guide p. 62: US numbers, and termination and origination turned on."""
    assert old in EMERGENCY
    assert message.lstrip(":") in refusal(configure, EMERGENCY.replace(old, new, 1))


def test_an_override_replaces_one_value_of_the_profile(configure: Configure) -> None:
    config = configure(
        'profile = "aws"\n[overrides]\nring_timeout = 5\ncodecs = ["PCMA"]\nchallenge_status = 401\n'
        'active_calls_quota = "none"\ndrop_unlisted = true\n'
    )
    profile = config.profile
    assert (profile.name, profile.ring_timeout, profile.codecs) == ("aws", 5.0, ("PCMA",))
    assert (profile.challenge_status, profile.active_calls_quota, profile.drop_unlisted) == (401, None, True)
    assert profile.cps_exceeded_status == Profile.named("aws").cps_exceeded_status
    assert "ring_timeout = 5.0 in place of 60.0" in describe(config)


@pytest.mark.parametrize(("written", "bucket"), [('"none"', None), ('"our-cdrs"', "our-cdrs")])
def test_the_bucket_of_records_is_the_profiles_until_the_api_names_one(
    configure: Configure, written: str, bucket: str | None
) -> None:
    assert configure(f"[overrides]\ncdr_bucket = {written}\n").profile.cdr_bucket == bucket


def test_a_bucket_whose_name_leads_elsewhere_is_refused(configure: Configure) -> None:
    refused = refusal(configure, '[overrides]\ncdr_bucket = "../logs"\n')
    assert "overrides.cdr_bucket = '../logs': must be the name of an S3 bucket" in refused


def test_later_sources_win(configure: Configure) -> None:
    environment = {
        "VOICECONNECTOR_HTTP__ADDRESS": "127.0.0.1:1",
        "VOICECONNECTOR_DNS__ADDRESS": "127.0.0.1:2",
        "VOICECONNECTOR_CONFIG": "lab.toml",
        "HOME": "/root",
    }
    config = configure(EXAMPLE, "http.address=127.0.0.1:3", environment=environment)
    assert (config.http_address.port, config.dns_address.port, config.pstn_address.port) == (3, 2, 5070)


@pytest.mark.parametrize(
    ("variable", "key"),
    [
        ("VOICECONNECTOR_PROFILE", "profile"),
        ("VOICECONNECTOR_REGIONS__US_EAST_1__MEDIA_ADDRESS", "regions.us-east-1.media_address"),
        ("VOICECONNECTOR_PSTN__ROUTES__0__TONE_HZ", "pstn.routes[0].tone_hz"),
        (
            "VOICECONNECTOR_VOICE_CONNECTORS__0__TERMINATION__CIDR_ALLOWED_LIST",
            "voice_connectors[0].Termination.CidrAllowedList",
        ),
        (
            "VOICECONNECTOR_VOICE_CONNECTORS__0__LOGGING_CONFIGURATION__ENABLE_SIP_LOGS",
            "voice_connectors[0].LoggingConfiguration.EnableSIPLogs",
        ),
        ("VOICECONNECTOR_OVERRIDES__RING_TIMEOUT", "overrides.ring_timeout"),
    ],
)
def test_each_environment_variable_stands_for_one_key(configure: Configure, variable: str, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configure(EXAMPLE, environment={variable: "é"})
    assert str(caught.value).startswith(f"environment variable {variable}: {key} = 'é': must be ")


@pytest.mark.parametrize(
    ("setting", "of"),
    [
        ("account_id=222233334444", lambda config: config.account_id == "222233334444"),
        ('account_id="222233334444"', lambda config: config.account_id == "222233334444"),
        ("data_dir=/srv/voice connector", lambda config: config.data_dir == Path("/srv/voice connector")),
        ("voice_connectors.0.Name=2024", lambda config: config.voice_connectors[0].name == "2024"),
        (
            "voice_connectors[0].Termination.CpsLimit=7",
            lambda config: config.voice_connectors[0].termination.cps_limit == 7,
        ),
        ("voice_connectors[1].Name=second", lambda config: config.voice_connectors[1].name == "second"),
        ("pstn.routes=[]", lambda config: config.pstn_routes == ()),
        ("regions.us-west-2={enabled = false}", lambda config: list(config.regions) == ["us-east-1"]),
        (
            "regions.us-east-1.rtp_ports=[30000, 30001]",
            lambda config: list(config.regions["us-east-1"].rtp_ports) == [30000],
        ),
    ],
)
def test_a_setting_is_a_dotted_key_and_toml_or_plain_text(
    configure: Configure, setting: str, of: Callable[[Config], bool]
) -> None:
    assert of(configure(EXAMPLE, setting))


def refusal(configure: Configure, text: str, *settings: str) -> str:
    with pytest.raises(ConfigError) as caught:
        configure(text, *settings)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


ADDRESS = "must be an IP address and port such as 127.0.0.1:5060 or [::1]:5060, port 0 for any free one"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '["127.0.0.0/8"]',
            '["127.0.0.0/8", "10.0.0.300/8"]',
            ":36: voice_connectors[0].Termination.CidrAllowedList[1] = '10.0.0.300/8': "
            "must be an IPv4 or IPv6 network such as 192.0.2.0/27",
        ),
        (
            "Port = 5080",
            "Port = 70000",
            ":43: voice_connectors[0].Origination.Routes[0].Port = 70000: must be a whole number from 0 to 65535",
        ),
        (
            "CpsLimit = 1",
            'CpsLimit = "1"',
            ":34: voice_connectors[0].Termination.CpsLimit = '1': must be a whole number from 1 upwards",
        ),
        ('Password = "secret"', "", ":38: voice_connectors[0].Credentials[0].Password is missing"),
        (
            'AwsRegion = "us-east-1"',
            'AwsRegion = "eu-west-1"',
            ":30: voice_connectors[0].AwsRegion = 'eu-west-1': "
            "must be a Region that is served, us-east-1 or us-west-2; [regions.eu-west-1] adds it",
        ),
        (
            "[http]",
            "[htp]",
            ":5: htp is an unknown key; did you mean http?",
        ),
        ('profile = "lab"', 'profile = "prod"', ":1: profile = 'prod': must be lab or aws"),
        (
            'account_id = "111122223333"',
            "account_id = 111122223333",
            ":3: account_id = 111122223333: must be a string of 12 digits",
        ),
        (
            'udp = "127.0.0.1:5060"',
            'udp = "127.0.0.1:70000"',
            f":11: regions.us-east-1.udp = '127.0.0.1:70000': {ADDRESS}",
        ),
        (
            'udp = "127.0.0.1:5060"',
            'udp = "localhost:5060"',
            f":11: regions.us-east-1.udp = 'localhost:5060': {ADDRESS}",
        ),
        ('udp = "127.0.0.1:5060"', 'udp = "::1:5060"', f":11: regions.us-east-1.udp = '::1:5060': {ADDRESS}"),
        (
            'udp = "127.0.0.1:5060"',
            'udp = "0.0.0.0:5060"',
            ":11: regions.us-east-1.udp = '0.0.0.0:5060': must be the address of one interface, as "
            "PBXs are told to send there",
        ),
        (
            "rtp_ports = [20000, 29998]",
            "rtp_ports = [20001, 29998]",
            ":15: regions.us-east-1.rtp_ports = [20001, 29998]: must be [first, last], the first "
            "even, both from 1024 to 65535 and first before last",
        ),
        (
            'tls = "127.0.0.1:5061"',
            'tls = "127.0.0.1:5060"',
            ":13: regions.us-east-1.tls = '127.0.0.1:5060': is the address of regions.us-east-1.tcp already",
        ),
        (
            "[pstn]",
            '[tls]\ncertificate = "own.pem"\n[pstn]',
            ":19: tls.certificate must come with tls.private_key",
        ),
        (
            'behaviour = "busy"',
            'behaviour = "reject-200"',
            ":22: pstn.routes[0].behaviour = 'reject-200': must be answer, busy, no-answer, "
            "reject-<code from 300 to 699>, early-media, tone, echo, play or fax",
        ),
        (
            'behaviour = "busy"',
            'behaviour = "play"',
            ":20: pstn.routes[0].play is missing: it names the WAV file for the behaviour play",
        ),
        (
            'behaviour = "busy"',
            'play = "/no/such.wav"',
            ":22: pstn.routes[0].play = '/no/such.wav': must be a WAV file, this is no file",
        ),
        (
            'match = "+44*"',
            'match = "0044 20"',
            ":24: pstn.routes[1].match = '0044 20': must be a number pattern such as +44* or +1206555????",
        ),
        (
            '"sip:127.0.0.1:6000"',
            '"127.0.0.1:6000"',
            ":25: pstn.routes[1].target = '127.0.0.1:6000': must be a SIP URI such as "
            "sip:127.0.0.1:6000 or sip:127.0.0.1:6000;transport=tcp",
        ),
        (
            'match = "+44*"',
            'behaviour = "echo"',
            ":24: pstn.routes[1].behaviour must not be there, as target hands the call to your own peer",
        ),
        (
            'profile = "lab"',
            'profile = "aws"',
            ":36: voice_connectors[0].Termination.CidrAllowedList[0] = '127.0.0.0/8': the profile aws takes /27 to /32",
        ),
        ('Name = "lab"', 'Name = "lab', ": is not TOML: Illegal character '\\n' (at line 29, column 12)"),
    ],
)
def test_a_mistake_is_one_line_with_file_key_value_and_what_is_allowed(
    configure: Configure, tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in EXAMPLE
    assert refusal(configure, EXAMPLE.replace(old, new, 1)) == f"{tmp_path / 'lab.toml'}{message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[overrides]\nring_timout = 1",
            ":2: overrides.ring_timout is an unknown key; did you mean ring_timeout?",
        ),
        ('[overrides]\nname = "x"', ":2: overrides.name is an unknown key"),
        (
            "[overrides]\ncps_exceeded_status = 4033",
            ":2: overrides.cps_exceeded_status = 4033: must be a whole number from 300 to 699",
        ),
        ("[overrides]\nchallenge_status = 403", ":2: overrides.challenge_status = 403: must be 401 or 407"),
        ("[overrides]\ndrop_unlisted = 1", ":2: overrides.drop_unlisted = 1: must be true or false"),
        ('[overrides]\ncodecs = "PCMU"', ":2: overrides.codecs = 'PCMU': must be a list"),
        (
            '[overrides]\nsrtp_suites = ["F8_128"]',
            ":2: overrides.srtp_suites = ['F8_128']: must be AES_CM_128_HMAC_SHA1_",
        ),
        ("[overrides]\nsrtp_offer = []", ":2: overrides.srtp_offer = []: must name a suite, for connectors that"),
        (
            '[overrides]\ncaller_headers = ["To"]',
            ":2: overrides.caller_headers = ['To']: must be From or P-Asserted-Identity",
        ),
        ("[regions.us-est-1]", ":1: regions.us-est-1 is an unknown key; did you mean us-east-1?"),
        (
            "[regions]\nus-east-1.enabled = false\nus-west-2.enabled = false",
            ":1: regions must have one that is enabled",
        ),
        (
            '[dns]\nforward = "127.0.0.1:0"',
            ":2: dns.forward = '127.0.0.1:0': must be the IP address and port of a DNS server such as 127.0.0.1:53",
        ),
        ('[dns]\nresolver = "dns.example:53"', f":2: dns.resolver = 'dns.example:53': {ADDRESS}"),
        (
            '[dns]\nforward = "127.0.0.1:8053"',
            ":2: dns.forward = '127.0.0.1:8053': is dns.address, so a query would come back for ever",
        ),
        (
            '[regions.us-east-1]\nfurther_addresses = ["127.0.0.11", "127.0.0.2"]',
            ": regions.us-west-2.udp = '127.0.0.2:5060': is the address of regions.us-east-1.further_addresses[1] "
            "already",
        ),
        (
            '[[pstn.routes]]\ntarget = "sip:pbx.example.com:5060"',
            ":2: pstn.routes[0].target = 'sip:pbx.example.com:5060': must have an IP address in place of "
            "pbx.example.com, as names are not looked up here",
        ),
        ('http = "127.0.0.1:8060"', ":1: http = '127.0.0.1:8060': must be a table"),
        ("[[voice_connectors]]\n[[voice_connectors]]", "voice_connectors[1].VoiceConnectorId = "),
        (
            '[[voice_connectors]]\nPhoneNumbers = ["+12065550100"]\n'
            '[[voice_connectors]]\nName = "b"\nPhoneNumbers = ["+12065550100"]',
            ":5: voice_connectors[1].PhoneNumbers[0] = '+12065550100': stands in "
            "voice_connectors[0].PhoneNumbers[0] already",
        ),
        ('data_dir = """\n"""', ": data_dir = "),
        ("a = " + "[" * 5000, ": is nested too deeply"),
        ("a = " + "9" * 5000, ": is not TOML: "),
        ("account_id = 0x" + "f" * 6000, ":1: account_id = a huge number: must be a string of 12 digits"),
    ],
)
def test_a_mistake_in_a_small_file_is_named_too(configure: Configure, tmp_path: Path, text: str, message: str) -> None:
    refused = refusal(configure, text)
    assert refused.startswith(str(tmp_path / "lab.toml"))
    assert message in refused


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "http.adress=x",
            "--set: http.adress is an unknown key; did you mean address? (known here: address, auth, access_keys)",
        ),
        ("http", "--set 'http': must be key=value, such as http.address=127.0.0.1:8060"),
        ("=x", "--set '=x': must be key=value, such as http.address=127.0.0.1:8060"),
        (".=x", "--set: '.' is no key"),
        (
            "voice_connectors[1].Name=\udcff",
            "--set: voice_connectors[1].Name = '\\udcff': must be 1 to 256 letters, digits, spaces, _, . or -",
        ),
        (
            "pstn.routes[0].play=" + "1" * 400,
            f"--set: pstn.routes[0].play = {'1' * 79}…: must be a WAV file that can be read: File name too long",
        ),
        ("profile.name=x", "--set: profile is no table, so it has no name"),
        (
            "voice_connectors[3].Name=x",
            "--set: voice_connectors[3] is no item of the list; a new one would be 1",
        ),
        (
            "voice_connectors.Name=x",
            "--set: voice_connectors[Name] is no item of the list; a new one would be 1",
        ),
        (
            "voice_connectors[0].Termination.CpsLimit=0",
            "--set: voice_connectors[0].Termination.CpsLimit = 0: must be a whole number from 1 upwards",
        ),
    ],
)
def test_a_mistake_in_a_setting_names_the_setting(configure: Configure, setting: str, message: str) -> None:
    assert refusal(configure, EXAMPLE, setting) == message


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "lab.toml"
    with pytest.raises(ConfigError, match=r"lab\.toml: cannot be read: No such file or directory"):
        load(missing)
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path)
    missing.write_bytes(b'data_dir = "\xff"')
    with pytest.raises(ConfigError, match="is not UTF-8 text at byte 12"):
        load(missing)


def test_checking_a_good_file_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lab.toml"
    path.write_text(EXAMPLE)
    load(path)


def test_the_description_says_what_will_run_and_no_password(configure: Configure) -> None:
    text = describe(configure(EXAMPLE))
    assert "us-east-1: udp 127.0.0.1:5060, tcp 127.0.0.1:5060, tls 127.0.0.1:5061" in text
    assert "+1206555*: busy" in text
    assert "+44*: to sip:127.0.0.1:6000" in text
    assert "abcdef1ghij2klmno3pqr4.voiceconnector.chime.aws" in text
    assert "enabled, from 127.0.0.0/8 to US, 1/s at most" in text
    assert "digest: pbx" in text
    assert "secret" not in text


def test_the_description_says_when_there_is_no_connector() -> None:
    assert "no Voice Connector is configured" in describe(load())


def test_nothing_of_a_call_is_kept_or_copied_unless_it_is_asked_for(configure: Configure) -> None:
    config = configure("")
    assert config.media == Media(capture=False, record=False, keep_bytes=1_000_000_000)
    assert config.hep is None
    assert "kept" not in describe(config)


def test_captures_recordings_and_the_collector_are_told_without_the_password(configure: Configure) -> None:
    config = configure(
        "[media]\ncapture = true\nrecord = true\nkeep_bytes = 5_000_000\n"
        '[hep]\naddress = "127.0.0.1:9060"\ncapture_id = 7\npassword = "hush-hush"\n'
    )
    assert config.media == Media(capture=True, record=True, keep_bytes=5_000_000)
    assert config.hep == Hep(Address("127.0.0.1", 9060), 7, "hush-hush")
    told = describe(config)
    assert "packets and audio of every call are kept, up to 5,000,000 bytes" in told
    assert "SIP messages are copied to 127.0.0.1:9060 (HEP), as capture agent 7" in told
    assert "hush" not in told + repr(config)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[media]\ncapture = 1", ":2: media.capture = 1: must be true or false"),
        ("[media]\nkeep_bytes = 5", ":2: media.keep_bytes = 5: must be a whole number from 1000000 upwards"),
        ("[hep]\ncapture_id = 7", ":1: hep.address is missing"),
        (
            '[hep]\naddress = "collector:9060"',
            ":2: hep.address = 'collector:9060': must be an IP address and port such as 127.0.0.1:5060 or [::1]:5060, "
            "port 0 for any free one",
        ),
        (
            '[hep]\naddress = "0.0.0.0:9060"',
            ":2: hep.address = '0.0.0.0:9060': must be the IP address and port of a HEP collector "
            "such as 127.0.0.1:9060",
        ),
        (
            '[hep]\naddress = "127.0.0.1:9060"\npassword = "hüsh"',
            ":3: hep.password (not shown): must be 1 to 256 printable US-ASCII characters",
        ),
    ],
)
def test_a_mistake_in_what_is_kept_or_copied_is_one_line(
    configure: Configure, tmp_path: Path, text: str, message: str
) -> None:
    assert refusal(configure, text) == f"{tmp_path / 'lab.toml'}{message}"


SIP_RULE = """\
[[phone_numbers]]
E164PhoneNumber = "+442079460123"
ProductType = "SipMediaApplicationDialIn"
[[sip_media_applications]]
SipMediaApplicationId = "aaaaaaaa-1111-4222-8333-444444444444"
Name = "answer"
AwsRegion = "us-west-2"
Endpoints = [{ LambdaArn = "arn:aws:lambda:us-west-2:111122223333:function:answer" }]
[[sip_rules]]
Name = "front desk"
TriggerType = "ToPhoneNumber"
TriggerValue = "+442079460123"
TargetApplications = [{ SipMediaApplicationId = "aaaaaaaa-1111-4222-8333-444444444444", AwsRegion = "us-west-2" }]
"""


def test_numbers_applications_and_rules_can_be_configured(configure: Configure) -> None:
    described = describe(configure(SIP_RULE))
    assert (
        'SIP media application "answer" in us-west-2: arn:aws:lambda:us-west-2:111122223333:function:answer\n'
        'SIP rule "front desk": calls to +442079460123 go to aaaaaaaa-1111-4222-8333-444444444444 in us-west-2\n'
    ) in described


def test_a_rule_s_number_is_among_those_that_are_configured(configure: Configure) -> None:
    refused = refusal(configure, SIP_RULE.replace('TriggerValue = "+44', 'TriggerValue = "+45'))
    assert "sip_rules[0].TriggerValue must be a phone number of the inventory" in refused


def test_a_variable_that_names_a_running_emulator_is_no_key(tmp_path: Path) -> None:
    """It stands for the option --url of other commands."""
    assert load(None, [], {"VOICECONNECTOR_URL": "http://127.0.0.1:9060"}) == load()
