"""A network in memory and in virtual time: SIP stacks, links that lose, delay, repeat and reorder, and a ladder.

Everything is decided by the seed and the rules, so that a failure happens again to the letter. A node is any
`SipStack` with its addresses; a `Peer` is an address that a test writes and reads raw messages at.
"""

import heapq
import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.wire import header, start_line, told
from voiceconnector.sip.hop import Hop, Local
from voiceconnector.sip.ids import Ids
from voiceconnector.sip.stack import SipStack, UserAgentCore

LATENCY = 0.01
"""Seconds that a message takes where no rule says otherwise."""
SETTLING = 200.0
"""Seconds after which nothing may be left of a call that has ended: a few times 64*T1."""
MESSAGES = 20_000
"""More in one run is a loop."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A message on its way."""

    number: int
    """From 1, in the order of sending."""
    time: float
    source: str
    destination: str
    """Name of the node, or the address where there is none."""
    transport: str
    data: bytes
    locals: tuple[Local, ...] = ()
    """The listener that it left, and the one that it goes to where there is one."""

    @property
    def told(self) -> str:
        """`INVITE`, or `180 INVITE`."""
        what = told(self.data)
        return what if not what.isdigit() else f"{what} {header(self.data, 'CSeq').partition(' ')[2]}"

    def __str__(self) -> str:
        return f"{self.source}>{self.destination} {self.told}"


Rule = Callable[[Packet], Iterable[float] | None]
"""Delays after which copies of a packet arrive ([] loses it); None leaves it to the next rule."""


class Peer:
    """An address without a stack: what arrives is kept, what a test sends goes out."""

    def __init__(self, world: "World", name: str, local: Local) -> None:
        self.world = world
        self.name = name
        self.local = local
        self.received: list[bytes] = []
        self.answers: Callable[[bytes], Iterable[bytes]] | None = None
        """What to send back for each message, if anything."""

    def send(self, data: bytes, destination: Local) -> None:
        self.world.send(self.name, Hop(self.local, (destination.host, destination.port)), data)

    def receive(self, data: bytes, local: Local, source: Hop) -> None:
        self.received.append(data)
        for answer in self.answers(data) if self.answers else ():
            self.world.send(self.name, Hop(local, source.address), answer)

    def told(self) -> list[str]:
        return [told(data) for data in self.received]


@dataclass(slots=True)
class Node:
    """A stack, and what its edge would call after each turn."""

    name: str
    stack: SipStack
    settle: Callable[[float], None] = lambda _now: None


