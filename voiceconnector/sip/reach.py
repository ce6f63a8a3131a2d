"""How the packets of each listener travel: at once, late, or not at all. Rehearses outages; does no I/O.

`transport` asks it for each packet in and out, and only while `delays` has something in it.
"""

from collections import Counter
from math import inf

from .hop import Local

LOST = inf
"""The delay of a packet that does not arrive."""


class Reach:
    """What is between the listeners and the rest of the world."""

    def __init__(self) -> None:
        self.delays: dict[str, float] = {}
        """Seconds that a packet takes longer, or LOST, by the listener's name; empty while all is as it should be."""
        self.dropped: Counter[str] = Counter()
        """Packets lost by `delay`, by the listener's name."""

    def set(self, name: str, delay: float) -> None:
        """Delay packets of the listeners with this name from now on; 0 lets them travel at once again."""
        if delay:
            self.delays[name] = delay
        else:
            self.delays.pop(name, None)

    def is_cut_off(self, name: str) -> bool:
        """Whether no packet of the listeners with this name gets through."""
        return self.delays.get(name) == LOST

    def delay(self, local: Local) -> float:
        """Seconds until a packet of a listener is to go on; 0 for at once. One that is LOST is counted here."""
        delay = self.delays.get(local.name, 0.0)
        if delay == LOST:
            self.dropped[local.name] += 1
        return delay
