"""A Region that is taken down with `voiceconnector region … down`: between calls, while it rings, and within a call.

Guide p. 64 and 66: a group of connectors in two Regions; the first in priority takes calls while its Region is up.
"""

from collections.abc import Iterator

import pytest

from tests.interop.emulator import wait_for
from tests.interop.inbound import FIRST_REGION, TWO_REGIONS, Inbound
from tests.interop.peers import Sipp

pytestmark = pytest.mark.interop

FIRST_PBX, SECOND_PBX = 5083, 5084
MEANWHILE_MS = 5000
"""Enough for `put` on a busy machine."""
FIRST, SECOND = "firstregiontrunk000000", "secondregiontrunk00000"


@pytest.fixture
def inbound(inbound: Inbound) -> Iterator[Inbound]:
    """Whatever a test does, its Region is up afterwards."""
    yield inbound
    if f'"{FIRST_REGION}":{{"State":"up"' not in inbound.emulator.text("/emulator/regions"):
        put(inbound, "up")


def put(inbound: Inbound, state: str) -> str:
    """Put the first Region into a state; what the command says."""
    done = inbound.emulator.command("region", FIRST_REGION, state)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{FIRST_REGION}  {state}")
    return done.stdout


def dialled(pbx: Sipp) -> tuple[str, str]:
    """The connector whose call the PBX got, and the host that it was sent from."""
    invite = next(message for message in pbx.received() if message.method == "INVITE")
    via = invite.header("Via").split(" ")[1]
    return invite.header("X-VoiceConnector-ID"), via.partition(":")[0]


def test_between_calls_the_second_region_takes_over_and_gives_back(inbound: Inbound) -> None:
    """The PBX sees whose turn it is by X-VoiceConnector-ID, and by the address of the Region."""
    first_region, second_region = (inbound.place.at(host)[0] for host in ("127.0.0.2", "127.0.0.1"))
    for state, port, expected in (
        ("up", FIRST_PBX, (FIRST, first_region)),
        ("down", SECOND_PBX, (SECOND, second_region)),
        ("up", FIRST_PBX, (FIRST, first_region)),
    ):
        put(inbound, state)
        pbx = inbound.pbx("answer", port=port)
        caller = inbound.caller("call", TWO_REGIONS).finish()
        pbx.finish()
        assert dialled(pbx) == expected
        assert inbound.completed(caller)["VoiceConnectorId"] == expected[0]
        passed_over = f"{FIRST_REGION}, the Region of {FIRST}, is down" in inbound.call(caller).explain()
        assert passed_over == (state == "down")


def test_an_answer_given_while_the_region_is_down_arrives_when_it_is_up_again(inbound: Inbound) -> None:
    """RFC 3261 13.3.1.4: the PBX repeats it; the call is not moved, as it rings already."""
    pbx = inbound.pbx("answer", port=FIRST_PBX, wait_ms=MEANWHILE_MS)
    caller = inbound.caller("call", TWO_REGIONS)
    caller.wait_for_status("180")
    put(inbound, "down")
    wait_for("the PBX to answer twice", lambda: sent(pbx, "200 OK") >= 2)
    assert caller.statuses() == ["100 Trying", "180 Ringing"]
    put(inbound, "up")
    caller.finish()
    pbx.finish()
    assert inbound.completed(caller)["VoiceConnectorId"] == FIRST


def sent(pbx: Sipp, status: str) -> int:
    """How often the PBX has sent an answer."""
    return sum(message.status == status for message in pbx.messages() if not message.received)


def test_a_caller_who_gives_up_while_the_region_is_down_is_let_go(inbound: Inbound) -> None:
    """The PSTN's side is not in the Region. The CANCEL gets through to the PBX when the Region is up (RFC 3261 9.1)."""
    pbx = inbound.pbx("ring", port=FIRST_PBX)
    caller = inbound.caller("call_cancelled", TWO_REGIONS, talk_ms=MEANWHILE_MS)
    caller.wait_for_status("180")
    put(inbound, "down")
    caller.finish()
    assert inbound.record(caller)["Status"] == "Failed"
    assert pbx.requests() == ["INVITE"]
    put(inbound, "up")
    pbx.finish()
    assert pbx.requests() == ["INVITE", "CANCEL", "ACK"]


def test_an_answered_call_falls_silent_and_goes_on(inbound: Inbound) -> None:
    """Media is lost as long as the Region is down; neither side is told anything."""
    pbx = inbound.pbx("answer", port=FIRST_PBX)
    caller = inbound.caller("call", TWO_REGIONS, talk_ms=MEANWHILE_MS)
    wait_for("the ACK", lambda: "ACK" in pbx.requests())
    put(inbound, "down")
    assert "down" in inbound.emulator.command("region", FIRST_REGION).stdout
    put(inbound, "up")
    caller.finish()
    pbx.finish()
    inbound.completed(caller)
    media = wait_for("the final counters", lambda: inbound.call(caller).details()["Media"])
    assert 10 <= media["vc2rem"]["packets"] <= media["rem2vc"]["packets"] - 10, "to and from the PSTN"


def test_a_hang_up_while_the_region_is_down_reaches_the_pbx_when_it_is_up(inbound: Inbound) -> None:
    """RFC 3261 17.1.2.2: the BYE is repeated."""
    pbx = inbound.pbx("answer", port=FIRST_PBX)
    caller = inbound.caller("call", TWO_REGIONS, talk_ms=MEANWHILE_MS)
    wait_for("the ACK", lambda: "ACK" in pbx.requests())
    put(inbound, "down")
    caller.finish()
    inbound.completed(caller)
    assert pbx.requests() == ["INVITE", "ACK"]
    told = inbound.emulator.command("region", FIRST_REGION).stdout
    assert not told.endswith(" 0\n"), "it counts what it drops"
    put(inbound, "up")
    pbx.finish()
    assert pbx.requests() == ["INVITE", "ACK", "BYE"]
