"""The media relay as signalling sees it: ports handed out at once, plans sent, events read. The seam.

Packets are moved by another process (`relay_process`), so that call set-up does not delay audio, nor audio
call set-up. Everything here returns at once: ports come from a local list that the process fills ahead of
demand, and commands go out as one batch a turn. When the process dies, its calls are named and another is
started.

    turn:  allocate() ... apply() ... release() ... flush()          fileno() readable:  read_events()
"""

import os
import select
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple, get_args

from voiceconnector.media.plan import Address, MediaPlan, PortPair
from voiceconnector.media.quality import StreamStats
from voiceconnector.media.relay_process import Channel, Message

PAIRS_AT_START = 128
"""Opened at once on each media address; doubled whenever less than half are free."""
RESTART_SECONDS = 1.0
"""A process that dies before it said anything is started again only so long after its start."""
RETRY_SECONDS = 1.0
"""How often ports that other programs had taken are tried again once all others are in use."""


class FirstPacket(NamedTuple):
    """The first RTP of a leg has come."""

    call: int
    leg: str
    source: Address
    signalled: Address | None


class NoMedia(NamedTuple):
    """No RTP at all has come for `seconds` since the plan that wants it."""

    call: int
    leg: str
    seconds: float


class MediaStopped(NamedTuple):
    """RTP had come, and none for `seconds` now."""

    call: int
    leg: str
    seconds: float


class WrongSource(NamedTuple):
    """RTP came from elsewhere than the leg's remote, and was dropped. Told once for each plan."""

    call: int
    leg: str
    source: Address
    expected: Address | None


class Flooded(NamedTuple):
    """RTP comes far faster than audio does, and is dropped while it does. Told once for each plan."""

    call: int
    leg: str
    packets_per_second: int


class SilentAudio(NamedTuple):
    """RTP comes, and there has been nothing to hear in it for `seconds`."""

    call: int
    leg: str
    seconds: float


class AudioHeard(NamedTuple):
    """There is something to hear again, after `seconds` of silent audio."""

    call: int
    leg: str
    seconds: float


class WrongPayloadType(NamedTuple):
    """RTP of a payload type that was not agreed has come, and is dropped. Told once for each plan."""

    call: int
    leg: str
    payload_type: int


class ClockDrift(NamedTuple):
    """The remote's audio clock is faster than ours by this, or slower if negative. Told once for each plan."""

    call: int
    leg: str
    ppm: int


class DigitReceived(NamedTuple):
    """A DTMF digit has come as named event, and was passed on."""

    call: int
    leg: str
    digit: str
    duration_ms: int


class ToneDigit(NamedTuple):
    """A DTMF digit has come as tones in the audio."""

    call: int
    leg: str
    digit: str


class SourceFinished(NamedTuple):
    """A source of the plan has come to its end."""

    call: int
    leg: str
    source: str
    """Its kind: "Digits", "Play", ..."""
    problem: str
    """Why nothing or not all was sent; empty when it was."""


class ProtectionFailed(NamedTuple):
    """SRTP was agreed, and what came cannot be authenticated, or is plain RTP. Told once for each plan and reason."""

    call: int
    leg: str
    source: Address | None
    """None: the plan's keys can not be used."""
    why: str
    """AUTHENTICATION or UNENCRYPTED of `plan`; or what is wrong with the plan's keys."""


class SinkFailed(NamedTuple):
    """A recording, capture or tap has ended early, or could not begin. Told once for each."""

    call: int
    leg: str
    sink: str
    """Its kind: "Record", "Capture", "Tap"."""
    path: str
    problem: str


class CallStats(NamedTuple):
    """The counters of a call's streams: the answer to a query, or the last ones."""

    call: int
    final: bool
    streams: tuple[StreamStats, ...]


class MinuteStats(NamedTuple):
    """The counters of a call's streams, a minute after the first packet and each minute from then on."""

    call: int
    streams: tuple[StreamStats, ...]


class PortUnavailable(NamedTuple):
    """The leg has no media: another program took its port while the process was restarted."""

    call: int
    leg: str
    pair: PortPair
    problem: str


class RelayDied(NamedTuple):
    """The process is gone, and with it the media of these calls; release them. New calls go on."""

    calls: tuple[int, ...]


Told = (
    FirstPacket | NoMedia | MediaStopped | WrongSource | Flooded | SilentAudio | AudioHeard | WrongPayloadType
    | ClockDrift | DigitReceived | ToneDigit | SourceFinished | ProtectionFailed | SinkFailed | CallStats
    | MinuteStats | PortUnavailable
)  # fmt: skip
"""What the process tells."""
RelayEvent = Told | RelayDied

_EVENTS: dict[str, Callable[..., Told]] = {event.__name__: event for event in get_args(Told)}
_PACKAGE_ROOT = Path(__file__).parents[2]


