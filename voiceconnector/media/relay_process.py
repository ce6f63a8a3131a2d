"""The media relay's own process: one epoll loop that receives, counts and forwards RTP and RTCP.

Started by `relay.Relay`, which tells it over a socket what to do; it decides nothing but where packets come
from. It imports no more than it needs, so that it starts at once and stays small.

One packet is one `recv_into` and one `send`. A socket whose remote sends from its signalled address is
connected to it: sending is then cheapest, and the kernel keeps all other sources out. It is replaced by a
fresh one when the call ends or the remote falls silent, so that other sources can be seen again.
"""

import errno
import gc
import marshal
import os
import resource
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from heapq import heappop, heappush
from itertools import count
from random import Random
from select import EPOLLIN, epoll
from time import monotonic_ns, sleep, time_ns
from typing import Any, Literal

from voiceconnector.media.file import File
from voiceconnector.media.g711 import Clip
from voiceconnector.media.lane import Buffer
from voiceconnector.media.plan import Address, MediaPlan, PortPair, StreamPlan, Wire
from voiceconnector.media.port import Event, Handler
from voiceconnector.media.quality import StreamStats
from voiceconnector.media.reports import Reporter
from voiceconnector.media.sources import Player
from voiceconnector.media.stream import Stream

SWEEP_US = 500_000
"""How often a call's streams are looked at."""
SWEEPS = 25
"""In so many parts at least are all calls looked at, one part after the other: each is over in well under a
millisecond, also with a thousand calls."""
MINUTE_US = 60_000_000
"""How often the counters of a call are told without being asked for."""
LISTENED_CALLS = 8
"""Tones are looked for in all audio while there are no more calls than this: it costs some 100 us a packet."""
PAIRS_AT_A_TIME = 16
"""Port pairs opened before packets get their turn again: about half a millisecond."""
EVENTS_AT_A_TIME = 256
TURN_US = 250
"""Turns begin no closer together. From about forty calls on, several packets so share the cost of waking up,
which is more than that of relaying them; none waits longer than two units of G.711's clock."""
DESCRIPTORS_TO_SPARE = 64
"""Not used for ports: standard streams, files to play, sockets being replaced."""
LARGEST_WAV = 32 << 20
"""Bytes; half an hour."""
CLIPS_KEPT = 32
FOREVER = 1e9
"""Seconds."""

Message = tuple[Any, ...]
"""Name and fields."""


class Channel:
    """Batches of messages between two processes of one program, each its length and then `marshal`."""

    def __init__(self, stream: socket.socket) -> None:
        stream.setblocking(False)
        self.socket = stream
        self._received = bytearray()
        self._unsent = bytearray()

    def send(self, messages: list[Message]) -> bool:
        """Queues one batch and writes what the socket takes; False when something is left for `flush`."""
        body = marshal.dumps(messages)
        self._unsent += len(body).to_bytes(4)
        self._unsent += body
        return self.flush()

    def flush(self) -> bool:
        """Writes on; True when nothing is left. OSError when the other end is gone."""
        try:
            while self._unsent:
                del self._unsent[: self.socket.send(self._unsent)]
        except BlockingIOError:
            return False
        return True

    def receive(self) -> list[Message]:
        """The messages of all whole batches. EOFError or OSError when the other end is gone."""
        messages: list[Message] = []
        try:
            data = self.socket.recv(1 << 16)
        except BlockingIOError:
            return messages
        if not data:
            raise EOFError
        received = self._received
        received += data
        at = 0
        while (start := at + 4) <= len(received):
            end = start + int.from_bytes(received[at:start])
            if end > len(received):
                break
            messages += marshal.loads(received[start:end])
            at = end
        del received[:at]
        return messages


