"""Calls per second and calls at a time."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.trunk.limits import WINDOW, Limits


def test_with_one_call_per_second_the_second_call_within_a_second_is_throttled() -> None:
    limits = Limits()
    assert limits.take_start("a", 1, now=100.0)
    assert not limits.take_start("a", 1, now=100.9)
    assert limits.take_start("a", 1, now=101.0)


def test_a_throttled_call_does_not_cost_the_next_one_its_turn() -> None:
    limits = Limits()
    admitted = [tenth for tenth in range(31) if limits.take_start("a", 1, now=100.0 + tenth / 10)]
    assert admitted == [0, 10, 20, 30]


def test_connectors_have_their_own_rates() -> None:
    limits = Limits()
    assert limits.take_start("a", 1, now=0.0)
    assert limits.take_start("b", 1, now=0.0)


def test_a_changed_limit_holds_from_the_next_call() -> None:
    limits = Limits()
    assert all(limits.take_start("a", 3, now=0.0) for _ in range(3))
    assert not limits.take_start("a", 1, now=0.5)
    assert limits.take_start("a", 4, now=0.5)
    assert not limits.take_start("a", 1, now=1.2)
    assert limits.take_start("a", 1, now=1.5)


@given(st.integers(1, 5), st.lists(st.floats(0.0, 0.5), max_size=60))
def test_no_second_ever_has_more_calls_than_the_limit(limit: int, gaps: list[float]) -> None:
    limits, now = Limits(), 1000.0
    starts = []
    for gap in gaps:
        now += gap
        if limits.take_start("a", limit, now):
            starts.append(now)
    assert all(later - earlier >= WINDOW for earlier, later in zip(starts, starts[limit:], strict=False)), (
        "limit + 1 calls within one second"
    )
    assert all(earlier <= later for earlier, later in pairwise(starts))


def test_active_calls_count_for_the_connector_and_for_its_region() -> None:
    limits = Limits()
    limits.acquire("a", "us-east-1")
    limits.acquire("b", "us-east-1")
    limits.acquire("c", "us-west-2")
    assert (limits.active_calls("a"), limits.active_calls_in_region("us-east-1")) == (1, 2)
    limits.release("a", "us-east-1")
    assert (limits.active_calls("a"), limits.active_calls_in_region("us-east-1")) == (0, 1)
    assert limits.active_calls_in_region("us-west-2") == 1


def test_releasing_a_call_twice_is_a_mistake_that_shows() -> None:
    limits = Limits()
    limits.acquire("a", "us-east-1")
    limits.release("a", "us-east-1")
    with pytest.raises(AssertionError, match="released twice"):
        limits.release("a", "us-east-1")


def test_a_deleted_connector_leaves_no_counts() -> None:
    limits = Limits()
    for connector in ("a", "b"):
        limits.take_start(connector, 1, now=0.0)
        limits.count_throttle(connector)
    limits.retain({"b"})
    assert limits.throttles == {"b": 1}
    assert limits.take_start("a", 1, now=0.1), "as if it had never called"
    assert not limits.take_start("b", 1, now=0.1)


def test_forgetting_old_starts_leaves_those_of_the_last_second() -> None:
    limits = Limits()
    limits.take_start("a", 2, 10.0)
    limits.take_start("b", 2, 10.5)
    limits.forget_starts(11.0)
    assert limits.take_start("a", 1, 11.0)
    assert not limits.take_start("b", 1, 11.0), "its start is half a second old"
