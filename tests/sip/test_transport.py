"""The edge against real sockets on the loopback: UDP, TCP, what breaks, and the turn around the core."""

import asyncio
import socket

import pytest

from tests.sip.edge import (
    OPTIONS_LINES,
    PATIENCE,
    Answering,
    Edge,
    TcpPeer,
    closed_port,
    edge,
    options,
    play,
    tcp_listener,
    tcp_peer,
    udp_peer,
)
from tests.wire import answer, body_of, header, request, told
from voiceconnector.sip import connections as connections_module
from voiceconnector.sip.hop import Hop, Local
from voiceconnector.sip.stack import SipStack
from voiceconnector.sip.transaction import ClientTransaction
from voiceconnector.sip.transport import ADDRESSES_KNOWN, BATCH, Listener

# -- UDP


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_datagram_is_answered_to_where_it_came_from(host: str) -> None:
    """RFC 3261 18.2.2, RFC 3581 4."""

    async def scenario() -> None:
        async with edge() as ours, udp_peer(host) as peer:
            local = ours.transport.open_udp("here", host, 0)
            assert (local.host, local.transport, ours.stack.locals["here", "UDP"]) == (host, "UDP", local)
            peer.socket.sendto(options(), (host, local.port))
            reply = await peer.receive()
            assert told(reply) == "200"
            assert header(reply, "Via").endswith(f";received={host};rport={peer.address[1]}")

    play(scenario)


def test_messages_from_one_source_share_a_hop_and_the_sources_known_are_bounded() -> None:
    local = Local("us-east-1", "UDP", "127.0.0.1", 5060)
    listener = Listener(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), local)
    try:
        first = listener.hop_of(("192.0.2.1", 5060))
        assert first == Hop(local, ("192.0.2.1", 5060))
        assert listener.hops["192.0.2.1", 5060] is first
        for port in range(1, 3 * ADDRESSES_KNOWN):
            listener.hop_of(("192.0.2.1", port))
            assert len(listener.hops) <= ADDRESSES_KNOWN
        assert listener.hop_of(("2001:db8::1", 5060, 0, 0)).address == ("2001:db8::1", 5060)
    finally:
        listener.close()


def test_a_message_of_60_000_bytes_comes_and_goes() -> None:
    """18.1.1: up to the size of a datagram."""

    async def scenario() -> None:
        async with edge() as ours, udp_peer() as peer:
            local = ours.transport.open_udp("here", "127.0.0.1", 0)
            peer.socket.sendto(options(body=b"x" * 60_000), (local.host, local.port))
            assert body_of(await peer.receive()) == b"x" * 60_000

    play(scenario)


def test_more_datagrams_than_one_turn_takes_are_all_answered() -> None:
    async def scenario() -> None:
        async with edge() as ours, udp_peer() as peer:
            local = ours.transport.open_udp("here", "127.0.0.1", 0)
            for number in range(200):
                peer.socket.sendto(options(number), (local.host, local.port))
            replies = {header(await peer.receive(), "Call-ID") for _ in range(200)}
            assert replies == {str(number) for number in range(200)}

    play(scenario)


def test_a_request_of_ours_leaves_from_its_listener_and_is_answered() -> None:
    """18.1.1."""

    async def scenario() -> None:
        async with edge() as ours, udp_peer() as peer:
            local = ours.transport.open_udp("here", "127.0.0.1", 0)
            ours.send(local, peer.address)
            sent = await peer.receive()
            assert header(sent, "Via").startswith(f"SIP/2.0/UDP 127.0.0.1:{local.port};")
            peer.socket.sendto(answer(sent), (local.host, local.port))
            assert await ours.outcome() == "200"

    play(scenario)


