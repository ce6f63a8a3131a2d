"""One leg of a call in the relay process: what its plan does to each packet.

Works on the sockets it is given. A packet never raises out of here: it is relayed, or dropped and counted by
reason. `lane` has the hot path, for a remote that sends from its signalled address; all other packets come
through `Stream.receive`, and all that are not plain audio in order through `Stream.takes`.
"""

from collections.abc import Mapping
from typing import Any

from voiceconnector.media import rtp, srtp
from voiceconnector.media.hearing import Hearing
from voiceconnector.media.impairment import Network
from voiceconnector.media.lane import BUFFER_SIZE, Context, Lane, Send
from voiceconnector.media.latch import Latch
from voiceconnector.media.plan import Address, Echo, Forward, StreamPlan
from voiceconnector.media.port import Edge, Handler, Port
from voiceconnector.media.protection import Protection
from voiceconnector.media.quality import TICK_US, StreamStats
from voiceconnector.media.reports import Sent
from voiceconnector.media.rtcp_port import RtcpPort
from voiceconnector.media.sinks import Kept, Sinks
from voiceconnector.media.sources import PTIME_MS, Player
from voiceconnector.media.watch import Watch

QUIET_US = 2_000_000
"""Silence after which a socket is disconnected, so that another source would be seen."""
QUEUED = 1000
"""More packets than wait at a socket: 277 by Linux's default. A flood has no last one."""
LATE_US = 200_000
"""Sources that are later than this let the missed frames go."""

_unpack_header = rtp.FIXED_HEADER.unpack_from


