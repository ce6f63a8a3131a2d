"""DNS at the edge on real sockets: the server, and questions to others; the resolver is in test_dns_resolver."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from random import Random

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from voiceconnector.app import new_event_loop
from voiceconnector.dns import (
    CONNECTIONS,
    TRIES,
    Address,
    Resolver,
    Server,
    Upstream,
    system_servers,
    texts,
)
from voiceconnector.sip.locate import Located
from voiceconnector.trunk.model import Snapshot, VoiceConnector
from voiceconnector.trunk.profile import LAB
from voiceconnector.trunk.zone import Answers, Edge

CONNECTOR = "abcdef1ghij2klmno3pqr4"
HOST = f"{CONNECTOR}.voiceconnector.chime.aws"
SOA = "example. 3600 IN SOA ns.example. hostmaster.example. 1 3600 600 86400 30"
MANY = tuple(f"192.0.2.{host}" for host in range(1, 101))
PATIENCE = 60.0
"""Seconds after which something that should have happened has not."""

Test = Coroutine[object, object, None]
Run = Callable[[Test], None]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a test on each event loop that the emulator may have."""
    factory = asyncio.new_event_loop if request.param == "asyncio" else new_event_loop

    def running(test: Test) -> None:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(asyncio.wait_for(test, PATIENCE))

    return running


def zone(addresses: tuple[str, ...] = ("192.0.2.1",)) -> Answers:
    snapshot = Snapshot.of([VoiceConnector(CONNECTOR, "lab")])
    return Answers(lambda: snapshot, {"us-east-1": Edge(addresses, {"UDP": 5060})}, LAB)


@asynccontextmanager
async def serving(
    answers: Answers, host: str = "127.0.0.1", forward: Address | None = None, idle_seconds: float = 10.0
) -> AsyncIterator[Address]:
    server = Server(answers.respond, forward, idle_seconds)
    await server.open(host, 0)
    try:
        yield server.address
    finally:
        await server.close()


async def ask(server: Address, name: str = HOST, type_: str = "A", edns: int = -1) -> dns.message.Message:
    """dnspython as a client: over UDP, and again over TCP if that was truncated."""
    query = dns.message.make_query(name, type_, use_edns=edns)
    answer, _ = await dns.asyncquery.udp_with_fallback(query, server[0], PATIENCE, server[1])
    return answer


# -- the server


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_it_answers_over_udp_and_tcp(run: Run, host: str) -> None:
    async def test() -> None:
        async with serving(zone(), host) as server:
            query = dns.message.make_query(HOST, "A")
            over_udp = await dns.asyncquery.udp(query, server[0], PATIENCE, server[1])
            over_tcp = await dns.asyncquery.tcp(query, server[0], PATIENCE, server[1])
            assert over_udp.answer == over_tcp.answer
            assert over_udp.answer[0][0].to_text() == "192.0.2.1"

    run(test())


def test_what_is_truncated_is_fetched_over_tcp(run: Run) -> None:
    """RFC 7766 5."""

    async def test() -> None:
        async with serving(zone(MANY)) as server:
            query = dns.message.make_query(HOST, "A", use_edns=0)
            answer, used_tcp = await dns.asyncquery.udp_with_fallback(query, server[0], PATIENCE, server[1])
            assert used_tcp
            assert len(answer.answer[0]) == 100

    run(test())


def test_many_queries_share_a_connection_however_they_are_cut(run: Run) -> None:
    """RFC 7766 6.2.1.1: pipelining; 8: a message may come in pieces."""

    async def test() -> None:
        async with serving(zone()) as server:
            reader, writer = await asyncio.open_connection(*server)
            queries = [dns.message.make_query(HOST, "A", id=number).to_wire() for number in (1, 2, 3)]
            stream = b"".join(len(query).to_bytes(2) + query for query in queries)
            for cut in (stream[:1], stream[1:30], stream[30:]):
                writer.write(cut)
                await writer.drain()
                await asyncio.sleep(0)
            for number in (1, 2, 3):
                answer = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
                assert dns.message.from_wire(answer).id == number
            writer.close()

    run(test())


