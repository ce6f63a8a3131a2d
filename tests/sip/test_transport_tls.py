"""TLS at the edge, over real sockets on the loopback: handshakes good and bad, and connections that want watching."""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import pytest

from tests.authority import LONG_AGO, Authority, Files, contexts
from tests.interop.emulator import needs_ipv6
from tests.sip.edge import (
    PATIENCE,
    Edge,
    Run,
    TcpListener,
    TcpPeer,
    connected,
    edge,
    options,
    tcp_listener,
    tcp_peer,
    until,
)
from tests.wire import answer, told
from voiceconnector.sip import connections as connections_module
from voiceconnector.sip.hop import Local
from voiceconnector.sip.reach import LOST

HOST = "127.0.0.1"
NAME = "pbx.example"


@asynccontextmanager
async def tls_edge(authority: Authority, *, verify: bool = True) -> AsyncIterator[tuple[Edge, Local]]:
    async with edge() as ours:
        ours.transport.connections.tls = contexts(authority.issue("trunk", HOST), authority.file, verify=verify)
        yield ours, await ours.transport.open_tls("here", HOST, 0)


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.file))


def tls_listener(files: Files) -> AbstractAsyncContextManager[TcpListener]:
    """A peer that we connect to."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.private_key)
    return tcp_listener(context=context)


async def answering(pbx: TcpListener, ours: Edge) -> None:
    """The PBX answers what it is asked on a new connection."""
    peer = await pbx.connection()
    peer.writer.write(answer(await peer.receive()))
    assert await ours.outcome() == "200"


# -- who connects to us


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_request_is_answered_on_the_connection_it_came_on(
    run: Run, authority: Authority, version: ssl.TLSVersion
) -> None:
    """RFC 3261 18.2.2, 26.3.1."""

    async def scenario() -> None:
        context = trusting(authority)
        context.minimum_version = context.maximum_version = version
        async with tls_edge(authority) as (ours, local), connected(local, context) as peer:
            for number in range(3):
                peer.writer.write(options(number, "TLS"))
                assert told(await peer.receive()) == "200"
            assert ours.core.hops[0].local.transport == "TLS"
            assert len(ours.transport.connections) == 1

    run(scenario)


def test_a_message_in_many_records_and_many_in_one_are_framed(run: Run, authority: Authority) -> None:
    """RFC 3261 18.3."""

    async def scenario() -> None:
        async with tls_edge(authority) as (_, local), connected(local, trusting(authority)) as peer:
            for byte in options(1, "TLS"):
                peer.writer.write(bytes([byte]))
            peer.writer.write(options(2, "TLS") + b"\r\n\r\n" + options(3, "TLS", body=b"x" * 40_000))
            assert [told(await peer.receive()) for _ in range(3)] == ["200"] * 3

    run(scenario)


@needs_ipv6
def test_over_ipv6_the_address_is_verified_too(run: Run, authority: Authority) -> None:
    """RFC 5922 7.1: iPAddress of 16 octets."""

    async def scenario() -> None:
        async with edge() as ours:
            ours.transport.connections.tls = contexts(authority.issue("six", "::1"), authority.file)
            local = await ours.transport.open_tls("here", "::1", 0)
            async with connected(local, trusting(authority)) as peer:
                peer.writer.write(options(1, "TLS"))
                assert told(await peer.receive()) == "200"
            ours.send(local, ("::1", local.port))
            assert await ours.outcome() == "200", "it called itself"

    run(scenario)


def test_keep_alives_are_answered_through_tls(run: Run, authority: Authority) -> None:
    """RFC 5626 4.4.1."""

    async def scenario() -> None:
        async with tls_edge(authority) as (_, local), connected(local, trusting(authority)) as peer:
            peer.writer.write(b"\r\n\r\n")
            assert await asyncio.wait_for(peer.reader.readexactly(2), PATIENCE) == b"\r\n"

    run(scenario)


def test_a_peer_that_ends_in_good_order_leaves_nothing(run: Run, authority: Authority) -> None:
    async def scenario() -> None:
        async with tls_edge(authority) as (ours, local), connected(local, trusting(authority)) as peer:
            peer.writer.write(options(1, "TLS"))
            await peer.receive()
            peer.writer.close()
            await until(lambda: not len(ours.transport.connections))
            assert not ours.stack.dropped

    run(scenario)


def test_plain_sip_at_the_tls_port_is_told_apart(
    run: Run, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with tls_edge(authority) as (ours, local), tcp_peer(local) as peer:
            peer.writer.write(options(1, "TCP"))
            await asyncio.wait_for(peer.reader.read(), PATIENCE)
            await until(lambda: not len(ours.transport.connections))
            assert ours.stack.dropped["a connection: TLS handshake: it speaks no TLS there"] == 1

    run(scenario)
    assert "it speaks no TLS there; the connection is closed" in caplog.text


def test_new_certificates_are_for_new_connections_and_old_ones_go_on(run: Run, authority: Authority) -> None:
    async def scenario() -> None:
        async with tls_edge(authority) as (ours, local), connected(local, trusting(authority)) as old:
            before = old.writer.get_extra_info("peercert")["serialNumber"]
            ours.transport.connections.tls = contexts(authority.issue("renewed", HOST), authority.file)
            async with connected(local, trusting(authority)) as new:
                assert new.writer.get_extra_info("peercert")["serialNumber"] != before
                for peer, number in ((old, 1), (new, 2)):
                    peer.writer.write(options(number, "TLS"))
                    assert told(await peer.receive()) == "200"

    run(scenario)


# -- whom we connect to


def test_requests_to_a_pbx_share_a_connection_that_is_used_both_ways(run: Run, authority: Authority) -> None:
    """RFC 3261 18.1.1; RFC 5923 for TLS."""

    async def scenario() -> None:
        async with tls_edge(authority) as (ours, local), tls_listener(authority.issue("pbx", NAME)) as pbx:
            ours.send(local, pbx.address, server_name=NAME)
            ours.send(local, pbx.address, server_name=NAME)
            peer = await pbx.connection()
            for _ in range(2):
                peer.writer.write(answer(await peer.receive()))
                assert await ours.outcome() == "200"
            peer.writer.write(options(1, "TLS"))
            assert told(await peer.receive()) == "200"
            assert pbx.connections.empty()

    run(scenario)


def test_a_connection_verified_for_one_name_does_not_serve_another(run: Run, authority: Authority) -> None:
    """RFC 5922 7: who is at the address is not yet who was called."""

    async def scenario() -> None:
        async with tls_edge(authority) as (ours, local), tls_listener(authority.issue("pbx", NAME)) as pbx:
            ours.send(local, pbx.address, server_name=NAME)
            await answering(pbx, ours)
            ours.send(local, pbx.address, server_name="other.example")
            assert "not for the host other.example" in await ours.outcome()

    run(scenario)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("expired", "its certificate has expired"),
        ("wrong name", "its certificate is not for the host pbx.example"),
        ("self-signed", "its certificate is self-signed"),
        ("unknown issuer", "its certificate has an unknown issuer"),
    ],
)
def test_a_certificate_that_is_not_accepted_is_the_outcome_of_the_request(
    run: Run, authority: Authority, tmp_path_factory: pytest.TempPathFactory, kind: str, reason: str
) -> None:
    issuer = Authority(tmp_path_factory.mktemp("other"), "other CA") if kind == "unknown issuer" else authority
    files = issuer.issue(
        kind,
        "other.example" if kind == "wrong name" else NAME,
        begins=LONG_AGO,
        ends=LONG_AGO.replace(year=2021 if kind == "expired" else 2091),
        self_signed=kind == "self-signed",
    )

    async def scenario() -> None:
        async with tls_listener(files) as pbx:
            async with tls_edge(authority) as (ours, local):
                ours.send(local, pbx.address, server_name=NAME)
                outcome = await ours.outcome()
                assert outcome.startswith(f"503: TLS with {HOST}:{pbx.address[1]} failed: {reason}")
                assert "profile.verify_tls_certificates" in outcome
            async with tls_edge(authority, verify=False) as (ours, local):
                ours.send(local, pbx.address, server_name=NAME)
                await answering(pbx, ours)

    run(scenario)


@pytest.mark.parametrize("name", [".example", "x" * 64 + ".example"])
def test_a_name_that_no_server_can_have_is_the_outcome_of_the_request(
    run: Run, authority: Authority, name: str
) -> None:
    """RFC 1035 2.3.4: a label has 63 octets at most."""

    async def scenario() -> None:
        async with tls_edge(authority) as (ours, local), tcp_listener() as pbx:
            ours.send(local, pbx.address, server_name=name)
            assert f"{name} cannot be the name of a TLS server" in await ours.outcome()
            await until(lambda: not len(ours.transport.connections))

    run(scenario)


def test_a_pbx_that_speaks_plain_tcp_is_the_outcome_of_the_request(run: Run, authority: Authority) -> None:
    async def scenario() -> None:
        async with tls_edge(authority) as (ours, local), tcp_listener() as pbx:
            ours.send(local, pbx.address, server_name=NAME)
            peer = await pbx.connection()
            await peer.reader.read(1)
            peer.writer.write(b"SIP/2.0 400 Bad Request\r\n\r\n")
            assert (await ours.outcome()).endswith("it speaks no TLS there")

    run(scenario)


def test_a_pbx_that_hangs_up_in_the_handshake_is_the_outcome_of_the_request(run: Run, authority: Authority) -> None:
    async def scenario() -> None:
        async with tls_edge(authority) as (ours, local), tcp_listener() as pbx:
            ours.send(local, pbx.address, server_name=NAME)
            peer = await pbx.connection()
            await peer.reader.read(1)
            peer.writer.close()
            assert "closed the connection" in await ours.outcome()
            await until(lambda: not len(ours.transport.connections))

    run(scenario)


def test_a_pbx_that_is_silent_in_the_handshake_is_left(
    run: Run, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections_module, "HANDSHAKE_SECONDS", 0.05)

    async def scenario() -> None:
        async with tls_edge(authority) as (ours, local), tcp_listener() as pbx:
            ours.send(local, pbx.address, server_name=NAME)
            assert (await ours.outcome()).endswith("the TLS handshake is not over in time")
            await until(lambda: not len(ours.transport.connections))

    run(scenario)


# -- who does not behave


@pytest.mark.parametrize("transport", ["TCP", "TLS"])
def test_a_message_that_dribbles_in_is_cut_off(
    run: Run, authority: Authority, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    """However busily the bytes come: it counts when the message began."""
    monkeypatch.setattr(connections_module, "MESSAGE_SECONDS", 0.2)

    async def scenario() -> None:
        async with tls_edge(authority) as (ours, local):
            if transport == "TCP":
                local = await ours.transport.open_tcp("here", HOST, 0)
            async with connected(local, trusting(authority) if transport == "TLS" else None) as peer:
                peer.writer.write(options(1, transport))
                assert told(await peer.receive()) == "200"
                for byte in options(2, transport) * 3:
                    if not len(ours.transport.connections):
                        break
                    peer.writer.write(bytes([byte]))
                    await asyncio.sleep(0.01)
                assert ours.stack.dropped["a connection: a message that has begun has no end in time"] == 1
                assert ours.core.requests.qsize() == 1

    run(scenario)


def test_a_handshake_that_does_not_come_is_waited_for_in_vain(
    run: Run, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections_module, "HANDSHAKE_SECONDS", 0.05)

    async def scenario() -> None:
        async with tls_edge(authority) as (ours, local), tcp_peer(local):
            await until(lambda: bool(ours.stack.dropped))
            await until(lambda: not len(ours.transport.connections))
            (kind,) = ours.stack.dropped
            assert kind == "a connection: TLS handshake: the TLS handshake is not over in time"

    run(scenario)


@pytest.mark.parametrize(
    ("limit", "told_"),
    [
        ("PROBATION_SOURCE", "of 3 connections from there nothing was granted yet"),
        ("PROBATION_ALL", "of 3 connections nothing was granted yet"),
    ],
)
def test_connections_on_probation_are_limited_by_source_in_all_and_by_time(
    run: Run,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    limit: str,
    told_: str,
) -> None:
    """Whoever is granted something is no stranger any more."""
    monkeypatch.setattr(connections_module, limit, 3)
    monkeypatch.setattr(connections_module, "PROBATION_SECONDS", 0.5)

    async def scenario() -> None:
        async with tls_edge(authority) as (ours, _):
            local = await ours.transport.open_tcp("here", HOST, 0)
            known = TcpPeer(*await asyncio.open_connection(local.host, local.port))
            known.writer.write(options(1, "TCP"))
            assert told(await known.receive()) == "200"
            strangers = [TcpPeer(*await asyncio.open_connection(local.host, local.port)) for _ in range(4)]
            await until(lambda: ours.stack.dropped["a connection: refused"] == 1)
            await until(lambda: len(ours.transport.connections) == 1)
            assert ours.stack.dropped["a connection: nothing that it asked for was granted in time"] == 3
            known.writer.write(options(2, "TCP"))
            assert told(await known.receive()) == "200"
            for peer in (known, *strangers):
                peer.writer.transport.abort()

    run(scenario)
    assert told_ in caplog.text


def test_what_peers_do_again_and_again_is_logged_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    time = 0.0
    complaints = connections_module.Complaints(lambda: time)
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            complaints.log("kind", "The peer did it.")
            time += 0.06
    assert [record.message for record in caplog.records] == [
        "The peer did it.",
        "The peer did it. (and 83 more like this since the last time)",
    ]


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no TCP_USER_TIMEOUT")
def test_a_peer_that_is_gone_without_a_word_is_found_by_the_kernel(run: Run, authority: Authority) -> None:
    """RFC 1122 4.2.3.6, RFC 5482: asked after 30 s of silence, and left after 30 s without an acknowledgement."""

    async def scenario() -> None:
        async with tls_edge(authority) as (ours, local), connected(local, trusting(authority)):
            await until(lambda: bool(len(ours.transport.connections)))
            (connection,) = ours.transport.connections._open
            assert connection._stream
            sock = connection._stream.get_extra_info("socket")
            asked = partial(sock.getsockopt, socket.IPPROTO_TCP)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert asked(socket.TCP_KEEPIDLE) == 30
            assert asked(socket.TCP_USER_TIMEOUT) == 30_000

    run(scenario)


def test_a_connection_that_the_kernel_gives_up_fails_what_waits_on_it(run: Run, authority: Authority) -> None:
    """RFC 3261 18.4; the kernel's ETIMEDOUT after unacknowledged data arrives as this error."""

    async def scenario() -> None:
        async with tls_edge(authority) as (ours, local), tls_listener(authority.issue("pbx", NAME)) as pbx:
            ours.send(local, pbx.address, server_name=NAME)
            await (await pbx.connection()).receive()
            (connection,) = ours.transport.connections._open
            stream = connection._stream
            assert stream
            connection.connection_lost(OSError(errno.ETIMEDOUT, "Connection timed out"))
            stream.abort()
            assert (await ours.outcome()).endswith("broke off the connection: Connection timed out")

    run(scenario)


# -- outages


def test_a_region_that_is_down_is_silent_over_tls_and_resets_afterwards(run: Run, authority: Authority) -> None:
    async def scenario() -> None:
        async with tls_edge(authority) as (ours, local), connected(local, trusting(authority)) as peer:
            peer.writer.write(options(1, "TLS"))
            await peer.receive()
            ours.transport.impede("here", LOST)
            peer.writer.write(options(2, "TLS"))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(peer.reader.read(1), 0.15)
            ours.transport.impede("here", 0)
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(peer.reader.read(), PATIENCE)
            assert ours.core.requests.qsize() == 1

    run(scenario)


def test_a_slow_region_keeps_the_order_of_what_tls_carries(run: Run, authority: Authority) -> None:
    async def scenario() -> None:
        async with tls_edge(authority) as (ours, local), connected(local, trusting(authority)) as peer:
            ours.transport.impede("here", 0.02)
            for number in range(5):
                peer.writer.write(options(number, "TLS"))
            answers = [await peer.receive() for _ in range(5)]
            assert [told(each) for each in answers] == ["200"] * 5
            assert [f"Call-ID: {number}".encode() in each for number, each in enumerate(answers)] == [True] * 5

    run(scenario)
