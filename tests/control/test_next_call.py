"""What the AWS API has answered is true of the very next call: boto3 on one side of `serve`, telephones on the other.

Each test looks at a call before a change and at one right after it; nothing is waited for in between.
"""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import dns.message
import dns.query
import dns.rcode
import pytest

from tests.control.cloud import boto3_client
from tests.control.lines import Call, Phone, phones
from tests.test_serve import Served
from tests.wire import header, start_line

POOL = [f"+1206555{line:04d}" for line in range(100, 200)]
"""Numbers that are there at the start, and which tests take from."""
POOL_ID = "p" * 22
CALLED = "+12125550123"
"""A number of the public network."""
CALLER = "+13125550199"
NO_ROUTE = 480
"""Of profile lab, for a connector without origination."""


class Emulator:
    """A running `serve`, a telephone of the public network, and boto3's client."""

    def __init__(self, served: Served, far: Phone, voice: Any) -> None:
        self.far = far
        self.voice = voice
        self.edge, self.pstn, self.dns = (served.address(name) for name in ("us-east-1 UDP", "pstn UDP", "DNS"))
        self._free = iter(POOL)

    def number(self) -> str:
        """A number that no test has had."""
        return next(self._free)

    def address_of(self, host_name: str) -> str | None:
        """The A record of a name; None where there is no such name."""
        answer = dns.query.udp(dns.message.make_query(host_name, "A"), self.dns[0], port=self.dns[1], timeout=60)
        if answer.rcode() == dns.rcode.NXDOMAIN:
            return None
        return str(answer.answer[0][0])


class Trunk:
    """A Voice Connector of boto3's making, and the PBX that is connected to it."""

    def __init__(self, emulator: Emulator, pbx: Phone) -> None:
        self.emulator = emulator
        self.voice = emulator.voice
        self.pbx = pbx
        created = self.voice.create_voice_connector(Name="office", RequireEncryption=False)["VoiceConnector"]
        self.id: str = created["VoiceConnectorId"]
        self.host_name: str = created["OutboundHostName"]
        self.number = emulator.number()

    def may_call(self, **changed: object) -> None:
        """Put a termination that lets the PBX call the US, but for what is changed."""
        termination = {"CallingRegions": ["US"], "CidrAllowedList": ["127.0.0.0/8"], "CpsLimit": 100} | changed
        self.voice.put_voice_connector_termination(VoiceConnectorId=self.id, Termination=termination)

    def may_be_called(self, *pbxs: Phone, disabled: bool = False) -> None:
        """Put an origination that leads to these."""
        routes = [
            {"Host": "127.0.0.1", "Port": pbx.port, "Protocol": "UDP", "Priority": place, "Weight": 1}
            for place, pbx in enumerate(pbxs, start=1)
        ]
        origination = {"Routes": routes, "Disabled": disabled}
        self.voice.put_voice_connector_origination(VoiceConnectorId=self.id, Origination=origination)

    def take(self, number: str) -> None:
        """Associate a number, whoever had it."""
        done = self.voice.associate_phone_numbers_with_voice_connector(
            VoiceConnectorId=self.id, E164PhoneNumbers=[number], ForceAssociate=True
        )
        assert not done.get("PhoneNumberErrors")

    def give_up(self, number: str) -> None:
        done = self.voice.disassociate_phone_numbers_from_voice_connector(
            VoiceConnectorId=self.id, E164PhoneNumbers=[number]
        )
        assert not done.get("PhoneNumberErrors")

    def login(self, password: str) -> None:
        """Add the digest user `pbx`, or give it another password."""
        self.voice.put_voice_connector_termination_credentials(
            VoiceConnectorId=self.id, Credentials=[{"Username": "pbx", "Password": password}]
        )

    def call_out(self, called: str = CALLED, password: str = "", caller: str = "") -> Call:
        """The PBX calls somebody of the public network."""
        login = ("pbx", password) if password else None
        uri = f"sip:{called}@{self.host_name}"
        return self.pbx.call(self.emulator.edge, uri, caller or self.number, [self.emulator.far], login)

    def call_in(self, number: str = "", *pbxs: Phone) -> Call:
        """Somebody of the public network calls the trunk."""
        with phones(1) as (caller,):
            uri = f"sip:{number or self.number}@127.0.0.1"
            return caller.call(self.emulator.pstn, uri, CALLER, pbxs or [self.pbx])


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    connector = f'{{VoiceConnectorId = "{POOL_ID}", Name = "pool", PhoneNumbers = {json.dumps(POOL)}}}'
    with phones(1) as (far,):
        route = f'{{match = "*", target = "sip:127.0.0.1:{far.port}"}}'
        served = Served(tmp_path_factory.mktemp("serve"), f"pstn.routes=[{route}]", f"voice_connectors=[{connector}]")
        with closing(boto3_client(served.http)) as voice:
            yield Emulator(served, far, voice)
        served.kill()