class OpenPort:
    """A local port pair, open for as long as the process lives; calls come and go."""

    __slots__ = ("_wake", "_watch", "call", "pair", "rtcp", "rtp")

    def __init__(
        self, pair: PortPair, watch: Callable[[socket.socket, Handler], None], wake: Callable[[int], None]
    ) -> None:
        """Opens both sockets. OSError when one is taken or the address is not this machine's."""
        self.pair = pair
        self.call: int | None = None
        """The call that wants to be woken by the first packet."""
        self._watch = watch
        self._wake = wake
        self.rtp = bind(pair.address, pair.rtp)
        try:
            self.rtcp = bind(pair.address, pair.rtcp)
        except OSError:
            self.rtp.close()
            raise
        self.free()

    def assign(self, on_rtp: Handler, on_rtcp: Handler) -> None:
        self._watch(self.rtp, on_rtp)
        self._watch(self.rtcp, on_rtcp)

    def free(self) -> None:
        self.assign(self._receive_rtp, self._receive_rtcp)

    def connect(self, remote: Address, on_rtp: Handler) -> None:
        self.rtp.connect(remote)
        self._watch(self.rtp, on_rtp)

    def disconnect(self, on_rtp: Handler) -> None:
        fresh = bind(self.pair.address, self.pair.rtp, instead_of=self.rtp)
        self._watch(self.rtp, _ignore)  # this turn may still bring events of it
        self.rtp.close()
        self.rtp = fresh
        self._watch(fresh, on_rtp)

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()

    def _receive_rtp(self, _now_us: int) -> None:
        self._wake_or_drop(self.rtp)

    def _receive_rtcp(self, _now_us: int) -> None:
        self._wake_or_drop(self.rtcp)

    def _wake_or_drop(self, receiver: socket.socket) -> None:
        """Wakes the call that waits for a packet, which the next turn brings to it; or drops the packet."""
        if self.call is not None:
            call, self.call = self.call, None
            self._wake(call)
        else:
            with suppress(OSError):
                receiver.recv(1)