class PortPool:
    """The RTP ports of one media address: which are open, free, in use, or taken by other programs."""

    def __init__(self, address: str, low: int, high: int) -> None:
        """Even ports from `low` to `high` are for RTP, the ones after them for RTCP."""
        self.address = address
        self.low, self.high = low, high
        self.in_use: set[int] = set()
        # Made at once and kept: made under load, they would lie between what calls leave behind.
        self._pairs = {port: PortPair(address, port) for port in range(low + (low & 1), high + 1, 2)}
        self._unopened = deque(self._pairs)
        self._asked: set[int] = set()
        self._open: set[int] = set()
        # Longest unused first, so that late packets of a call find no other.
        self._free: deque[PortPair] = deque()
        self._taken: dict[int, int] = {}  # port -> why it could not be opened, an error number
        self._retry_at = 0.0

    def take(self) -> PortPair | None:
        """A free pair, now in use."""
        while self._free:
            pair = self._free.popleft()
            if pair.rtp in self._open:
                self.in_use.add(pair.rtp)
                return pair
        return None

    def give_back(self, pair: PortPair) -> None:
        """A pair is free again."""
        self.in_use.remove(pair.rtp)
        self._free.append(pair)

    def wanted(self) -> list[int]:
        """The ports to be opened now: as many as are open, once less than half of those are free."""
        if self._asked or len(self._free) * 2 >= max(1, len(self._open)):
            return []
        count = min(max(PAIRS_AT_START, len(self._open)), len(self._unopened))
        ports = [self._unopened.popleft() for _ in range(count)]
        if not ports and not self._free and monotonic() >= self._retry_at:
            self._retry_at = monotonic() + RETRY_SECONDS
            ports = list(self._taken)
        self._asked.update(ports)
        return ports

    def reopen(self) -> list[int]:
        """The ports that a new process has to open: all that the one before had, or was about to."""
        return sorted(self._open | self._asked)

    def opened(self, port: int, problem: int) -> None:
        """The process has opened a port, or could not (error number)."""
        self._asked.discard(port)
        if problem:
            self._taken[port] = problem
            self._open.discard(port)
        elif port not in self._open:
            self._taken.pop(port, None)
            pair = self._pairs[port]
            self._open.add(pair.rtp)
            self._free.append(pair)

    @property
    def opening(self) -> bool:
        """Whether the process has yet to answer."""
        return bool(self._asked)

    @property
    def open(self) -> int:
        """Pairs open, free and in use."""
        return len(self._open)

    def why_none(self) -> str:
        """Why `take` has nothing to give, as a sentence."""
        where = f"{self.address} ports {self.low}-{self.high}"
        if self._asked - self._taken.keys():
            return f"RTP ports of {where} are still being opened; {len(self.in_use)} pairs are in use"
        problems = " and ".join(sorted({os.strerror(problem) for problem in self._taken.values()}))
        if not self._open and problems:
            return f"no RTP port of {where} could be opened: {problems}"
        full = f"all {len(self.in_use)} RTP port pairs of {where} are in use"
        return f"{full}; {len(self._taken)} more could not be opened: {problems}" if problems else full


