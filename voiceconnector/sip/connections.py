"""Connections of a SIP stack: TCP and TLS, opened by peers or by us, and used both ways (RFC 3261 18, RFC 5626 4.4).

There is one connection to a peer's address; who it was verified to be counts where that is asked for (RFC 5922).
A connection that a peer has opened is on probation until something that it asked for is granted: of those there are
`PROBATION_ALL` at most, `PROBATION_SOURCE` from one address, for `PROBATION_SECONDS`. A handshake, and a message
that has begun, must be over in good time. A peer that has gone without a word is found by keep-alives of TCP.
"""

import asyncio
import ctypes
import logging
import socket
import ssl
import struct
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from .hop import Hop, Local, host_port
from .stream import StreamError, StreamParser
from .tls import Contexts, TlsSession

if TYPE_CHECKING:
    from .transport import Transport

log = logging.getLogger(__name__)

BUFFER = 4 * 1024 * 1024
"""Bytes that may wait for a slow peer."""
CONNECT_SECONDS = 5.0
HANDSHAKE_SECONDS = 4.0
MESSAGE_SECONDS = 10.0
"""From the first byte of a message to its last."""
CONNECTIONS = 10_000
"""Kept at most; more are refused at the door."""
PROBATION_ALL, PROBATION_SOURCE = 1_000, 200
PROBATION_SECONDS = 60.0
COMPLAINT_SECONDS = 5.0
"""How often the same is logged at most."""

_GRANTED = (b"SIP/2.0 1", b"SIP/2.0 2")
_KEEP_ALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 30_000}
"""Seconds of silence until the kernel asks, between its questions, how many; milliseconds that data may take."""
_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
_NO_LINGERING = struct.pack("ii", 1, 0)
_DROP_ALL = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0))
"""A packet filter of one instruction: return 0 bytes."""

Key = tuple[Local, str, int]


