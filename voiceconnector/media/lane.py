"""The hot path: a packet from a connected remote is received, counted and sent on, and nothing else is touched."""

from collections.abc import Callable
from typing import Protocol

from voiceconnector.media import rtp
from voiceconnector.media.quality import Reception

BUFFER_SIZE = 2048
"""Nothing that is relayed is as long; longer datagrams are malformed."""

Send = Callable[[bytes | memoryview], int]

_unpack_header = rtp.FIXED_HEADER.unpack_from


class Buffer:
    """The one receive buffer, with its beginnings of every length made beforehand."""

    def __init__(self) -> None:
        self.data = bytearray(BUFFER_SIZE)
        self.views = [memoryview(self.data)[:size] for size in range(BUFFER_SIZE + 1)]


class Owner(Protocol):
    """Whose packets a lane moves, and who sees to all that is not usual."""

    def takes(self, size: int, now_us: int) -> bool:
        """Whether the packet in the buffer is good; takes account of it, or counts why it is not."""

    def count_receive_failure(self, error: OSError) -> None: ...
    def count_send_failure(self, send: Send) -> None: ...


class Lane(Reception):
    """All that the hot path needs of a stream, and no more, so that it lies together in memory."""

    __slots__ = ("buffer", "owner", "plain", "receive_into", "sends", "views")

    def __init__(self, owner: Owner, buffer: Buffer) -> None:
        super().__init__()
        self.owner = owner
        self.buffer = buffer.data
        self.views = buffer.views
        self.plain: frozenset[int] = frozenset()
        self.receive_into: Callable[[bytearray], int] = _receive_nothing
        self.sends: tuple[Send, ...] = ()

    def receive(self, now_us: int) -> None:
        """One RTP packet from the connected remote."""
        try:
            size = self.receive_into(self.buffer)
        except OSError as error:
            self.owner.count_receive_failure(error)
            return
        word, sequence_number, timestamp, _ = _unpack_header(self.buffer)
        usual = word in self.plain and self.advance(size, sequence_number, timestamp, now_us)
        if not usual and not self.owner.takes(size, now_us):
            return
        packet = self.views[size]
        for send in self.sends:
            try:
                send(packet)
            except OSError:
                self.owner.count_send_failure(send)

    def close(self) -> None:
        """Lets go of its owner and of the sockets."""
        self.sends = ()
        self.receive_into = _receive_nothing
        del self.owner


def _receive_nothing(_buffer: bytearray) -> int:
    raise BlockingIOError
