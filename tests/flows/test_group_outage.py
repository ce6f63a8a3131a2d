"""Groups of connectors while a Region is out of reach: the next one takes the call, and the first one the call after.

Unlike `test_failover`, the packets of a Region that is down are lost here, as they are at the edge.
"""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from tests.flows.inbound import OTHER, THREE, TWO, Inbound, dialled, route
from tests.flows.stage import CONNECTOR, OTHER_REGION, REGION
from tests.world import LATENCY, Packet
from voiceconnector.sip.reach import LOST, Reach
from voiceconnector.trunk.model import Origination

WEST = replace(OTHER, origination=Origination((route(TWO),)))
SPARE = replace(OTHER, voice_connector_id="spare" * 4 + "00", origination=Origination((route(THREE),)))


class Outage(Inbound):
    """A connector in us-east-1 with one route, and others of its group in us-west-2."""

    def __init__(self, others: int) -> None:
        super().__init__()
        self.reach = Reach()
        self.world.rules.append(self._travel)
        self.configure(origination=Origination((route("192.0.2.11"),)))
        self.group_with(*(WEST, SPARE)[:others])

    def _travel(self, packet: Packet) -> Iterable[float] | None:
        delay = sum(map(self.reach.delay, packet.locals))
        return () if delay == LOST else (LATENCY + delay,) if delay else None

    def down(self, region: str = REGION) -> None:
        self.reach.set(region, LOST)
        self.regions_down.add(region)

    def up(self, region: str = REGION) -> None:
        self.reach.set(region, 0)
        self.regions_down.discard(region)

    def answered_by(self, name: str) -> None:
        """A call that this PBX takes, and that ends well."""
        caller = self.ring()
        self.run()
        target = getattr(self, name)
        target.pick_up()
        self.run()
        assert self.far.heard[-1] == "answered", self.world.drawn()
        caller.hang_up(self.now)
        self.run()


@pytest.mark.parametrize("others", [1, 2])
def test_between_calls_the_next_connector_takes_over_and_gives_back(others: int) -> None:
    """Guide p. 64; failback is the order of the group again."""
    stage = Outage(others)
    stage.answered_by("one")
    stage.down()
    stage.answered_by("two")
    assert dialled(stage.invite("two")) == WEST.voice_connector_id
    assert b"203.0.113.65" in stage.invite("two"), "from the address of the other Region"
    stage.up()
    stage.answered_by("one")
    assert dialled(stage.invite("one")) == CONNECTOR.voice_connector_id
    assert [record.started.region for record in stage.ended()] == [REGION, OTHER_REGION, REGION]
    stage.end(calls=3, completed=3)


def test_a_group_of_three_uses_its_last_when_the_second_has_failed() -> None:
    stage = Outage(2)
    stage.down()
    caller = stage.ring()
    stage.run()
    stage.two.refuse(503)
    stage.run()
    stage.three.pick_up()
    stage.run()
    assert stage.far.heard[-1] == "answered"
    assert dialled(stage.invite("three")) == SPARE.voice_connector_id
    caller.hang_up(stage.now)
    stage.end(completed=1)


def test_a_call_whose_invite_is_lost_in_an_outage_goes_to_the_next_region() -> None:
    stage = Outage(1)
    stage.reach.set(REGION, LOST)  # before anybody knows of it
    caller = stage.ring()
    stage.run(6)
    stage.two.pick_up()
    stage.run()
    assert stage.far.heard[-1] == "answered", stage.world.drawn()
    assert dialled(stage.invite("two")) == WEST.voice_connector_id
    caller.hang_up(stage.now)
    stage.up()
    stage.end(completed=1)


def test_a_ringing_call_stays_where_it_rings() -> None:
    """A provisional answer has come, so the call is not moved; its answer is lost until the Region is back."""
    stage = Outage(1)
    stage.ring()
    stage.run()
    stage.one.ring()
    stage.run()
    assert stage.far.heard == ["180"]
    stage.down()
    stage.one.pick_up()
    stage.run(5)
    assert stage.far.heard == ["180"]
    assert not stage.two.sessions
    stage.up()
    stage.run(5)
    assert stage.far.heard == ["180", "answered"]
    stage.far.session.hang_up(stage.now)
    stage.end(completed=1)


def test_an_answered_call_outlives_a_short_outage() -> None:
    stage = Outage(1)
    caller, _ = stage.talking()
    stage.down()
    stage.run(30)
    stage.up()
    caller.hang_up(stage.now)
    stage.end(completed=1)


def test_a_hang_up_outside_ends_the_call_although_the_pbx_cannot_hear_it() -> None:
    """The PSTN's side is not in the Region: its BYE is answered; the PBX's is repeated for 64*T1."""
    stage = Outage(1)
    caller, _ = stage.talking()
    stage.down()
    caller.hang_up(stage.now)
    stage.run(1)
    assert stage.switch.active_calls == 0
    stage.run(60)
    stage.one.session.hang_up(stage.now)
    stage.up()
    stage.end(completed=1)
