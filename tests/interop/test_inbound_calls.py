"""Calls from the PSTN that reach a PBX: sipp calls, and sipp is called. The record's fields: guide p. 76-77."""

import pytest

from tests.interop.emulator import Transport, wait_for
from tests.interop.inbound import OWN_PBX, Inbound
from tests.interop.peers import Message, Sipp

pytestmark = pytest.mark.interop
both_transports = pytest.mark.parametrize("transport", ["udp", "tcp"])


def refusal(caller: Sipp) -> Message:
    """The final answer to the caller's INVITE."""
    return next(m for m in caller.received() if m.header("CSeq").endswith("INVITE") and m.status[:1] in "3456")


@both_transports
def test_the_pbx_answers_and_audio_goes_both_ways(inbound: Inbound, transport: Transport) -> None:
    """RFC 3665 3.1, RFC 3550: 50 packets a second from the PSTN, and as many back from the PBX, which echoes.

    How many of them a busy machine has sipp send in the second of talk is not known; that none is lost is.
    """
    pbx = inbound.pbx("answer", transport=transport)
    caller = inbound.caller("call", OWN_PBX[transport], transport=transport, talk_ms=1000).finish()
    pbx.finish()
    assert pbx.requests() == ["INVITE", "ACK", "BYE"]
    assert "180 Ringing" in caller.statuses()
    record = inbound.completed(caller)
    assert (record["SourcePhoneNumber"], record["DestinationPhoneNumber"]) == (caller.number, OWN_PBX[transport])
    assert record["UsageType"] == "USE1-US-US-inbound-minutes"
    assert (record["BillableDurationSeconds"], record["BillableDurationMinutes"]) == (6, 0.1)
    counted = inbound.call(caller).counters()
    for direction in ("cust2vc", "vc2rem", "rem2vc", "vc2cust"):
        assert counted[direction]["packets"] >= 40, counted
    assert counted["cust2vc"]["lost"] == counted["rem2vc"]["lost"] == 0


@both_transports
def test_the_pbx_holds_the_call_and_hangs_up(inbound: Inbound, transport: Transport) -> None:
    """RFC 3261 12.2.1.1: its re-INVITE, ACK and BYE carry the route set; RFC 3264 8.4: a hold."""
    pbx = inbound.pbx("answer_and_hang_up", transport=transport)
    caller = inbound.caller("call_hung_up", OWN_PBX[transport], transport=transport).finish()
    pbx.finish()
    assert caller.requests() == ["INVITE", "ACK", "BYE"]
    inbound.completed(caller)
    explanation = inbound.call(caller).explain()
    assert "The called side hung up." in explanation
    assert "The PBX and the route set" not in explanation


@both_transports
@pytest.mark.parametrize("status", ["404 Not Found", "486 Busy Here", "600 Busy Everywhere", "603 Decline"])
def test_a_refusal_of_the_pbx_reaches_the_caller(inbound: Inbound, status: str, transport: Transport) -> None:
    """RFC 3261 21.4-21.6."""
    pbx = inbound.pbx("refuse", "-key", "answer", f"SIP/2.0 {status}", transport=transport)
    caller = inbound.caller("call_refused", OWN_PBX[transport], transport=transport).finish()
    pbx.finish()
    assert refusal(caller).status == status
    record = inbound.record(caller)
    assert (record["Status"], record["StatusMessage"]) == ("Failed", status.partition(" ")[2])


@both_transports
def test_the_caller_gives_up_while_it_rings(inbound: Inbound, transport: Transport) -> None:
    """RFC 3665 3.8, RFC 3261 9.1: the CANCEL has the Via of the edge."""
    pbx = inbound.pbx("ring", transport=transport)
    caller = inbound.caller("call_cancelled", OWN_PBX[transport], transport=transport).finish()
    pbx.finish()
    assert pbx.requests() == ["INVITE", "CANCEL", "ACK"]
    assert refusal(caller).status.startswith("487")
    assert inbound.record(caller)["Status"] == "Failed"
    assert "The caller cancelled the call before the answer." in inbound.call(caller).explain()


