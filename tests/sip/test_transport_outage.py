"""Outages at the edge, over real sockets on the loopback: what is cut off is silent, what is slow is late."""

import asyncio
import socket

import pytest

from tests.sip.edge import (
    PATIENCE,
    Edge,
    Run,
    TcpPeer,
    UdpPeer,
    closed_port,
    connected,
    edge,
    options,
    tcp_listener,
    udp_peer,
    until,
)
from tests.wire import header, told
from voiceconnector.sip.reach import LOST

SILENCE = 0.15
"""Seconds that are waited for something that must not come. Nothing fails on a machine that is slower than that."""
DELAY = 0.05


async def hears_nothing(peer: UdpPeer) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.get_running_loop().sock_recv(peer.socket, 70_000), SILENCE)


async def is_reset(peer: TcpPeer) -> None:
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(peer.reader.read(), PATIENCE)


# -- down


def test_datagrams_are_dropped_both_ways_and_counted(run: Run) -> None:
    async def scenario() -> None:
        async with edge() as ours, udp_peer() as peer:
            local = ours.transport.open_udp("east", "127.0.0.1", 0)
            ours.transport.impede("east", LOST)
            peer.socket.sendto(options(1), ("127.0.0.1", local.port))
            await until(lambda: ours.transport.reach.dropped["east"] == 1)
            ours.send(local, peer.address)
            assert ours.transport.reach.dropped["east"] == 2
            assert ours.core.requests.empty()
            ours.transport.impede("east", 0)
            peer.socket.sendto(options(2), ("127.0.0.1", local.port))
            reply = await peer.receive()
            while told(reply) == "OPTIONS":  # Ours, repeated by timer E.
                reply = await peer.receive()
            assert (told(reply), header(reply, "Call-ID")) == ("200", "2")

    run(scenario)


def test_other_listeners_of_the_stack_go_on(run: Run) -> None:
    async def scenario() -> None:
        async with edge() as ours, udp_peer() as peer:
            ours.transport.open_udp("east", "127.0.0.1", 0)
            west = ours.transport.open_udp("west", "127.0.0.1", 0)
            ours.transport.impede("east", LOST)
            peer.socket.sendto(options(), ("127.0.0.1", west.port))
            assert told(await peer.receive()) == "200"

    run(scenario)


def test_what_icmp_says_does_not_get_in_either(run: Run) -> None:
    """RFC 1122 3.2.2.1 errors travel the same way as the packets that are lost."""

    async def scenario() -> None:
        async with edge() as ours:
            local = ours.transport.open_udp("east", "127.0.0.1", 0)
            there = ("127.0.0.1", closed_port(socket.SOCK_DGRAM))
            ours.transport._udp[local].socket.sendto(
                options(1), there
            )  # It left before; its error comes in the outage.
            ours.transport.impede("east", LOST)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ours.core.outcomes.get(), SILENCE)

    run(scenario)


def test_an_open_connection_falls_silent_and_is_reset_afterwards(run: Run) -> None:
    async def scenario() -> None:
        async with edge() as ours:
            local = await ours.transport.open_tcp("east", "127.0.0.1", 0)
            async with connected(local) as peer:
                peer.writer.write(options(1, "TCP"))
                assert told(await peer.receive()) == "200"
                ours.transport.impede("east", LOST)
                peer.writer.write(options(2, "TCP"))
                ours.send(local, peer.address)
                assert ours.transport.reach.dropped["east"] == 1
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(peer.reader.read(1), SILENCE)
                ours.transport.impede("east", 0)
                await is_reset(peer)
                assert ours.core.requests.qsize() == 1
            async with connected(local) as peer:
                peer.writer.write(options(3, "TCP"))
                assert told(await peer.receive()) == "200"

    run(scenario)


def test_no_connection_comes_about_while_it_is_down(run: Run) -> None:
    """No SYN-ACK and no RST, as from a host that is not there."""

    async def scenario() -> None:
        async with edge() as ours:
            local = await ours.transport.open_tcp("east", "127.0.0.1", 0)
            ours.transport.impede("east", LOST)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.open_connection(local.host, local.port), SILENCE)
            ours.transport.impede("east", 0)
            async with connected(local) as peer:
                peer.writer.write(options(1, "TCP"))
                assert told(await peer.receive()) == "200"

    run(scenario)