class Complaints:
    """Log lines of which peers could cause any number; each kind comes once in a while, with how often it was."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._told: dict[str, float] = {}
        self._kept_back: Counter[str] = Counter()

    def log(self, kind: str, sentence: str) -> None:
        now = self._clock()
        if now < self._told.get(kind, -COMPLAINT_SECONDS) + COMPLAINT_SECONDS:
            self._kept_back[kind] += 1
            return
        self._told[kind] = now
        more = self._kept_back.pop(kind, 0)
        log.warning("%s%s", sentence, f" (and {more} more like this since the last time)" if more else "")


class Connections:
    """All connections of one `Transport`."""

    def __init__(self, transport: "Transport", clock: Callable[[], float]) -> None:
        self.transport = transport
        self.tls: Contexts | None = None
        """For connections that begin from now on; those there are keep theirs."""
        self._loop = asyncio.get_running_loop()
        self._complaints = Complaints(clock)
        self._servers: list[asyncio.Server] = []
        self._listening: dict[Local, socket.socket] = {}
        self._open: set[Connection] = set()
        self._known: dict[Key, Connection] = {}
        """Where messages can be sent."""
        self._connecting: dict[tuple[Key, str], list[bytes]] = {}
        self._probation: Counter[str] = Counter()
        """Connections by source address."""
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._open)

    async def listen(self, name: str, transport: str, host: str, port: int) -> Local:
        """Take connections; `transport` is TCP or TLS, port 0 a free one. Raises OSError."""
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
            local = Local(name, transport, host, sock.getsockname()[1])
            server = await self._loop.create_server(lambda: Connection(self, local, None), sock=sock, backlog=1024)
        except OSError:
            sock.close()
            raise
        self._servers.append(server)
        self._listening[local] = sock
        return local

    def close(self) -> None:
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        for connection in list(self._open):
            connection.close()

    def cut_off(self, name: str, cut_off: bool) -> None:
        """Fall silent towards the peers of the listeners with this name, or hear them again.

        What was connected before is reset then, as by a host that has started anew.
        """
        for local, sock in self._listening.items():
            if local.name == name:
                _cut_off(sock, cut_off)
        for connection in [known for known in self._open if known.local.name == name]:
            if cut_off:
                connection.fall_silent()
            else:
                connection.reset()
                self._forget(connection)

    # -- sending

    def send(self, hop: Hop, data: bytes) -> None:
        """Send on the connection there is, or on a new one."""
        for address in (hop.address, hop.fallback):
            connection = address and self._known.get((hop.local, address[0], address[1]))
            if connection and connection.is_with(hop.server_name):
                connection.write(data)
                return
        host, port = (hop.fallback or hop.address)[:2]
        key = (hop.local, host, port), hop.server_name
        waiting = self._connecting.get(key)
        if waiting is not None:
            waiting.append(data)
            return
        self._connecting[key] = [data]
        task = self._loop.create_task(self._connect(hop, host, port))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, hop: Hop, host: str, port: int) -> None:
        local, where = hop.local, host_port(host, port)
        key = (local, host, port), hop.server_name
        ready: asyncio.Future[str] = self._loop.create_future()
        connection = Connection(self, local, ready, hop.server_name or host)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._loop.create_connection(lambda: connection, host, port, local_addr=(local.host, 0))
        except (OSError, TimeoutError) as error:
            reason = getattr(error, "strerror", None) or str(error) or "no connection in time"
            why = f"cannot connect to {local.transport} {where}: {reason}"
        else:
            failure = await ready
            why = failure and f"{local.transport} with {where} failed: {failure}"
        waiting = self._connecting.pop(key, [])
        if why:
            self.transport.turn(lambda now: self.transport.stack.transport_failed(hop, why, now))
            return
        for data in waiting:
            connection.write(data)

    # -- what connections tell

    def opened(self, connection: "Connection") -> str:
        """Let a connection in, or say why it is refused."""
        source = connection.key[1]
        refusal = ""
        if len(self._open) >= CONNECTIONS:
            refusal = f"there are {CONNECTIONS} connections already"
        elif not connection.is_ours and self._probation.total() >= PROBATION_ALL:
            refusal = f"of {PROBATION_ALL} connections nothing was granted yet"
        elif not connection.is_ours and self._probation[source] >= PROBATION_SOURCE:
            refusal = f"of {PROBATION_SOURCE} connections from there nothing was granted yet"
        if refusal:
            self.complain("refused", f"A connection from {connection.peer} was refused: {refusal}.")
            return refusal
        self._open.add(connection)
        if not connection.is_ours:
            self._probation[source] += 1
        if self.transport.reach.is_cut_off(connection.local.name):
            connection.fall_silent()
        return ""

    def usable(self, connection: "Connection") -> None:
        """Messages can be sent on it from now on."""
        self._known[connection.key] = connection

    def unusable(self, connection: "Connection") -> None:
        """Nothing can be sent on it any more."""
        if self._known.get(connection.key) is connection:
            del self._known[connection.key]

    def proven(self, connection: "Connection") -> None:
        """Its probation is over: something was granted, or it is gone."""
        source = connection.key[1]
        self._probation[source] -= 1
        if not self._probation[source]:
            del self._probation[source]

    def lost(self, connection: "Connection", why: str) -> None:
        """`why` is empty for one that was closed in good order."""
        self._forget(connection)
        if why:
            hop = Hop(connection.local, connection.key[1:])
            self.transport.turn(lambda now: self.transport.stack.connection_reset(hop, why, now))

    def complain(self, kind: str, sentence: str) -> None:
        """Count and log something that is wrong with a peer."""
        self.transport.stack.dropped[f"a connection: {kind}"] += 1
        self._complaints.log(kind, sentence)

    def _forget(self, connection: "Connection") -> None:
        self._open.discard(connection)
        self.unusable(connection)


class Connection(asyncio.Protocol):
    """One connection, whoever opened it."""

    def __init__(
        self, connections: Connections, local: Local, ready: asyncio.Future[str] | None, server_name: str = ""
    ) -> None:
        """One that we open tells by `ready` when it can be used: "", or why it cannot."""
        self.local = local
        self.key: Key = (local, "", 0)
        self.is_ours = ready is not None
        self._connections = connections
        self._ready = ready
        self._server_name = server_name
        self._tls: TlsSession | None = None
        self._verifies = False
        """Whether it counts who the peer is; one that has opened the connection has shown no certificate."""
        self._parser = StreamParser()
        self._stream: asyncio.Transport | None = None
        self._usable = False
        self._probation: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._begun = -1
        """Which message, counted from 0, the deadline is of."""
        self._why = ""

    @property
    def peer(self) -> str:
        """Transport and address, as sentences have it."""
        return f"{self.local.transport} {host_port(*self.key[1:])}"

    def is_with(self, server_name: str) -> bool:
        """Whether the peer is who is expected: anybody, if nobody is verified."""
        return not server_name or not self._verifies or server_name == self._server_name

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._stream = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance.
        peer = transport.get_extra_info("peername")
        if peer is None:  # It is gone before it was let in.
            self._stream.abort()
            return
        self.key = (self.local, peer[0], peer[1])
        if refusal := self._connections.opened(self):
            self._tell(refusal)
            self._stream.abort()
            return
        _keep_alive(transport.get_extra_info("socket"))
        loop = asyncio.get_running_loop()
        if not self.is_ours:
            self._probation = loop.call_later(PROBATION_SECONDS, self._give_up, "nothing that it asked for was granted")
        if self.local.transport == "TLS":
            self._begin_tls()
        else:
            self._use()

    def _begin_tls(self) -> None:
        contexts = self._connections.tls
        assert contexts, "a TLS listener was opened without certificates"
        try:
            self._tls = TlsSession(contexts, self._server_name)
        except ValueError as error:
            self._end(f"{self._server_name} cannot be the name of a TLS server: {error}")
            self.close()
            return
        self._verifies = contexts.client.verify_mode != ssl.CERT_NONE
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(HANDSHAKE_SECONDS, self._give_up, "the TLS handshake is not over")
        if self.is_ours:
            self.data_received(b"")

    def _use(self) -> None:
        """It is there: TCP is connected, or the TLS handshake is over."""
        self._usable = True
        self._connections.usable(self)
        self._tell("")

    def _tell(self, failure: str) -> None:
        if self._ready and not self._ready.done():
            self._ready.set_result(failure)

    # -- receiving

    def data_received(self, data: bytes) -> None:
        tls = self._tls
        if tls is None:
            self._take(data)
            return
        was_established = tls.established
        data = tls.receive(data)
        self._flush(tls)
        if tls.established and not was_established:
            self._stop_deadline()
            self._use()
        if data:
            self._take(data)
        if tls.failure:
            self._end(tls.failure)
            self.close()
        elif tls.ended:
            self.close()

    def _take(self, data: bytes) -> None:
        parser = self._parser
        try:
            self._connections.transport.stream_received(self.local, self.key[1:], parser.feed(data))
        except StreamError as error:
            log.info("%s: %s; the connection is closed", self.peer, error)
            self.close()
            return
        if pings := parser.take_pings():
            self.write(b"\r\n" * pings)
        if not parser.is_within_message:
            self._stop_deadline()
        elif self._begun != parser.messages:
            self._stop_deadline()
            self._begun = parser.messages
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(MESSAGE_SECONDS, self._give_up, "a message that has begun has no end")

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_deadline()
        was_on_probation = self._probation is not None
        self._end_probation()
        why = self._why
        if exc and not why:
            why = f"{self.peer} broke off the connection: {getattr(exc, 'strerror', None) or exc}"
        self._tell(why or "it closed the connection")
        # Nothing of ours is under way where nothing was granted yet.
        self._connections.lost(self, why if self._usable and not was_on_probation else "")
        self._stream = None

    # -- sending

    def write(self, data: bytes) -> None:
        if self._probation and data.startswith(_GRANTED):
            self._end_probation()
        if self._tls:
            self._tls.send(data)
            self._flush(self._tls)
        else:
            self._write(data)

    def _flush(self, tls: TlsSession) -> None:
        if data := tls.take():
            self._write(data)

    def _write(self, data: bytes) -> None:
        stream = self._stream
        if stream is None:
            return
        stream.write(data)
        if stream.get_write_buffer_size() > BUFFER:
            log.info("%s: reads nothing; the connection is cut", self.peer)
            stream.abort()

    # -- the end

    def close(self) -> None:
        self._connections.unusable(self)
        if self._tls:
            self._tls.close()
            self._flush(self._tls)
        if self._stream:
            self._stream.close()

    def fall_silent(self) -> None:
        """Neither hear nor answer the peer any more, not even with acknowledgements of TCP."""
        if self._stream and not self._stream.is_closing():
            self._stream.pause_reading()
            _cut_off(self._stream.get_extra_info("socket"), True)

    def reset(self) -> None:
        """Close with RST, as if nothing was known of the connection."""
        if self._stream:
            sock = self._stream.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
            self._stream.abort()

    def _give_up(self, what: str) -> None:
        self._end(f"{what} in time")
        self._connections.unusable(self)
        if self._stream:
            self._stream.abort()

    def _end(self, why: str) -> None:
        """It is about to be closed for something that is wrong with the peer."""
        self._why = why
        kind = why if self._usable else f"TLS handshake: {why}"
        self._connections.complain(kind, f"{self.peer}: {why}; the connection is closed.")

    def _stop_deadline(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None
            self._begun = -1

    def _end_probation(self) -> None:
        if self._probation:
            self._probation.cancel()
            self._probation = None
            self._connections.proven(self)


def _keep_alive(sock: socket.socket) -> None:
    """Have the kernel find out when the peer is gone without a word."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEP_ALIVE.items():
            if (option := getattr(socket, name, None)) is not None:
                sock.setsockopt(socket.IPPROTO_TCP, option, value)


def _cut_off(sock: socket.socket, cut_off: bool) -> None:
    """Have the kernel drop all that comes to a socket, before it answers, or take it again.

    Linux can. Elsewhere the kernel goes on to acknowledge what nobody reads.
    """
    if sys.platform != "linux":
        return
    with suppress(OSError):
        if cut_off:
            program = struct.pack("HP", 1, ctypes.addressof(_DROP_ALL))
            sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
        else:
            sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
