"""The timer queue: order, stopping, and what it holds on to."""

import random

from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.sip.timers import SWEEP, T1, T2, T4, Timer, Timers


class Bell:
    """Notes when it is rung; `then` is done on the way."""

    def __init__(self, timers: Timers | None = None, again: float = 0.0) -> None:
        self.rings: list[tuple[str, float]] = []
        self.timers = timers
        self.again = again

    def on_timer(self, name: str, now: float) -> None:
        self.rings.append((name, now))
        if self.timers is not None:
            self.timers.start(self.again, self, name, now)


def test_the_standard_intervals() -> None:
    """RFC 3261 table 4."""
    assert (T1, T2, T4) == (0.5, 4.0, 5.0)


def test_a_timer_fires_once_and_not_before_it_is_due() -> None:
    timers, bell = Timers(), Bell()
    timers.start(0.5, bell, "A", 10.0)
    assert timers.next_due() == 10.5
    timers.fire(10.499)
    assert bell.rings == []
    timers.fire(10.5)
    timers.fire(11.0)
    assert bell.rings == [("A", 10.5)]
    assert (timers.next_due(), len(timers)) == (None, 0)


def test_a_stopped_timer_does_not_fire_and_lets_go_of_its_target() -> None:
    timers, bell = Timers(), Bell()
    timer = timers.start(0.5, bell, "A", 0.0)
    timer.stop()
    timer.stop()
    assert timer.target is None
    assert (timers.next_due(), len(timers)) == (None, 0)
    timers.fire(1.0)
    assert bell.rings == []


def test_stopping_after_firing_does_nothing() -> None:
    timers, bell = Timers(), Bell()
    timer = timers.start(0.5, bell, "A", 0.0)
    timers.fire(0.5)
    timer.stop()
    assert bell.rings == [("A", 0.5)]


def test_a_timer_may_stop_another_that_is_due_at_the_same_time() -> None:
    timers, bell = Timers(), Bell()
    started: list[Timer] = []

    class Stopper:
        def on_timer(self, name: str, now: float) -> None:
            for timer in started:
                timer.stop()

    timers.start(0.5, Stopper(), "first", 0.0)
    started += [timers.start(0.5, bell, "same delay", 0.0), timers.start(0.25, bell, "other delay", 0.25)]
    timers.fire(0.5)
    assert bell.rings == []


def test_a_timer_that_starts_itself_again_fires_once_a_round() -> None:
    timers = Timers()
    bell = Bell(timers, 0.5)
    timers.start(0.5, bell, "again", 0.0)
    for now in (0.5, 1.0, 1.5):
        assert timers.next_due() == now
        timers.fire(now)
    assert [when for _, when in bell.rings] == [0.5, 1.0, 1.5]


def test_stopped_timers_behind_a_long_lived_one_are_not_kept() -> None:
    """One long call must not hold the timers of all the short calls that began after it."""
    timers, bell = Timers(), Bell()
    timers.start(1800.0, bell, "long", 0.0)
    kept: list[Timer] = []
    for number in range(10 * SWEEP):
        timer = timers.start(1800.0, bell, "short", number / 1000)
        timer.stop()
        kept.append(timer)
    assert len(timers) == 1
    assert sum(len(lane.queue) for lane in timers._lanes.values()) <= SWEEP


def test_sweeping_loses_no_timer_and_keeps_their_order() -> None:
    timers, bell = Timers(), Bell()
    expected = []
    for number in range(5 * SWEEP):
        timer = timers.start(32.0, bell, str(number), number / 1000)
        if number % 3:
            timer.stop()
        else:
            expected.append(str(number))
    assert len(timers) == len(expected)
    timers.fire(1000.0)
    assert [name for name, _ in bell.rings] == expected


@given(st.lists(st.tuples(st.sampled_from([0.5, 1.0, 2.0, 4.0, 32.0]), st.booleans()), max_size=60), st.integers())
def test_whatever_was_started_and_not_stopped_fires_when_it_is_due(plan: list[tuple[float, bool]], seed: int) -> None:
    timers, bell = Timers(), Bell()
    randomness = random.Random(seed)
    now = 0.0
    expected = []
    for number, (delay, stopped) in enumerate(plan):
        now += randomness.choice([0.0, 0.125])
        timer = timers.start(delay, bell, str(number), now)
        if stopped:
            timer.stop()
        else:
            expected.append((now + delay, str(number)))
    fired: list[tuple[float, str]] = []
    while (due := timers.next_due()) is not None:
        timers.fire(due)
        fired += [(due, name) for name, _ in bell.rings[len(fired) :]]
    assert sorted(fired) == sorted(expected)