@pytest.fixture
def pbx() -> Iterator[Phone]:
    with phones(1) as (opened,):
        yield opened


@pytest.fixture
def other_pbx() -> Iterator[Phone]:
    with phones(1) as (opened,):
        yield opened


@pytest.fixture
def trunk(emulator: Emulator, pbx: Phone) -> Trunk:
    """One that calls go out on, and come in from."""
    trunk = Trunk(emulator, pbx)
    trunk.take(trunk.number)
    trunk.may_call()
    trunk.may_be_called(pbx)
    return trunk


# --- Calls to the PSTN


def test_calls_go_out_when_termination_was_put_and_not_when_it_was_deleted(emulator: Emulator, pbx: Phone) -> None:
    trunk = Trunk(emulator, pbx)
    trunk.take(trunk.number)
    before = trunk.call_out()
    assert (before.status, "no termination settings" in before.warning) == (403, True)
    trunk.may_call()
    call = trunk.call_out()
    assert (call.status, call.taker) == (200, emulator.far)
    trunk.voice.delete_voice_connector_termination(VoiceConnectorId=trunk.id)
    assert trunk.call_out().status == 403


def test_termination_is_disabled_and_enabled_again(trunk: Trunk) -> None:
    assert trunk.call_out().status == 200
    trunk.may_call(Disabled=True)
    refused = trunk.call_out()
    assert (refused.status, "Termination.Disabled" in refused.warning) == (403, True)
    trunk.may_call(Disabled=False)
    assert trunk.call_out().status == 200


def test_an_address_leaves_the_allowlist_and_comes_back(trunk: Trunk) -> None:
    """The answer of the allowlist is remembered from call to call."""
    assert [trunk.call_out().status for _ in range(2)] == [200, 200]
    trunk.may_call(CidrAllowedList=["198.51.100.0/27"])
    assert [trunk.call_out().status for _ in range(2)] == [403, 403]
    trunk.may_call(CidrAllowedList=["198.51.100.0/27", "127.0.0.1/32"])
    assert trunk.call_out().status == 200


def test_a_country_leaves_the_calling_plan(trunk: Trunk) -> None:
    assert trunk.call_out().status == 200
    trunk.may_call(CallingRegions=["GB"])
    assert (trunk.call_out().status, trunk.call_out("+442079460000").status) == (403, 200)


def test_a_lower_cps_limit_throttles_and_a_higher_one_does_not(trunk: Trunk) -> None:
    uri = f"sip:{CALLED}@{trunk.host_name}"

    def burst() -> list[int]:
        return trunk.pbx.burst(trunk.emulator.edge, uri, trunk.number, 10, [trunk.emulator.far])

    assert burst() == [200] * 10
    trunk.may_call(CpsLimit=1)
    assert 503 in burst()
    trunk.may_call(CpsLimit=100)
    assert burst() == [200] * 10


