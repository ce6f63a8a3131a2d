"""When something breaks: the relay, a side of the call, the emulator itself; and when it is told to stop."""

from dataclasses import replace

import pytest

from tests.flows.stage import CALLED, FAR, FAR_SDP, PBX, Stage, sdp
from tests.phone import SDP
from tests.wire import header, start_line
from voiceconnector.calls.events import MediaFinding
from voiceconnector.media.plan import PortPair
from voiceconnector.media.quality import StreamStats
from voiceconnector.media.relay import (
    CallStats,
    FirstPacket,
    Flooded,
    MediaStopped,
    NoMedia,
    PortUnavailable,
    RelayDied,
    SourceFinished,
    WrongSource,
)
from voiceconnector.pstn.behaviours import behaviour
from voiceconnector.trunk.profile import LAB

KEY = 1
"""What the relay knows the first call by."""


# -- the relay


def test_calls_of_a_dead_relay_end_with_failed_records_and_new_calls_pass() -> None:
    stage = Stage()
    stage.answered()
    stage.pbx.dial()
    stage.run()
    stage.tell(RelayDied((1, 2, -1)))
    assert stage.pbx.heard == ["answered", "BYE", "failed 500"]
    assert header(stage.sent("trunk>pbx BYE"), "Reason").startswith("SIP;cause=500")
    assert "the media relay ended unexpectedly" in start_line(stage.sent("trunk>pbx 500 INVITE"))
    assert [event.status_message for event in stage.ended()] == ["the media relay ended unexpectedly"] * 2
    stage.answered()
    stage.pbx.session.hang_up(stage.now)
    stage.end(calls=3, completed=1)


def test_counters_that_will_never_come_are_not_waited_for() -> None:
    stage = Stage()
    stage.ports.told_of_ends = False
    stage.answered()
    stage.pbx.session.hang_up(stage.now)
    stage.run()
    assert stage.switch.history_of(KEY, forget=False)
    stage.tell(RelayDied(()))
    stage.end(completed=1)


def test_what_the_relay_sees_is_told_in_words_with_addresses() -> None:
    stage = Stage()
    stage.answered()
    told_a = stage.plan.streams[0].pair
    stage.tell(FirstPacket(KEY, "a", (PBX, 4000), (PBX, 4000)))
    stage.tell(FirstPacket(KEY, "b", ("198.51.100.77", 6004), (FAR, 6000)))
    stage.tell(NoMedia(KEY, "a", 5.0))
    stage.tell(WrongSource(KEY, "a", ("192.0.2.66", 1), (PBX, 4000)))
    stage.tell(Flooded(KEY, "b", 5000))
    stage.tell(PortUnavailable(KEY, "a", PortPair("203.0.113.1", told_a.rtp), "Address already in use"))
    stage.tell(SourceFinished(KEY, "a", "Play", ""))
    stage.tell(NoMedia(99, "a", 5.0))
    expected = [
        "First RTP from the PBX, from 192.0.2.10:4000.",
        "First RTP from the PSTN side comes from 198.51.100.77:6004, while its SDP says 198.51.100.7:6000",
        f"No RTP from the PBX for 5 s; it was told to send to 203.0.113.1:{told_a.rtp}.",
        "RTP came from 192.0.2.66:1 too, which is not the PBX (192.0.2.10:4000)",
        "the PSTN side sends 5000 packets a second",
        f"Port {told_a.rtp} for the PBX is taken by another program: Address already in use.",
    ]
    for words in expected:
        assert words in stage.notes
    findings = [event for event in stage.events if isinstance(event, MediaFinding)]
    assert len(findings) == len(expected)
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1, explained=expected)


