"""The hot paths: a packet from a connected remote is received, counted and sent on, and nothing else is touched."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from pylibsrtp._binding import ffi  # type: ignore[import-not-found]

from voiceconnector.media import rtp
from voiceconnector.media.quality import Reception

BUFFER_SIZE = 2048
"""Nothing that is relayed is as long; longer datagrams are malformed."""
LONGEST_TRAILER = 148
"""What libsrtp may add to a packet (SRTP_MAX_SRTCP_TRAILER_LEN)."""

Send = Callable[[bytes | memoryview], int]
Action = Callable[[Any, Any, Any], int]
"""Protects or unprotects a packet where it lies: takes a context's handle, the packet's memory and the array whose
only element is its size, before and after; returns libsrtp's status, 0 when all is well."""

_unpack_header = rtp.FIXED_HEADER.unpack_from


class Buffer:
    """The memory that packets pass through, with its beginnings of every length made beforehand.

    What SRTP is told of it is here too, and not with each context: there is less to reach for each packet.
    """

    def __init__(self) -> None:
        self.data = bytearray(BUFFER_SIZE + LONGEST_TRAILER)
        """A packet as it came, or what SRTP has made of it."""
        self.views = _beginnings(self.data)
        spare = bytearray(len(self.data))
        self.spare_views = _beginnings(spare)
        """A packet as SRTP sends it, where it is wanted plain too."""
        self.memory, self.spare_memory = ffi.from_buffer("char[]", self.data), ffi.from_buffer("char[]", spare)
        self.length = ffi.new("int[1]")
        """The size of the packet that SRTP works on, before and after."""


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


class Actions(NamedTuple):
    """What an implementation of SRTP can do to a packet."""

    protect: Action
    unprotect: Action
    protect_rtcp: Action
    unprotect_rtcp: Action


class Context(Protocol):
    """Keys of SRTP and what has been done with them."""

    @property
    def actions(self) -> Actions: ...
    @property
    def handle(self) -> Any:
        """What the actions know it by."""

    def add(self, ssrc: int) -> None:
        """Packets of this source may be sent from now on."""

    def forget(self, ssrc: int) -> None:
        """As if this source had never been."""


class Lane(Reception):
    """All that the hot path needs of a stream, and no more, so that it lies together in memory."""

    __slots__ = (
        "_length", "_memory", "_protect", "_received_with", "_sent_with", "_transmit", "_unprotect", "_views",
        "buffer", "owner", "plain", "receive_into", "sends",
    )  # fmt: skip

    def __init__(self, owner: Owner, buffer: Buffer) -> None:
        super().__init__()
        self.owner = owner
        self.buffer = buffer.data
        self._views, self._memory, self._length = buffer.views, buffer.memory, buffer.length
        self.plain: frozenset[int] = frozenset()
        self.receive_into: Callable[[bytearray], int] = _receive_nothing
        self.sends: tuple[Send, ...] = ()
        self._received_with = self._sent_with = None
        self._protect: Action = _without_key
        self._unprotect: Action = _without_key
        self._transmit: Send | None = None

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
        transmit = self._transmit
        if transmit is not None:
            self._send_protected(size, transmit)
            return
        packet = self._views[size]
        for send in self.sends:
            try:
                send(packet)
            except OSError:
                self.owner.count_send_failure(send)

    def unprotect_with(self, context: Context) -> None:
        """Makes ready for `receive_protected`."""
        self._received_with, self._unprotect = context.handle, context.actions.unprotect

    def send_with(self, context: Context, transmit: Send) -> None:
        """Has packets protected where they lie and sent by `transmit`: nobody else wants them plain."""
        self._sent_with, self._protect, self._transmit = context.handle, context.actions.protect, transmit

    def send_plain(self) -> None:
        """Has packets sent by `sends`, as they are."""
        self._sent_with, self._protect, self._transmit = None, _without_key, None

    def receive_protected(self, now_us: int) -> None:
        """One SRTP packet from the connected remote."""
        try:
            size = self.receive_into(self.buffer)
        except OSError as error:
            self.owner.count_receive_failure(error)
            return
        length = self._length
        length[0] = size
        status = self._unprotect(self._received_with, self._memory, length)
        if status:
            self.owner.refuse(status, size)
            return
        size = length[0]
        word, sequence_number, timestamp, ssrc = _unpack_header(self.buffer)
        usual = ssrc == self._ssrc and word in self.plain and self.advance(size, sequence_number, timestamp, now_us)
        if not usual and not self.owner.takes(size, now_us):
            return
        transmit = self._transmit
        if transmit is not None:
            self._send_protected(size, transmit)
            return
        packet = self._views[size]
        for send in self.sends:
            try:
                send(packet)
            except OSError:
                self.owner.count_send_failure(send)

    def _send_protected(self, size: int, transmit: Send) -> None:
        """Protects the packet in the buffer where it lies. If that fails it is as it was, and goes the usual way,
        which makes room for a new source, or is refused too (RFC 3711 9.1: no keystream is used twice).
        """
        length = self._length
        length[0] = size
        try:
            if self._protect(self._sent_with, self._memory, length):
                self.sends[0](self._views[size])
            else:
                transmit(self._views[length[0]])
        except OSError:
            self.owner.count_send_failure(self.sends[0])

    def close(self) -> None:
        """Lets go of its owner, of the sockets and of keys."""
        self._received_with, self._unprotect = None, _without_key
        self.send_plain()
        self.sends = ()
        self.receive_into = _receive_nothing
        del self.owner


def _without_key(_handle: Any, _memory: Any, _length: Any) -> int:
    raise AssertionError("there is no key")


def _receive_nothing(_buffer: bytearray) -> int:
    raise BlockingIOError
