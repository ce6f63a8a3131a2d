"""A relayed call in virtual time: two legs of the relay, a telephone at each, and networks that may be bad.

    phone "a" --- network --- leg "a" | leg "b" --- network --- phone "b"

All four are streams of ours on ports in memory; what the networks do to packets is what a test says, and counted.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any

from voiceconnector.media.file import File
from voiceconnector.media.lane import Buffer
from voiceconnector.media.plan import Address, Forward, PortPair, Source, StreamPlan, Tone
from voiceconnector.media.port import Event, Handler
from voiceconnector.media.quality import StreamStats
from voiceconnector.media.reports import Reporter
from voiceconnector.media.sources import Player
from voiceconnector.media.stream import Stream
from voiceconnector.media.tap import Listener

SECOND = 1_000_000
SWEEP_US = SECOND // 2
EPOCH_US = 1_700_000_000 * SECOND
PAIRS = {name: PortPair("192.0.2.1", 4000 + 10 * index) for index, name in enumerate(("phone a", "a", "b", "phone b"))}
NAMES = {port: name for name, pair in PAIRS.items() for port in (pair.rtp, pair.rtcp)}
PEERS = {"phone a": "a", "a": "phone a", "b": "phone b", "phone b": "b"}


@dataclass
class Network:
    """The way from one end to its peer."""

    loss: float = 0.0
    delay_us: int = 0
    jitter_us: int = 0
    """Added to the delay: uniformly, without changing the order."""
    mangle: Callable[[bytes], bytes] = bytes
    dropped: int = 0
    carried: list[tuple[int, int, bytes]] = field(default_factory=list)
    """RTCP that got through: when it was sent, destination port, packet."""


class Datagrams:
    """A socket in memory."""

    def __init__(self, line: "Line", address: Address) -> None:
        self._line = line
        self.address = address
        self.remote: Address | None = None
        self.waiting: list[tuple[bytes, Address]] = []

    def recvfrom_into(self, buffer: bytearray, /) -> tuple[int, Any]:
        if not self.waiting:
            raise BlockingIOError
        data, source = self.waiting.pop(0)
        buffer[: len(data)] = data
        return len(data), source

    def recv_into(self, buffer: bytearray, /) -> int:
        return self.recvfrom_into(buffer)[0]

    def sendto(self, data: bytes | memoryview, address: Address, /) -> int:
        self._line.send(bytes(data), self.address, address)
        return len(data)

    def send(self, data: bytes | memoryview, /) -> int:
        assert self.remote
        return self.sendto(data, self.remote)


class MemoryPort:
    """A port pair in memory."""

    def __init__(self, line: "Line", pair: PortPair) -> None:
        self.rtp = Datagrams(line, (pair.address, pair.rtp))
        self.rtcp = Datagrams(line, (pair.address, pair.rtcp))
        self.handlers: dict[int, Handler] = {}

    def assign(self, on_rtp: Handler, on_rtcp: Handler) -> None:
        self.handlers = {self.rtp.address[1]: on_rtp, self.rtcp.address[1]: on_rtcp}

    def free(self) -> None:
        self.handlers = {}

    def connect(self, remote: Address, on_rtp: Handler) -> None:
        self.rtp.remote = remote
        self.handlers[self.rtp.address[1]] = on_rtp

    def disconnect(self, on_rtp: Handler) -> None:
        self.rtp.remote = None
        self.handlers[self.rtp.address[1]] = on_rtp


class Line:
    """The call, and its time."""

    def __init__(self, seed: int = 1, sweep_us: int = SWEEP_US) -> None:
        self.sweep_us = sweep_us
        self.now_us = 1000 * SECOND
        self.events: list[Event] = []
        self.emit = self.events.append
        self.buffer = Buffer()
        self.wall_us = EPOCH_US - self.now_us
        self.networks = {name: Network() for name in PAIRS}
        """By the end that sends."""
        self.ports = {name: MemoryPort(self, pair) for name, pair in PAIRS.items()}
        self.chance = Random(seed)
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        legs = {"a": self.plan("a", (Forward("b"),)), "b": self.plan("b", (Forward("a"),))}
        self.legs = {leg: self._stream(1, plan, leg) for leg, plan in legs.items()}
        self.phones = {
            name: self._stream(2 + index, self.plan(name, (), leg=name), name)
            for index, name in enumerate(("phone a", "phone b"))
        }
        self.relink()
        self.every(sweep_us, self._sweep)

    def plan(self, name: str, sinks: tuple[Any, ...], leg: str = "", **fields: Any) -> StreamPlan:
        """The plan of one end, whose remote is its peer."""
        peer = PAIRS[PEERS[name]]
        remotes = {"remote": (peer.address, peer.rtp), "remote_rtcp": (peer.address, peer.rtcp)}
        facts: dict[str, Any] = (
            {"payload_types": (0, 101), "event_payload_type": 101, "sinks": sinks} | remotes | fields
        )
        return StreamPlan(leg or name, PAIRS[name], **facts)

    def replan(self, leg: str, **fields: Any) -> None:
        """Change a leg's plan."""
        self.legs[leg].replan(self.legs[leg].plan._replace(**fields), self.ports[leg], self.now_us)
        self.relink()

    def relink(self) -> None:
        for stream in self.legs.values():
            stream.link(self.legs)
        for phone in self.phones.values():
            phone.link({phone.plan.leg: phone})

    def talk(self, name: str, *sources: Source) -> None:
        """A phone plays from now on."""
        phone = self.phones[name]
        phone.replan(phone.plan._replace(sources=sources), self.ports[name], self.now_us)
        phone.link({name: phone})
        numbers = self.chance.getrandbits(32), self.chance.getrandbits(16), self.chance.getrandbits(32)
        if phone.play(phone.player or Player(_no_file, *numbers), self.now_us):
            self._tick(phone, self.now_us)

    def converse(self) -> None:
        """Both phones send a tone."""
        self.talk("phone a", Tone(440))
        self.talk("phone b", Tone(1000))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end_us = self.now_us + int(seconds * SECOND)
        while self._agenda and self._agenda[0][0] <= end_us:
            self.now_us, _, action = heappop(self._agenda)
            action()
        self.now_us = end_us

    def later(self, when_us: int, action: Callable[[], None]) -> None:
        heappush(self._agenda, (when_us, next(self._order), action))

    def at(self, due_us: int, callback: Callable[[int, int], int]) -> None:
        """What the legs ask for; nothing that asks to be called again."""
        self.later(due_us, lambda: self._call(due_us, callback))

    def _call(self, due_us: int, callback: Callable[[int, int], int]) -> None:
        assert not callback(due_us, self.now_us)

    def open_new(self, path: str) -> File:
        raise FileNotFoundError(path)

    def open_on(self, path: str) -> File:
        raise FileNotFoundError(path)

    def open_tap(self, path: str) -> Listener:
        raise FileNotFoundError(path)

    def every(self, interval_us: int, action: Callable[[], None]) -> None:
        def again() -> None:
            action()
            self.later(self.now_us + interval_us, again)

        self.later(self.now_us + interval_us, again)

    def send(self, data: bytes, source: Address, destination: Address) -> None:
        """A packet sets out; RTCP is never lost, so that figures can be foretold, but as late as RTP."""
        network, is_rtcp = self.networks[NAMES[source[1]]], source[1] & 1
        if not is_rtcp and network.loss and self.chance.random() < network.loss:
            network.dropped += 1
            return
        if is_rtcp:
            network.carried.append((self.now_us, destination[1], data))
        late_us = network.delay_us + int(self.chance.random() * network.jitter_us)
        self.later(self.now_us + late_us, lambda: self._arrive(network.mangle(data), source, destination))

    def stats(self, leg: str) -> StreamStats:
        return self.legs[leg].stats()

    def told(self, name: str) -> list[Event]:
        """The relay's events of this name."""
        return [event for event in self.events if event[0] == name and event[1] == 1]

    def hang_up(self) -> None:
        for stream in (*self.legs.values(), *self.phones.values()):
            stream.leave(self.now_us)
        for stream in (*self.legs.values(), *self.phones.values()):
            stream.close()

    def _stream(self, call: int, plan: StreamPlan, name: str) -> Stream:
        stream = Stream(call, plan, self.ports[name], self)
        stream.rtcp.reporter = Reporter(self.chance, EPOCH_US - self.now_us, self.now_us)
        stream.replan(plan, self.ports[name], self.now_us)
        return stream

    def _tick(self, phone: Stream, due_us: int) -> None:
        again_us = phone.tick(due_us, self.now_us)
        if again_us:
            self.later(again_us, lambda: self._tick(phone, again_us))

    def _sweep(self) -> None:
        for stream in (*self.legs.values(), *self.phones.values()):
            stream.sweep(self.now_us, self.sweep_us)

    def _arrive(self, data: bytes, source: Address, destination: Address) -> None:
        port = self.ports[NAMES[destination[1]]]
        handler = port.handlers.get(destination[1])
        if handler:
            receiver = port.rtcp if destination[1] & 1 else port.rtp
            receiver.waiting.append((data, source))
            handler(self.now_us)


def _no_file(path: str) -> Any:
    raise OSError(path)
