"""Groups of connectors in several Regions: who takes a call from the PSTN when the first cannot (guide p. 64)."""

import re
from dataclasses import replace

import pytest

from tests.flows.inbound import ONE, OTHER, THREE, TWO, Inbound, answered_by_two, dialled, route
from tests.flows.stage import CONNECTOR, OTHER_REGION, OTHER_TRUNK, TRUNK, sdp
from tests.wire import body_of, header, headers_of
from voiceconnector.calls.events import CallMoved
from voiceconnector.trunk.model import Origination
from voiceconnector.trunk.profile import LAB


@pytest.fixture
def grouped() -> Inbound:
    stage = Inbound(route(ONE))
    stage.group_with(replace(OTHER, origination=Origination((route(TWO),))))
    return stage


def test_the_next_connector_of_the_group_takes_a_call_that_the_first_cannot(grouped: Inbound) -> None:
    """Acceptance case 24: shown by its own X-VoiceConnector-ID and signalling address."""
    stage = grouped
    stage.ring()
    stage.run()
    stage.one.refuse(503)
    stage.run()
    invite = stage.invite("two")
    assert dialled(invite) == OTHER.voice_connector_id
    assert OTHER_TRUNK in headers_of(invite, "Via")[0]
    assert OTHER_TRUNK in header(invite, "Record-Route")
    assert f"c=IN IP4 {OTHER_TRUNK}".encode() in invite
    answered_by_two(stage)
    (record,) = stage.ended()
    assert (record.started.voice_connector_id, record.started.region) == (OTHER.voice_connector_id, OTHER_REGION)
    assert [event.started for event in stage.events if isinstance(event, CallMoved)] == [record.started]
    assert f"The call goes on through {OTHER.voice_connector_id} in {OTHER_REGION}." in stage.explained()


@pytest.mark.parametrize("why", ["disabled", "down", "without routes", "over the quota"])
def test_a_connector_that_cannot_take_calls_is_passed_over(why: str) -> None:
    first = replace(
        CONNECTOR,
        origination=Origination(() if why == "without routes" else (route(ONE),), disabled=why == "disabled"),
    )
    stage = Inbound(profile=replace(LAB, active_calls_quota=0 if why == "over the quota" else None))
    stage.connectors = [first]
    stage.group_with(replace(OTHER, origination=Origination((route(TWO),))))
    if why == "down":
        stage.regions_down.add("us-east-1")
    stage.ring()
    stage.run()
    if why == "over the quota":
        stage.end(completed=0)
        return
    assert not stage.one.sessions
    assert dialled(stage.invite("two")) == OTHER.voice_connector_id
    answered_by_two(stage)
    assert stage.ended()[0].started.voice_connector_id == OTHER.voice_connector_id
    assert "is passed over" in stage.explained()


def test_a_region_that_goes_down_during_the_hunt_is_left_at_once() -> None:
    stage = Inbound(route(ONE), route(THREE, 2))
    stage.group_with(replace(OTHER, origination=Origination((route(TWO),))))
    stage.one.silent = True
    stage.ring()
    stage.run(2)
    stage.regions_down.add("us-east-1")
    stage.run(4)
    assert not stage.three.sessions, "its other routes are not tried"
    answered_by_two(stage)
    assert "us-east-1 is down now; the other routes there are not tried." in stage.explained()


def media_heard_at(stage: Inbound) -> list[str]:
    """The relay's addresses: for the caller, as its answer says, and for the PBX."""
    (said,) = re.findall(rb"c=IN IP4 (\S+)", body_of(stage.sent("trunk>far 200 INVITE")))
    caller, pbx = stage.plan.streams
    assert caller.pair.address == said.decode()
    return [caller.pair.address, pbx.pair.address]


def test_when_the_region_is_down_the_callers_media_moves_as_well() -> None:
    """Else the caller would send to an address that is as dead as the Region."""
    stage = Inbound(route(ONE))
    stage.group_with(replace(OTHER, origination=Origination((route(TWO),))))
    stage.ring()
    stage.run()
    stage.one.early_media(sdp(ONE, 7000))
    stage.run()
    stage.regions_down.add("us-east-1")
    stage.one.refuse(503)
    stage.run()
    answered_by_two(stage)
    assert media_heard_at(stage) == [OTHER_TRUNK, OTHER_TRUNK]
    stage.far.session.hang_up(stage.now)
    stage.end(completed=1)


@pytest.mark.parametrize("early", [False, True])
def test_a_caller_that_has_been_told_where_to_send_need_not_change(early: bool) -> None:
    """RFC 3261 13.2.1: it may go by the first description that it gets."""
    stage = Inbound(route(ONE))
    stage.group_with(replace(OTHER, origination=Origination((route(TWO),))))
    stage.ring()
    stage.run()
    if early:
        stage.one.early_media(sdp(ONE, 7000))
        stage.run()
    stage.one.refuse(503)
    stage.run()
    answered_by_two(stage)
    assert media_heard_at(stage) == [TRUNK if early else OTHER_TRUNK, OTHER_TRUNK]
    stage.far.session.hang_up(stage.now)
    stage.end(completed=1)


def test_when_all_of_a_group_fail_everything_tried_is_told(grouped: Inbound) -> None:
    stage = grouped
    stage.ring()
    stage.run()
    stage.one.refuse(503)
    stage.run()
    stage.two.refuse(500)
    stage.end(completed=0, explained=["all 2 targets failed", f"of {OTHER.voice_connector_id} ({OTHER_REGION})"])
    assert stage.far.heard == ["failed 503"]


def test_a_group_whose_regions_are_all_down_takes_no_call(grouped: Inbound) -> None:
    stage = grouped
    stage.regions_down |= {"us-east-1", OTHER_REGION}
    stage.ring()
    stage.run()
    assert stage.far.heard == ["failed 503"]
    stage.end(completed=0, explained=["A connector of the group is passed over", f"{OTHER_REGION}, the Region of"])


def test_all_regions_down_in_the_middle_of_a_hunt_is_a_refusal(grouped: Inbound) -> None:
    stage = grouped
    stage.one.silent = True
    stage.ring()
    stage.run(1)
    stage.regions_down |= {"us-east-1", OTHER_REGION}
    stage.run(10)
    assert stage.far.heard == ["failed 503"]
    stage.end(completed=0)


def test_a_region_comes_back_for_the_next_call(grouped: Inbound) -> None:
    """Failback."""
    stage = grouped
    stage.regions_down.add("us-east-1")
    stage.ring()
    stage.run()
    stage.two.refuse(486)
    stage.run()
    stage.regions_down.clear()
    stage.ring()
    stage.run()
    assert dialled(stage.invite("one")) == CONNECTOR.voice_connector_id
    assert TRUNK in headers_of(stage.invite("one"), "Via")[0]
    stage.one.refuse(486)
    stage.end(calls=2, completed=0)


def test_the_active_calls_of_both_connectors_are_counted_where_the_call_is(grouped: Inbound) -> None:
    stage = grouped
    stage.ring()
    stage.run()
    limits = stage.switch.limits
    assert (limits.active_calls_in_region("us-east-1"), limits.active_calls_in_region(OTHER_REGION)) == (1, 0)
    stage.one.refuse(503)
    stage.run()
    assert (limits.active_calls_in_region("us-east-1"), limits.active_calls_in_region(OTHER_REGION)) == (0, 1)
    answered_by_two(stage)