class World:
    """Nodes, the network between them, and the time."""

    def __init__(self, seed: int = 1) -> None:
        self.now = 0.0
        self.random = random.Random(seed)
        self.nodes: dict[str, Node] = {}
        self.peers: dict[str, Peer] = {}
        self.rules: list[Rule] = []
        """The first that has an opinion on a packet decides."""
        self.ladder: list[tuple[Packet, str]] = []
        """All that was sent, and what became of it: "" or a remark."""
        self._places: dict[tuple[str, str, int], tuple[str, Local]] = {}
        self._events: list[tuple[float, int, Callable[[float], object]]] = []
        self._order = itertools.count()

    # -- building

    def ids(self) -> Ids:
        return Ids(random.Random(self.random.getrandbits(64)))

    def stack(
        self, name: str, core: UserAgentCore, host: str, port: int = 5060, transports: Iterable[str] = ("UDP", "TCP")
    ) -> SipStack:
        """A new stack, reachable at one address."""
        stack = SipStack(core, self.ids())
        self.add(Node(name, stack), *(Local(name, transport, host, port) for transport in transports))
        return stack

    def add(self, node: Node, *locals_: Local) -> Node:
        """Put a stack into the world under the listeners it has and those given."""
        self.nodes[node.name] = node
        for local in locals_:
            node.stack.add_local(local)
        for local in node.stack.locals.values():
            self._places[local.transport, local.host, local.port] = node.name, local
        return node

    def peer(self, name: str, host: str, port: int = 5060, transport: str = "UDP") -> Peer:
        peer = self.peers[name] = Peer(self, name, Local(name, transport, host, port))
        self._places[transport, host, port] = name, peer.local
        return peer

    def local(self, name: str, transport: str = "UDP") -> Local:
        return next(local for owner, local in self._places.values() if owner == name and local.transport == transport)

    def hop(self, source: str, destination: str, transport: str = "UDP") -> Hop:
        """The way from one node to another."""
        there = self.local(destination, transport)
        return Hop(self.local(source, transport), (there.host, there.port))

    # -- rules

    def lose(self, *which: str, times: int = 1) -> None:
        """Lose the first `times` packets shown as one of these: "alice>bob INVITE", "bob>alice 200 INVITE"."""
        left = dict.fromkeys(which, times)

        def rule(packet: Packet) -> Iterable[float] | None:
            if left.get(str(packet), 0) <= 0:
                return None
            left[str(packet)] -= 1
            return ()

        self.rules.append(rule)

    def delay(self, which: str, *delays: float) -> None:
        """Let the first packet shown so arrive after each of these delays: late, or more than once."""
        left = [delays]

        def rule(packet: Packet) -> Iterable[float] | None:
            return left.pop() if left and str(packet) == which else None

        self.rules.append(rule)

    # -- running

    def at(self, time: float, action: Callable[[float], object]) -> None:
        """Do something at a time, as a turn of its own."""
        heapq.heappush(self._events, (time, next(self._order), action))

    def run_until(self, time: float) -> None:
        """Let everything happen that happens up to and at `time`."""
        self._flush()
        while (due := self._next()) is not None and due <= time:
            self.now = max(self.now, due)
            if self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[2](self.now)
            else:
                for node in self.nodes.values():
                    node.stack.fire(self.now)
            self._flush()
        self.now = max(self.now, time)

    def run(self, seconds: float) -> None:
        self.run_until(self.now + seconds)

    def settle(self) -> None:
        """Let all timers of what has ended run out, and see that nothing is left."""
        self.run(SETTLING)
        self.assert_nothing_leaks()

    def assert_nothing_leaks(self) -> None:
        left = [
            f"{node.name}: {what}"
            for node in self.nodes.values()
            for what in (
                *(f"dialog {tag}" for tag in node.stack.dialogs),
                *(f"{transaction.method} {transaction.state}" for transaction in node.stack.transactions()),
                *(f"timer {timer.name!r} due at {timer.due:.3f}" for timer in node.stack.timers.running()),
            )
        ]
        assert not left, "\n".join([*left, self.drawn()])

    def send(self, source: str, hop: Hop, data: bytes) -> None:
        """Put a message on the wire."""
        number = len(self.ladder) + 1
        assert number < MESSAGES, f"{MESSAGES} messages\n{self.drawn()[-4000:]}"
        host, port = hop.address[:2]
        place = self._places.get((hop.local.transport, host, port))
        destination, locals_ = (place[0], (hop.local, place[1])) if place else (f"{host}:{port}", (hop.local,))
        packet = Packet(number, self.now, source, destination, hop.local.transport, data, locals_)
        if place is None:
            self.ladder.append((packet, "nobody there"))
            self.at(self.now + LATENCY, lambda now: self._unreachable(source, hop, now))
            return
        delays = self._delays(packet)
        self.ladder.append((packet, "" if delays == [LATENCY] else f"arrives after {delays}" if delays else "lost"))
        came_from = Hop(place[1], (hop.local.host, hop.local.port))
        for delay in delays:
            self.at(self.now + delay, lambda now: self._deliver(place[0], data, came_from, now))

    # -- looking

    def told(self, *names: str) -> list[str]:
        """What was sent, as "alice>bob INVITE"; only between the nodes named, if any are."""
        return [
            str(packet) for packet, _ in self.ladder if not names or {packet.source, packet.destination} <= set(names)
        ]

    def sent(self, which: str) -> list[bytes]:
        """The messages shown so, in order."""
        return [packet.data for packet, _ in self.ladder if str(packet) == which]

    def times(self, which: str) -> list[float]:
        """When the messages shown so were sent, to the millisecond."""
        return [round(packet.time, 3) for packet, _ in self.ladder if str(packet) == which]

    def drawn(self) -> str:
        """The ladder as text, for reading."""
        return "\n".join(
            f"{packet.number:4} {packet.time:9.3f} {packet}  {start_line(packet.data)}  {remark}"
            for packet, remark in self.ladder
        )

    # -- inside

    def _next(self) -> float | None:
        dues = [due for node in self.nodes.values() if (due := node.stack.timers.next_due()) is not None]
        if self._events:
            dues.append(self._events[0][0])
        return min(dues, default=None)

    def _flush(self) -> None:
        """What the edge does at the end of a turn."""
        for node in self.nodes.values():
            node.settle(self.now)
            outbox, node.stack.outbox = node.stack.outbox, []
            for hop, data in outbox:
                self.send(node.name, hop, data)

    def _delays(self, packet: Packet) -> list[float]:
        for rule in self.rules:
            delays = rule(packet)
            if delays is not None:
                return list(delays)
        return [LATENCY]

    def _deliver(self, name: str, data: bytes, source: Hop, now: float) -> None:
        if name in self.peers:
            self.peers[name].receive(data, source.local, source)
        else:
            self.nodes[name].stack.receive(data, source, now)

    def _unreachable(self, source: str, hop: Hop, now: float) -> None:
        if source in self.nodes:
            self.nodes[source].stack.transport_failed(hop, "ICMP says: ECONNREFUSED", now)