def test_a_credential_is_asked_for_once_it_is_there_until_it_is_removed(trunk: Trunk) -> None:
    assert trunk.call_out().status == 200
    trunk.login("secret")
    assert [trunk.call_out().status, trunk.call_out(password="secret").status] == [407, 200]
    trunk.voice.delete_voice_connector_termination_credentials(VoiceConnectorId=trunk.id, Usernames=["pbx"])
    assert trunk.call_out().status == 200


def test_a_changed_password_is_the_only_right_one(trunk: Trunk) -> None:
    trunk.login("old")
    assert [trunk.call_out(password=password).status for password in ("old", "new")] == [200, 407]
    trunk.login("new")
    assert [trunk.call_out(password=password).status for password in ("old", "new")] == [407, 200]


def test_encryption_once_it_is_required_is_asked_of_the_next_call(trunk: Trunk) -> None:
    """Routes over UDP keep it from being required: they go first."""
    trunk.voice.delete_voice_connector_origination(VoiceConnectorId=trunk.id)
    assert trunk.call_out().status == 200
    for required, status in ((True, 403), (False, 200)):
        trunk.voice.update_voice_connector(VoiceConnectorId=trunk.id, Name="office", RequireEncryption=required)
        assert trunk.call_out().status == status


def test_the_default_phone_number_is_presented_until_it_is_no_more(trunk: Trunk) -> None:
    nobodys = "+13125550100"
    before = trunk.call_out(caller=nobodys)
    assert (before.status, start_line(before.answer)) == (403, f"SIP/2.0 403 Caller Id {nobodys} is not valid")
    trunk.may_call(DefaultPhoneNumber=trunk.number)
    call = trunk.call_out(caller=nobodys)
    assert (call.status, trunk.number in header(call.invite, "From")) == (200, True)
    trunk.may_call()
    assert trunk.call_out(caller=nobodys).status == 403


def test_emergency_calls_go_where_the_configuration_says(trunk: Trunk) -> None:
    """Guide p. 62: the third-party number takes the place of the emergency number."""
    third_party = "+12125550911"
    assert start_line(trunk.call_out("911").invite).startswith("INVITE sip:911@")
    trunk.voice.put_voice_connector_emergency_calling_configuration(
        VoiceConnectorId=trunk.id,
        EmergencyCallingConfiguration={
            "DNIS": [{"EmergencyPhoneNumber": third_party, "CallingCountry": "US", "TestPhoneNumber": "+12125550933"}]
        },
    )
    assert start_line(trunk.call_out("911").invite).startswith(f"INVITE sip:{third_party}@")
    trunk.voice.delete_voice_connector_emergency_calling_configuration(VoiceConnectorId=trunk.id)
    assert start_line(trunk.call_out("911").invite).startswith("INVITE sip:911@")


def test_the_number_that_calls_has_to_be_associated_still(trunk: Trunk) -> None:
    assert trunk.call_out().status == 200
    trunk.give_up(trunk.number)
    assert trunk.call_out().status == 403
    trunk.take(trunk.number)
    assert trunk.call_out().status == 200


# --- Calls from the PSTN


def test_calls_come_in_once_origination_was_put_and_not_when_it_was_deleted(emulator: Emulator, pbx: Phone) -> None:
    trunk = Trunk(emulator, pbx)
    trunk.take(trunk.number)
    assert (trunk.call_in().status, trunk.call_in().taker) == (NO_ROUTE, None)
    trunk.may_be_called(pbx)
    assert (trunk.call_in().status, trunk.call_in().taker) == (200, pbx)
    trunk.voice.delete_voice_connector_origination(VoiceConnectorId=trunk.id)
    assert (trunk.call_in().status, trunk.call_in().taker) == (NO_ROUTE, None)


def test_a_changed_route_leads_to_another_pbx(trunk: Trunk, other_pbx: Phone) -> None:
    both = (trunk.pbx, other_pbx)
    assert trunk.call_in("", *both).taker is trunk.pbx
    trunk.may_be_called(other_pbx, trunk.pbx)
    assert trunk.call_in("", *both).taker is other_pbx
    trunk.may_be_called(trunk.pbx)
    assert trunk.call_in("", *both).taker is trunk.pbx


