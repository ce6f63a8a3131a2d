"""A peer that breaks off its TCP connection, on real sockets."""

import asyncio
import socket
import struct

from tests.sip.test_transport import PATIENCE, edge


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