def test_an_unanswered_request_is_repeated_by_the_clock() -> None:
    """17.1.2.2: Timer E after 500 ms, the one test that waits for it."""

    async def scenario() -> None:
        async with edge() as ours, udp_peer() as peer:
            local = ours.transport.open_udp("here", "127.0.0.1", 0)
            clock = asyncio.get_running_loop().time
            ours.send(local, peer.address)
            first, start = await peer.receive(), clock()
            assert await peer.receive() == first
            assert 0.4 < clock() - start < 2.0

    play(scenario)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_unreachable_port_is_a_transport_error(host: str) -> None:
    """8.1.3.1, 18.4: ICMP says so at once; without it Timer F would take 32 s."""

    async def scenario() -> None:
        async with edge() as ours:
            local = ours.transport.open_udp("here", host, 0)
            ours.send(local, (host, closed_port(socket.SOCK_DGRAM, host)))
            assert await ours.outcome() == "503: ICMP says: ECONNREFUSED"
            assert ours.stack.open_transactions == 0

    play(scenario)


class Failover(Answering):
    """Asks a second one where the first cannot be reached."""

    def __init__(self, second: Hop, stack: SipStack) -> None:
        super().__init__()
        self.second, self.stack = second, stack

    def on_client_failure(self, transaction: ClientTransaction, status: int, why: str, now: float) -> None:
        super().on_client_failure(transaction, status, why, now)
        self.stack.request("OPTIONS", "sip:c@d", OPTIONS_LINES, b"", self.second, self, [], now)


def test_what_follows_from_an_unreachable_port_leaves_at_once() -> None:
    """As the request to the next target does (16.7, step 6)."""

    async def scenario() -> None:
        async with edge() as ours, udp_peer() as peer:
            local = ours.transport.open_udp("here", "127.0.0.1", 0)
            ours.core = Failover(Hop(local, peer.address), ours.stack)
            ours.send(local, ("127.0.0.1", closed_port(socket.SOCK_DGRAM)))
            assert await ours.outcome() == "503: ICMP says: ECONNREFUSED"
            assert not ours.stack.outbox
            peer.socket.sendto(answer(await peer.receive()), (local.host, local.port))
            assert await ours.outcome() == "200"

    play(scenario)


def test_an_unreachable_port_is_no_error_of_others() -> None:
    """The kernel reports it with the next datagram, wherever that goes."""

    async def scenario() -> None:
        async with edge() as ours, udp_peer() as peer:
            local = ours.transport.open_udp("here", "127.0.0.1", 0)
            for _ in range(20):
                ours.send(local, ("127.0.0.1", closed_port(socket.SOCK_DGRAM)))
                ours.send(local, peer.address)
                peer.socket.sendto(answer(await peer.receive()), (local.host, local.port))
            outcomes = sorted([await ours.outcome() for _ in range(40)])
            assert outcomes == ["200"] * 20 + ["503: ICMP says: ECONNREFUSED"] * 20

    play(scenario)


def test_a_datagram_that_no_network_takes_is_a_transport_error() -> None:
    """18.1.1: UDP ends at 65,507 bytes."""

    async def scenario() -> None:
        async with edge() as ours, udp_peer() as peer:
            local = ours.transport.open_udp("here", "127.0.0.1", 0)
            ours.send(local, peer.address, body=b"x" * 70_000)
            assert (await ours.outcome()).startswith("503: cannot send to UDP 127.0.0.1:")
            ours.send(local, peer.address)
            assert told(await peer.receive()) == "OPTIONS"

    play(scenario)


# -- TCP


def test_messages_are_found_in_a_stream_however_it_is_split() -> None:
    """18.3; answers go back on the connection (18.2.2)."""

    async def scenario() -> None:
        async with edge() as ours:
            local = await ours.transport.open_tcp("here", "127.0.0.1", 0)
            async with tcp_peer(local) as peer:
                stream = options(1, "TCP", body=b"one") + options(2, "TCP", body=b"two")
                for start in range(0, len(stream), 50):
                    peer.writer.write(stream[start : start + 50])
                    await peer.writer.drain()
                assert [body_of(await peer.receive()) for _ in range(2)] == [b"one", b"two"]
                peer.writer.write(options(3, "TCP") + options(4, "TCP"))
                assert [header(await peer.receive(), "Call-ID") for _ in range(2)] == ["3", "4"]

    play(scenario)


