"""Calls over IPv6: with everything on [::1], and with one side of the trunk on IPv4.

RFC 5118, RFC 4566 5.7: Via, Contact and SDP of each leg have addresses of its IP version.
"""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.emulator import (
    Emulator,
    Fields,
    Transport,
    configuration,
    needs_ipv6,
    new_place,
    running_emulator,
    wait_for,
)
from tests.interop.inbound import OWN_PBX, SIX, Inbound
from tests.interop.peers import Sipp, program
from tests.interop.stage import ECHO
from voiceconnector.sip.hop import host_port

pytestmark = [pytest.mark.interop, needs_ipv6]
both_transports = pytest.mark.parametrize("transport", ["udp", "tcp"])

FOUR, FOUR_TRUNK = "+12065550130", "inboundfourtrunk000000"
FOUR_HOST = "127.0.0.2"
"""That of the Region that stays on IPv4 when 127.0.0.1 becomes ::1, and of its PBX."""
CONNECTOR = f"""
[[voice_connectors]]
VoiceConnectorId = "{FOUR_TRUNK}"
AwsRegion = "ca-central-1"
PhoneNumbers = ["{FOUR}"]
[voice_connectors.Termination]
CallingRegions = ["US"]
CidrAllowedList = ["127.0.0.0/8"]
[[voice_connectors.Origination.Routes]]
Host = "{FOUR_HOST}"
Port = 5085
"""


@pytest.fixture(scope="module")
def six_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """inbound.toml with ::1 in place of 127.0.0.1, and a connector that has its PBX on IPv4."""
    program("sipp")
    config = configuration("sipp", "inbound.toml") + CONNECTOR
    yield from running_emulator(config, new_place(ipv6=True), tmp_path_factory.mktemp("ipv6"))


@pytest.fixture
def six(six_emulator: Emulator, tmp_path: Path) -> Iterator[Inbound]:
    stage = Inbound(six_emulator, tmp_path)
    yield stage
    stage.close()
    print(f"The emulator's log:\n{six_emulator.log()}")


def call_out(stage: Inbound, region: str, trunk: str, caller: str, transport: Transport = "udp") -> Sipp:
    """A PBX calls out through the Region with this address in the file, and hangs up after a while."""
    host, port = stage.place.at(region, 5060)
    call_id = uuid.uuid4().hex
    return stage.sipp(
        "pbx/call", host, stage.place.peer_port(host), transport,
        "-s", ECHO, "-key", "vc", trunk, "-key", "from", caller, "-cid_str", call_id, "-d", "500",
        host_port(host, port), call_id=call_id,
    ).finish()  # fmt: skip


def heard_both_ways(call: Fields) -> bool:
    return all(call["Media"].get(direction, {}).get("packets", 0) > 5 for direction in ("cust2vc", "rem2vc"))


def check(stage: Inbound, caller: Sipp, pbx: Sipp, *, from_pstn: str, to_pbx: str) -> None:
    """Audio goes both ways, and each side got the IP version that is its own."""
    pbx.finish()
    invite = next(message for message in pbx.received() if message.method == "INVITE")
    answer = next(message for message in caller.received() if message.status == "200 OK")
    assert f"c=IN IP{to_pbx} " in invite.body
    assert f"c=IN IP{from_pstn} " in answer.body
    assert ("[::1]" in invite.header("Via")) == ("[::1]" in invite.header("Record-Route")) == (to_pbx == "6")
    call = stage.call(caller)
    wait_for("audio both ways", lambda: heard_both_ways(call.details()))
    stage.completed(caller)


@both_transports
def test_everything_on_ipv6_from_the_pstn(six: Inbound, transport: Transport) -> None:
    pbx = six.pbx("answer", transport=transport)
    caller = six.caller("call", OWN_PBX[transport], transport=transport, talk_ms=500).finish()
    check(six, caller, pbx, from_pstn="6", to_pbx="6")


@both_transports
def test_everything_on_ipv6_to_the_pstn(six: Inbound, transport: Transport) -> None:
    caller = call_out(six, "127.0.0.1", "inboundudptrunk0000000", OWN_PBX["udp"], transport)
    called_out(six, caller, "6")


def called_out(stage: Inbound, caller: Sipp, version: str) -> None:
    answer = next(message for message in caller.received() if message.status == "200 OK")
    assert f"c=IN IP{version} " in answer.body
    call = stage.emulator.call(caller.call_id)
    wait_for("audio both ways", lambda: heard_both_ways(call.details()))
    assert stage.emulator.record(caller.call_id)["Status"] == "Completed"


def test_from_a_pstn_on_ipv6_to_a_pbx_on_ipv4(six: Inbound) -> None:
    pbx = six.pbx("answer", host=FOUR_HOST, port=5085)
    caller = six.caller("call", FOUR, talk_ms=500).finish()
    check(six, caller, pbx, from_pstn="6", to_pbx="4")


def test_from_a_pbx_on_ipv4_to_a_pstn_on_ipv6(six: Inbound) -> None:
    """The other way round, and from IPv6 to IPv4 out of the trunk: test_sipp_calls."""
    called_out(six, call_out(six, FOUR_HOST, FOUR_TRUNK, FOUR), "4")


@both_transports
def test_from_a_pstn_on_ipv4_to_a_pbx_on_ipv6(inbound: Inbound, transport: Transport) -> None:
    pbx = inbound.pbx("answer", host="::1")
    caller = inbound.caller("call", SIX, transport=transport, talk_ms=500).finish()
    check(inbound, caller, pbx, from_pstn="4", to_pbx="6")
