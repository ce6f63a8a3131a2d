"""What a stream sees of the process around it: its port pair, the clock, and what it may ask for."""

from collections.abc import Callable
from typing import Any, Protocol

from voiceconnector.media.lane import Buffer
from voiceconnector.media.plan import Address
from voiceconnector.media.sinks import Outlets

Handler = Callable[[int], None]
"""Called with the time, in microseconds, when a socket has something to read."""


Event = tuple[Any, ...]
"""Name and fields of one of the events in `relay`."""


class Edge(Outlets, Protocol):
    """The process: one for all streams."""

    buffer: Buffer
    emit: Callable[[Event], None]
    """Sends an event to signalling."""
    now_us: int
    """When the present turn began, in microseconds of its clock."""

    def at(self, due_us: int, callback: Callable[[int, int], int]) -> None:
        """Calls back with (due, now) once it is due, and again as long as that returns a later time, not 0."""


class Datagrams(Protocol):
    """The part of a non-blocking UDP socket used here."""

    def recv_into(self, buffer: bytearray, /) -> int: ...
    def recvfrom_into(self, buffer: bytearray, /) -> tuple[int, Any]: ...
    def send(self, data: bytes | memoryview, /) -> int: ...
    def sendto(self, data: bytes | memoryview, address: Address, /) -> int: ...


class Port(Protocol):
    """An open local port pair."""

    @property
    def rtp(self) -> Datagrams: ...
    @property
    def rtcp(self) -> Datagrams: ...

    def assign(self, on_rtp: Handler, on_rtcp: Handler) -> None:
        """Packets go to these from now on."""

    def free(self) -> None:
        """Packets are dropped from now on."""

    def connect(self, remote: Address, on_rtp: Handler) -> None:
        """Connects the RTP socket to the remote. OSError when that is not possible."""

    def disconnect(self, on_rtp: Handler) -> None:
        """Puts a fresh RTP socket in place of the connected one. OSError when that is not possible."""
