"""Messages that are lost, late or doubled: a call still ends as one call with one record and nothing open.

RFC 3261 17: over UDP each message may be lost, and something retransmits it or something else gives up.
"""

from collections.abc import Callable, Iterable

import pytest

from tests.flows.stage import CALLED, CALLED_FAR, FAR_SDP, Stage, sdp
from tests.phone import SDP
from tests.world import LATENCY, Packet
from voiceconnector.pstn.behaviours import behaviour
from voiceconnector.sip.session import CONFIRMED

MESSAGES = 24
Play = Callable[[], Stage]


def at_far(stage: Stage, time: float, action: Callable[[float], None]) -> None:
    """Let the far telephone do something, if the call has come so far."""

    def act(now: float) -> None:
        if stage.far.sessions:
            action(now)

    stage.world.at(time, act)


def answered() -> Stage:
    """A call that rings, is answered, held and resumed, and hung up by the caller."""
    stage = Stage(behaviour=behaviour("answer", ring_seconds=1))
    session = stage.pbx.dial(CALLED)

    def change(direction: str, version: int) -> Callable[[float], None]:
        def send(now: float) -> None:
            if session.state == CONFIRMED and not session.busy:
                session.send("INVITE", now, SDP, sdp(direction=direction, version=version))

        return send

    stage.world.at(6.0, change("sendonly", 2))
    stage.world.at(12.0, change("sendrecv", 3))
    stage.world.at(20.0, session.hang_up)
    return stage


def ended_by_the_called_side() -> Stage:
    stage = Stage(behaviour=behaviour("early-media", ring_seconds=1, hang_up_after=5))
    session = stage.pbx.dial(CALLED)
    stage.world.at(60.0, session.hang_up)
    return stage


def cancelled() -> Stage:
    stage = Stage(behaviour=behaviour("no-answer"))
    session = stage.pbx.dial(CALLED)
    stage.world.at(3.0, session.hang_up)
    return stage


def refused() -> Stage:
    stage = Stage(behaviour=behaviour("busy", ring_seconds=1))
    stage.pbx.dial(CALLED)
    return stage


def answered_as_it_is_cancelled() -> Stage:
    stage = Stage()
    session = stage.pbx.dial(CALLED_FAR)
    at_far(stage, 2.0, lambda now: stage.far.ring())
    at_far(stage, 3.0, lambda now: stage.far.pick_up())
    stage.world.at(3.005, session.hang_up)
    return stage


def late_offer() -> Stage:
    stage = Stage(behaviour=behaviour("answer", ring_seconds=1))
    stage.pbx.acknowledge_with = sdp()
    session = stage.pbx.dial(CALLED, body=b"")
    stage.world.at(10.0, session.hang_up)
    return stage


def updated() -> Stage:
    """A call that the called side changes by UPDATE, with an INFO, and then ends."""
    stage = Stage()
    stage.pbx.dial(CALLED_FAR)
    stage.pbx.when_asked = lambda session, transaction, request, now: session.answer(
        transaction, 200, "OK", now, SDP, sdp(version=2)
    )

    def send(method: str, lines: str, body: bytes, now: float) -> None:
        if stage.far.session.state == CONFIRMED:
            stage.far.session.send(method, now, lines, body)

    at_far(stage, 1.0, lambda now: stage.far.pick_up())
    at_far(stage, 5.0, lambda now: send("UPDATE", SDP, FAR_SDP, now))
    at_far(stage, 6.0, lambda now: send("INFO", "", b"", now))
    at_far(stage, 15.0, lambda now: stage.far.session.hang_up(now))
    stage.world.at(60.0, lambda now: stage.pbx.session.hang_up(now))
    return stage


PLAYS = [answered, ended_by_the_called_side, cancelled, refused, answered_as_it_is_cancelled, late_offer, updated]


def once(number: int, *delays: float) -> Callable[[Packet], Iterable[float] | None]:
    """What becomes of the message of that number; none: it is lost."""
    return lambda packet: delays if packet.number == number else None


@pytest.mark.parametrize("number", range(1, MESSAGES + 1))
@pytest.mark.parametrize("play", PLAYS)
def test_any_one_message_may_be_lost(play: Play, number: int) -> None:
    stage = play()
    stage.world.rules.append(once(number))
    stage.end()


@pytest.mark.parametrize("number", range(1, MESSAGES + 1))
@pytest.mark.parametrize("play", PLAYS)
def test_any_one_message_may_come_twice(play: Play, number: int) -> None:
    stage = play()
    stage.world.rules.append(once(number, LATENCY, 0.7))
    stage.end()


@pytest.mark.parametrize("number", range(1, MESSAGES + 1))
@pytest.mark.parametrize("play", PLAYS)
def test_any_one_message_may_be_late(play: Play, number: int) -> None:
    stage = play()
    stage.world.rules.append(once(number, 2.3))
    stage.end()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("play", PLAYS)
def test_a_bad_network_loses_doubles_and_reorders_everything(play: Play, seed: int) -> None:
    stage = play()
    chance = stage.world.random
    chance.seed(seed)
    stage.world.rules.append(
        lambda packet: (
            [chance.uniform(0.01, 1.5) for _ in range(chance.choice((0, 1, 1, 1, 2)))] if packet.time < 100 else None
        )
    )
    stage.world.run(110)
    for phone in (stage.pbx, stage.far):
        for session in phone.sessions:
            session.hang_up(stage.now)
    stage.pstn.close(stage.now)
    stage.end()
