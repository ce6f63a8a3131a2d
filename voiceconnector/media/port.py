"""An open local port pair as a stream sees it: two datagram sockets, and who is called when they are readable."""

from collections.abc import Callable
from typing import Any, Protocol

from voiceconnector.media.plan import Address

Handler = Callable[[int], None]
"""Called with the time, in microseconds, when a socket has something to read."""


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
