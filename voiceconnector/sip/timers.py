"""One queue for all timers, with time as an argument.

SIP uses few different delays (T1 and its doublings, 5 s, 32 s …), and timers of one delay fall due in the
order they were started. So each delay has a lane, a plain FIFO: starting and stopping cost a few hundred
nanoseconds however many timers run, where a heap would pay for its depth.
"""

from collections import deque
from collections.abc import Iterator
from typing import Protocol

T1 = 0.5
"""Round-trip estimate, RFC 3261 17.1.1.1, in seconds."""
T2 = 4.0
"""Longest retransmission interval, RFC 3261 17.1.2.2."""
T4 = 5.0
"""Longest time a message stays in the network, RFC 3261 17.1.2.2."""

SWEEP = 1024
"""Timers of one delay that may be queued before stopped ones are looked for."""


class TimerTarget(Protocol):
    """Who a timer wakes."""

    def on_timer(self, name: str, now: float) -> None: ...


class Timer:
    """A started timer. `stop` is final, may be called at any time, and lets go of the target."""

    __slots__ = ("due", "name", "target")

    def __init__(self, due: float, target: TimerTarget, name: str) -> None:
        self.due = due
        self.target: TimerTarget | None = target
        self.name = name

    def stop(self) -> None:
        self.target = None


class _Lane:
    """Timers of one delay, in the order they fall due."""

    __slots__ = ("queue", "sweep_at")

    def __init__(self) -> None:
        self.queue: deque[Timer] = deque()
        self.sweep_at = SWEEP
        """Length at which stopped timers are taken out, so that those behind a long-lived one do not pile up."""

    def sweep(self) -> None:
        self.queue = deque(waiting for waiting in self.queue if waiting.target is not None)
        self.sweep_at = max(SWEEP, 2 * len(self.queue))


class Timers:
    """The timer queue. `now` never goes back from call to call."""

    def __init__(self) -> None:
        self._lanes: dict[float, _Lane] = {}
        self.in_hand: TimerTarget | None = None
        """Whom a timer is waking, or was when it failed, for whoever has to clean up after a fault of ours."""

    def start(self, delay: float, target: TimerTarget, name: str, now: float) -> Timer:
        """Call `target.on_timer(name, …)` once, `delay` seconds from `now`."""
        timer = Timer(now + delay, target, name)
        lane = self._lanes.get(delay)
        if lane is None:
            lane = self._lanes[delay] = _Lane()
        lane.queue.append(timer)
        if len(lane.queue) >= lane.sweep_at:
            lane.sweep()
        return timer

    def next_due(self) -> float | None:
        """When `fire` has something to do next; None without timers. Drops stopped timers on the way."""
        earliest = None
        empty = []
        for delay, lane in self._lanes.items():
            queue = lane.queue
            while queue and queue[0].target is None:
                queue.popleft()
            if not queue:
                empty.append(delay)
            elif earliest is None or queue[0].due < earliest:
                earliest = queue[0].due
        for delay in empty:
            del self._lanes[delay]
        return earliest

    def fire(self, now: float) -> None:
        """Wake the target of every timer that is due at `now`."""
        for lane in list(self._lanes.values()):
            while lane.queue and lane.queue[0].due <= now:
                timer = lane.queue.popleft()
                target = timer.target
                if target is not None:
                    timer.target = None
                    self.in_hand = target
                    target.on_timer(timer.name, now)
        self.in_hand = None

    def running(self) -> Iterator[Timer]:
        """Every timer that is neither stopped nor fired. Looks at all of them, so not for the hot path."""
        return (timer for lane in self._lanes.values() for timer in lane.queue if timer.target is not None)

    def __len__(self) -> int:
        """How many timers are running."""
        return sum(1 for _ in self.running())