def test_a_number_of_nobody_is_not_found(inbound: Inbound) -> None:
    caller = inbound.caller("call_refused", "+12065550999").finish()
    assert refusal(caller).status.startswith("404 ")
    assert "+12065550999 is a number of no Voice Connector" in refusal(caller).header("Warning")
    assert "PhoneNumbers" in inbound.call(caller).explain()


@both_transports
@pytest.mark.parametrize(
    ("scenario", "status", "words"),
    [("answer_without_sdp", "50", "SDP"), ("answer_other_codec", "4", "codec")],
)
def test_an_answer_that_does_not_fit_the_offer_ends_the_call(
    inbound: Inbound, scenario: str, status: str, words: str, transport: Transport
) -> None:
    """RFC 3261 13.2.2.4: a 2xx is acknowledged, and the dialog that it made is ended with a BYE."""
    pbx = inbound.pbx(scenario, transport=transport)
    caller = inbound.caller("call_refused", OWN_PBX[transport], transport=transport).finish()
    pbx.finish()
    assert pbx.requests() == ["INVITE", "ACK", "BYE"]
    assert refusal(caller).status.startswith(status)
    assert words in inbound.call(caller).explain()
    assert inbound.record(caller)["Status"] == "Failed"


def test_every_repetition_of_the_answer_gets_its_ack(inbound: Inbound) -> None:
    """RFC 3261 13.2.2.4, and 13.3.1.4 for the PBX: after 0.5 s, and 1 s after that."""
    pbx = inbound.pbx("answer_again")
    caller = inbound.caller("call", OWN_PBX["udp"], talk_ms=2000).finish()
    pbx.finish()
    assert len([message for message in pbx.received() if message.method == "ACK"]) == 3
    assert caller.statuses().count("200 OK") == 2, "one for the INVITE, one for the BYE"
    inbound.completed(caller)


@both_transports
def test_of_two_devices_that_answer_the_first_to_do_so_has_the_call(inbound: Inbound, transport: Transport) -> None:
    """RFC 3261 13.2.2.4: the other one gets its ACK and a BYE; 12.1.2: 180 without a tag makes no dialog."""
    pbx = inbound.pbx("two_devices", transport=transport)
    caller = inbound.caller("call", OWN_PBX[transport], transport=transport).finish()
    pbx.finish()
    assert caller.statuses().count("200 OK") == 2, "one for the INVITE, one for the BYE"
    within = [message for message in pbx.received() if message.method in ("ACK", "BYE")]
    devices = [(message.method, message.header("To").rpartition("-")[2]) for message in within]
    assert devices == [("ACK", "second"), ("ACK", "first"), ("BYE", "first"), ("BYE", "second")]
    inbound.completed(caller)


@pytest.mark.parametrize("restarted", [True, False])
def test_a_pbx_that_goes_away_in_the_middle_of_a_call(inbound: Inbound, restarted: bool) -> None:
    """RFC 3261 15.1.2: its next instance does not know the call (481), or there is none; the caller is not kept."""
    pbx = inbound.pbx("answer")
    caller = inbound.caller("call", OWN_PBX["udp"], talk_ms=1000)
    wait_for("the ACK", lambda: "ACK" in pbx.requests())
    pbx.close()
    following = inbound.pbx("restarted") if restarted else None
    caller.finish()
    if following:
        following.finish()
        assert following.requests() == ["BYE"]
    inbound.completed(caller)
    wait_for("nothing to be left open", inbound.emulator.is_idle)


def test_a_pbx_that_leaves_the_route_set_alone_is_told_so(inbound: Inbound) -> None:
    """RFC 3261 12.2.1.1: here the BYE arrives, at the real service it would be lost."""
    pbx = inbound.pbx("hang_up_to_contact", wait_ms=300)
    caller = inbound.caller("call_hung_up", OWN_PBX["udp"]).finish()
    pbx.finish()
    inbound.completed(caller)
    explanation = inbound.call(caller).explain()
    assert "sent BYE without Route, straight to the Contact" in explanation
    assert "Let the PBX use the route set" in explanation
