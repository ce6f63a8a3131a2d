"""A call's two legs over real sockets in virtual time: what the tests of streams have in common."""

import select
import socket
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any

from voiceconnector.media import rtp
from voiceconnector.media.file import File
from voiceconnector.media.lane import Buffer
from voiceconnector.media.plan import Forward, MediaPlan, PortPair, StreamPlan
from voiceconnector.media.port import Event, Handler
from voiceconnector.media.relay_process import OpenPort
from voiceconnector.media.stream import Stream

SECOND = 1_000_000
REPORT = bytes.fromhex("80c90001 00000001")


def packet(number: int, payload_type: int = 0, ssrc: int = 1) -> bytes:
    return rtp.build(payload_type, number, number * 160, ssrc, b"\xff" * 160)


def udp(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(5)
    try:
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made


def free_pair(host: str) -> PortPair:
    """An even port that is free with the one after it."""
    for _ in range(200):
        with udp(host) as probe:
            port = probe.getsockname()[1] & ~1
        try:
            with udp(host, port), udp(host, port + 1):
                return PortPair(host, port)
        except OSError:
            continue
    raise AssertionError("no two free ports in a row")


class Remote:
    """What SDP of one party would announce: an RTP and an RTCP socket."""

    def __init__(self, host: str) -> None:
        self.rtp, self.rtcp = udp(host), udp(host)
        self.address = self.rtp.getsockname()[:2]
        self.rtcp_address = self.rtcp.getsockname()[:2]


class Bench:
    """Two legs of a call between two remotes, their sockets served by hand."""

    def __init__(self, host: str) -> None:
        self.a, self.b, self.stranger = Remote(host), Remote(host), Remote(host)
        self.events: list[Event] = []
        self.emit = self.events.append
        self.buffer = Buffer()
        self.timers: list[tuple[int, int, Callable[[int, int], int]]] = []
        self.order = count()
        self.wall_us = 1_700_000_000 * SECOND
        self.handlers: dict[int, Handler] = {}
        self.sockets: dict[int, socket.socket] = {}
        self.ports = {leg: OpenPort(free_pair(host), self.watch, self.wake) for leg in "ab"}
        self.streams: dict[str, Stream] = {}
        self.now_us = 10 * SECOND
        self.run(self.plan())

    def at(self, due_us: int, callback: Callable[[int, int], int]) -> None:
        heappush(self.timers, (due_us, next(self.order), callback))

    def open_new(self, path: str) -> File:
        return open(path, "wb", buffering=0)

    def open_on(self, path: str) -> File:
        return open(path, "ab", buffering=0)

    def open_tap(self, path: str) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listener.setblocking(False)
        try:
            listener.connect(path)
        except OSError:
            listener.close()
            raise
        return listener

    def watch(self, port: socket.socket, handler: Handler) -> None:
        self.handlers[port.fileno()] = handler
        self.sockets[port.fileno()] = port

    def wake(self, call: int) -> None:
        raise AssertionError(f"{call} was not asleep")

    def plan(self, **leg_a: Any) -> MediaPlan:
        """Each leg forwards to the other; `leg_a` are fields of leg a's plan to change."""
        legs = [
            StreamPlan(leg, self.ports[leg].pair, remote.address, (0, 101), sinks=(Forward(other),),
                       remote_rtcp=remote.rtcp_address)
            for leg, remote, other in (("a", self.a, "b"), ("b", self.b, "a"))
        ]  # fmt: skip
        return MediaPlan((legs[0]._replace(**leg_a), legs[1]))

    def run(self, plan: MediaPlan) -> None:
        for leg_plan in plan.streams:
            leg, port = leg_plan.leg, self.ports[leg_plan.leg]
            if leg not in self.streams:
                self.streams[leg] = Stream(1, leg_plan, port, self)
            self.streams[leg].replan(leg_plan, port, self.now_us)
        for stream in self.streams.values():
            stream.link(self.streams)

    def send(self, source: socket.socket, data: bytes, to: str = "a", rtcp: bool = False) -> None:
        """Sends one datagram to a leg and has everything that arrived served."""
        pair = self.ports[to].pair
        source.sendto(data, (pair.address, pair.rtcp if rtcp else pair.rtp))
        self.serve()

    def serve(self) -> None:
        """Serves all sockets until none is readable; datagrams over loopback are there at once."""
        for _ in range(1000):
            alive = [fd for fd, port in self.sockets.items() if port.fileno() == fd]
            readable, _, _ = select.select(alive, [], [], 0)
            if not readable:
                return
            for descriptor in readable:
                self.handlers[descriptor](self.now_us)
        raise AssertionError("packets without end")

    def wait(self, milliseconds: int) -> None:
        """Lets time pass, and has what is due done at its time."""
        until_us = self.now_us + milliseconds * 1000
        while self.timers and self.timers[0][0] <= until_us:
            due_us, _, callback = heappop(self.timers)
            self.now_us = max(self.now_us, due_us)
            callback(due_us, self.now_us)
            self.serve()
        self.now_us = until_us

    def sweep(self, seconds: float) -> None:
        """Lets time pass in steps of half a second."""
        for _ in range(round(seconds * 2)):
            self.now_us += SECOND // 2
            for stream in self.streams.values():
                stream.sweep(self.now_us, SECOND // 2)

    def close(self) -> None:
        for stream in self.streams.values():
            stream.close()
        for port in self.ports.values():
            port.close()
        for remote in (self.a, self.b, self.stranger):
            remote.rtp.close()
            remote.rtcp.close()


def waiting(receiver: socket.socket) -> list[bytes]:
    """All that has arrived at a socket."""
    receiver.setblocking(False)
    packets = []
    try:
        while True:
            packets.append(receiver.recv(4096))
    except BlockingIOError:
        receiver.settimeout(5)
        return packets