class Relay:
    """Hands out ports and runs plans in the relay process. A call is known by a number the user chooses."""

    def __init__(self, ranges: Mapping[str, tuple[int, int]]) -> None:
        """`ranges`: media address -> first and last RTP port. Nothing happens before `start`."""
        self._pools = {address: PortPool(address, low, high) for address, (low, high) in ranges.items()}
        self._plans: dict[int, MediaPlan] = {}
        self._commands: list[Message] = []
        self._events: list[RelayEvent] = []
        self._readiness = select.epoll()
        self._channel: Channel | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._dying: list[subprocess.Popen[bytes]] = []
        self._started_at = -RESTART_SECONDS
        self._waiting = False  # for the process to take what is left to write
        self._answered = False
        self._deaths = 0
        self._closed = False

    def start(self) -> None:
        """Starts the process and has it open its first ports. Does not wait for it."""
        self._start()
        self.flush()

    def fileno(self) -> int:
        """Readable when `read_events` has something to do. Stays the same when the process is restarted."""
        return self._readiness.fileno()

    @property
    def process_id(self) -> int | None:
        """The process that relays now."""
        return self._process.pid if self._process else None

    @property
    def opening(self) -> bool:
        """Whether ports that were asked for are still being opened."""
        return any(pool.opening for pool in self._pools.values())

    def pairs_open(self, media_address: str) -> int:
        return self._pools[media_address].open

    def pairs_in_use(self, media_address: str) -> int:
        return len(self._pools[media_address].in_use)

    def allocate(self, media_address: str) -> PortPair | None:
        """A port pair for one leg, or None, which `why_none` explains. To be given back to `release`."""
        pool = self._pools.get(media_address)
        if pool is None or not self._running():
            return None
        pair = pool.take()
        self._grow(pool)
        return pair

    def why_none(self, media_address: str) -> str:
        """Why `allocate` just returned None, as a sentence."""
        pool = self._pools.get(media_address)
        if pool is None:
            return f"no RTP ports are configured for {media_address}"
        if self._channel is None:
            return f"the media relay is not running; it has died {self._deaths} times"
        return pool.why_none()

    def apply(self, call: int, plan: MediaPlan) -> None:
        """Runs this plan for the call in place of the one before. The same plan again costs nothing."""
        if self._plans.get(call) != plan:
            self._plans[call] = plan
            self._commands.append(("apply", call, plan.to_wire()))

    def release(self, call: int, pairs: Iterable[PortPair]) -> None:
        """Ends the call's media and takes its ports back. A final CallStats follows if it ever had a plan."""
        if self._plans.pop(call, None) is not None:
            self._commands.append(("release", call))
        for pair in pairs:
            self._pools[pair.address].give_back(pair)

    def query(self, call: int) -> None:
        """Asks for the call's counters; a CallStats follows."""
        self._commands.append(("query", call))

    def flush(self) -> None:
        """Sends the turn's commands, in one batch. To be called at the end of each turn."""
        if self._commands and self._running() and self._channel:
            commands, self._commands = self._commands, []
            self._write(commands)

    def read_events(self) -> list[RelayEvent]:
        """What has happened since this was last asked."""
        for _, readiness in self._readiness.poll(0):
            if readiness & select.EPOLLOUT:
                self._write([])
            if readiness & ~select.EPOLLOUT:
                self._read()
        self._reap()
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        """Ends the process and forgets everything."""
        self._closed = True
        if self._channel:
            self._channel.socket.close()
            self._channel = None
        self._readiness.close()
        if self._process:
            self._dying.append(self._process)
            self._process = None
        for process in self._dying:
            try:
                process.wait(1.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._dying.clear()

    def _running(self) -> bool:
        """Whether there is a process; starts one that has not died only just now."""
        if self._channel is None and not self._closed and monotonic() >= self._started_at + RESTART_SECONDS:
            self._start()
        return self._channel is not None

    def _start(self) -> None:
        self._started_at = monotonic()
        self._answered = self._waiting = False
        ours, theirs = socket.socketpair()
        module = "voiceconnector.media.relay_process"
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-S", "-m", module, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(_import_path())},
            )
        except OSError:
            ours.close()
            self._deaths += 1
            return
        finally:
            theirs.close()
        self._channel = Channel(ours)
        self._readiness.register(ours, select.EPOLLIN)
        for pool in self._pools.values():
            self._grow(pool)
        reopen = [("open", pool.address, pool.reopen()) for pool in self._pools.values()]
        self._commands = [*reopen, *(command for command in self._commands if command[0] != "open")]

    def _grow(self, pool: PortPool) -> None:
        ports = pool.wanted()
        if ports:
            self._commands.append(("open", pool.address, ports))

    def _write(self, commands: list[Message]) -> None:
        """Sends a batch, or what is left of earlier ones; the rest once the process reads on."""
        assert self._channel
        try:
            done = self._channel.send(commands) if commands else self._channel.flush()
        except OSError:
            return  # it is gone, and its end of the channel says so next
        if done == self._waiting:
            self._waiting = not done
            mask = select.EPOLLIN | select.EPOLLOUT if self._waiting else select.EPOLLIN
            self._readiness.modify(self._channel.socket, mask)

    def _read(self) -> None:
        assert self._channel
        try:
            messages = self._channel.receive()
        except (EOFError, OSError):
            self._bury()
            return
        self._answered = True
        for name, *fields in messages:
            if name == "opened":
                address, port, problem = fields
                self._pools[address].opened(port, problem)
            else:
                self._events.append(_event(name, fields))
        for pool in self._pools.values():
            self._grow(pool)  # Where other programs had the ports that were tried, the next ones are.
        self.flush()

    def _bury(self) -> None:
        """The process is gone: names its calls and starts another."""
        assert self._channel
        assert self._process
        self._readiness.unregister(self._channel.socket)
        self._channel.socket.close()
        self._channel = None
        self._process.kill()
        self._dying.append(self._process)
        self._process = None
        self._deaths += 1
        self._events.append(RelayDied(tuple(self._plans)))
        self._plans.clear()
        self._commands.clear()
        if self._answered:
            self._started_at = -RESTART_SECONDS
        if self._running():
            self.flush()

    def _reap(self) -> None:
        self._dying = [process for process in self._dying if process.poll() is None]


def _import_path() -> list[str]:
    """Where the process finds this package and what it needs; it does without `site`, to start at once."""
    specs = filter(None, map(find_spec, ("pylibsrtp", "_cffi_backend", "cryptography")))
    folders = [Path(spec.origin).parents[bool(spec.submodule_search_locations)] for spec in specs if spec.origin]
    return list(dict.fromkeys(map(str, (_PACKAGE_ROOT, *folders))))


def _event(name: str, fields: list[Any]) -> RelayEvent:
    if name == "CallStats":
        call, final, streams = fields
        return CallStats(call, final, tuple(StreamStats._make(stream) for stream in streams))
    if name == "MinuteStats":
        call, streams = fields
        return MinuteStats(call, tuple(StreamStats._make(stream) for stream in streams))
    if name == "PortUnavailable":
        call, leg, pair, problem = fields
        return PortUnavailable(call, leg, PortPair(*pair), problem)
    return _EVENTS[name](*fields)
