"""A copy of what comes in on a leg, for another program on this machine: one Unix datagram for each packet."""

from struct import Struct
from typing import Protocol

#     0                   1                   2                   3
#     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
#    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
#    |            the call's number in the relay (64 bits)           |
#    |                                                               |
#    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
#    |  time of arrival, microseconds since 1970-01-01 UTC (64 bits) |
#    |                                                               |
#    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
#    | leg, ASCII    |  the packet: plain RTP, or UDPTL              |
HEADER = Struct("!QQc")


class Listener(Protocol):
    """A datagram socket of the other program. Never waits."""

    def send(self, data: bytes, /) -> int: ...
    def close(self) -> None: ...


class TapSocket:
    """One leg's copies on their way out."""

    def __init__(self, listener: Listener, call: int, leg: str, wall_us: int) -> None:
        """`wall_us` is what to add to the times given here to get microseconds since 1970-01-01 UTC."""
        self._listener = listener
        self._call, self._leg, self._wall_us = call, leg.encode(), wall_us
        self._gone = False
        self.dropped = 0
        """Copies that the other program was too slow for, or not there to take."""

    def take(self, packet: memoryview, now_us: int) -> None:
        """One packet that has come in."""
        try:
            self._listener.send(HEADER.pack(self._call, now_us + self._wall_us, self._leg) + packet)
        except OSError as error:
            self.dropped += 1
            self._gone = not isinstance(error, BlockingIOError)

    def flush(self) -> None:
        """Nothing waits here; but OSError when the other program is gone."""
        if self._gone:
            raise ConnectionError("nobody listens there any more")

    def close(self) -> None:
        self._listener.close()
