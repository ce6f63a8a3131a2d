"""The hot paths: a packet from a connected remote is received, counted and sent on, and nothing else is touched."""

from array import array
from collections.abc import Callable
from typing import Protocol

from voiceconnector.media import rtp
from voiceconnector.media.quality import Reception

BUFFER_SIZE = 2048
"""Nothing that is relayed is as long; longer datagrams are malformed."""
LONGEST_TRAILER = 148
"""What libsrtp may add to a packet (SRTP_MAX_SRTCP_TRAILER_LEN)."""

Send = Callable[[bytes | memoryview], int]

_unpack_header = rtp.FIXED_HEADER.unpack_from


class Buffer:
    """The memory that packets pass through, with its beginnings of every length made beforehand."""

    def __init__(self) -> None:
        self.data = bytearray(BUFFER_SIZE)
        """A packet as it came, or what SRTP has made of it."""
        self.views = _beginnings(self.data)
        self.spare = bytearray(BUFFER_SIZE + LONGEST_TRAILER)
        """A packet as SRTP sends it."""
        self.spare_views = _beginnings(self.spare)


def _beginnings(memory: bytearray) -> list[memoryview]:
    whole = memoryview(memory)
    return [whole[:size] for size in range(len(memory) + 1)]


class Owner(Protocol):
    """Whose packets a lane moves, and who sees to all that is not usual."""

    def takes(self, size: int, now_us: int) -> bool:
        """Whether the packet in the buffer is good; takes account of it, or counts why it is not."""

    def refuse(self, status: int, size: int) -> None:
        """The packet in the buffer could not be unprotected; `status` is libsrtp's."""

    def count_receive_failure(self, error: OSError) -> None: ...
    def count_send_failure(self, send: Send) -> None: ...


class Unprotecting(Protocol):
    """A context of SRTP that works on the buffer."""

    length: "array[int]"
    """Its only element is the packet's size."""

    @property
    def unprotect(self) -> Callable[[], int]:
        """Makes the packet in the buffer plain; 0, or the status why not."""


class Lane(Reception):
    """All that the hot path needs of a stream, and no more, so that it lies together in memory."""

    __slots__ = ("buffer", "length", "owner", "plain", "receive_into", "sends", "unprotect", "views")

    def __init__(self, owner: Owner, buffer: Buffer) -> None:
        super().__init__()
        self.owner = owner
        self.buffer = buffer.data
        self.views = buffer.views
        self.plain: frozenset[int] = frozenset()
        self.receive_into: Callable[[bytearray], int] = _receive_nothing
        self.sends: tuple[Send, ...] = ()
        self.length = array("i", [0])
        self.unprotect: Callable[[], int] = _unprotect_nothing

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

    def unprotect_by(self, receiver: "Unprotecting") -> None:
        """Makes ready for `receive_protected`."""
        self.length, self.unprotect = receiver.length, receiver.unprotect

    def receive_protected(self, now_us: int) -> None:
        """One SRTP packet from the connected remote."""
        try:
            size = self.receive_into(self.buffer)
        except OSError as error:
            self.owner.count_receive_failure(error)
            return
        length = self.length
        length[0] = size
        status = self.unprotect()
        if status:
            self.owner.refuse(status, size)
            return
        size = length[0]
        word, sequence_number, timestamp, ssrc = _unpack_header(self.buffer)
        usual = ssrc == self._ssrc and word in self.plain and self.advance(size, sequence_number, timestamp, now_us)
        if not usual and not self.owner.takes(size, now_us):
            return
        packet = self.views[size]
        for send in self.sends:
            try:
                send(packet)
            except OSError:
                self.owner.count_send_failure(send)

    def close(self) -> None:
        """Lets go of its owner, of the sockets and of keys."""
        self.unprotect = _unprotect_nothing
        self.sends = ()
        self.receive_into = _receive_nothing
        del self.owner


def _unprotect_nothing() -> int:
    raise AssertionError("there is no key")


def _receive_nothing(_buffer: bytearray) -> int:
    raise BlockingIOError