def test_a_ping_is_answered_with_a_pong() -> None:
    """RFC 5626 4.4.1: CRLF CRLF, and CRLF in return."""

    async def scenario() -> None:
        async with edge() as ours:
            local = await ours.transport.open_tcp("here", "127.0.0.1", 0)
            async with tcp_peer(local) as peer:
                peer.writer.write(b"\r\n\r\n")
                assert await asyncio.wait_for(peer.reader.readexactly(2), PATIENCE) == b"\r\n"
                peer.writer.write(options(1, "TCP"))
                assert told(await peer.receive()) == "200"

    play(scenario)


def test_a_stream_that_cannot_be_framed_is_answered_and_closed() -> None:
    """18.3: without Content-Length nobody knows where the next message begins. What came before is served."""

    async def scenario() -> None:
        async with edge() as ours:
            local = await ours.transport.open_tcp("here", "127.0.0.1", 0)
            async with tcp_peer(local) as peer:
                peer.writer.write(options(1, "TCP") + options(2, "TCP").replace(b"Content-Length: 0\r\n", b""))
                assert [told(await peer.receive()) for _ in range(2)] == ["200", "400"]
                await peer.closed()

    play(scenario)


def test_a_peer_that_connected_gets_our_requests_on_that_connection() -> None:
    """18: a connection is used both ways."""

    async def scenario() -> None:
        async with edge() as ours:
            local = await ours.transport.open_tcp("here", "127.0.0.1", 0)
            async with tcp_peer(local) as peer:
                peer.writer.write(options(1, "TCP"))
                await peer.receive()
                ours.send(local, ours.core.hops[0].address, ("127.0.0.1", 9))
                sent = await peer.receive()
                assert told(sent) == "OPTIONS"
                peer.writer.write(answer(sent))
                assert await ours.outcome() == "200"

    play(scenario)


def test_a_connection_of_ours_carries_all_requests_and_those_of_the_peer() -> None:
    """18.1.1, 18.2: opened once, from the listener's address; what is sent while it opens waits in order."""

    async def scenario() -> None:
        async with edge() as ours, tcp_listener() as listener:
            local = await ours.transport.open_tcp("here", "127.0.0.1", 0)
            for _ in range(3):
                ours.send(local, listener.address)
            peer = await listener.connection()
            sent = [await peer.receive() for _ in range(3)]
            ours.send(local, listener.address)
            sent.append(await peer.receive())
            assert listener.connections.empty()
            for data in reversed(sent):
                peer.writer.write(answer(data))
            assert [await ours.outcome() for _ in range(4)] == ["200"] * 4
            peer.writer.write(options(1, "TCP"))
            assert told(await peer.receive()) == "200"

    play(scenario)


def test_after_a_peer_has_closed_the_next_request_opens_a_connection() -> None:
    """18.1.1."""

    async def scenario() -> None:
        async with edge() as ours, tcp_listener() as listener:
            local = await ours.transport.open_tcp("here", "127.0.0.1", 0)
            ours.send(local, listener.address)
            first = await listener.connection()
            await first.receive()
            await first.close()
            while ours.transport.connections:
                await asyncio.sleep(0)
            ours.send(local, listener.address)
            second = await listener.connection()
            second.writer.write(answer(await second.receive()))
            assert await ours.outcome() == "200"

    play(scenario)


def test_an_answer_whose_connection_is_gone_opens_one_to_the_port_in_via() -> None:
    """18.2.2."""

    async def scenario() -> None:
        async with edge() as ours, tcp_listener() as listener:
            local = await ours.transport.open_tcp("here", "127.0.0.1", 0)
            ours.transport.turn(
                lambda now: ours.stack.receive(
                    request("OPTIONS", via=f"SIP/2.0/TCP 127.0.0.1:{listener.address[1]};branch=z9hG4bK1"),
                    Hop(local, ("127.0.0.1", 9)),
                    now,
                )
            )
            peer = await listener.connection()
            assert told(await peer.receive()) == "200"

    play(scenario)


