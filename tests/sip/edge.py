"""A transport at the edge, and peers for it, over real sockets on the loopback."""

import asyncio
import random
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.wire import request
from voiceconnector.sip.hop import Hop, Local
from voiceconnector.sip.ids import Ids
from voiceconnector.sip.message import Request, Response
from voiceconnector.sip.stack import SipStack
from voiceconnector.sip.stream import StreamParser
from voiceconnector.sip.transaction import ClientTransaction, ServerTransaction
from voiceconnector.sip.transport import Transport

Scenario = Callable[[], Awaitable[None]]
Run = Callable[[Scenario], None]
PATIENCE = 60.0
"""Seconds after which something that should have happened has not."""
OPTIONS_LINES = "From: <sip:a@b>;tag=a\r\nTo: <sip:c@d>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"


class Answering:
    """Answers each request with its own body, and tells what became of those it sent. Breaks on demand."""

    def __init__(self) -> None:
        self.requests: asyncio.Queue[Request] = asyncio.Queue()
        self.outcomes: asyncio.Queue[str] = asyncio.Queue()
        self.faults: list[str] = []
        self.hops: list[Hop] = []

    def on_request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        if request.header("subject") == "break":
            raise RuntimeError("as it was told")
        self.requests.put_nowait(request)
        self.hops.append(transaction.hop)
        transaction.respond(200, "OK", now, body=request.body)

    def on_overload(self, request: Request, hop: Hop, now: float) -> tuple[int, str, str] | None:
        return 503, "Service Unavailable", ""

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        self.outcomes.put_nowait(str(response.status_code))

    def on_client_failure(self, transaction: ClientTransaction, status: int, why: str, now: float) -> None:
        self.outcomes.put_nowait(f"{status}: {why}")

    def on_fault(self, fault: Exception, now: float) -> None:
        self.faults.append(str(fault))


class Edge:
    """A transport with its stack and core."""

    def __init__(self, settle: Callable[[float], None] = lambda _now: None) -> None:
        self.core = Answering()
        self.stack = SipStack(self.core, Ids(random.Random(1)))
        self.transport = Transport(self.stack, settle=settle, on_fault=self.core.on_fault)

    def send(
        self,
        local: Local,
        address: tuple[str, int],
        fallback: tuple[str, int] | None = None,
        body: bytes = b"",
        server_name: str = "",
    ) -> None:
        """Send an OPTIONS, over TLS to somebody who is expected to have this name."""
        hop = Hop(local, address, fallback, server_name)
        self.transport.turn(
            lambda now: self.stack.request("OPTIONS", "sip:c@d", OPTIONS_LINES, body, hop, self.core, [], now)
        )

    async def outcome(self) -> str:
        return await asyncio.wait_for(self.core.outcomes.get(), PATIENCE)


@asynccontextmanager
async def edge(settle: Callable[[float], None] = lambda _now: None) -> AsyncIterator[Edge]:
    made = Edge(settle)
    try:
        yield made
    finally:
        await made.transport.close()


class UdpPeer:
    """A plain socket."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.setblocking(False)
        self.socket.bind((host, 0))
        self.address: tuple[str, int] = self.socket.getsockname()[:2]

    async def receive(self) -> bytes:
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.socket, 70_000), PATIENCE)


@asynccontextmanager
async def udp_peer(host: str = "127.0.0.1") -> AsyncIterator[UdpPeer]:
    peer = UdpPeer(host)
    try:
        yield peer
    finally:
        peer.socket.close()


class TcpPeer:
    """One end of a connection, cut into messages."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.parser = StreamParser()
        self.messages: list[bytes] = []

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.writer.get_extra_info("sockname")[:2]
        return host, port

    async def receive(self) -> bytes:
        while not self.messages:
            piece = await asyncio.wait_for(self.reader.read(65_536), PATIENCE)
            assert piece, "the connection was closed"
            self.messages += self.parser.feed(piece)
        return self.messages.pop(0)

    async def closed(self) -> None:
        assert await asyncio.wait_for(self.reader.read(), PATIENCE) == b""

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


@asynccontextmanager
async def tcp_peer(local: Local) -> AsyncIterator[TcpPeer]:
    """Connected to a listener of ours."""
    peer = TcpPeer(*await asyncio.open_connection(local.host, local.port))
    try:
        yield peer
    finally:
        await peer.close()


@asynccontextmanager
async def connected(local: Local, context: ssl.SSLContext | None = None) -> AsyncIterator[TcpPeer]:
    """The same, by TLS where there is a context; the connection may end in a reset."""
    peer = TcpPeer(*await asyncio.open_connection(local.host, local.port, ssl=context))
    try:
        yield peer
    finally:
        peer.writer.transport.abort()


class TcpListener:
    """A peer that we connect to."""

    def __init__(self) -> None:
        self.connections: asyncio.Queue[TcpPeer] = asyncio.Queue()
        self.address = ("", 0)
        self._accepted: list[TcpPeer] = []

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = TcpPeer(reader, writer)
        self._accepted.append(peer)
        self.connections.put_nowait(peer)

    async def connection(self) -> TcpPeer:
        return await asyncio.wait_for(self.connections.get(), PATIENCE)

    async def close(self) -> None:
        for peer in self._accepted:
            await peer.close()


@asynccontextmanager
async def tcp_listener(port: int = 0, context: ssl.SSLContext | None = None) -> AsyncIterator[TcpListener]:
    """Listens, for TLS where there is a context."""
    listener = TcpListener()
    server = await asyncio.start_server(listener.accept, "127.0.0.1", port, ssl=context)
    listener.address = server.sockets[0].getsockname()
    try:
        yield listener
    finally:
        server.close()
        await listener.close()


def closed_port(kind: socket.SocketKind, host: str = "127.0.0.1") -> int:
    """A port that nobody listens at."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as sock:
        sock.bind((host, 0))
        port: int = sock.getsockname()[1]
    return port


def options(number: int = 1, transport: str = "UDP", headers: str = "", body: bytes = b"") -> bytes:
    via = f"SIP/2.0/{transport} pbx.invalid;branch=z9hG4bK{number};rport"
    return request("OPTIONS", via=via, call_id=str(number), headers=headers, body=body)


def play(scenario: Scenario, new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop) -> None:
    """Run a scenario to its end on an event loop of its own."""

    async def whole() -> None:
        await asyncio.wait_for(scenario(), 4 * PATIENCE)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(whole())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)
