"""The edge of SIP: UDP sockets, and the turn. `connections` does the rest of this package's I/O: TCP and TLS.

UDP sockets are read in a loop from `add_reader` until they are empty, which costs a quarter of a
`DatagramProtocol`. While messages come closer than `PAUSE`, what has come is taken once a pause instead: waking
up for each costs more than many a message.

A turn is: let the core take what has come, `settle` (hand on events, flush what must be written before an
answer leaves), send the whole outbox, set the one timer. An exception of ours ends in the turn: `on_fault`
cleans up after the transaction in hand and the process lives on.

`impede` rehearses outages: what `Reach` says of a listener is done to its packets here.
"""

import asyncio
import errno
import logging
import select
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from .connections import BUFFER, Connections
from .hop import Hop, Local
from .reach import LOST, Reach
from .stack import SipStack
from .stream import StreamError

log = logging.getLogger(__name__)

BATCH = 64
"""Datagrams taken in one turn, so that timers and answers are never far behind."""
PAUSE = 0.001
"""Seconds between turns under load. A call passes here some ten times, so that it may become 0.01 s slower."""
TIMER_PAUSE = 0.01
"""Seconds between wakings for timers, the shortest of which is 0.5 s."""
OVERLOAD_BEGINS, OVERLOAD_ENDS = 0.15, 0.03
"""Seconds that messages wait: new calls are refused from the first on, until it is down to the second."""
DATAGRAM_MEMORY = 2_304
"""Bytes of kernel memory that a SIP message over UDP takes in a queue."""
SCAN_SECONDS = 0.25
"""How often an unreachable address is looked up among the transactions."""
ADDRESSES_SCANNED = 1_000
ADDRESSES_KNOWN = 1_000
"""For so many source addresses a hop is kept."""
PROBES = 20
"""How often a port that is free for both UDP and TCP is looked for."""

_SO_MEMINFO = 55
_MEMINFO = struct.Struct("=9I")
_IP_RECVERR, _IPV6_RECVERR = 11, 25

Clock = Callable[[], float]
Observer = Callable[[float, Hop, bool, bytes], object]
"""Is told of each message: when, from or to where, whether we sent it, and the bytes."""


class Listener:
    """A UDP socket, and how far behind it is: what waits in it, at the time each message has taken lately."""

    def __init__(self, sock: socket.socket, local: Local) -> None:
        self.socket = sock
        self.local = local
        # Watched through an epoll of its own: uvloop gives up a descriptor for good at an error event, which is
        # how ICMP messages announce themselves.
        self.readiness = select.epoll()
        self.readiness.register(sock, select.EPOLLIN)
        self.behind = False
        """Whether new calls are to be refused."""
        self.drained = 0.0
        """When the last turn for it ended."""
        self.polled = False
        """Whether it is looked at once a pause, and not watched."""
        self.hops: dict[tuple[Any, ...], Hop] = {}
        """One for each source address, so that the messages remembered of it share one."""
        self._cost = 0.0
        """Seconds a datagram has taken, averaged over turns."""

    def turned(self, taken: int, began: float, now: float) -> None:
        """A turn has taken so many datagrams. One that left some behind says by how long they will be late."""
        if taken < BATCH or sys.platform != "linux":
            self.behind = False
            return
        self._cost += ((now - began) / taken - self._cost) * 0.1
        late = self._waiting() * self._cost
        self.behind = late > (OVERLOAD_ENDS if self.behind else OVERLOAD_BEGINS)

    def hop_of(self, address: tuple[Any, ...]) -> Hop:
        """The hop that stands for a source address, as `recvfrom` tells it, made when it is first seen."""
        if len(self.hops) >= ADDRESSES_KNOWN:
            self.hops.clear()
        hop = self.hops[address] = Hop(self.local, address[:2])
        return hop

    def _waiting(self) -> float:
        """Datagrams in the queue, from the memory they take; Linux can tell."""
        queued = _MEMINFO.unpack(self.socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))[0]
        return float(queued) / DATAGRAM_MEMORY

    def close(self) -> None:
        self.readiness.close()
        self.socket.close()


