"""A bad network in one direction: packets lost, doubled, reordered, delayed. Repeatable by its seed.

Each packet is judged by itself with four draws, in the order loss, doubling, reordering, jitter, so that one
kind of impairment does not change where another strikes. Leaves out: losses in bursts, bandwidth, corruption.
"""

from collections.abc import Callable
from random import Random
from typing import Generic, TypeVar

from voiceconnector.media.plan import Impairment

MOST_QUEUED = 1000
"""Packets under way in one direction; more are lost, as in a router whose queue is full."""
HELD_US = 200_000
"""A packet held back goes on alone when none follows it for so long."""

Packet = TypeVar("Packet")
At = Callable[[int, Callable[[int, int], int]], None]
"""Calls back with (due, now) in microseconds once it is due, and again as long as that returns a later time, not 0."""


class Network(Generic[Packet]):
    """What lies between two hosts, in one direction."""

    def __init__(self, impairment: Impairment, at: At, deliver: Callable[[Packet, int], None]) -> None:
        """`deliver` is called with each packet that comes out at the other end, and the time."""
        self.impairment = impairment
        self._random = Random(impairment.seed)
        self._at = at
        self._deliver = deliver
        self._queued = 0
        self._held: list[Packet] = []

    def carry(self, packet: Packet, now_us: int) -> None:
        """Takes a packet at this end."""
        bad, draw = self.impairment, self._random.random
        lost, doubled = draw() < bad.loss, draw() < bad.duplicated
        held, jitter_ms = draw() < bad.reordered, draw() * bad.jitter_ms
        if lost:
            return
        delay_us = round((bad.delay_ms + jitter_ms) * 1000)
        for _ in range(2 if doubled else 1):
            self._after(delay_us, packet, now_us, held)

    def _after(self, delay_us: int, packet: Packet, now_us: int, held: bool) -> None:
        if not delay_us:
            self._emerge(packet, now_us, held)
        elif self._queued < MOST_QUEUED:
            self._queued += 1

            def emerge(_due_us: int, then_us: int) -> int:
                self._queued -= 1
                self._emerge(packet, then_us, held)
                return 0

            self._at(now_us + delay_us, emerge)

    def _emerge(self, packet: Packet, now_us: int, held: bool) -> None:
        """Delivers a packet, and after it those that waited for one to go first."""
        if held and len(self._held) < MOST_QUEUED:
            self._held.append(packet)
            self._at(now_us + HELD_US, self._release)
            return
        waiting, self._held = self._held, []
        for each in (packet, *waiting):
            self._deliver(each, now_us)

    def _release(self, _due_us: int, now_us: int) -> int:
        waiting, self._held = self._held, []
        for each in waiting:
            self._deliver(each, now_us)
        return 0

    def close(self) -> None:
        """What is under way arrives nowhere."""
        self._held.clear()
        self._deliver = _drop


def _drop(_packet: object, _now_us: int) -> None:
    pass
