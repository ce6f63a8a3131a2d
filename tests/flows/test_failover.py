"""A call from the PSTN that its first target does not take: what moves it on, when, and what the caller hears of it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.flows.inbound import (
    NOBODY,
    NUMBER,
    ONE,
    THREE,
    TWO,
    Inbound,
    answered_by_two,
    route,
)
from tests.flows.stage import sdp
from tests.wire import header, headers_of, start_line
from voiceconnector.calls.events import RouteFailed
from voiceconnector.sip.hop import Hop
from voiceconnector.sip.locate import Located
from voiceconnector.sip.session import ENDED
from voiceconnector.trunk.profile import LAB

SILENCE = "no provisional answer within 5 s"


# -- failures, one by one


def test_silence_moves_the_call_on_after_five_seconds() -> None:
    stage = Inbound()
    stage.one.silent = True
    stage.ring()
    stage.run(4.9)
    assert not stage.two.sessions
    stage.run(0.2)
    assert stage.two.sessions
    assert stage.world.times("trunk>two INVITE") == [5.01]
    answered_by_two(stage)
    assert stage.outcomes() == [(f"UDP {ONE}:5060", SILENCE), (f"UDP {TWO}:5060", "it answered the call")]
    assert [round(one.ended_at - one.started_at, 3) for one in stage.history.tries[:1] if one.ended_at] == [5.0]
    assert f"UDP {ONE}:5060, priority 1, weight 1" in stage.explained()
    assert f"{SILENCE} (5.000 s); the next one's turn" in stage.explained()


@pytest.mark.parametrize("seconds", [0.5, 2.0, 31.0, 40.0])
def test_the_profile_says_how_long_silence_may_last(seconds: float) -> None:
    """RFC 3261 17.1.1.2: beyond 64*T1 (32 s) the transaction itself gives up, with 408."""
    stage = Inbound(profile=replace(LAB, provisional_timeout=seconds))
    stage.one.silent = True
    stage.ring()
    stage.run(45)
    assert stage.world.times("trunk>two INVITE") == [round(0.01 + min(seconds, 32.0), 3)]
    answered_by_two(stage)


@pytest.mark.parametrize("status_code", [100, 180, 183])
def test_after_any_provisional_answer_silence_is_only_ringing(status_code: int) -> None:
    stage = Inbound()
    stage.ring()
    stage.run()
    if status_code > 100:
        stage.one.session.progress(status_code, "Progress", stage.now)
    stage.run(59)
    assert not stage.two.sessions
    stage.run(3)
    assert stage.far.heard[-1] == "failed 480"
    assert not stage.two.sessions
    stage.end(completed=0, explained=["nobody answered within 60 s"])


@pytest.mark.parametrize("status_code", [408, 500, 502, 503, 504, 513])
@pytest.mark.parametrize("ringing", [False, True])
def test_a_server_failure_moves_the_call_on(status_code: int, ringing: bool) -> None:
    stage = Inbound()
    stage.ring()
    stage.run()
    if ringing:
        stage.one.ring()
        stage.run()
    stage.one.refuse(status_code, "Broken")
    stage.run()
    answered_by_two(stage)
    assert stage.outcomes()[0] == (f"UDP {ONE}:5060", f"it answered {status_code} Broken")
    assert "failed" not in " ".join(stage.far.heard)


@pytest.mark.parametrize("protocol", ["UDP", "TCP"])
def test_an_address_where_nobody_is_moves_the_call_on(protocol: str) -> None:
    """ICMP unreachable, or a refused connection: RFC 3261 8.1.3.1, 18.4."""
    stage = Inbound(route(NOBODY, protocol=protocol), route(TWO, 2))
    stage.ring()
    stage.run()
    assert stage.world.times("trunk>two INVITE") == [0.02]
    answered_by_two(stage)
    assert "ECONNREFUSED" in stage.outcomes()[0][1]


@pytest.mark.parametrize("rings", [False, True])
def test_a_connection_that_breaks_off_moves_the_call_on(rings: bool) -> None:
    stage = Inbound(route(ONE, protocol="TCP"), route(TWO, 2))
    stage.one.silent = not rings
    stage.ring()
    stage.run()
    if rings:
        stage.one.ring()
        stage.run()
    gone = Hop(stage.switch.stack.locals["us-east-1", "TCP"], (ONE, 5060))
    stage.one.stack.dialogs.clear()
    stage.world.rules.append(lambda packet: () if packet.destination == "one" or packet.source == "one" else None)
    stage.switch.stack.connection_reset(gone, "Connection reset by peer", stage.now)
    stage.run()
    stage.one.session.hang_up(stage.now)
    answered_by_two(stage)
    assert stage.outcomes()[0] == (f"TCP {ONE}:5060", "Connection reset by peer")


def test_the_failures_are_events_for_the_metrics() -> None:
    stage = Inbound(route(NOBODY), route(ONE, 2), route(TWO, 3))
    stage.one.silent = True
    stage.ring()
    stage.run(6)
    answered_by_two(stage)
    failed = [event for event in stage.events if isinstance(event, RouteFailed)]
    assert [(event.target, round(event.seconds, 2), event.because) for event in failed] == [
        (f"UDP {NOBODY}:5060", 0.01, "ICMP says: ECONNREFUSED"),
        (f"UDP {ONE}:5060", 5.0, SILENCE),
    ]


# -- all of them


def test_when_every_route_fails_the_caller_and_the_record_are_told() -> None:
    stage = Inbound(route(NOBODY), route(ONE, 2), route("gone.example", 3), route(TWO, 4))
    stage.one.silent = True
    stage.ring()
    stage.run(6)
    stage.two.refuse(503, "Service Unavailable")
    stage.run()
    refusal = stage.sent("trunk>far 503 INVITE")
    assert start_line(refusal) == "SIP/2.0 503 Service Unavailable: 4 of 4 targets failed"
    assert f"UDP {NOBODY}:5060: ICMP says: ECONNREFUSED; UDP {ONE}:5060: {SILENCE};" in header(refusal, "Warning")
    (record,) = stage.ended()
    assert (record.completed, record.status_message) == (False, "Service Unavailable: 4 of 4 targets failed")
    stage.end(completed=0, explained=["NO  routes", "gone.example does not resolve (NXDOMAIN)", "What to change"])


def test_a_single_route_that_fails_is_named() -> None:
    stage = Inbound(route(ONE))
    stage.ring()
    stage.run()
    stage.one.refuse(500, "Oops")
    stage.end(completed=0, explained=[f"the only route of the number failed: UDP {ONE}:5060: it answered 500 Oops"])
    assert stage.far.heard == ["failed 503"]


def test_a_priority_is_used_up_before_the_next() -> None:
    """Guide p. 61, acceptance case 22."""
    first = [route(NOBODY, 1, weight) for weight in (10, 50)]
    stage = Inbound(*first, route(ONE, 2), route(TWO, 3))
    stage.ring()
    stage.run()
    assert [one.route.priority for one in stage.history.tries] == [1, 1, 2]
    stage.one.refuse(503)
    stage.run()
    answered_by_two(stage)
    assert [one.route.priority for one in stage.history.tries] == [1, 1, 2, 3]


def test_the_share_of_equal_routes_is_repeatable_with_a_seed() -> None:
    def firsts(seed: int, stage_seed: int) -> list[str]:
        stage = Inbound(
            route(ONE, 1, 10), route(TWO, 1, 90), profile=replace(LAB, routing_seed=seed), seed=stage_seed, ports=100
        )
        for _ in range(20):
            stage.ring().cancel(stage.now)
        stage.run()
        chosen = [call.tries[0].route.host for call in stage.switch.history.all()]
        stage.end(calls=20)
        return chosen

    assert firsts(7, 1) == firsts(7, 2)
    assert any(firsts(seed, 1) != firsts(7, 1) for seed in range(5))


# -- names


def test_a_name_is_looked_up_for_each_call_and_stays_in_the_request_uri() -> None:
    """Acceptance case 26; RFC 3263 4."""
    stage = Inbound(route("pbx.example"))
    stage.names.addresses["pbx.example"] = (ONE,)
    stage.ring()
    stage.run()
    assert start_line(stage.invite()) == f"INVITE sip:{NUMBER}@pbx.example:5060;transport=UDP SIP/2.0"
    stage.one.refuse(486)
    stage.run()
    stage.names.addresses["pbx.example"] = (TWO,)
    stage.ring()
    stage.run()
    assert stage.two.sessions
    assert stage.names.asked == ["pbx.example"] * 2
    stage.two.refuse(486)
    stage.end(calls=2, completed=0, explained=[f"UDP {TWO}:5060 (pbx.example)"])


@pytest.mark.parametrize("seconds", [0.0, 0.02, 3.0])
def test_every_address_of_a_name_is_tried_before_its_route_has_failed(seconds: float) -> None:
    stage = Inbound(route("pbx.example"), route(THREE, 2))
    stage.names.addresses["pbx.example"] = (NOBODY, TWO)
    stage.names.seconds = seconds
    stage.ring()
    stage.run(seconds + 0.1)
    answered_by_two(stage)
    assert [target for target, _ in stage.outcomes()] == [f"UDP {NOBODY}:5060", f"UDP {TWO}:5060"]
    assert f"pbx.example leads to {NOBODY}, {TWO} ({seconds:.3f} s)." in stage.notes


@pytest.mark.parametrize("seconds", [0.0, 0.02, 8.0])
def test_a_name_that_does_not_resolve_moves_the_call_on(seconds: float) -> None:
    stage = Inbound(route("gone.example"), route(TWO, 2))
    stage.names.seconds = seconds
    stage.ring()
    stage.run(seconds + 0.1)
    answered_by_two(stage)
    assert stage.outcomes()[0] == ("gone.example", "gone.example does not resolve (NXDOMAIN)")
    assert stage.history.tries[0].ended_at == pytest.approx(0.01 + seconds)


@pytest.mark.parametrize("how", ["CANCEL", "shutdown", "BYE"])
def test_a_late_look_up_revives_no_call(how: str) -> None:
    stage = Inbound(route("pbx.example"))
    stage.names.addresses["pbx.example"] = (ONE,)
    stage.names.seconds = 10.0
    session = stage.ring()
    stage.run()
    if how == "shutdown":
        stage.switch.close(stage.now)
    else:
        session.cancel(stage.now)
    stage.run(20)
    assert not stage.one.sessions
    stage.end(completed=0)


def test_a_look_up_that_never_ends_does_not_keep_the_call() -> None:
    stage = Inbound(route("pbx.example"))
    stage.names.seconds = 1e6
    stage.ring()
    stage.run(61)
    assert stage.far.heard == ["failed 480"]
    stage.world._events.clear()
    stage.end(completed=0)


def test_a_look_up_that_is_answered_twice_counts_once() -> None:
    stage = Inbound(route("pbx.example"), route(TWO, 2))
    answers: list[Callable[[Located, float], None]] = []
    stage.names.locate = lambda host, port, transport, done: answers.append(done)  # type: ignore[method-assign]
    stage.ring()
    stage.run()
    located = Located((("UDP", ONE, 5060),), "")
    for _ in range(2):
        answers[0](located, stage.now)
    stage.run()
    assert len(stage.one.sessions) == 1
    stage.one.refuse(503)
    stage.run()
    answers[0](located, stage.now)
    stage.run()
    answered_by_two(stage)
    assert len(stage.one.sessions) == 1


def test_a_name_may_lead_to_another_transport() -> None:
    """RFC 3263 4.1: NAPTR chooses the transport."""
    stage = Inbound(route("pbx.example"))
    stage.names.locate = lambda host, port, transport, done: done(  # type: ignore[method-assign]
        Located((("TLS", ONE, 5061), ("TCP", ONE, 5060)), ""), stage.now
    )
    stage.ring()
    stage.run()
    assert stage.outcomes()[0] == (f"TLS {ONE}:5061", "us-east-1 has no listener for TLS")
    assert start_line(stage.invite()).endswith(";transport=TCP SIP/2.0")
    stage.one.refuse(486)
    stage.end(completed=0)


def test_an_address_of_the_other_ip_version_cannot_be_reached() -> None:
    stage = Inbound(route("2001:db8::1"), route(TWO, 2))
    stage.ring()
    stage.run()
    assert "other IP version" in stage.outcomes()[0][1]
    answered_by_two(stage)


# -- what an abandoned target still sends


@pytest.mark.parametrize("seconds", [0.0, 0.02])
def test_hundreds_of_targets_that_fail_at_once_are_only_many_failures(seconds: float) -> None:
    stage = Inbound(*(route(f"host{number}") for number in range(20)))
    stage.names.seconds = seconds
    stage.names.addresses = {f"host{number}": ("2001:db8::1",) * 50 for number in range(20)}
    stage.ring()
    stage.run(2)
    assert stage.far.heard == ["failed 503"]
    assert len(stage.outcomes()) == 1_000
    stage.end(completed=0)


def test_a_late_answer_of_an_abandoned_target_is_acknowledged_and_released() -> None:
    """RFC 3261 9.1, 13.2.2.4."""
    stage = Inbound()
    stage.one.silent = True
    stage.ring()
    stage.run(6)
    stage.two.pick_up()
    stage.run()
    plans = len(stage.ports.plans[1])
    stage.one.pick_up()
    stage.run()
    assert stage.one.heard == ["INVITE", "ACK", "BYE"]
    assert stage.far.heard == ["answered"]
    assert len(stage.ports.plans[1]) == plans
    assert stage.switch.active_calls == 1
    stage.far.session.hang_up(stage.now)
    stage.end(completed=1)


def test_late_ringing_of_an_abandoned_target_is_cancelled_and_not_heard() -> None:
    """RFC 3261 9.1: the CANCEL waits for the first provisional answer."""
    stage = Inbound()
    stage.one.silent = True
    stage.ring()
    stage.run(6)
    stage.one.early_media(sdp(ONE, 7000))
    stage.run()
    assert stage.one.heard == ["INVITE", "CANCEL"]
    assert stage.far.heard == []
    stage.two.ring()
    stage.run()
    assert stage.far.heard == ["180"]
    answered_by_two(stage)
    assert [stream.remote for stream in stage.plan.streams][1] == (TWO, 7000)


def test_a_late_refusal_of_an_abandoned_target_is_acknowledged_and_not_heard() -> None:
    stage = Inbound()
    stage.one.silent = True
    stage.ring()
    stage.run(6)
    stage.one.refuse(486)
    stage.run()
    assert stage.far.heard == []
    answered_by_two(stage)
    assert stage.world.told("trunk", "one")[-1] == "trunk>one ACK"


def test_early_media_of_a_target_that_fails_gives_way_to_the_next() -> None:
    stage = Inbound()
    stage.ring()
    stage.run()
    stage.one.early_media(sdp(ONE, 7000))
    stage.run()
    stage.one.refuse(503)
    stage.run()
    assert stage.far.heard == ["183"]
    assert not any(stream.receive or stream.send for stream in stage.plan.streams), "the first is not heard any more"
    ports = [stream.pair for stream in stage.plan.streams]
    answered_by_two(stage)
    streams = stage.plan.streams
    assert [stream.pair for stream in streams] == ports, "the ports are kept"
    assert streams[1].remote == (TWO, 7000)


def test_each_attempt_is_an_invite_of_its_own_in_one_call() -> None:
    """RFC 3261 8.2.2.2: one PBX at two addresses must not take the second for a loop of the first."""
    stage = Inbound(route(ONE), route(TWO, 2))
    stage.one.silent = True
    stage.ring()
    stage.run(6)
    first, second = stage.invite("one"), stage.invite("two")
    assert header(first, "Call-ID") == header(second, "Call-ID")
    assert header(first, "From") != header(second, "From")
    assert headers_of(first, "Via")[0] != headers_of(second, "Via")[0]
    answered_by_two(stage)


def test_one_pbx_on_two_routes_is_asked_twice() -> None:
    stage = Inbound(route(ONE), route(ONE, 2))
    stage.ring()
    stage.run()
    stage.one.refuse(503)
    stage.run()
    assert stage.one.heard == ["INVITE", "INVITE"]
    stage.one.refuse(486)
    stage.end(completed=0)


@pytest.mark.parametrize("after", [0.5, 4.99, 5.02, 7.0])
def test_a_caller_that_gives_up_at_any_time_leaves_nothing(after: float) -> None:
    stage = Inbound()
    stage.one.silent = stage.two.silent = True
    session = stage.ring()
    stage.run(after)
    session.cancel(stage.now)
    stage.run(1)
    assert session.state == ENDED
    assert stage.switch.active_calls == 0
    stage.end(completed=0)
    assert not stage.three.sessions


def test_an_invite_that_expires_ends_the_hunt() -> None:
    """RFC 3261 13.3.1: Expires is for the whole call, not for each target."""
    stage = Inbound()
    for target in (stage.one, stage.two, stage.three):
        target.silent = True
    stage.ring(headers="Expires: 7\r\n")
    stage.run(7.5)
    assert stage.far.heard == ["failed 487"]
    assert stage.two.sessions
    assert not stage.three.sessions
    stage.end(completed=0, explained=["nobody answered within the 7 s that its INVITE was good for"])


def test_every_target_may_ring_for_its_full_time() -> None:
    stage = Inbound(profile=replace(LAB, ring_timeout=10.0))
    stage.one.silent = True
    stage.ring()
    stage.run(6)
    stage.two.ring()
    stage.run(8)
    answered_by_two(stage)


# -- faults of our own


@pytest.mark.parametrize("when", ["at the INVITE", "at the answer", "at the time-out"])
def test_a_fault_of_the_emulator_ends_one_call_and_leaves_nothing(when: str) -> None:
    stage = Inbound()
    stage.one.silent = True
    if when == "at the INVITE":
        stage.ports.breaks = "allocate"
        stage.ring()
    else:
        stage.ring()
        stage.run()
        if when == "at the answer":
            stage.ports.breaks = "apply"
            stage.one.pick_up()
        else:
            stage.names.locate = None  # type: ignore[method-assign,assignment]
            stage.configure(origination=None)
            hunt = next(iter(stage.switch._calls.values()))._placing
            hunt._routes = [route("pbx.example")]  # type: ignore[attr-defined]
    with pytest.raises((RuntimeError, TypeError)):
        stage.run(6)
    stage.ports.breaks = ""
    stage.switch.fail(stage.now)
    stage.run(1)
    assert stage.far.heard == ["failed 500"]
    stage.end(completed=0)


def test_a_fault_when_a_name_has_been_looked_up_ends_that_call() -> None:
    stage = Inbound(route("pbx.example"))
    stage.names.addresses["pbx.example"] = (ONE,)
    stage.ring()
    stage.run(0.02)
    stage.ports.breaks = "allocate"
    with pytest.raises(RuntimeError):
        stage.run()
    stage.ports.breaks = ""
    stage.switch.fail(stage.now)
    stage.run(1)
    assert stage.far.heard == ["failed 500"]
    stage.end(completed=0)


def test_without_a_port_the_call_is_refused() -> None:
    for ports in (0, 1):
        stage = Inbound(ports=ports)
        stage.ring()
        stage.run()
        assert stage.far.heard == ["failed 503"]
        stage.end(completed=0, explained=["rtp_ports"])
