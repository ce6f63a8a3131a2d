"""The RTCP half of one leg: who may send it, what is counted and understood of it, what is sent (RFC 3550 6 and 11).

It ends here: each leg is an RTP session of its own. Never on the hot path: a party sends one packet in about five
seconds.
"""

from voiceconnector.media import rtcp
from voiceconnector.media.lane import BUFFER_SIZE, Buffer
from voiceconnector.media.latch import Latch
from voiceconnector.media.plan import Address
from voiceconnector.media.port import Port
from voiceconnector.media.reports import Reporter

UNDERSTOOD = 8
"""Packets of a remote that are read between two sweeps; one that sends more has them dropped, and counted."""


class RtcpPort:
    """RTCP of one leg while the leg lasts."""

    __slots__ = (
        "_buffer", "_latch", "_port", "_unread", "bytes", "malformed", "packets", "reporter", "send_failed",
        "sent_bytes", "sent_packets", "wrong_source",
    )  # fmt: skip

    def __init__(self, signalled: Address | None, port: Port, buffer: Buffer) -> None:
        """`signalled` is where SDP says that RTCP comes from."""
        self.reporter: Reporter | None = None
        """Who makes our packets and reads the remote's; None: nothing is sent."""
        self.sent_packets = self.sent_bytes = 0
        self._unread = UNDERSTOOD
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
            return
        compound = rtcp.parse(packet) if size < BUFFER_SIZE and self._unread else None
        if compound is None:
            self.malformed += 1
            return
        self._unread -= 1
        self._latch.take(source)
        self.packets += 1
        self.bytes += size
        if self.reporter:
            self.reporter.take(compound, now_us)

    def sweep(self) -> None:
        """The remote may send on; called about twice a second."""
        self._unread = UNDERSTOOD

    def send(self, packet: bytes | memoryview) -> None:
        """Sends one compound packet to the remote, if it is known where that is."""
        destination = self._latch.destination
        if destination is not None:
            try:
                self._port.rtcp.sendto(packet, destination)
            except OSError:
                self.send_failed += 1
            else:
                self.sent_packets += 1
                self.sent_bytes += len(packet)