def test_a_connection_that_waits_at_the_door_when_it_goes_down_hears_nothing(run: Run) -> None:
    """The kernel has made it, and what the peer sent has come, before the listener could take it."""

    async def scenario() -> None:
        async with edge() as ours:
            local = await ours.transport.open_tcp("east", "127.0.0.1", 0)
            with socket.create_connection((local.host, local.port)) as peer:
                peer.sendall(options(1, "TCP"))
                ours.transport.impede("east", LOST)
                await until(lambda: bool(ours.transport.connections))
                peer.setblocking(False)
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(asyncio.get_running_loop().sock_recv(peer, 1), SILENCE)
                assert ours.core.requests.empty()
                ours.transport.impede("east", 0)
                with pytest.raises(ConnectionResetError):
                    await asyncio.wait_for(asyncio.get_running_loop().sock_recv(peer, 1), PATIENCE)

    run(scenario)


def test_nobody_is_connected_to_either(run: Run) -> None:
    async def scenario() -> None:
        async with edge() as ours, tcp_listener() as listener:
            local = await ours.transport.open_tcp("east", "127.0.0.1", 0)
            ours.transport.impede("east", LOST)
            ours.send(local, listener.address)
            assert ours.transport.reach.dropped["east"] == 1
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(listener.connections.get(), SILENCE)

    run(scenario)


def test_the_same_condition_again_changes_nothing(run: Run) -> None:
    async def scenario() -> None:
        async with edge() as ours:
            local = await ours.transport.open_tcp("east", "127.0.0.1", 0)
            ours.transport.impede("east", 0)
            async with connected(local) as peer:
                ours.transport.impede("east", 0)
                peer.writer.write(options(1, "TCP"))
                assert told(await peer.receive()) == "200"
                ours.transport.impede("east", LOST)
                ours.transport.impede("east", LOST)
                ours.transport.impede("east", DELAY)
                await is_reset(peer)

    run(scenario)


# -- slow


def test_datagrams_are_late_both_ways(run: Run) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with edge() as ours, udp_peer() as peer:
            local = ours.transport.open_udp("east", "127.0.0.1", 0)
            ours.transport.impede("east", DELAY)
            began = loop.time()
            peer.socket.sendto(options(), ("127.0.0.1", local.port))
            assert told(await peer.receive()) == "200"
            assert loop.time() - began >= 2 * DELAY * 0.9  # uvloop's clock counts milliseconds
            assert ours.transport.reach.dropped == {}

    run(scenario)


def test_messages_on_a_connection_are_late_and_stay_in_order(run: Run) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with edge() as ours:
            local = await ours.transport.open_tcp("east", "127.0.0.1", 0)
            async with connected(local) as peer:
                ours.transport.impede("east", DELAY)
                began = loop.time()
                peer.writer.write(b"".join(options(number, "TCP") for number in range(1, 9)))
                answers = [header(await peer.receive(), "Call-ID") for _ in range(8)]
                assert answers == [str(number) for number in range(1, 9)]
                assert loop.time() - began >= 2 * DELAY * 0.9

    run(scenario)


def test_a_connection_keeps_its_order_when_the_delay_ends(run: Run) -> None:
    """RFC 9293 1: TCP is an ordered byte stream, whatever happens to the network below it."""

    async def scenario() -> None:
        async with edge() as ours:
            local = await ours.transport.open_tcp("east", "127.0.0.1", 0)
            async with connected(local) as peer:
                ours.transport.impede("east", 4 * DELAY)
                peer.writer.write(options(1, "TCP"))
                await until(lambda: bool(ours.transport._late))
                ours.transport.impede("east", 0)
                peer.writer.write(options(2, "TCP") + options(3, "TCP"))
                answers = [header(await peer.receive(), "Call-ID") for _ in range(3)]
                assert answers == ["1", "2", "3"]
            assert not ours.transport._late

    run(scenario)


def test_what_is_on_its_way_when_it_goes_down_is_lost(run: Run) -> None:
    async def scenario() -> None:
        async with edge() as ours, udp_peer() as peer:
            local = ours.transport.open_udp("east", "127.0.0.1", 0)
            ours.transport.impede("east", DELAY)
            ours.send(local, peer.address)
            ours.transport.impede("east", LOST)
            await until(lambda: ours.transport.reach.dropped["east"] == 1)
            await hears_nothing(peer)

    run(scenario)


def test_nothing_late_is_sent_after_closing(run: Run) -> None:
    async def scenario() -> None:
        async with udp_peer() as peer:
            ours = Edge()
            local = ours.transport.open_udp("east", "127.0.0.1", 0)
            ours.transport.impede("east", DELAY)
            ours.send(local, peer.address)
            await ours.transport.close()
            await hears_nothing(peer)
            assert ours.core.faults == []

    run(scenario)
