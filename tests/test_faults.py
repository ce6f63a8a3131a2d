"""Conditions of Regions: what may be asked for, and what becomes of it."""

from math import inf

import pytest

from voiceconnector.faults import Condition, Regions, UnknownRegion
from voiceconnector.trunk.tables import ShapeError


@pytest.fixture
def applied() -> list[tuple[str, Condition]]:
    return []


@pytest.fixture
def regions(applied: list[tuple[str, Condition]]) -> Regions:
    return Regions(("us-east-1", "us-west-2"), lambda name, condition: applied.append((name, condition)))


def test_every_region_is_up_at_first(regions: Regions) -> None:
    assert regions.available("us-east-1")
    assert regions.available("us-west-2")
    assert regions.shown({})["us-east-1"] == {"State": "up", "DelaySeconds": 0.0, "DroppedPackets": 0}


def test_a_region_that_is_not_served_is_not_available(regions: Regions) -> None:
    assert not regions.available("eu-west-1")


@pytest.mark.parametrize(
    ("wanted", "delay", "available"),
    [
        ({"State": "down"}, inf, False),
        ({"State": "slow"}, 2.0, True),
        ({"State": "slow", "DelaySeconds": 5}, 5.0, True),
        ({"State": "up"}, 0.0, True),
    ],
)
def test_a_condition_is_applied_and_shown(
    regions: Regions, applied: list[tuple[str, Condition]], wanted: dict[str, object], delay: float, available: bool
) -> None:
    regions.set("us-east-1", wanted)
    ((name, condition),) = applied
    assert (name, condition.delay) == ("us-east-1", delay)
    assert regions.available("us-east-1") is available
    assert regions.available("us-west-2")
    shown = regions.shown({"us-east-1": 3})
    assert shown["us-east-1"]["State"] == wanted["State"]
    assert (shown["us-east-1"]["DroppedPackets"], shown["us-west-2"]["DroppedPackets"]) == (3, 0)


def test_a_region_is_available_again_once_it_is_up(regions: Regions) -> None:
    regions.set("us-east-1", {"State": "down"})
    regions.set("us-east-1", {"State": "up"})
    assert regions.available("us-east-1")


def test_an_unknown_region_is_refused_with_those_there_are(regions: Regions) -> None:
    with pytest.raises(UnknownRegion, match="no Region us-est-1; this emulator serves us-east-1, us-west-2"):
        regions.set("us-est-1", {"State": "down"})


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"State": "dead"}, "State = 'dead': must be up, down or slow"),
        ({}, "State is missing"),
        ({"State": "down", "DelaySeconds": 2}, "DelaySeconds must not be there: a Region that is down delays nothing"),
        ({"State": "slow", "DelaySeconds": -1}, "DelaySeconds = -1: must be a number from 0.001 to 60"),
        ({"State": "slow", "DelaySeconds": "2"}, "DelaySeconds = '2': must be a number from 0.001 to 60"),
        ({"State": "up", "Delay": 2}, "Delay is an unknown key"),
        ([], "the condition = []: must be a table"),
        (None, "the condition = None: must be a table"),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused_and_changes_nothing(
    regions: Regions, applied: list[tuple[str, Condition]], wanted: object, message: str
) -> None:
    with pytest.raises(ShapeError) as caught:
        regions.set("us-east-1", wanted)
    assert str(caught.value).startswith(message)
    assert applied == []
    assert regions.available("us-east-1")