def test_counters_are_shown_by_the_names_of_their_directions() -> None:
    """Formats of the media log: cust2vc is PBX to trunk, rem2vc PSTN to trunk."""
    stage = Stage()
    stage.answered()
    a = StreamStats("a", 100, 17200, 2, 500, 1, 3, 4, 0, 2, 200, 99, 0, 1, 2, (PBX, 4000))
    b = StreamStats("b", 98, 16856, 0, 0, 0, 0, 0, 0, 0, 0, 97, 0, 1, 2, (FAR, 6000))
    stage.tell(CallStats(KEY, False, (a, b)))
    media = stage.history.media
    assert media["cust2vc"]["packets"] == 100
    assert media["cust2vc"]["lost"] == 2
    assert media["vc2cust"]["packets"] == 99
    assert media["rem2vc"]["packets"] == 98
    assert media["vc2rem"]["packets"] == 97
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1, explained=["100 packets", "2 lost", "with a payload type that was not agreed"])


# -- a side that is gone


def test_a_side_that_went_silent_and_is_gone_ends_the_call() -> None:
    """No RTP, and no answer to OPTIONS in the dialog: RFC 3261 12.2.1.2."""
    stage = Stage()
    stage.answered()
    stage.world.rules.append(lambda packet: () if packet.destination == "far" else None)
    stage.tell(MediaStopped(KEY, "b", 300.0))
    assert stage.world.told()[-1] == "trunk>far OPTIONS"
    stage.run(33)
    assert stage.pbx.heard[-1] == "BYE"
    stage.world.rules.clear()
    stage.far.session.hang_up(stage.now)
    stage.end(completed=0, explained=["RTP from the PSTN side stopped 300 s ago", "The called side is lost"])


def test_a_side_that_went_silent_and_does_not_know_the_call_ends_it() -> None:
    stage = Stage()
    stage.answered()
    stage.pbx.stack.dialogs.clear()
    stage.tell(MediaStopped(KEY, "a", 300.0))
    assert stage.world.told("trunk", "pbx")[-1] in ("pbx>trunk 481 OPTIONS", "pbx>trunk 481 BYE")
    assert stage.far.heard[-1] == "BYE"
    stage.end(completed=0, explained=["The caller is lost: the peer answered OPTIONS with 481."])


@pytest.mark.parametrize("status_code", [200, 405, 501])
def test_a_side_that_went_silent_and_answers_keeps_the_call(status_code: int) -> None:
    stage = Stage()
    stage.answered()
    stage.far.when_asked = lambda session, transaction, request, now: session.answer(
        transaction, status_code, "Whatever", now
    )
    stage.tell(MediaStopped(KEY, "b", 300.0))
    stage.run(40)
    assert stage.switch.active_calls == 1
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1, explained=["asking whether it is still there"])


def test_both_sides_gone_leave_nothing() -> None:
    stage = Stage()
    stage.answered()
    stage.world.rules.append(lambda packet: () if packet.source == "trunk" else None)
    stage.tell(MediaStopped(KEY, "a", 300.0))
    stage.tell(MediaStopped(KEY, "b", 300.0))
    stage.run(100)
    stage.world.rules.clear()
    for phone in (stage.pbx, stage.far):
        phone.session.hang_up(stage.now)
    stage.end(completed=0)


def test_a_far_side_that_cannot_be_reached_any_more_ends_the_call_at_the_next_request() -> None:
    stage = Stage(behaviour=behaviour("answer", ring_seconds=0))
    stage.pbx.dial(CALLED)
    stage.run()
    del stage.world._places["UDP", "203.0.113.9", 5060]
    stage.pbx.session.send("INFO", stage.now)
    stage.run()
    assert stage.pbx.heard[-2:] == ["503 INFO", "BYE"]
    stage.pstn.close(stage.now)
    stage.end(completed=0, explained=["ECONNREFUSED"])


# -- shutdown