class Stream:
    """One leg of a call while it lasts: its plan, its source, its counters."""

    __slots__ = (
        "_arriving", "_connected", "_edge", "_guard", "_lane", "_latch", "_leaving", "_linked", "_malformed",
        "_outputs", "_port", "_protection", "_settled", "_settled_bytes", "_siblings", "_sinks", "_stranger_told",
        "_ticked_us", "_ticking", "_transmit", "_watch", "_wrong_payload_type", "_wrong_source", "call", "hearing",
        "plan", "player", "rtcp", "send", "send_failed", "sent_bytes", "sent_packets",
    )  # fmt: skip

    def __init__(self, call: int, plan: StreamPlan, port: Port, edge: Edge) -> None:
        """Takes the port; `plan` is run once it has been given to `replan` too."""
        self.call = call
        self.plan = plan
        self.player: Player | None = None
        self.rtcp = RtcpPort(plan, port, edge)
        self.sent_packets = self.sent_bytes = self.send_failed = 0
        self.send: Send = _send_nowhere
        self._transmit: Send = self._send_unconnected
        self._port = port
        self._edge = edge
        self._lane = Lane(self, edge.buffer)
        self._watch = Watch(self._lane, self._tell)
        self.hearing = Hearing(self._lane, self._tell)
        self._latch = Latch(plan.remote)
        self._guard: Protection | None = None  # remembers keys and counts when the plan has none
        self._protection: Protection | None = None
        self._sinks: Sinks | None = None
        self._arriving: Network[tuple[bytes, Address]] | None = None
        self._leaving: Network[bytes] | None = None
        self._siblings: tuple[Stream, ...] = ()
        self._linked: tuple[Stream, ...] = ()
        self._outputs: tuple[Stream, ...] = ()
        self._connected = self._ticking = self._stranger_told = False
        self._ticked_us = self._settled = self._settled_bytes = 0
        self._malformed = self._wrong_payload_type = self._wrong_source = 0
        port.assign(self.receive, self.rtcp.receive)

    def replan(self, plan: StreamPlan, port: Port, now_us: int) -> None:
        """Runs this plan on this port from now on."""
        if port is not self._port:
            self._leave_port()
            self._port = port
        self.plan = plan
        self._lane.plain = rtp.plain_words(plan.payload_types)
        self.hearing.replan()
        self._equip(plan, now_us)
        self._latch.rearm(plan.remote)
        self.rtcp.replan(plan, port, self._protection, self._sinks)
        if self._connected and not self._latch.settled:
            self._disconnect()
        port.assign(self._receiver(), self.rtcp.receive)
        self._send_through()
        self._watch.replan(now_us)
        self._stranger_told = False

    def _equip(self, plan: StreamPlan, now_us: int) -> None:
        """Has ready what stands between this leg's packets and its remote, and what else takes them."""
        if plan.srtp:
            self._guard = self._guard or Protection(self._edge.buffer, self._tell)
            self._guard.replan(plan.srtp)
        self._protection = self._guard if plan.srtp else None
        if self._sinks or any(isinstance(sink, Kept) for sink in plan.sinks):
            self._sinks = self._sinks or Sinks(self.call, plan, self._edge, self._tell)
            self._sinks.replan(plan.sinks, plan.pair, now_us)
        arriving, leaving = plan.impair_received, plan.impair_sent
        if arriving != (self._arriving and self._arriving.impairment):
            self._arriving = Network(arriving, self._edge.at, self._emerged) if arriving else None
        if leaving != (self._leaving and self._leaving.impairment):
            self._leaving = Network(leaving, self._edge.at, self._leave) if leaving else None

    def _receiver(self) -> Handler:
        """What packets on the RTP socket are to be received by: a hot path where that does all the plan says."""
        protection = self._protection
        unusual = self._arriving or self._sinks or self.plan.protocol != "RTP"
        if not self._connected or unusual or (protection and not protection.settled):
            return self.receive
        self._lane.receive_into = self._port.rtp.recv_into
        if protection and protection.receiver:
            self._lane.unprotect_with(protection.receiver.context)
            return self._lane.receive_protected
        return self._lane.receive

    def link(self, streams: Mapping[str, "Stream"]) -> None:
        """Finds the streams that its sinks lead to, once all of the call have their plans."""
        forwards, echoes = [], []
        for sink in self.plan.sinks:
            match sink:
                case Forward(leg) if leg in streams:
                    forwards.append(streams[leg])
                case Echo():
                    echoes.append(self)
        outputs = tuple([out for out in forwards + echoes if out.plan.send])
        self._siblings = tuple(streams.values())
        self._linked = outputs if self.plan.receive else ()
        self._lead_to(self._linked)

    def receive(self, now_us: int) -> None:
        """One RTP packet from anywhere, and all that wait once that has connected the socket."""
        connected = self._connected
        if self._receive_from_anywhere(now_us) and self._connected and not connected:
            # What came before the connection may be anyone's; what comes after it can not.
            for _ in range(QUEUED):
                if not self._receive_from_anywhere(now_us):
                    break

    def _receive_from_anywhere(self, now_us: int) -> bool:
        buffer = self._edge.buffer
        try:
            size, source = self._port.rtp.recvfrom_into(buffer.data)
        except OSError as error:
            self.count_receive_failure(error)
            return False
        if self._arriving:
            self._arriving.carry((bytes(buffer.views[size]), source[:2]), now_us)
        else:
            self._arrived(size, source[:2], now_us)
        return True

    def _emerged(self, arrival: tuple[bytes, Address], now_us: int) -> None:
        """A packet that was delayed lies in the buffer as if it had just been received."""
        data, source = arrival
        self._edge.buffer.data[: len(data)] = data
        self._arrived(len(data), source, now_us)

    def _arrived(self, size: int, source: Address, now_us: int) -> None:
        """One datagram of this source, in the buffer's first `size` bytes."""
        first = not self._lane.packets
        if not self._latch.accepts(source):
            self._count_stranger(source)
            return
        protection = self._protection
        in_between = protection and not protection.settled
        if protection:
            size = protection.unprotect(size, source, self.plan)
            if not size:
                return
        if not self.takes(size, now_us):
            return
        if first:
            self._tell("FirstPacket", source, self._latch.signalled)
        self._latch.take(source)
        self._hand_on(self._edge.buffer.views[size], source, now_us)
        if self._latch.settled and not self._connected:
            self._connect(source)
        elif in_between:
            self._port.assign(self._receiver(), self.rtcp.receive)

    def _hand_on(self, packet: memoryview, source: Address, now_us: int) -> None:
        for out in self._outputs:
            out.forward(packet)
        if self._sinks:
            self._sinks.capture(packet, now_us, source)
            if self.plan.receive:
                self._sinks.take(packet, now_us)

    def takes(self, size: int, now_us: int) -> bool:
        """Takes account of the packet in the buffer's first `size` bytes, or counts why it is dropped."""
        if self.plan.protocol == "UDPTL" and 0 < size < BUFFER_SIZE:
            self._lane.count(size, now_us)
            return True
        packet = self._edge.buffer.views[size]
        fault = rtp.fault(packet, self.plan.payload_types) if size < BUFFER_SIZE else rtp.MALFORMED
        if fault is None:
            _, sequence_number, timestamp, ssrc = _unpack_header(packet)
            self._lane.update(size, sequence_number, timestamp, ssrc, now_us)
            if self._protection:
                self._protection.note(ssrc)
            self.hearing.hear(packet, now_us)
            return True
        if fault == rtp.WRONG_PAYLOAD_TYPE:
            self._wrong_payload_type += 1
            self.hearing.hear_wrong(packet[1] & rtp.PAYLOAD_TYPE)
        else:
            self._malformed += 1
        return False

    def forward(self, packet: bytes | memoryview) -> None:
        """Sends one RTP packet to the remote."""
        try:
            self.send(packet)
        except OSError:
            self.send_failed += 1

    def refuse(self, status: int, size: int) -> None:
        """A packet from the connected remote could not be unprotected; `status` is libsrtp's."""
        if self._protection:
            self._protection.refuse(srtp.reason(status), size, self._latch.source, self.plan)

    def count_receive_failure(self, error: OSError) -> None:
        """Nothing was there after all, or the remote's host says that it does not listen (ICMP)."""
        if not isinstance(error, BlockingIOError):
            self.send_failed += 1

    def count_send_failure(self, send: Send) -> None:
        """The system did not send a packet to one of the sinks."""
        for out in self._outputs:
            if out.send is send:
                out.send_failed += 1

    def _count_stranger(self, source: Address) -> None:
        self._wrong_source += 1
        if not self._stranger_told:
            self._stranger_told = True
            self._tell("WrongSource", source, self._latch.source)

    def _tell(self, name: str, *fields: Any) -> None:
        """Sends an event of this leg to signalling."""
        self._edge.emit((name, self.call, self.plan.leg, *fields))

    def _send_unconnected(self, packet: bytes | memoryview) -> int:
        destination = self._latch.destination
        if destination is None:
            raise OSError("no address to send to")
        return self._port.rtp.sendto(packet, destination)

    def _connect(self, remote: Address) -> None:
        try:
            self._port.connect(remote, self.receive)
        except OSError:
            return  # remains as it is: slower, and just as right
        self._connected = True
        self._port.assign(self._receiver(), self.rtcp.receive)
        self._send_through()

    def _disconnect(self) -> None:
        try:
            self._port.disconnect(self.receive)
        except OSError:
            return
        self._connected = False
        self._send_through()

    def _send_through(self) -> None:
        """Has itself sent to through all that its plan puts before the remote, by all streams that lead to it."""
        send = self._transmit = self._port.rtp.send if self._connected else self._send_unconnected
        if self._leaving:
            send = self._send_late
        if self._protection:
            send = self._protection.sending(send)
        if self._sinks and self._sinks.captures:
            send = self._captured(send)
        self.send = send
        for stream in self._siblings:
            stream._lead_to(stream._outputs)

    def _send_late(self, packet: bytes | memoryview) -> int:
        """Into the bad network, which is as good as sent."""
        if self._leaving:
            self._leaving.carry(bytes(packet), self._edge.now_us)
        return len(packet)

    def _leave(self, packet: bytes, _now_us: int) -> None:
        try:
            self._transmit(packet)
        except OSError:
            self.send_failed += 1

    def _captured(self, send: Send) -> Send:
        def capture_and_send(packet: bytes | memoryview) -> int:
            if self._sinks and self._latch.destination:
                self._sinks.capture(packet, self._edge.now_us, self._latch.destination, sent=True)
            return send(packet)

        return capture_and_send

    def _lead_to(self, outputs: tuple["Stream", ...]) -> None:
        """Sends what comes to these streams from now on."""
        self._settle()
        self._outputs = outputs
        lane = self._lane
        lane.sends = tuple([out.send for out in outputs])
        context = outputs[0].protects_only() if len(outputs) == 1 else None
        if context:
            lane.send_with(context, outputs[0]._transmit)
        else:
            lane.send_plain()

    def protects_only(self) -> Context | None:
        """What packets are protected with, if nothing else is done to them on their way to the remote."""
        if self._leaving or (self._sinks and self._sinks.captures):
            return None
        sender = self._protection.sender if self._protection else None
        return sender.context if sender else None

    def _settle(self) -> None:
        """Counts as sent what has been forwarded since this was last done: not on the hot path."""
        forwarded, size = self._lane.packets - self._settled, self._lane.bytes - self._settled_bytes
        self._settled += forwarded
        self._settled_bytes += size
        for out in self._outputs:
            out.sent_packets += forwarded
            out.sent_bytes += size

    def play(self, player: Player, now_us: int) -> bool:
        """Has this player send the plan's sources; True when `tick` has to be called from now on."""
        plan = self.plan
        idle_us = 0 if self._ticking or not self._ticked_us else now_us - self._ticked_us
        player.play(plan.sources, plan.audio_payload_type, plan.event_payload_type, idle_us // TICK_US)
        self.player = player
        started, self._ticking = not self._ticking, True
        return started

    def tick(self, due_us: int, now_us: int) -> int:
        """Sends the next 20 ms of its sources; returns when to call again, 0 when they are at their end."""
        player = self.player
        self._ticked_us = now_us
        if player is None or player.done:
            self._ticking = False
            return 0
        packet = player.tick()
        if packet is not None and self.plan.send:
            self.sent_packets += 1
            self.sent_bytes += len(packet)
            self.forward(packet)
        for source, problem in player.take_finished():
            self._tell("SourceFinished", type(source).__name__, problem)
        return due_us + PTIME_MS * 1000 if now_us - due_us < LATE_US else now_us

    def listen(self, whole: bool) -> None:
        """Has all audio that is passed on be listened to, from now on, or as little as is needed."""
        self.hearing.listen(whole and any(isinstance(sink, Forward) for sink in self.plan.sinks))

    def sweep(self, now_us: int, elapsed_us: int) -> None:
        """What is done from time to time; called every `elapsed_us`, about twice a second."""
        if self._connected and self._watch.quiet_us(now_us) >= QUIET_US:
            self._disconnect()
        # Nothing is forwarded for one interval after one with too many packets: a circle ends there.
        outputs = () if self._watch.flooded(elapsed_us) else self._linked
        if outputs is not self._outputs:
            self._lead_to(outputs)
        self._watch.look_for_silence(self.plan, now_us)
        if self._sinks:
            self._sinks.sweep()
        self.hearing.sweep(now_us)
        self.rtcp.sweep()
        reporter = self.rtcp.reporter
        if reporter and now_us >= reporter.due_us and self._reports:
            self.rtcp.send(reporter.compound(self._sent(now_us), self._lane, now_us))

    def leave(self, now_us: int) -> None:
        """The call is over: says so to the remote (RFC 3550 6.6)."""
        reporter = self.rtcp.reporter
        farewell = reporter.farewell(self._sent(now_us), self._lane, now_us) if reporter and self._reports else b""
        if farewell:
            self.rtcp.send(farewell)

    @property
    def _reports(self) -> bool:
        """Whether RTCP is sent: also on hold (RFC 3264 5.1), but not by a plan that leads nowhere."""
        return self.plan.protocol == "RTP" and bool(self.plan.sinks or self.plan.sources)

    def _sent(self, now_us: int) -> Sent | None:
        """What is sent to the remote, be it played here or forwarded; None before anything was."""
        feeders = [stream for stream in self._siblings if self in stream._outputs]
        for stream in feeders:
            stream._settle()
        octets = self.sent_bytes - rtp.HEADER_SIZE * self.sent_packets
        if self.player and self._ticking:
            timestamp = self.player.timestamp_after((now_us - self._ticked_us) // TICK_US)
            return Sent(self.player.ssrc, timestamp, self.sent_packets, octets)
        latest = max([feeder._lane for feeder in feeders], key=lambda lane: lane.last_us, default=None)
        source = latest.source if latest else None
        if latest is None or source is None:
            return None
        return Sent(source.ssrc, latest.timestamp_at(now_us), self.sent_packets, octets)

    def stats(self) -> StreamStats:
        """All counters as they are now."""
        for stream in self._siblings:
            stream._settle()
        lane, guard, sinks = self._lane, self._guard, self._sinks
        stats = StreamStats(
            leg=self.plan.leg,
            packets=lane.packets,
            bytes=lane.bytes,
            lost=lane.lost,
            jitter_us=lane.jitter_us,
            out_of_order=lane.out_of_order,
            wrong_payload_type=self._wrong_payload_type,
            wrong_source=self._wrong_source + self.rtcp.wrong_source,
            malformed=self._malformed + self.rtcp.malformed,
            rtcp_packets=self.rtcp.packets,
            rtcp_bytes=self.rtcp.bytes,
            sent_packets=self.sent_packets,
            send_failed=self.send_failed + self.rtcp.send_failed,
            first_packet_us=lane.first_us,
            last_packet_us=lane.last_us,
            source=self._latch.source,
            sent_bytes=self.sent_bytes,
            rtcp_sent_packets=self.rtcp.sent_packets,
            rtcp_sent_bytes=self.rtcp.sent_bytes,
            jitter_total_us=self.hearing.jitter_total_us,
            jitter_samples=self.hearing.jitter_samples,
            drift_ppm=self.hearing.drift_ppm,
            srtp_auth_failed=guard.auth_failed if guard else 0,
            srtp_replayed=guard.replayed if guard else 0,
            srtp_truncated=guard.truncated if guard else 0,
            srtp_unencrypted=guard.unencrypted if guard else 0,
            tap_dropped=sinks.dropped if sinks else 0,
        )
        return self.rtcp.reporter.completed(stats) if self.rtcp.reporter else stats

    def close(self) -> None:
        """The call is over: it lets go of its port, of the other streams and of itself."""
        self._siblings = self._outputs = self._linked = ()
        self.rtcp.close()
        for network in (self._arriving, self._leaving):
            if network:
                network.close()
        if self._sinks:
            self._sinks.close()
        self._leave_port()
        self.player = None
        self.send = self._transmit = _send_nowhere
        self._guard = self._protection = self._sinks = None
        self._lane.close()
        del self._watch, self.hearing

    def _leave_port(self) -> None:
        if self._connected:
            self._disconnect()
        self._port.free()


def _send_nowhere(_packet: bytes | memoryview) -> int:
    raise OSError("the call is over")
