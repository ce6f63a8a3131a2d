"""A peer that breaks off its TCP connection, on real sockets."""

import asyncio
import socket
import struct
from collections.abc import Callable

import pytest

from tests.sip.edge import PATIENCE, edge
from voiceconnector.app import new_event_loop


async def _peer_that_resets() -> tuple[socket.socket, asyncio.Task[None]]:
    """A listener that reads one message and cuts the connection with RST."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    loop = asyncio.get_running_loop()

    async def serve() -> None:
        connection, _ = await loop.sock_accept(listener)
        await loop.sock_recv(connection, 65_535)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    return listener, asyncio.create_task(serve())


def test_a_connection_that_the_peer_breaks_off_fails_the_request_at_once() -> None:
    """RFC 3261 8.1.3.1: a transport error is treated as 503; nobody waits 32 s for an answer that cannot come."""

    async def play() -> None:
        async with edge() as ours:
            local = await ours.transport.open_tcp("x", "127.0.0.1", 0)
            listener, served = await _peer_that_resets()
            with listener:
                ours.send(local, listener.getsockname())
                assert (await ours.outcome()).startswith("503: TCP 127.0.0.1")
                await asyncio.wait_for(served, PATIENCE)
            assert ours.stack.open_transactions == 0

    asyncio.run(play())


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, new_event_loop])
def test_a_connection_that_is_reset_before_it_is_accepted_is_none(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """accept(2): it may be gone by then, and nobody is at its other end any more."""

    async def play() -> None:
        faults: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, fault: faults.append(fault))
        async with edge() as ours:
            local = await ours.transport.open_tcp("x", "127.0.0.1", 0)
            with socket.create_connection((local.host, local.port)) as gone:
                gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with socket.create_connection((local.host, local.port)) as other:
                other.setblocking(False)
                await asyncio.get_running_loop().sock_sendall(other, b"\r\n\r\n")
                assert await asyncio.get_running_loop().sock_recv(other, 10) == b"\r\n"
        assert not faults

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(play())