class Transport:
    """The sockets of one SIP stack."""

    def __init__(
        self,
        stack: SipStack,
        clock: Clock = time.monotonic,
        settle: Callable[[float], None] = lambda _now: None,
        on_fault: Callable[[Exception, float], None] | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.stack = stack
        self.reach = Reach()
        self._observer = observer
        self._receive: Callable[[bytes, Hop, float], None] = self._receive_observed if observer else stack.receive
        self._clock = clock
        self._settle = settle
        self._on_fault = on_fault
        self._loop = asyncio.get_running_loop()
        self._udp: dict[Local, Listener] = {}
        self._scanned: dict[tuple[str, int], float] = {}
        self.connections = Connections(self, clock)
        self._late: dict[Local, deque[Callable[[float], object]]] = {}
        """What is delayed on the way from or to connections, in order."""
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for = float("inf")
        self._closed = False

    # -- opening and closing

    def open_udp(self, name: str, host: str, port: int) -> Local:
        """Bind a UDP listener; port 0 takes a free one. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            _enlarge(sock)
            _want_icmp_errors(sock)
            sock.setblocking(False)
            sock.bind((host, port))
        except OSError:
            sock.close()
            raise
        local = Local(name, "UDP", host, sock.getsockname()[1])
        self._udp[local] = listener = Listener(sock, local)
        self.stack.add_local(local)
        self._watch(listener)
        return local

    async def open_tcp(self, name: str, host: str, port: int) -> Local:
        """Listen for TCP connections; port 0 takes a free one. Raises OSError."""
        return await self._open_stream(name, "TCP", host, port)

    async def open_tls(self, name: str, host: str, port: int) -> Local:
        """The same for TLS, when `connections.tls` is there."""
        return await self._open_stream(name, "TLS", host, port)

    async def _open_stream(self, name: str, transport: str, host: str, port: int) -> Local:
        local = await self.connections.listen(name, transport, host, port)
        self.stack.add_local(local)
        return local

    async def close(self) -> None:
        """Send what is left, then close every socket."""
        self.turn_done(self._clock())
        self._closed = True
        if self._timer:
            self._timer.cancel()
        for listener in self._udp.values():
            self._loop.remove_reader(listener.readiness.fileno())
            listener.close()
        self._udp.clear()
        self.connections.close()
        await asyncio.sleep(0)

    # -- the turn

    def turn(self, change: Callable[[float], object]) -> None:
        """Let `change(now)` work on the core, and carry out what follows from it."""
        now = self._clock()
        self._guarded(change, now)
        self.turn_done(now)

    def turn_done(self, now: float) -> None:
        """Hand on events, send the outbox, set the timer."""
        self._guarded(self._settle, now)
        stack = self.stack
        while stack.outbox:
            batch, stack.outbox = stack.outbox, []
            for hop, data in batch:
                if self._observer:
                    self._observer(now, hop, True, data)
                if not ((self.reach.delays or self._late) and self._impeded(hop.local, partial(self._send, hop, data))):
                    self._send(hop, data, now)
        due = stack.timers.next_due()
        if due is not None and due < self._armed_for:
            self._arm(due)

    def _receive_observed(self, data: bytes, source: Hop, now: float) -> None:
        assert self._observer
        self._observer(now, source, False, data)
        self.stack.receive(data, source, now)

    def _arm(self, due: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._armed_for = due
        self._timer = self._loop.call_later(max(TIMER_PAUSE, due - self._clock()), self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._armed_for = float("inf")
        self.turn(self.stack.fire)

    def _guarded(self, change: Callable[[float], object], now: float) -> None:
        try:
            change(now)
        except Exception as fault:
            self._fault(fault, now)

    def _fault(self, fault: Exception, now: float) -> None:
        log.exception("a fault of the emulator; the call it happened in is ended")
        if self._on_fault:
            self._on_fault(fault, now)

    # -- outages

    def impede(self, name: str, delay: float) -> None:
        """Let packets of the listeners with this name take so many seconds longer from now on; LOST: none arrives.

        TCP that is cut off falls silent: its peers get no acknowledgement, and no connection. What was
        connected before is reset once packets get through again, as by a host that has started anew.
        """
        was_cut_off = self.reach.is_cut_off(name)
        self.reach.set(name, delay)
        if was_cut_off != self.reach.is_cut_off(name):
            self.connections.cut_off(name, not was_cut_off)

    def _impeded(self, local: Local, go_on: Callable[[float], object]) -> bool:
        """Whether a packet does not travel at once: it is lost, or `go_on` is a later turn."""
        delay = self.reach.delay(local)
        if not delay and local not in self._late:
            return False
        if delay != LOST and local.reliable:
            self._late.setdefault(local, deque()).append(go_on)
            self._loop.call_later(delay, self._go_on_in_order, local)
        elif delay != LOST:
            self._loop.call_later(delay, self._go_on, local, go_on)
        return True

    def _go_on_in_order(self, local: Local) -> None:
        """A delay is over: whoever is first in line goes on, so that streams keep their order when delays change."""
        line = self._late[local]
        go_on = line.popleft()
        if not line:
            del self._late[local]
        self._go_on(local, go_on)

    def _go_on(self, local: Local, go_on: Callable[[float], object]) -> None:
        if not self._closed and self.reach.delay(local) != LOST:
            self.turn(go_on)

    # -- UDP

    def _watch(self, listener: Listener) -> None:
        """Drain it when something has come."""
        listener.polled = False
        self._loop.add_reader(listener.readiness.fileno(), self._drain, listener)

    def _poll(self, listener: Listener) -> None:
        """Drain it a pause from now, whatever comes."""
        if not listener.polled:
            listener.polled = True
            self._loop.remove_reader(listener.readiness.fileno())
        self._loop.call_later(PAUSE, self._drain, listener)

    def _drain(self, listener: Listener) -> None:
        sock = listener.socket
        if sock.fileno() < 0:
            return  # Closed since this was planned.
        now = self._clock()
        taken = self._take(listener, now)
        if taken:
            self.turn_done(now)
            done = self._clock()
            listener.turned(taken, now, done)
            if listener.polled or now - listener.drained < PAUSE:
                self._poll(listener)
            listener.drained = done
        elif listener.polled:
            self._watch(listener)

    def _take(self, listener: Listener, now: float) -> int:
        """Let the stack have a batch of what has come; how many messages there were."""
        receive, reach, sock, local = self._receive, self.reach, listener.socket, listener.local
        hops = listener.hops
        self.stack.overloaded = listener.behind
        taken = 0
        for _ in range(BATCH):
            try:
                data, address = sock.recvfrom(65_535)
            except BlockingIOError:
                if taken or not self._read_icmp(sock, local, now):
                    break
                taken = 1  # Woken not by a datagram but by an ICMP error.
                continue
            except OSError:
                self._read_icmp(sock, local, now)
                taken = taken or 1
                continue
            taken += 1
            hop = hops.get(address) or listener.hop_of(address)
            if reach.delays and self._impeded(local, partial(receive, data, hop)):
                continue
            try:
                receive(data, hop, now)
            except Exception as fault:
                self._fault(fault, now)
        return taken

    def _read_icmp(self, sock: socket.socket, local: Local, now: float) -> bool:
        """Learn from the socket's error queue which destinations are unreachable; whether there was one."""
        errors = 0
        while sys.platform == "linux":
            try:
                _, ancillary, _, address = sock.recvmsg(0, 512, socket.MSG_ERRQUEUE)
            except OSError:
                break
            errors += 1
            if now < self._scanned.get(address, 0.0) + SCAN_SECONDS:
                continue  # What was sent there since will be sent again, and be told of then.
            if len(self._scanned) > ADDRESSES_SCANNED:
                self._scanned.clear()
            self._scanned[address] = now
            if self.reach.is_cut_off(local.name):
                continue
            code = struct.unpack_from("=I", ancillary[0][2])[0] if ancillary else 0
            self._failed(Hop(local, address[:2]), f"ICMP says: {errno.errorcode.get(code, str(code))}", now)
        return errors > 0

    def _failed(self, hop: Hop, why: str, now: float) -> None:
        self._guarded(lambda now: self.stack.transport_failed(hop, why, now), now)

    # -- sending

    def _send(self, hop: Hop, data: bytes, now: float) -> None:
        listener = self._udp.get(hop.local)
        if listener is None:
            self.connections.send(hop, data)
            return
        sock = listener.socket
        try:
            sock.sendto(data, hop.address)
        except BlockingIOError:
            return  # A full buffer is a lost packet: SIP repeats it.
        except OSError:
            # Either this datagram cannot be sent, or the error is ICMP's about an earlier one and this was not sent.
            self._read_icmp(sock, hop.local, now)
            self._send_once_more(sock, hop, data, now)

    def _send_once_more(self, sock: socket.socket, hop: Hop, data: bytes, now: float) -> None:
        try:
            sock.sendto(data, hop.address)
        except (BlockingIOError, ConnectionRefusedError):
            return  # One more ICMP error about something else. This datagram is lost, and will be repeated.
        except OSError as error:
            self._failed(hop, f"cannot send to {hop}: {error.strerror}", now)

    # -- connections

    def stream_received(self, local: Local, address: tuple[str, int], frames: Iterator[bytes]) -> None:
        """Let the stack have what came on a connection. Raises StreamError behind the last usable message."""
        now = self._clock()
        hop = Hop(local, address)
        try:
            for data in frames:
                if (self.reach.delays or self._late) and self._impeded(local, partial(self._receive, data, hop)):
                    continue
                try:
                    self._receive(data, hop, now)
                except Exception as fault:
                    self._fault(fault, now)
        except StreamError as error:
            self.stack.refuse_stream(error.head, error.status_code, str(error), hop)
            raise
        finally:
            self.turn_done(now)


def _want_icmp_errors(sock: socket.socket) -> None:
    """Have the kernel say which destination an ICMP error is about."""
    if sys.platform == "linux":
        is_ipv6 = sock.family == socket.AF_INET6
        level, option = (socket.IPPROTO_IPV6, _IPV6_RECVERR) if is_ipv6 else (socket.IPPROTO_IP, _IP_RECVERR)
        sock.setsockopt(level, option, 1)


def _enlarge(sock: socket.socket) -> None:
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        sock.setsockopt(socket.SOL_SOCKET, option, BUFFER)


def free_port(host: str) -> int:
    """A port that is free for UDP and TCP. Raises OSError where none is found."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for remaining in reversed(range(PROBES)):
        with socket.socket(family, socket.SOCK_DGRAM) as datagrams, socket.socket(family) as streams:
            try:
                datagrams.bind((host, 0))
                port: int = datagrams.getsockname()[1]
                streams.bind((host, port))
            except OSError:
                if not remaining:
                    raise
            else:
                return port
    raise AssertionError("every pass but the last one may fail")
