"""Calls that are answered: sipp as PBX; sipp, or the emulated PSTN, as callee."""

import pytest

from tests.interop.emulator import Fields, Transport, needs_ipv6
from tests.interop.peers import Message, Sipp
from tests.interop.stage import ECHO, OPEN, OWN_CALLEE, OWNED, SIX, Stage

pytestmark = pytest.mark.interop
both_transports = pytest.mark.parametrize("transport", ["udp", "tcp"])


def completed(stage: Stage, caller: Sipp) -> Fields:
    """The one record of a call that must be recorded as completed."""
    record = stage.record(caller)
    assert (record["Status"], record["StatusMessage"]) == ("Completed", "OK"), record
    return record


def directions(messages: list[Message], method: str) -> list[str]:
    """The media directions that the offers in requests of this method ask for, in order (RFC 4566 6)."""
    words = ("sendrecv", "sendonly", "recvonly", "inactive")
    bodies = [message.body for message in messages if message.method == method]
    return [next((word for word in words if f"a={word}" in body), "sendrecv") for body in bodies]


@both_transports
def test_a_call_to_the_emulated_pstn_is_answered_and_recorded(stage: Stage, transport: Transport) -> None:
    """RFC 3665 3.1; the record's fields: guide p. 76-77."""
    caller = stage.pbx("call", ECHO, transport=transport).finish()
    record = completed(stage, caller)
    assert record["Direction"] == "Outbound"
    assert (record["SourcePhoneNumber"], record["DestinationPhoneNumber"]) == (OWNED[OPEN], ECHO)
    assert (record["SourceCountry"], record["DestinationCountry"]) == ("US", "US")
    assert record["UsageType"] == "USE1-US-US-outbound-minutes"
    assert (record["BillableDurationSeconds"], record["BillableDurationMinutes"]) == (6, 0.1)
    assert record["SipAuthUser"] == ""


@both_transports
def test_audio_goes_both_ways(stage: Stage, transport: Transport) -> None:
    """RFC 3550: 50 packets a second from the PBX, and as many back from the callee, which echoes."""
    callee = stage.pstn("answer", transport=transport)
    caller = stage.pbx("call", OWN_CALLEE[transport], transport=transport, talk_ms=1000).finish()
    callee.finish()
    completed(stage, caller)
    counted = stage.call(caller).counters()
    for direction in ("cust2vc", "vc2rem", "rem2vc", "vc2cust"):
        assert counted[direction]["packets"] >= 20, counted
    assert counted["cust2vc"]["lost"] == counted["rem2vc"]["lost"] == 0


@both_transports
def test_the_pbx_hangs_up_a_call_to_a_callee_of_ours(stage: Stage, transport: Transport) -> None:
    """RFC 3665 3.1: INVITE, 180, 200, ACK, BYE, 200 on either side of the trunk."""
    callee = stage.pstn("answer", transport=transport)
    caller = stage.pbx("call", OWN_CALLEE[transport], transport=transport).finish()
    callee.finish()
    assert callee.requests() == ["INVITE", "ACK", "BYE"]
    assert "180 Ringing" in caller.statuses()
    completed(stage, caller)


@both_transports
def test_the_callee_hangs_up(stage: Stage, transport: Transport) -> None:
    """RFC 3261 15.1: the BYE of one side becomes a BYE to the other."""
    callee = stage.pstn("hang_up", transport=transport)
    caller = stage.pbx("hung_up", OWN_CALLEE[transport], transport=transport).finish()
    callee.finish()
    assert caller.requests() == ["BYE"]
    completed(stage, caller)


def test_the_pbx_and_the_callee_need_not_use_the_same_transport(stage: Stage) -> None:
    """RFC 3261 18: the transport is chosen hop by hop, and a trunk has two of them."""
    callee = stage.pstn("answer", transport="tcp")
    caller = stage.pbx("call", OWN_CALLEE["tcp"], transport="udp").finish()
    callee.finish()
    completed(stage, caller)


@both_transports
def test_the_pbx_holds_the_call_and_takes_it_back(stage: Stage, transport: Transport) -> None:
    """RFC 3264 8.4, RFC 3665 3.6: sendonly goes through to the callee, and recvonly comes back."""
    callee = stage.pstn("answer", transport=transport)
    caller = stage.pbx("hold", OWN_CALLEE[transport], transport=transport).finish()
    callee.finish()
    assert directions(callee.received(), "INVITE") == ["sendrecv", "sendonly", "sendrecv"]
    completed(stage, caller)