def test_a_connection_without_a_whole_query_is_closed_in_time(run: Run) -> None:
    """RFC 7766 6.2.3."""

    async def test() -> None:
        async with serving(zone(), idle_seconds=0.05) as server:
            reader, writer = await asyncio.open_connection(*server)
            writer.write(b"\0\xff\0")
            with suppress(ConnectionResetError):
                assert await reader.read(1) == b""
            writer.close()

    run(test())


def test_connections_have_a_limit_and_leave_room_when_they_go(run: Run) -> None:
    async def test() -> None:
        async with serving(zone()) as server:
            streams = [await asyncio.open_connection(*server) for _ in range(CONNECTIONS)]
            await ask_over(streams[-1])
            assert await refused(server)
            streams.pop()[1].close()
            while await refused(server):
                await asyncio.sleep(0)
            for _, writer in streams:
                writer.close()

    async def refused(server: Address) -> bool:
        stream = await asyncio.open_connection(*server)
        try:
            await ask_over(stream)
        except (OSError, EOFError):
            return True
        finally:
            stream[1].close()
        return False

    async def ask_over(stream: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        query = dns.message.make_query(HOST, "A").to_wire()
        stream[1].write(len(query).to_bytes(2) + query)
        await stream[0].readexactly(2)

    run(test())


def test_hostile_packets_change_nothing(run: Run) -> None:
    async def test() -> None:
        chance = Random(1)
        async with serving(zone()) as server:
            with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sender:
                for _ in range(200):
                    sender.sendto(chance.randbytes(chance.randrange(100)), server)
                    await asyncio.sleep(0)
            _, writer = await asyncio.open_connection(*server)
            writer.write(chance.randbytes(100_000))
            await writer.drain()
            writer.close()
            assert (await ask(server)).answer

    run(test())


def test_a_fault_of_ours_is_a_servfail_and_not_the_end(run: Run) -> None:
    async def test() -> None:
        faulty = [True]

        def respond(query: bytes, over_tcp: bool) -> bytes | None:
            if faulty.pop():
                raise ArithmeticError
            return None

        server = Server(respond)
        await server.open("127.0.0.1", 0)
        assert (await ask(server.address)).rcode() == dns.rcode.SERVFAIL
        await server.close()

    run(test())


def test_a_port_in_use_is_an_error_and_leaves_nothing_open(run: Run) -> None:
    async def test() -> None:
        async with serving(zone()) as (host, port):
            with pytest.raises(OSError, match="in use"):
                await Server(zone().respond).open(host, port)

    run(test())


# -- other name servers, as peers


class NameServer:
    """Records in zone-file form, and how they are answered."""

    def __init__(self, *records: str) -> None:
        self.set(*records)
        self.asked: list[tuple[str, str]] = []

    def set(self, *records: str) -> None:
        """Such as "pbx.example. 60 IN A 192.0.2.1"."""
        self.rrsets: dict[tuple[str, str], dns.rrset.RRset] = {}
        for record in records:
            name, ttl, _, type_, text = record.split(maxsplit=4)
            rrset = dns.rrset.from_text(name, int(ttl), "IN", type_, text)
            known = self.rrsets.setdefault((name, type_), rrset)
            for rdata in rrset:
                known.add(rdata)

    def respond(self, wire: bytes, over_tcp: bool = False) -> bytes:
        query = dns.message.from_wire(wire)
        name, type_ = query.question[0].name.to_text(), dns.rdatatype.to_text(query.question[0].rdtype)
        self.asked.append((name, type_))
        answer = dns.message.make_response(query)
        while (alias := self.rrsets.get((name, "CNAME"))) is not None:
            answer.answer.append(alias)
            name = alias[0].target.to_text()
        if found := self.rrsets.get((name, type_)):
            answer.answer.append(found)
        else:
            if not any(known == name for known, _ in self.rrsets):
                answer.set_rcode(dns.rcode.NXDOMAIN)
            answer.authority += [rrset for (_, type_), rrset in self.rrsets.items() if type_ == "SOA"]
        return answer.to_wire(max_size=65_535 if over_tcp else 512, prefer_truncation=True)


@asynccontextmanager
async def name_server(respond: Callable[[bytes, bool], bytes | None]) -> AsyncIterator[Address]:
    server = Server(respond)
    await server.open("127.0.0.1", 0)
    try:
        yield server.address
    finally:
        await server.close()


# -- forwarding


def test_other_names_are_refused_or_forwarded_and_ours_are_not(run: Run) -> None:
    async def test() -> None:
        peer = NameServer("pbx.example. 60 IN A 192.0.2.7")
        async with name_server(peer.respond) as other, serving(zone(), forward=other) as server:
            assert (await ask(server, "pbx.example")).answer[0][0].to_text() == "192.0.2.7"
            assert (await ask(server, "gone.example")).rcode() == dns.rcode.NXDOMAIN
            assert (await ask(server, f"no.{HOST}")).rcode() == dns.rcode.NXDOMAIN
            assert peer.asked == [("pbx.example.", "A"), ("gone.example.", "A")]
        async with serving(zone()) as server:
            assert (await ask(server, "pbx.example")).rcode() == dns.rcode.REFUSED

    run(test())


def test_what_is_too_long_for_udp_is_forwarded_over_tcp(run: Run) -> None:
    async def test() -> None:
        peer = NameServer(*(f"pbx.example. 60 IN A {address}" for address in MANY))
        async with name_server(peer.respond) as other, serving(zone(), forward=other) as server:
            assert len((await ask(server, "pbx.example")).answer[0]) == 100

    run(test())


def test_a_forwarder_that_is_not_there_is_a_servfail(run: Run) -> None:
    async def test() -> None:
        async with serving(zone(), forward=("127.0.0.1", unused_port())) as server:
            assert (await ask(server, "pbx.example")).rcode() == dns.rcode.SERVFAIL
            query = dns.message.make_query("pbx.example", "A")
            assert (await dns.asyncquery.tcp(query, server[0], PATIENCE, server[1])).rcode() == dns.rcode.SERVFAIL

    run(test())


def unused_port() -> int:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# -- asking others


def test_the_texts_of_a_name_are_those_of_its_txt_records_each_in_one_piece(run: Run) -> None:
    """RFC 1035 3.3.14: a record is one string or more."""
    peer = NameServer(
        'example. 60 IN TXT "first " "second"', 'example. 60 IN TXT "third"', "alias.example. 60 IN CNAME example.", SOA
    )

    async def test() -> None:
        async with name_server(peer.respond) as other:
            ask = Upstream((other,)).ask
            assert set(await texts(ask, "example")) == {"first second", "third"}
            assert set(await texts(ask, "alias.example")) == {"first second", "third"}
            peer.set("example. 60 IN A 192.0.2.7", SOA)
            assert await texts(ask, "example") == ()
            with pytest.raises(LookupError, match=r"gone\.example does not exist \(NXDOMAIN\)"):
                await texts(ask, "gone.example")
        with pytest.raises(LookupError, match="does not answer"):
            await texts(Upstream((("127.0.0.1", unused_port()),)).ask, "example")

    run(test())


async def outcome(upstream: Upstream, name: str = "pbx.example") -> tuple[bytes, str]:
    done: asyncio.Future[tuple[bytes, str]] = asyncio.get_running_loop().create_future()
    query = dns.message.make_query(name, "A").to_wire()
    upstream.ask(query, lambda answer, because: done.set_result((answer, because)))
    try:
        return await done
    finally:
        await upstream.close()


def test_a_truncated_answer_is_asked_for_again_over_tcp(run: Run) -> None:
    async def test() -> None:
        peer = NameServer(*(f"pbx.example. 60 IN A {address}" for address in MANY))
        async with name_server(peer.respond) as server:
            wire, because = await outcome(Upstream((server,)))
            assert because == ""
            assert len(dns.message.from_wire(wire).answer[0]) == 100

    run(test())


def test_the_second_server_is_asked_when_the_first_is_not_there(run: Run) -> None:
    """Known at once from ICMP, not after two seconds."""

    async def test() -> None:
        peer = NameServer("pbx.example. 60 IN A 192.0.2.7")
        async with name_server(peer.respond) as server:
            wire, _ = await outcome(Upstream((("127.0.0.1", unused_port()), server)))
            assert dns.message.from_wire(wire).answer[0][0].to_text() == "192.0.2.7"

    run(test())


def test_silence_is_asked_twice_and_told(run: Run) -> None:
    async def test() -> None:
        asked: list[bytes] = []

        def silent(query: bytes, over_tcp: bool) -> None:
            asked.append(query)

        async with name_server(silent) as server:
            found = await outcome(Upstream((server,), try_seconds=0.05))
            assert found == (b"", f"127.0.0.1:{server[1]} does not answer: no answer in time")
            assert len(asked) == TRIES

    run(test())


def test_a_server_that_fails_is_told_by_its_word(run: Run) -> None:
    async def test() -> None:
        def failing(query: bytes, over_tcp: bool) -> bytes:
            return query[:2] + b"\x80\x02" + bytes(8)

        async with name_server(failing) as server:
            assert await outcome(Upstream((server,))) == (b"", f"127.0.0.1:{server[1]} answers SERVFAIL")

    run(test())


def other_id(query: bytes, over_tcp: bool) -> bytes:
    return bytes((query[0] ^ 1, query[1])) + b"\x80" + query[3:]


def other_question(query: bytes, over_tcp: bool) -> bytes:
    return query[:2] + b"\x80" + query[3:].replace(b"example", b"exemple")


def no_question(query: bytes, over_tcp: bool) -> bytes:
    return query[:2] + b"\x80\0" + bytes(8)


@pytest.mark.parametrize("forging", [other_id, other_question, no_question])
def test_an_answer_to_anything_else_is_not_taken(run: Run, forging: Callable[[bytes, bool], bytes]) -> None:
    """RFC 5452 4.2, 4.4, 9.1: id and question have to match, and who guesses goes on being ignored."""

    async def test() -> None:
        async with name_server(forging) as server:
            wire, because = await outcome(Upstream((server,), try_seconds=0.05))
            assert wire == b""
            assert "no answer in time" in because

    run(test())


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("# of a router\nsearch lan\nnameserver 192.0.2.53\nnameserver 2001:db8::53\noptions edns0\n",
         (("192.0.2.53", 53), ("2001:db8::53", 53))),
        ("nameserver\n;nameserver 192.0.2.53\n", (("127.0.0.1", 53),)),
        ("nameserver a..b\nnameserver router.lan\n", (("127.0.0.1", 53),)),
        (None, (("127.0.0.1", 53),)),
    ],
)  # fmt: skip
def test_the_servers_of_the_system_are_those_of_resolv_conf(
    tmp_path: Path, text: str | None, servers: tuple[Address, ...]
) -> None:
    """resolv.conf(5): nameserver lines in their order; without any, the server on this machine."""
    path = tmp_path / "resolv.conf"
    if text is not None:
        path.write_text(text)
    assert system_servers(path) == servers


# -- the resolver


def test_the_resolver_asks_a_real_server(run: Run) -> None:
    async def test() -> None:
        peer = NameServer("pbx.example. 60 IN A 192.0.2.7", SOA)
        async with name_server(peer.respond) as server:
            upstream = Upstream((server,))
            done: asyncio.Future[Located] = asyncio.get_running_loop().create_future()
            resolver = Resolver(upstream.ask, lambda change: change(0.0), zone().respond, Random(1))
            resolver.locate("pbx.example", 0, "TCP", lambda located, now: done.set_result(located))
            assert (await done).targets == (("TCP", "192.0.2.7", 5060),)
            await upstream.close()

    run(test())
