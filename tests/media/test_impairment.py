"""A bad network in virtual time: what is lost, doubled, reordered and late is what was asked for."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count, pairwise
from statistics import mean

import pytest

from voiceconnector.media.impairment import HELD_US, MOST_QUEUED, Network
from voiceconnector.media.plan import Impairment

PACKETS = 20_000
PTIME_US = 20_000


class Line:
    """A network with numbered packets put in 20 ms apart, and what came out when."""

    def __init__(self, impairment: Impairment) -> None:
        self.timers: list[tuple[int, int, Callable[[int, int], int]]] = []
        self.order = count()
        self.arrived: list[tuple[int, int]] = []
        self.network: Network[int] = Network(impairment, self.at, self.deliver)

    def at(self, due_us: int, callback: Callable[[int, int], int]) -> None:
        heappush(self.timers, (due_us, next(self.order), callback))

    def deliver(self, packet: int, now_us: int) -> None:
        self.arrived.append((packet, now_us))

    def until(self, time_us: int) -> None:
        while self.timers and self.timers[0][0] <= time_us:
            due_us, _, callback = heappop(self.timers)
            callback(due_us, due_us)

    def run(self, packets: int = PACKETS) -> list[int]:
        """Puts so many in; returns them in the order they came out."""
        for number in range(packets):
            self.until(number * PTIME_US)
            self.network.carry(number, number * PTIME_US)
        self.until((packets + 1000) * PTIME_US)
        return [number for number, _ in self.arrived]

    def delays_ms(self) -> list[float]:
        return [(at - number * PTIME_US) / 1000 for number, at in self.arrived]


def test_a_perfect_network_changes_nothing_at_once() -> None:
    line = Line(Impairment())
    assert line.run(100) == list(range(100))
    assert set(line.delays_ms()) == {0.0}


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 1.0])
def test_as_many_are_lost_as_was_asked_for(share: float) -> None:
    """Within four standard deviations of a binomial distribution, as below."""
    lost = PACKETS - len(Line(Impairment(loss=share)).run())
    assert abs(lost - PACKETS * share) <= 4 * (PACKETS * share * (1 - share)) ** 0.5


def test_as_many_are_doubled_as_was_asked_for_one_right_after_the_other() -> None:
    out = Line(Impairment(duplicated=0.05)).run()
    assert sorted(set(out)) == list(range(PACKETS))
    assert out == sorted(out)
    assert abs(len(out) - PACKETS * 1.05) <= 4 * (PACKETS * 0.05 * 0.95) ** 0.5


def test_a_reordered_packet_comes_after_the_one_that_followed_it() -> None:
    out = Line(Impairment(reordered=0.02)).run()
    assert sorted(out) == list(range(PACKETS))
    late = [number for number, following in pairwise(out) if following < number]
    assert abs(len(late) - PACKETS * 0.02) <= 5 * (PACKETS * 0.02) ** 0.5
    assert all(abs(place - number) <= 4 for place, number in enumerate(out))


def test_the_last_packet_is_not_held_back_for_ever() -> None:
    line = Line(Impairment(reordered=1.0))
    line.network.carry(7, 0)
    line.until(HELD_US)
    assert line.arrived == [(7, HELD_US)]


def test_delay_is_the_same_for_all_and_jitter_is_uniform_on_top() -> None:
    line = Line(Impairment(delay_ms=80.0, jitter_ms=15.0))
    assert line.run() == list(range(PACKETS))
    delays = line.delays_ms()
    assert 80.0 <= min(delays) < 80.1
    assert 94.9 < max(delays) <= 95.0
    assert abs(mean(delays) - 87.5) < 0.2


def test_jitter_beyond_the_packet_time_lets_packets_overtake_each_other() -> None:
    out = Line(Impairment(jitter_ms=60.0)).run()
    assert out != sorted(out) == list(range(PACKETS))


def test_the_same_seed_does_the_same_and_another_does_not() -> None:
    bad = Impairment(loss=0.1, duplicated=0.1, reordered=0.1, delay_ms=5.0, jitter_ms=30.0)
    one, same, other = Line(bad), Line(bad), Line(bad._replace(seed=1))
    assert one.run(500) == same.run(500) != other.run(500)
    assert one.arrived == same.arrived


def test_other_impairments_do_not_change_which_packets_are_lost() -> None:
    lossy = set(Line(Impairment(loss=0.1)).run(500))
    assert set(Line(Impairment(loss=0.1, duplicated=0.5, jitter_ms=50.0)).run(500)) == lossy


def test_what_is_under_way_takes_no_memory_without_end() -> None:
    line = Line(Impairment(delay_ms=1e6))
    for number in range(2 * MOST_QUEUED):
        line.network.carry(number, 0)
    assert len(line.timers) == MOST_QUEUED


def test_nothing_arrives_once_the_call_is_over() -> None:
    line = Line(Impairment(delay_ms=10.0))
    line.network.carry(1, 0)
    line.network.close()
    line.until(PTIME_US)
    assert line.arrived == []