@both_transports
def test_the_callee_holds_the_call_and_takes_it_back(stage: Stage, transport: Transport) -> None:
    """RFC 3264 8.4, the other way round."""
    callee = stage.pstn("hold", transport=transport)
    caller = stage.pbx("hung_up", OWN_CALLEE[transport], transport=transport).finish()
    callee.finish()
    assert directions(caller.received(), "INVITE") == ["sendonly", "sendrecv"]
    completed(stage, caller)


@both_transports
def test_the_callee_is_heard_before_it_answers(stage: Stage, transport: Transport) -> None:
    """RFC 3960 3.2: a 183 with SDP opens the way for the callee's announcement."""
    callee = stage.pstn("early_media", transport=transport)
    caller = stage.pbx("early_media", OWN_CALLEE[transport], transport=transport).finish()
    callee.finish()
    completed(stage, caller)


def test_the_emulated_pstn_can_be_heard_before_it_answers(stage: Stage) -> None:
    """The behaviour "early-media" of a route of the emulated PSTN."""
    caller = stage.pbx("early_media", "+12065550184").finish()
    completed(stage, caller)


@both_transports
def test_the_pbx_lets_the_callee_make_the_offer(stage: Stage, transport: Transport) -> None:
    """RFC 3261 13.2.2.4: without SDP in the INVITE, the 200 has the offer and the ACK the answer."""
    callee = stage.pstn("answer", transport=transport)
    caller = stage.pbx("late_offer", OWN_CALLEE[transport], transport=transport).finish()
    callee.finish()
    (ack,) = [message for message in callee.received() if message.method == "ACK"]
    assert "m=audio" in ack.body
    completed(stage, caller)


@both_transports
def test_options_info_and_update_go_through_within_a_call(stage: Stage, transport: Transport) -> None:
    """RFC 3261 11, RFC 6086, RFC 3311: and the digit in the INFO reaches the callee."""
    callee = stage.pstn("answer", transport=transport)
    caller = stage.pbx("in_dialog", OWN_CALLEE[transport], transport=transport).finish()
    callee.finish()
    (info,) = [message for message in callee.received() if message.method == "INFO"]
    assert "Signal=5" in info.body
    completed(stage, caller)


@both_transports
def test_an_invite_longer_than_a_packet_is_understood(stage: Stage, transport: Transport) -> None:
    """RFC 3261 18.1.1: 1300 bytes are the sender's limit, a receiver takes up to 65,535."""
    caller = stage.pbx("long_invite", ECHO, transport=transport).finish()
    (invite,) = [message for message in caller.messages() if message.method == "INVITE"]
    assert len(invite.text) > 1300
    completed(stage, caller)


@needs_ipv6
@both_transports
def test_a_pbx_calls_over_ipv6(stage: Stage, transport: Transport) -> None:
    """RFC 5118: the addresses in Via, Contact and SDP are IPv6 on this side of the trunk."""
    caller = stage.pbx("call", ECHO, trunk=SIX, transport=transport).finish()
    answer = next(message for message in caller.received() if message.status == "200 OK")
    assert "c=IN IP6 ::1" in answer.body
    completed(stage, caller)


@both_transports
def test_the_trunk_answers_options_with_a_to_tag(stage: Stage, transport: Transport) -> None:
    """RFC 3261 8.2.6.2 and 11.2; the scenario asks for the tag."""
    caller = stage.pbx("options", transport=transport).finish()
    assert caller.statuses() == ["200 OK"]


def test_answers_that_are_lost_on_the_way_do_not_make_a_second_call(stage: Stage) -> None:
    """RFC 3261 17.2.1, RFC 6026 7.1: a repeated INVITE is the same INVITE, a lost 200 is sent again."""
    callee = stage.pstn("answer")
    caller = stage.pbx("lost_answers", OWN_CALLEE["udp"], "-nr").finish()
    callee.finish()
    assert callee.requests() == ["INVITE", "ACK", "BYE"]
    assert caller.statuses().count("200 OK") >= 3
    completed(stage, caller)