def test_a_refused_connection_is_a_transport_error() -> None:
    """8.1.3.1, 18.4: for each request that waited for it."""

    async def scenario() -> None:
        async with edge() as ours:
            local = await ours.transport.open_tcp("here", "127.0.0.1", 0)
            port = closed_port(socket.SOCK_STREAM)
            for _ in range(2):
                ours.send(local, ("127.0.0.1", port))
            for _ in range(2):
                assert (await ours.outcome()).startswith(f"503: cannot connect to TCP 127.0.0.1:{port}: ")
            assert ours.stack.open_transactions == 0

    play(scenario)


def test_a_peer_that_reads_nothing_is_cut_off() -> None:
    """What waits for it must not grow without end."""

    async def scenario() -> None:
        async with edge() as ours:
            local = await ours.transport.open_tcp("here", "127.0.0.1", 0)
            async with tcp_peer(local) as peer:
                peer.writer.write(options(1, "TCP"))
                await peer.receive()
                for _ in range(400):
                    ours.send(local, ours.core.hops[0].address, ("127.0.0.1", 9), body=b"x" * 60_000)
                    if not ours.transport.connections:
                        break
                    await asyncio.sleep(0)
                assert not ours.transport.connections

    play(scenario)


def test_connections_beyond_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "CONNECTIONS", 1)

    async def scenario() -> None:
        async with edge() as ours:
            local = await ours.transport.open_tcp("here", "127.0.0.1", 0)
            async with tcp_peer(local) as first:
                first.writer.write(options(1, "TCP"))
                assert told(await first.receive()) == "200"
                async with tcp_peer(local) as second:
                    await second.closed()
                first.writer.write(options(2, "TCP"))
                assert told(await first.receive()) == "200"

    play(scenario)


# -- the turn


def test_a_fault_of_ours_ends_in_its_turn_and_the_reader_lives_on() -> None:
    async def scenario() -> None:
        async with edge() as ours, udp_peer() as peer:
            udp = ours.transport.open_udp("here", "127.0.0.1", 0)
            tcp = await ours.transport.open_tcp("here", "127.0.0.1", 0)
            peer.socket.sendto(options(1, headers="Subject: break\r\n"), (udp.host, udp.port))
            peer.socket.sendto(options(2), (udp.host, udp.port))
            assert header(await peer.receive(), "Call-ID") == "2"
            async with tcp_peer(tcp) as connected:
                connected.writer.write(options(3, "TCP", headers="Subject: break\r\n") + options(4, "TCP"))
                assert header(await connected.receive(), "Call-ID") == "4"
            assert ours.core.faults == ["as it was told"] * 2

    play(scenario)


def test_a_fault_in_a_timer_or_while_settling_stops_nothing() -> None:
    faulty = [True]

    def settle(_now: float) -> None:
        if faulty:
            faulty.clear()
            raise RuntimeError("while settling")

    class Faulty:
        def on_timer(self, name: str, now: float) -> None:
            raise RuntimeError("in a timer")

    async def scenario() -> None:
        async with edge(settle) as ours, udp_peer() as peer:
            local = ours.transport.open_udp("here", "127.0.0.1", 0)
            peer.socket.sendto(options(1), (local.host, local.port))
            assert told(await peer.receive()) == "200"
            ours.transport.turn(lambda now: ours.stack.timers.start(0.01, Faulty(), "x", now))
            ours.transport.turn(lambda now: ours.stack.timers.start(0.02, Rung(ours.core), "x", now))
            assert await ours.outcome() == "rung"
            assert ours.core.faults == ["while settling", "in a timer"]

    class Rung:
        def __init__(self, core: Answering) -> None:
            self.core = core

        def on_timer(self, name: str, now: float) -> None:
            self.core.outcomes.put_nowait("rung")

    play(scenario)


