"""Calls while their Region is down or slow, in virtual time: what is lost, what is late, and how each call ends."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from tests.flows.stage import REGION, Stage
from tests.world import LATENCY, Packet
from voiceconnector.sip.reach import LOST, Reach
from voiceconnector.trunk.profile import LAB, Profile


class RegionStage(Stage):
    """A stage whose Region can be out of reach: `Reach` decides on each packet, as it does at the edge."""

    def __init__(self, profile: Profile = LAB) -> None:
        super().__init__(profile)
        self.reach = Reach()
        self.world.rules.append(self._travel)

    def _travel(self, packet: Packet) -> Iterable[float] | None:
        delay = sum(map(self.reach.delay, packet.locals))
        return () if delay == LOST else (LATENCY + delay,) if delay else None

    def down(self) -> None:
        self.reach.set(REGION, LOST)

    def slow(self, seconds: float = 2.0) -> None:
        self.reach.set(REGION, seconds)

    def up(self) -> None:
        self.reach.set(REGION, 0)


def test_a_call_to_a_region_that_is_down_gets_no_answer_and_leaves_no_record() -> None:
    """RFC 3261 17.1.1.2: seven INVITEs, and 408 after 64*T1."""
    stage = RegionStage()
    stage.down()
    stage.pbx.dial()
    stage.run(32.1)
    assert stage.world.times("pbx>trunk INVITE") == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert stage.pbx.heard == ["failed 408"]
    assert stage.reach.dropped == {REGION: 7}
    stage.end(calls=0)


def test_calls_go_through_again_once_it_is_up() -> None:
    stage = RegionStage()
    stage.down()
    stage.pbx.dial()
    stage.run(40)
    stage.up()
    caller, _ = stage.answered()
    caller.hang_up(stage.now)
    stage.end(completed=1)


def test_a_call_that_waits_for_the_region_is_set_up_by_a_repeated_invite() -> None:
    """RFC 3261 17.1.1.2: timer A."""
    stage = RegionStage()
    stage.down()
    stage.pbx.dial()
    stage.run(3)
    stage.up()
    stage.run(1)
    assert stage.pbx.heard == []
    stage.far.ring()
    stage.run()
    stage.far.pick_up()
    stage.run()
    assert stage.pbx.heard == ["180", "answered"]
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_a_ringing_call_in_a_region_that_goes_down_ends_for_the_caller_by_itself() -> None:
    """RFC 3261 9.1: a CANCEL without an answer ends the INVITE after 64*T1; the trunk's ring time-out ends the rest."""
    stage = RegionStage()
    stage.pbx.dial()
    stage.run()
    stage.far.ring()
    stage.run()
    assert stage.pbx.heard == ["180"]
    stage.down()
    stage.pbx.session.hang_up(stage.now)
    stage.run(LAB.ring_timeout + 70)
    assert stage.switch.active_calls == 0
    stage.far.session.refuse(480, "Temporarily Unavailable", stage.now)
    stage.end(completed=0, explained=["nobody answered within 60 s"])


def test_a_ringing_call_goes_on_where_it_was_when_the_region_comes_back() -> None:
    stage = RegionStage()
    stage.pbx.dial()
    stage.run()
    stage.far.ring()
    stage.run()
    stage.down()
    stage.far.pick_up()
    stage.run(5)
    assert stage.pbx.heard == ["180"]
    stage.up()
    stage.run(5)
    assert stage.pbx.heard == ["180", "answered"]
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_an_answered_call_hears_nothing_of_a_short_outage() -> None:
    stage = RegionStage()
    caller, _ = stage.answered()
    stage.down()
    stage.run(30)
    stage.up()
    caller.hang_up(stage.now)
    stage.end(completed=1)


def test_a_bye_sent_in_an_outage_ends_the_call_once_the_region_is_back() -> None:
    """RFC 3261 17.1.2.2: timer E repeats it for 64*T1."""
    stage = RegionStage()
    caller, _ = stage.answered()
    stage.down()
    caller.hang_up(stage.now)
    stage.run(20)
    assert stage.switch.active_calls == 1
    stage.up()
    stage.run(5)
    assert stage.switch.active_calls == 0
    stage.end(completed=1)


@pytest.mark.parametrize("back", [True, False])
def test_a_call_whose_bye_is_lost_for_good_ends_at_its_longest_duration(back: bool) -> None:
    stage = RegionStage(profile=replace(LAB, maximum_call_duration=300.0))
    caller, called = stage.answered()
    stage.down()
    caller.hang_up(stage.now)
    called.hang_up(stage.now)
    stage.run(60)
    assert stage.switch.active_calls == 1, "nobody has told the trunk"
    if back:
        stage.up()
    stage.run(300)
    assert stage.switch.active_calls == 0
    stage.end()


def test_a_slow_region_carries_a_call_with_one_record_in_spite_of_repetitions() -> None:
    """Two seconds each way: each request is repeated before its answer comes (RFC 3261 17.1)."""
    stage = RegionStage()
    stage.slow()
    stage.pbx.dial()
    stage.run(10)
    assert len(stage.world.times("pbx>trunk INVITE")) > 1
    assert len(stage.far.sessions) == 1
    stage.far.ring()
    stage.run(10)
    stage.far.pick_up()
    stage.run(10)
    assert stage.pbx.heard == ["180", "answered"]
    stage.pbx.session.hang_up(stage.now)
    stage.run(20)
    assert stage.far.heard[-1] == "BYE"
    assert stage.reach.dropped == {}
    stage.end(completed=1)
