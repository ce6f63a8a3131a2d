"""Whether a remote's audio clock runs at the speed of ours.

The transit time of a packet (arrival less timestamp, RFC 3550 6.4.1) is a constant, the delay on the way, and what
the clocks drift apart. Delay varies, but its least value in ten seconds hardly does; how that moves on is the drift.
"""

from collections import deque
from itertools import combinations
from statistics import median

WINDOW_US = 10_000_000
WINDOWS = 13
"""About two minutes are looked at. Two halves of them have to agree, so that a path that became longer, which
moves one, is not taken for a clock."""
HALF = WINDOWS // 2
RESTART_US = 1_000_000
"""A transit time so far from the window's is of another stream, or of a clock that was set."""


class Drift:
    """The drift of one stream; looked at about twice a second."""

    __slots__ = ("_began_us", "_least", "_leasts", "ppm")

    def __init__(self) -> None:
        self.ppm: int | None = None
        """Millionths by which the remote's clock is faster than ours; None while that cannot be told."""
        self._began_us = 0
        self._least = 0
        self._leasts: deque[int] = deque(maxlen=WINDOWS)

    def sample(self, transit_us: int, now_us: int) -> None:
        """Takes the transit time of the packet that came last."""
        if not self._began_us or abs(transit_us - self._least) > RESTART_US or now_us > self._began_us + 2 * WINDOW_US:
            self._leasts.clear()
            self.ppm = None
            self._began_us, self._least = now_us, transit_us
        elif now_us >= self._began_us + WINDOW_US:
            self._leasts.append(self._least)
            self._began_us, self._least = self._began_us + WINDOW_US, transit_us
            if len(self._leasts) == WINDOWS:
                self.ppm = _agreed([_slope(half) for half in self._halves()])
        elif transit_us < self._least:
            self._least = transit_us

    def _halves(self) -> tuple[list[int], list[int]]:
        leasts = list(self._leasts)
        return leasts[: HALF + 1], leasts[HALF:]


def _slope(leasts: list[int]) -> float:
    """Microseconds a window: the median over all pairs (Theil and Sen), which few outliers do not move."""
    pairs = combinations(enumerate(leasts), 2)
    return median((later - earlier) / (j - i) for (i, earlier), (j, later) in pairs)


def _agreed(slopes: list[float]) -> int:
    """The lesser of two drifts in one direction, in ppm; 0 where they contradict each other."""
    first, second = slopes
    if first * second <= 0:
        return 0
    return -round(min(slopes, key=abs) * 1_000_000 / WINDOW_US)
