"""The RTCP half of one leg: who may send it, what is counted of it, where it goes on to (RFC 3550 6 and 11).

Never on the hot path: a party sends one packet in about five seconds.
"""

from voiceconnector.media import rtcp
from voiceconnector.media.lane import BUFFER_SIZE, Buffer
from voiceconnector.media.latch import Latch
from voiceconnector.media.plan import Address
from voiceconnector.media.port import Port


class RtcpPort:
    """RTCP of one leg while the leg lasts."""

    __slots__ = (
        "_buffer",
        "_latch",
        "_port",
        "bytes",
        "malformed",
        "outputs",
        "packets",
        "send_failed",
        "wrong_source",
    )

    def __init__(self, signalled: Address | None, port: Port, buffer: Buffer) -> None:
        """`signalled` is where SDP says that RTCP comes from."""
        self.outputs: tuple[RtcpPort, ...] = ()
        """Where good packets go on to."""
        self.packets = self.bytes = self.malformed = self.wrong_source = self.send_failed = 0
        self._port = port
        self._buffer = buffer
        self._latch = Latch(signalled)

    def replan(self, signalled: Address | None, port: Port) -> None:
        """A new plan: RTCP comes from there from now on, to this port."""
        self._port = port
        self._latch.rearm(signalled)

    def receive(self, now_us: int) -> None:
        """One datagram from anywhere."""
        try:
            size, source = self._port.rtcp.recvfrom_into(self._buffer.data)
        except OSError:
            return
        source, packet = source[:2], self._buffer.views[size]
        if not self._latch.accepts(source):
            self.wrong_source += 1
        elif size == BUFFER_SIZE or rtcp.reports(packet) is None:
            self.malformed += 1
        else:
            self._latch.take(source)
            self.packets += 1
            self.bytes += size
            self._take(packet, now_us)

    def _take(self, packet: memoryview, _now_us: int) -> None:
        """One compound packet of the remote; the memory it lies in is used again for the next."""
        for out in self.outputs:
            out.send(packet)

    def send(self, packet: bytes | memoryview) -> None:
        """Sends one compound packet to the remote, if it is known where that is."""
        destination = self._latch.destination
        if destination is not None:
            try:
                self._port.rtcp.sendto(packet, destination)
            except OSError:
                self.send_failed += 1