def test_shutdown_ends_every_call_in_whatever_state_and_records_it() -> None:
    stage = Stage()
    stage.answered()
    stage.pbx.dial()
    stage.run()
    stage.pbx.acknowledge_with = None
    stage.answered()
    stage.switch.close(stage.now)
    stage.run()
    assert stage.pbx.heard == ["answered", "answered", "BYE", "failed 503"]
    assert "the emulator is shutting down" in header(stage.sent("trunk>pbx BYE"), "Reason")
    assert "the emulator is shutting down" in start_line(stage.sent("trunk>pbx 503 INVITE"))
    stage.pbx.dial()
    stage.run()
    assert stage.pbx.heard[-1] == "failed 503"
    assert stage.switch.active_calls == 0
    stage.end(calls=4, completed=0, explained=["shutting down"])


# -- faults of our own


@pytest.mark.parametrize("when", ["at the INVITE", "at the answer", "at a re-INVITE", "at the end", "at the time-out"])
def test_a_fault_of_the_emulator_ends_one_call_and_no_other(when: str) -> None:
    """An exception in a turn: 500 or BYE, a Failed record, and the others live on."""
    stage = Stage(replace(LAB, ring_timeout=10.0))
    stage.answered()
    if when == "at the INVITE":
        stage.ports.breaks = "allocate"
        stage.pbx.dial()
    elif when == "at the answer":
        stage.pbx.dial()
        stage.run()
        stage.ports.breaks = "apply"
        stage.far.pick_up()
    elif when == "at a re-INVITE":
        stage.answered()
        stage.far.when_asked = lambda session, transaction, request, now: session.accept(now, SDP, FAR_SDP)
        stage.ports.breaks = "apply"
        stage.pbx.session.send("INVITE", stage.now, SDP, sdp(port=4002, version=2))
    elif when == "at the end":
        stage.answered()
        stage.ports.breaks = "release"
        stage.pbx.session.hang_up(stage.now)
    else:
        stage.pbx.dial()
        stage.run(9)
        stage.ports.breaks = "release"
    with pytest.raises(RuntimeError, match="on purpose"):
        stage.run(5)
    broken, stage.ports.breaks = stage.ports.breaks, ""
    stage.switch.fail(stage.now)
    stage.run(1)
    assert stage.switch.active_calls == 1, "the first call lives on"
    if broken == "release":  # A relay that is broken for good is replaced, with its ports.
        stage.ports.in_use = {stream.pair for stream in stage.ports.plans[1][-1].streams}
        stage.tell(RelayDied(()))
    stage.pbx.sessions[0].hang_up(stage.now)
    stage.run(100)
    stage.end(calls=2)
    assert stage.ended()[-1].completed or stage.ended()[0].completed
    if when in ("at the INVITE", "at the answer"):
        assert stage.pbx.heard[1] == "failed 500"


def test_a_fault_without_a_call_touches_no_call() -> None:
    stage = Stage()
    stage.answered()
    stage.run(1)
    stage.switch.fail(stage.now)
    stage.run(1)
    assert stage.switch.active_calls == 1
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_overload_refuses_new_calls_and_keeps_those_there_are() -> None:
    """RFC 3261 8.2.7, 21.5.4: a stateless 503, which costs next to nothing."""
    stage = Stage()
    first, _ = stage.answered()
    stage.switch.stack.overloaded = True
    stage.pbx.dial()
    stage.run()
    assert stage.pbx.heard[-1] == "failed 503"
    assert header(stage.sent("trunk>pbx 503 INVITE"), "Retry-After") == "1"
    assert stage.switch.refusals["overload"] == 1
    first.hang_up(stage.now)
    stage.run()
    assert stage.world.told("trunk", "pbx")[-1] == "trunk>pbx 200 BYE"
    stage.switch.stack.overloaded = False
    stage.end(completed=1)


def test_the_log_of_a_call_that_talks_without_end_stays_small() -> None:
    stage = Stage()
    stage.answered()
    for _ in range(1500):
        stage.pbx.session.send("INFO", stage.now)
        stage.run(0.1)
    assert len(stage.history.log) < 1000
    first, last = stage.history.log[0][3], stage.history.log[-1][3]
    assert first.startswith(b"INVITE"), "the beginning is kept"
    assert b"INFO" in last
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)
