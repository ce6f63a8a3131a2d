"""The RTCP half of one leg: who may send it, what is counted and understood of it, what is sent (RFC 3550 6 and 11).

It ends here: each leg is an RTP session of its own. Never on the hot path: a party sends one packet in about five
seconds.
"""

from voiceconnector.media import rtcp
from voiceconnector.media.impairment import Network
from voiceconnector.media.lane import BUFFER_SIZE
from voiceconnector.media.latch import Latch
from voiceconnector.media.plan import Address, Impairment, StreamPlan
from voiceconnector.media.port import Edge, Port
from voiceconnector.media.protection import Protection
from voiceconnector.media.reports import Reporter
from voiceconnector.media.sinks import Sinks

UNDERSTOOD = 8
"""Packets of a remote that are read between two sweeps; one that sends more has them dropped, and counted."""

Arrival = tuple[bytes, Address]


class RtcpPort:
    """RTCP of one leg while the leg lasts."""

    __slots__ = (
        "_arriving", "_edge", "_latch", "_leaving", "_port", "_protection", "_sinks", "_unread", "bytes", "malformed",
        "packets", "reporter", "send_failed", "sent_bytes", "sent_packets", "wrong_source",
    )  # fmt: skip

    def __init__(self, plan: StreamPlan, port: Port, edge: Edge) -> None:
        self.reporter: Reporter | None = None
        """Who makes our packets and reads the remote's; None: nothing is sent."""
        self.sent_packets = self.sent_bytes = 0
        self._unread = UNDERSTOOD
        self.packets = self.bytes = self.malformed = self.wrong_source = self.send_failed = 0
        self._port = port
        self._edge = edge
        self._latch = Latch(plan.remote_rtcp)
        self._protection: Protection | None = None
        self._sinks: Sinks | None = None
        self._arriving: Network[Arrival] | None = None
        self._leaving: Network[bytes] | None = None

    def replan(self, plan: StreamPlan, port: Port, protection: Protection | None, sinks: Sinks | None) -> None:
        """Runs this plan on this port from now on."""
        self._port, self._protection, self._sinks = port, protection, sinks
        self._latch.rearm(plan.remote_rtcp)
        arriving, leaving = _other_chance(plan.impair_received), _other_chance(plan.impair_sent)
        if arriving != (self._arriving and self._arriving.impairment):
            self._arriving = Network(arriving, self._edge.at, self._emerged) if arriving else None
        if leaving != (self._leaving and self._leaving.impairment):
            self._leaving = Network(leaving, self._edge.at, self._transmit) if leaving else None

    def receive(self, now_us: int) -> None:
        """One datagram from anywhere."""
        try:
            size, source = self._port.rtcp.recvfrom_into(self._edge.buffer.data)
        except OSError:
            return
        if self._arriving:
            self._arriving.carry((bytes(self._edge.buffer.views[size]), source[:2]), now_us)
        else:
            self._arrived(size, source[:2], now_us)

    def _emerged(self, arrival: Arrival, now_us: int) -> None:
        data, source = arrival
        self._edge.buffer.data[: len(data)] = data
        self._arrived(len(data), source, now_us)

    def _arrived(self, size: int, source: Address, now_us: int) -> None:
        if not self._latch.accepts(source):
            self.wrong_source += 1
            return
        if self._protection:
            size = self._protection.unprotect_rtcp(size)
            if not size:
                return
        packet = self._edge.buffer.views[size]
        compound = rtcp.parse(packet) if size < BUFFER_SIZE and self._unread else None
        if compound is None:
            self.malformed += 1
            return
        self._unread -= 1
        self._latch.take(source)
        self.packets += 1
        self.bytes += size
        if self._sinks:
            self._sinks.capture(packet, now_us, source, rtcp=True)
        if self.reporter:
            self.reporter.take(compound, now_us)

    def sweep(self) -> None:
        """The remote may send on; called about twice a second."""
        self._unread = UNDERSTOOD

    def send(self, packet: bytes | memoryview) -> None:
        """Sends one compound packet to the remote, if it is known where that is."""
        destination = self._latch.destination
        if destination is None:
            return
        if self._sinks:
            self._sinks.capture(packet, self._edge.now_us, destination, sent=True, rtcp=True)
        protected = self._protection.protect_rtcp(packet) if self._protection else packet
        if protected is None:
            self.send_failed += 1
        elif self._leaving:
            self._leaving.carry(bytes(protected), self._edge.now_us)
        else:
            self._transmit(protected, self._edge.now_us)

    def _transmit(self, data: bytes | memoryview, _now_us: int) -> None:
        destination = self._latch.destination
        try:
            if destination is not None:
                self._port.rtcp.sendto(data, destination)
        except OSError:
            self.send_failed += 1
        else:
            self.sent_packets += 1
            self.sent_bytes += len(data)

    def close(self) -> None:
        """The call is over."""
        self.reporter = None
        self._protection = self._sinks = None
        for network in (self._arriving, self._leaving):
            if network:
                network.close()


def _other_chance(impairment: Impairment | None) -> Impairment | None:
    """The same, but what befalls RTP does not befall the RTCP packet of the same number."""
    return impairment and impairment._replace(seed=impairment.seed + 1)