def bind(address: str, port: int, instead_of: socket.socket | None = None) -> socket.socket:
    """A UDP socket on this address and port, which may take the place of one of ours without a gap."""
    bound = socket.socket(_family(address), socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        if instead_of is not None:
            for shared in (instead_of, bound):
                shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((address, port))
        if instead_of is not None:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except OSError:
        bound.close()
        raise
    return bound


def sendable(remote: Address | None, local: Address) -> Address | None:
    """A signalled address in the form in which packets show it; None where media can not be sent there."""
    if remote is None or not 0 < remote[1] < 0x10000:
        return None
    family = _family(local[0])
    try:
        packed = socket.inet_pton(family, remote[0])
    except (OSError, ValueError):
        return None
    multicast = packed[0] == 0xFF if family == socket.AF_INET6 else packed[0] >= 0xE0
    canonical = (socket.inet_ntop(family, packed), remote[1])
    return None if multicast or not any(packed) or canonical == local else canonical


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _ignore(_now_us: int) -> None:
    pass


def _report() -> None:
    """Tells of a mistake of ours, which so costs one packet or command, and not every call."""
    sys.excepthook(*sys.exc_info())


class Call:
    """One call. It is no more than its plan until a packet, a source or the time for media needs streams."""

    __slots__ = ("minute_us", "patience_us", "since_us", "streams", "swept_us", "wire")

    def __init__(self) -> None:
        self.wire: Wire = ()
        self.since_us = 0
        self.patience_us = 0
        self.minute_us = 0
        self.swept_us = 0
        self.streams: dict[str, Stream] | None = None

    def minute_over(self, now_us: int) -> bool:
        """Whether another minute has gone by; to be asked about twice a second, once there are streams."""
        if now_us < self.minute_us:
            return False
        self.minute_us += MINUTE_US
        return True


class RelayProcess:
    """All ports and streams, and the loop that serves them."""

    def __init__(self, channel: Channel, descriptors: int) -> None:
        """`descriptors` is how many files the process may have open."""
        self._channel = channel
        self._most_ports = (descriptors - DESCRIPTORS_TO_SPARE) // 2
        self._events: list[Event] = []
        self.emit = self._events.append
        self._poll = epoll()
        self._handlers: list[Handler] = []  # by file descriptor: quicker here than a dictionary
        self._timers: list[tuple[int, int, Callable[[int, int], int]]] = []
        self._order = count()
        self._ports: dict[PortPair, OpenPort] = {}
        self._opening: deque[PortPair] = deque()
        self._calls: dict[int, Call] = {}
        self.buffer = Buffer()
        self._clips: dict[tuple[str, int, int], Clip] = {}
        self.now_us = monotonic_ns() // 1000
        self._round: deque[tuple[int, Call]] = deque()
        """All calls, those first that have not been looked at for longest; and some that are over."""
        self.wall_us = time_ns() // 1000 - self.now_us
        self._chance = Random(os.urandom(32))
        self._commands: dict[str, Callable[..., None]] = {
            "open": self.open,
            "apply": self.apply,
            "release": self.release,
            "query": self.query,
        }
        self._watch(channel.socket, self._obey)
        self.at(self.now_us + SWEEP_US, self._sweep)

    def run(self) -> None:
        """Serves until the other end of the channel closes."""
        while True:
            try:
                self.turn()
            except (EOFError, BrokenPipeError, ConnectionResetError):
                return
            except Exception:
                _report()

    def close(self) -> None:
        """Closes all sockets."""
        self._poll.close()
        self._channel.socket.close()
        for port in self._ports.values():
            port.close()

    def turn(self) -> None:
        """Waits for something to do, and does it."""
        now_us = monotonic_ns() // 1000
        early_us = self.now_us + TURN_US - now_us
        if early_us > 0:
            sleep(early_us / 1_000_000)
            now_us += early_us
        wait_us = max(0, self._timers[0][0] - now_us)
        ready = self._poll.poll(wait_us / 1_000_000, EVENTS_AT_A_TIME)
        now_us = self.now_us = monotonic_ns() // 1000
        handlers = self._handlers
        for descriptor, _ in ready:
            handlers[descriptor](now_us)
        if self._timers[0][0] <= now_us:
            self._run_timers(now_us)
        if self._events:
            self._channel.send(self._events)
            self._events.clear()

    def _watch(self, port: socket.socket, handler: Handler) -> None:
        """Calls the handler whenever the socket is readable."""
        descriptor = port.fileno()
        if descriptor >= len(self._handlers):
            self._handlers += [_ignore] * (descriptor + 1 - len(self._handlers))
        if self._handlers[descriptor] is _ignore:
            self._poll.register(descriptor, EPOLLIN)
        self._handlers[descriptor] = handler

    def at(self, due_us: int, callback: Callable[[int, int], int]) -> None:
        """Calls back with (due, now) once due, and again as long as it returns a later due time, not 0."""
        heappush(self._timers, (due_us, next(self._order), callback))

    def _run_timers(self, now_us: int) -> None:
        while self._timers[0][0] <= now_us:
            due_us, _, callback = heappop(self._timers)
            again_us = now_us + SWEEP_US
            try:
                again_us = callback(due_us, now_us)
            except Exception:
                _report()
            if again_us:
                self.at(max(again_us, now_us + 1), callback)

    def _obey(self, _now_us: int) -> None:
        for name, *arguments in self._channel.receive():
            try:
                self._commands[name](*arguments)
            except Exception:
                _report()

    def open(self, address: str, ports: list[int]) -> None:
        """Opens these RTP ports and those after them, a few each turn; "opened" says how it went."""
        if not self._opening:
            self.at(self.now_us, self._open_some)
        self._opening.extend([PortPair(address, port) for port in ports])

    def _open_some(self, _due_us: int, now_us: int) -> int:
        for _ in range(min(PAIRS_AT_A_TIME, len(self._opening))):
            pair = self._opening.popleft()
            problem = self._open_pair(pair)
            self._events.append(("opened", pair.address, pair.rtp, problem))
        return now_us if self._opening else 0

    def _open_pair(self, pair: PortPair) -> int:
        """Opens a pair unless it is open; returns 0, or the error number."""
        if pair in self._ports:
            return 0
        if len(self._ports) >= self._most_ports:
            return errno.EMFILE
        try:
            self._ports[pair] = OpenPort(pair, self._watch, self._wake)
        except OSError as error:
            return error.errno or -1
        return 0

    def apply(self, call: int, wire: Wire) -> None:
        """Runs this plan for the call instead of the one before."""
        entry = self._calls.get(call)
        if entry is None:
            entry = self._calls[call] = Call()
            entry.swept_us = self.now_us
            self._round.append((call, entry))
        entry.wire, entry.since_us = wire, self.now_us
        if entry.streams is not None or not self._can_wait(call, entry):
            self._wake(call)

    def _can_wait(self, call: int, entry: Call) -> bool:
        """Has the call's ports wake it, if nothing is to be done before the first packet."""
        plans = [StreamPlan._make(leg) for leg in entry.wire]  # their parts still as on the wire
        ports = [self._ports.get(plan.pair) for plan in plans]
        if None in ports or any(plan.sources for plan in plans):
            return False
        for port in filter(None, ports):
            port.call = call
        patience = min([plan.no_media_seconds or FOREVER for plan in plans if plan.receive], default=FOREVER)
        entry.patience_us = int(patience * 1_000_000)
        return True

    def _wake(self, call: int) -> None:
        """Makes the call's streams, if they are not there, and has them run its plan."""
        entry = self._calls.get(call)
        if entry is None:
            return
        if entry.streams is None:
            entry.minute_us = self.now_us + MINUTE_US
        streams = entry.streams = entry.streams or {}
        plans = MediaPlan.from_wire(entry.wire).streams
        for leg in streams.keys() - {plan.leg for plan in plans}:
            streams.pop(leg).close()
        for plan in plans:
            self._apply_to_stream(call, streams, plan, entry.since_us)
        for stream in streams.values():
            stream.link(streams)

    def _apply_to_stream(self, call: int, streams: dict[str, Stream], plan: StreamPlan, since_us: int) -> None:
        problem = self._open_pair(plan.pair)
        if problem:
            self._events.append(("PortUnavailable", call, plan.leg, tuple(plan.pair), os.strerror(problem)))
            return
        port = self._ports[plan.pair]
        port.call = None
        rtcp = plan.remote_rtcp or (plan.remote and (plan.remote[0], plan.remote[1] + 1))
        plan = plan._replace(
            remote=sendable(plan.remote, (plan.pair.address, plan.pair.rtp)),
            remote_rtcp=sendable(rtcp, (plan.pair.address, plan.pair.rtcp)),
        )
        stream = streams.get(plan.leg)
        sources = stream.plan.sources if stream else ()
        if stream is None:
            stream = streams[plan.leg] = Stream(call, plan, port, self)
            stream.rtcp.reporter = Reporter(self._chance, self.wall_us, self.now_us)
        stream.replan(plan, port, since_us)
        if plan.sources != sources:
            player = stream.player or Player(self._load, *_random_start())
            if stream.play(player, self.now_us):
                self.at(self.now_us, stream.tick)

    def release(self, call: int) -> None:
        """Ends the call's streams; the final "CallStats" follows."""
        self._leave(call)
        stats = self._stats(call)
        entry = self._calls.pop(call, None)
        if entry is not None:
            for stream in (entry.streams or {}).values():
                stream.close()
            for _, pair, *_ in entry.wire:
                if pair in self._ports:
                    self._ports[pair].call = None
            entry.streams = None  # the round still has the call, for half a second at most
        self._events.append(("CallStats", call, True, stats))  # what it wrote is complete by now

    def _leave(self, call: int) -> None:
        entry = self._calls.get(call)
        for stream in ((entry and entry.streams) or {}).values():
            stream.leave(self.now_us)

    def query(self, call: int) -> None:
        """Answers with "CallStats" as they are now."""
        self._events.append(("CallStats", call, False, self._stats(call)))

    def _stats(self, call: int) -> list[tuple[Any, ...]]:
        entry = self._calls.get(call)
        if entry is None:
            return []
        if entry.streams is None:
            return [tuple(StreamStats(leg)) for leg, *_ in entry.wire]
        return [tuple(stream.stats()) for stream in entry.streams.values()]

    def _sweep(self, _due_us: int, now_us: int) -> int:
        """Looks at the calls that have not been looked at for long, a few at a time: packets wait meanwhile."""
        self._channel.flush()
        for _ in range(1 + len(self._round) // SWEEPS):
            if not self._round or self._round[0][1].swept_us + SWEEP_US > now_us:
                break
            call, entry = self._round.popleft()
            if self._calls.get(call) is entry:
                self._round.append((call, entry))
                self._sweep_call(call, entry, now_us)
        next_us = self._round[0][1].swept_us if self._round else now_us
        return max(next_us + SWEEP_US, now_us + SWEEP_US // SWEEPS)

    def _sweep_call(self, call: int, entry: Call, now_us: int) -> None:
        elapsed_us, entry.swept_us = now_us - entry.swept_us, now_us
        if entry.streams is None and now_us - entry.since_us >= entry.patience_us:
            self._wake(call)
        listening = len(self._calls) <= LISTENED_CALLS
        for stream in (entry.streams or {}).values():
            stream.listen(listening)
            stream.sweep(now_us, elapsed_us)
        if entry.streams and entry.minute_over(now_us):
            self._events.append(("MinuteStats", call, self._stats(call)))

    def open_new(self, path: str) -> File:
        """An empty file, with its folder. OSError."""
        return _open(path, "wb")

    def open_on(self, path: str) -> File:
        """A file to write on at its end, with its folder. OSError."""
        return _open(path, "ab")

    def open_tap(self, path: str) -> socket.socket:
        """A Unix datagram socket that another program listens on. OSError."""
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            made.setblocking(False)
            made.connect(path)
        except OSError:
            made.close()
            raise
        return made

    def _load(self, path: str) -> Clip:
        """The audio of a WAV file, read again when the file has changed. OSError, ValueError."""
        status = os.stat(path)
        if status.st_size > LARGEST_WAV:
            raise ValueError(f"{path}: a file of {status.st_size} bytes is too large to play")
        key = (path, status.st_mtime_ns, status.st_size)
        if key not in self._clips:
            while len(self._clips) >= CLIPS_KEPT:
                del self._clips[next(iter(self._clips))]
            with open(path, "rb") as file:
                self._clips[key] = Clip(file.read())
        return self._clips[key]


def _open(path: str, mode: Literal["ab", "wb"]) -> File:
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    return open(path, mode, buffering=0)


def _random_start() -> tuple[int, int, int]:
    """SSRC, first sequence number and first timestamp (RFC 3550 5.1: random)."""
    return int.from_bytes(os.urandom(4)), int.from_bytes(os.urandom(2)), int.from_bytes(os.urandom(4))


def main() -> None:
    """Serves the channel whose file descriptor the command line names, until it closes."""
    for ignored in (signal.SIGINT, signal.SIGTERM):  # the program that started us decides when calls end
        signal.signal(ignored, signal.SIG_IGN)
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if descriptors == resource.RLIM_INFINITY:
        descriptors = 1 << 20
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    process = RelayProcess(Channel(socket.socket(fileno=int(sys.argv[1]))), descriptors)
    gc.disable()  # streams let go of each other when they close
    gc.freeze()
    process.run()


if __name__ == "__main__":
    main()
