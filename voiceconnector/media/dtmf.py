"""DTMF digits as RTP named events (RFC 4733): sent and collected. Leaves out: tones in the audio, other events."""

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

#     0                   1                   2                   3
#     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
#    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
#    |     event     |E|R| volume    |          duration             |
#    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
PAYLOAD = Struct("!BBH")
EVENT_OCTETS = PAYLOAD.size
END = 0x80
DIGITS = "0123456789*#ABCD"
"""Event codes by position (RFC 4733 table 3)."""
END_PACKETS = 3
"""The packet that ends an event is sent three times in all (RFC 4733 2.5.1.4)."""
LONGEST_MS = 8000
"""One event without segments: its duration, in units of 1/8000 s, fits in 16 bits (RFC 4733 2.3.5)."""


SEGMENT = 0xFFFF
"""An event that goes on longer is told in segments of so many timestamp units (RFC 4733 2.5.1.3)."""


class Digit(NamedTuple):
    """A digit that was received."""

    digit: str
    duration_ms: int


class EventPacket(NamedTuple):
    """One packet of an event: `age` is how far, in timestamp units, the stream has gone on since it began."""

    marker: bool
    age: int
    payload: bytes


def event_packets(
    digit: str, duration_ms: int, volume_dbm0: int = -10, packet_samples: int = 160
) -> Iterator[EventPacket]:
    """The packets of one digit in the order they are sent, one every `packet_samples` of 1/8000 s.

    All carry the timestamp of the event's beginning; the first has the marker bit (RFC 4733 2.5.1.2).
    Raises ValueError for a digit that is none of DIGITS or a duration outside 1 to LONGEST_MS.
    """
    event = DIGITS.find(digit.upper()) if len(digit) == 1 else -1
    if event < 0:
        raise ValueError(f"{digit!r} is not a DTMF digit")
    if not 1 <= duration_ms <= LONGEST_MS:
        raise ValueError(f"a digit of {duration_ms} ms; 1 to {LONGEST_MS} can be sent")
    return _packets(event, duration_ms * 8, -volume_dbm0, packet_samples)


def _packets(event: int, duration: int, volume: int, packet_samples: int) -> Iterator[EventPacket]:
    age = 0
    while age + packet_samples < duration:
        yield EventPacket(age == 0, age, PAYLOAD.pack(event, volume, age + packet_samples))
        age += packet_samples
    for extra in range(END_PACKETS):
        payload = PAYLOAD.pack(event, END | volume, duration)
        yield EventPacket(age + extra == 0, age + extra * packet_samples, payload)


class Collector:
    """Makes digits of the event packets of one stream, whatever of them was lost, doubled or late."""

    __slots__ = ("_before", "_duration", "_ended", "_event", "_timestamp")

    def __init__(self) -> None:
        self._event = -1
        self._ended = True
        self._timestamp = self._duration = 0
        self._before = 0  # duration of the segments before the present one

    def take(self, marker: bool, timestamp: int, payload: bytes | memoryview) -> list[Digit]:
        """One packet; the digits that end with it, or are known by it to have ended."""
        if len(payload) < PAYLOAD.size:
            return []
        event, flags, duration = PAYLOAD.unpack_from(payload)
        ahead = timestamp - self._timestamp & 0xFFFFFFFF
        ended: list[Digit] = []
        if event >= len(DIGITS) or (self._event >= 0 and ahead >> 31):
            return ended  # no digit, or late: of an event before the present one
        if ahead or self._event < 0:
            segment = event == self._event and not self._ended and not marker and ahead in (SEGMENT, self._duration)
            if not segment:
                ended += self.flush()
            self._begin(event, timestamp, self._before + ahead if segment else 0)
        if not self._ended:
            self._duration = max(self._duration, duration)
            if flags & END:
                ended += self.flush()
        return ended

    def flush(self) -> list[Digit]:
        """The digit that goes on, as no more of it will come; none where it has ended."""
        if self._ended:
            return []
        self._ended = True
        return [Digit(DIGITS[self._event], (self._before + self._duration) // 8)]

    @property
    def open(self) -> bool:
        """Whether a digit goes on."""
        return not self._ended

    def _begin(self, event: int, timestamp: int, before: int) -> None:
        self._event, self._timestamp, self._before = event, timestamp, before
        self._duration, self._ended = 0, False
