"""Calls from the PSTN whose messages are lost, late or doubled: one call, one record, nothing open; see `test_loss`.

RFC 3261 17, and failover besides: what comes late may come from a target that was left.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from tests.flows.inbound import OTHER, THREE, Inbound, route
from tests.flows.stage import FAR_SDP, sdp
from tests.flows.test_loss import once
from tests.phone import SDP
from tests.world import LATENCY, Packet
from voiceconnector.sip.session import CONFIRMED, ENDED, Session
from voiceconnector.trunk.model import Origination

MESSAGES = 36
Play = Callable[[], Inbound]


def at(stage: Inbound, time: float, name: str, action: Callable[[Session], object]) -> None:
    """Let a PBX or the caller do something with its call, if it has one."""

    def act(_now: float) -> None:
        phone = getattr(stage, name)
        if phone.sessions:
            action(phone.session)

    stage.world.at(time, act)


def failing_over(stage: Inbound | None = None) -> Inbound:
    """A silent target, one that fails, and one that rings, is answered and ends well."""
    stage = stage or Inbound()
    stage.one.silent = True
    stage.ring()
    at(stage, 5.5, "two", lambda _: stage.two.refuse(503))
    at(stage, 8.0, "three", lambda _: stage.three.ring())
    at(stage, 12.0, "three", lambda _: stage.three.pick_up())
    at(stage, 13.0, "one", lambda _: stage.one.pick_up())
    at(stage, 45.0, "far", lambda session: session.hang_up(stage.now))
    return stage


def failing_over_in_a_group() -> Inbound:
    """The same, with the last target in another Region, and early media of the second."""
    stage = Inbound(*(route(f"192.0.2.1{number}", number) for number in (1, 2)))
    stage.group_with(replace(OTHER, origination=Origination((route(THREE),))))
    at(stage, 5.2, "two", lambda _: stage.two.early_media(sdp("192.0.2.12", 7000)))
    return failing_over(stage)


def a_region_goes_down() -> Inbound:
    """The first connector's Region is not there any more when its second target would have its turn."""
    stage = failing_over_in_a_group()
    stage.world.at(3.0, lambda _now: stage.regions_down.add("us-east-1"))
    return stage


def given_up() -> Inbound:
    """The caller hangs up as the second target answers: CANCEL and 200 cross, so there is an answer to end."""
    stage = Inbound()
    stage.one.silent = True
    stage.ring()
    at(stage, 6.0, "two", lambda _: stage.two.ring())
    at(stage, 7.0, "two", lambda _: stage.two.pick_up())
    at(stage, 7.005, "far", lambda session: session.hang_up(stage.now))
    return stage


def ended_by_the_pbx() -> Inbound:
    """A call without offer, held by the PBX, and ended there."""
    stage = Inbound()
    stage.far.acknowledge_with = FAR_SDP
    stage.far.when_asked = lambda session, transaction, request, now: session.accept(now, SDP, FAR_SDP)
    stage.ring(body=b"")

    def hold(session: Session) -> None:
        if session.state == CONFIRMED and not session.busy:
            session.send("INVITE", stage.now, SDP, sdp(direction="sendonly", version=2))

    at(stage, 1.0, "one", lambda _: stage.one.pick_up())
    at(stage, 6.0, "one", hold)
    at(stage, 20.0, "one", lambda session: session.hang_up(stage.now))
    return stage


PLAYS = [failing_over, failing_over_in_a_group, a_region_goes_down, given_up, ended_by_the_pbx]


def over(stage: Inbound) -> None:
    """Whatever was lost, everything ends, and there is one record."""
    stage.world.run(110)
    for target in (stage.one, stage.two, stage.three, stage.far):
        for session in target.sessions:
            if session.state in (CONFIRMED, ENDED) or target is not stage.far:
                session.hang_up(stage.now)
    stage.end()


@pytest.mark.parametrize("play", PLAYS)
def test_with_nothing_lost_they_end_as_they_should(play: Play) -> None:
    stage = play()
    stage.world.run(110)
    stage.end(completed=1)


@pytest.mark.parametrize("number", range(1, MESSAGES + 1))
@pytest.mark.parametrize("play", PLAYS)
def test_any_one_message_may_be_lost(play: Play, number: int) -> None:
    stage = play()
    stage.world.rules.append(once(number))
    over(stage)


@pytest.mark.parametrize("number", range(1, MESSAGES + 1))
@pytest.mark.parametrize("play", PLAYS)
def test_any_one_message_may_come_twice(play: Play, number: int) -> None:
    stage = play()
    stage.world.rules.append(once(number, LATENCY, 0.7))
    over(stage)


@pytest.mark.parametrize("number", range(1, MESSAGES + 1))
@pytest.mark.parametrize("play", PLAYS)
def test_any_one_message_may_be_late(play: Play, number: int) -> None:
    stage = play()
    stage.world.rules.append(once(number, 6.5))
    over(stage)


@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("play", PLAYS)
def test_a_bad_network_loses_doubles_and_reorders_everything(play: Play, seed: int) -> None:
    stage = play()
    chance = stage.world.random
    chance.seed(seed)

    def rule(packet: Packet) -> Iterable[float] | None:
        if packet.time >= 100:
            return None
        return [chance.uniform(0.01, 6.0) for _ in range(chance.choice((0, 1, 1, 1, 2)))]

    stage.world.rules.append(rule)
    over(stage)