def test_origination_is_disabled_and_enabled_again(trunk: Trunk) -> None:
    assert trunk.call_in().status == 200
    trunk.may_be_called(trunk.pbx, disabled=True)
    assert (trunk.call_in().status, trunk.call_in().taker) == (NO_ROUTE, None)
    trunk.may_be_called(trunk.pbx)
    assert trunk.call_in().status == 200


def test_a_number_that_moves_rings_at_its_new_connector(trunk: Trunk, emulator: Emulator, other_pbx: Phone) -> None:
    """Moved, disassociated, deleted, restored and associated again."""
    other = Trunk(emulator, other_pbx)
    other.may_be_called(other_pbx)
    both, voice = (trunk.pbx, other_pbx), trunk.voice
    assert trunk.call_in("", *both).taker is trunk.pbx
    other.take(trunk.number)
    assert trunk.call_in("", *both).taker is other_pbx
    other.give_up(trunk.number)
    assert (trunk.call_in("", *both).status, trunk.call_in("", *both).taker) == (404, None)
    voice.delete_phone_number(PhoneNumberId=trunk.number)
    gone = trunk.call_in("", *both)
    assert (gone.status, "deletion queue" in gone.warning) == (404, True)
    voice.restore_phone_number(PhoneNumberId=trunk.number)
    trunk.take(trunk.number)
    assert trunk.call_in("", *both).taker is trunk.pbx


def test_members_and_priorities_of_a_group_decide_who_takes_its_calls(
    trunk: Trunk, emulator: Emulator, other_pbx: Phone
) -> None:
    other = Trunk(emulator, other_pbx)
    other.may_be_called(other_pbx)
    number, voice, both = emulator.number(), trunk.voice, (trunk.pbx, other_pbx)

    def members(*trunks: Trunk) -> list[dict[str, object]]:
        return [{"VoiceConnectorId": one.id, "Priority": place} for place, one in enumerate(trunks, start=1)]

    created = voice.create_voice_connector_group(Name="both", VoiceConnectorItems=members(trunk, other))
    group = created["VoiceConnectorGroup"]["VoiceConnectorGroupId"]
    voice.associate_phone_numbers_with_voice_connector_group(
        VoiceConnectorGroupId=group, E164PhoneNumbers=[number], ForceAssociate=True
    )
    assert trunk.call_in(number, *both).taker is trunk.pbx
    for items, taker in (
        (members(other, trunk), other_pbx),
        (members(trunk), trunk.pbx),
        (members(), None),
        (members(other), other_pbx),
    ):
        voice.update_voice_connector_group(VoiceConnectorGroupId=group, Name="both", VoiceConnectorItems=items)
        assert trunk.call_in(number, *both).taker is taker
    other.may_be_called(trunk.pbx)
    assert trunk.call_in(number, *both).taker is trunk.pbx, "a member's own routes"


# --- The connector itself


def test_a_connector_has_a_name_from_its_creation_to_its_deletion(trunk: Trunk, emulator: Emulator) -> None:
    host, _ = emulator.edge
    assert emulator.address_of(trunk.host_name) == host
    assert trunk.call_out().status == 200
    trunk.give_up(trunk.number)
    trunk.voice.delete_voice_connector(VoiceConnectorId=trunk.id)
    assert emulator.address_of(trunk.host_name) is None
    assert (trunk.call_out().status, trunk.call_in().status) == (404, 404)


def test_a_name_that_was_asked_for_before_it_was_there_is_found_once_it_is(emulator: Emulator, pbx: Phone) -> None:
    """Answers are kept rendered until something changes."""
    asked = [emulator.address_of(f"{'n' * 22}.voiceconnector.chime.aws") for _ in range(2)]
    trunk = Trunk(emulator, pbx)
    assert [*asked, emulator.address_of(trunk.host_name)] == [None, None, emulator.edge[0]]