def test_what_was_decided_is_handed_on_before_answers_leave() -> None:
    """An answer that is out cannot be taken back: what must be kept is written first."""
    order: list[str] = []

    async def scenario() -> None:
        async with edge(lambda _now: order.append(f"settled with {len(stacks[0].outbox)} to send")) as ours:
            stacks.append(ours.stack)
            local = ours.transport.open_udp("here", "127.0.0.1", 0)
            async with udp_peer() as peer:
                peer.socket.sendto(options(), (local.host, local.port))
                await peer.receive()
        assert order[0] == "settled with 1 to send"

    stacks: list[SipStack] = []
    play(scenario)


# -- opening and closing


def test_a_port_in_use_cannot_be_opened() -> None:
    async def scenario() -> None:
        async with edge() as ours, edge() as others:
            udp = ours.transport.open_udp("here", "127.0.0.1", 0)
            tcp = await ours.transport.open_tcp("here", "127.0.0.1", 0)
            with pytest.raises(OSError, match="in use"):
                others.transport.open_udp("there", "127.0.0.1", udp.port)
            with pytest.raises(OSError, match="in use"):
                await others.transport.open_tcp("there", "127.0.0.1", tcp.port)
            assert others.stack.locals == {}

    play(scenario)


def test_closing_sends_what_is_left_and_frees_the_ports() -> None:
    async def scenario() -> None:
        async with udp_peer() as peer, tcp_listener() as listener:
            ours = Edge()
            udp = ours.transport.open_udp("here", "127.0.0.1", 0)
            tcp = await ours.transport.open_tcp("here", "127.0.0.1", 0)
            connected = TcpPeer(*await asyncio.open_connection(tcp.host, tcp.port))
            connected.writer.write(options(1, "TCP"))
            assert told(await connected.receive()) == "200"
            ours.send(tcp, listener.address)
            opened = await listener.connection()
            await opened.receive()
            ours.stack.outbox.append((Hop(udp, peer.address), b"last"))
            ours.stack.outbox.append((Hop(tcp, connected.address), options(9, "TCP")))
            await ours.transport.close()
            assert await peer.receive() == b"last"
            assert header(await connected.receive(), "Call-ID") == "9"
            await connected.closed()
            await opened.closed()
            await connected.close()
            async with edge() as again:
                again.transport.open_udp("here", "127.0.0.1", udp.port)
                await again.transport.open_tcp("here", "127.0.0.1", tcp.port)

    play(scenario)


# -- overload


def test_messages_that_wait_too_long_mean_overload_until_they_wait_no_more() -> None:
    """Full turns of slow messages in front of a long queue. Real datagrams, told times."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.setblocking(False)
        receiver.bind(("127.0.0.1", 0))
        listener = Listener(receiver, Local("test", "UDP", *receiver.getsockname()))

        def turn(taken: int, cost: float) -> bool:
            """Whether a turn of so many messages, of so many seconds each, refuses new calls."""
            refused = listener.behind
            listener.turned(taken, 0.0, taken * cost)
            return refused

        assert not any(turn(BATCH, 0.005) for _ in range(50)), "slow, but nothing waits"
        for _ in range(100):  # As many as the smallest buffer holds.
            sender.sendto(b"x" * 1000, receiver.getsockname())
        turn(BATCH, 0.005)
        assert turn(BATCH, 0.005), "a hundred that wait for 5 ms each come half a second late"
        assert turn(BATCH, 0.00001)
        for _ in range(50):
            turn(BATCH, 0.00001)
        assert not turn(BATCH, 0.00001), "as many, worked off fast"
        for _ in range(50):
            turn(BATCH, 0.005)
        assert turn(3, 0.005)
        assert not turn(3, 0.005), "a turn that left nothing behind"
        listener.close()
