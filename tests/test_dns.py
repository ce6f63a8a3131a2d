"""DNS at the edge: the server on real sockets, and the resolver in virtual time against servers of the test's own."""

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
    FAILURE_SECONDS,
    LONGEST_SECONDS,
    TRIES,
    Address,
    Resolver,
    Server,
    Upstream,
    system_servers,
)
from voiceconnector.sip.locate import Located
from voiceconnector.trunk.model import Snapshot, VoiceConnector
from voiceconnector.trunk.profile import LAB
from voiceconnector.trunk.zone import Answers, Edge

CONNECTOR = "abcdef1ghij2klmno3pqr4"
HOST = f"{CONNECTOR}.voiceconnector.chime.aws"
MANY = tuple(f"192.0.2.{host}" for host in range(1, 101))
PATIENCE = 5.0
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


# -- the resolver, in virtual time


class Desk:
    """A resolver whose clock and servers belong to the test."""

    def __init__(self, *records: str) -> None:
        self.now = 1000.0
        self.peer = NameServer(*records)
        self.answers = zone(("192.0.2.100",))
        self.on_the_way: list[tuple[bytes, Callable[[bytes, str], None]]] = []
        self.found: list[Located] = []
        self.in_turn = False
        self.resolver = Resolver(self.ask, self.turn, self.answers.respond, Random(1), lambda: self.now)

    def ask(self, query: bytes, done: Callable[[bytes, str], None]) -> None:
        self.on_the_way.append((query, done))

    def turn(self, change: Callable[[float], object]) -> None:
        self.in_turn = True
        change(self.now)
        self.in_turn = False

    def start(self, host: str, port: int = 5060, transport: str = "UDP") -> None:
        def done(located: Located, now: float) -> None:
            assert now == self.now
            self.found.append(located)

        self.resolver.locate(host, port, transport, done)

    def deliver(self) -> None:
        """Let every question be answered."""
        while self.on_the_way:
            query, done = self.on_the_way.pop(0)
            done(self.peer.respond(query), "")

    def lose(self, because: str) -> None:
        while self.on_the_way:
            self.on_the_way.pop(0)[1](b"", because)

    def locate(self, host: str, port: int = 5060, transport: str = "UDP") -> Located:
        self.start(host, port, transport)
        self.deliver()
        assert not self.resolver.looking_up
        return self.found.pop()

    def addresses(self, host: str) -> list[str]:
        return [address for _, address, _ in self.locate(host).targets]


SOA = "example. 3600 IN SOA ns.example. hostmaster.example. 1 3600 600 86400 30"


def test_a_changed_address_is_used_after_the_ttl_and_not_before() -> None:
    """RFC 1035 3.2.1: TTL is how long the record may be cached."""
    desk = Desk("pbx.example. 60 IN A 192.0.2.1", SOA)
    assert desk.addresses("pbx.example") == ["192.0.2.1"]
    desk.peer.set("pbx.example. 60 IN A 192.0.2.2", SOA)
    desk.now += 59.9
    assert desk.addresses("pbx.example") == ["192.0.2.1"]
    desk.now += 0.1
    assert desk.addresses("pbx.example") == ["192.0.2.2"]


def test_ttl_0_is_used_once() -> None:
    """RFC 1035 3.2.1: zero TTL records are not to be cached."""
    desk = Desk("pbx.example. 0 IN A 192.0.2.1", SOA)
    assert desk.addresses("pbx.example") == ["192.0.2.1"]
    desk.peer.set("pbx.example. 0 IN A 192.0.2.2", SOA)
    assert desk.addresses("pbx.example") == ["192.0.2.2"]


def test_the_shortest_ttl_of_an_alias_and_its_address_counts() -> None:
    desk = Desk("pbx.example. 10 IN CNAME host.example.", "host.example. 600 IN A 192.0.2.1", SOA)
    assert desk.addresses("pbx.example") == ["192.0.2.1"]
    desk.peer.set("pbx.example. 10 IN CNAME host.example.", "host.example. 600 IN A 192.0.2.2", SOA)
    desk.now += 9
    assert desk.addresses("pbx.example") == ["192.0.2.1"]
    desk.now += 1
    assert desk.addresses("pbx.example") == ["192.0.2.2"]


def test_that_a_name_is_not_there_is_kept_as_long_as_the_soa_says() -> None:
    """RFC 2308 5: the lesser of the SOA's MINIMUM (30 here) and its own TTL."""
    desk = Desk(SOA)
    assert desk.locate("pbx.example") == Located((), "pbx.example does not exist (NXDOMAIN)")
    desk.peer.set("pbx.example. 60 IN A 192.0.2.1", SOA)
    desk.now += 29.9
    assert desk.addresses("pbx.example") == []
    desk.now += 0.1
    assert desk.addresses("pbx.example") == ["192.0.2.1"]


def test_a_negative_answer_without_soa_is_not_kept() -> None:
    """RFC 2308 5: it SHOULD NOT be cached."""
    desk = Desk()
    assert desk.addresses("pbx.example") == []
    desk.peer.set("pbx.example. 60 IN A 192.0.2.1")
    assert desk.addresses("pbx.example") == ["192.0.2.1"]


def test_a_failure_is_told_and_kept_for_a_second() -> None:
    """RFC 9520 3.2: resolution failures are cached for at least one second."""
    desk = Desk("pbx.example. 60 IN A 192.0.2.1", SOA)
    desk.start("pbx.example")
    desk.lose("127.0.0.1:53 does not answer: no answer in time")
    assert desk.found.pop() == Located((), "127.0.0.1:53 does not answer: no answer in time")
    desk.now += FAILURE_SECONDS - 0.1
    assert desk.addresses("pbx.example") == []
    desk.now += 0.1
    assert desk.addresses("pbx.example") == ["192.0.2.1"]


def test_look_ups_under_way_are_shared() -> None:
    desk = Desk("pbx.example. 60 IN A 192.0.2.1", SOA)
    desk.start("pbx.example")
    desk.start("PBX.example.", 5080)
    assert len(desk.on_the_way) == 2, "A and AAAA"
    assert desk.found == []
    desk.deliver()
    assert desk.found == [Located((("UDP", "192.0.2.1", port),)) for port in (5060, 5080)]


def test_what_is_known_is_told_at_once_and_the_rest_in_a_turn() -> None:
    desk = Desk("pbx.example. 60 IN A 192.0.2.1", SOA)
    turns = []
    desk.resolver.locate("pbx.example", 5060, "UDP", lambda located, now: turns.append(desk.in_turn))
    assert turns == []
    desk.deliver()
    desk.resolver.locate("pbx.example", 5060, "UDP", lambda located, now: turns.append(desk.in_turn))
    assert turns == [True, False]


def test_naptr_srv_and_addresses_lead_to_the_targets() -> None:
    """RFC 3263 4.1, 4.2."""
    desk = Desk(
        'example. 60 IN NAPTR 10 10 "s" "SIP+D2T" "" _sip._tcp.example.',
        "_sip._tcp.example. 60 IN SRV 2 0 5062 b.example.",
        "_sip._tcp.example. 60 IN SRV 1 0 5061 A.example.",
        "a.example. 60 IN A 192.0.2.1",
        "b.example. 60 IN A 192.0.2.2",
        "b.example. 60 IN AAAA 2001:db8::2",
        SOA,
    )
    assert desk.locate("example", 0, "").targets == (
        ("TCP", "192.0.2.1", 5061),
        ("TCP", "192.0.2.2", 5062),
        ("TCP", "2001:db8::2", 5062),
    )


def test_an_outbound_host_name_is_answered_here_and_follows_its_connector() -> None:
    desk = Desk()
    assert desk.locate(HOST, 0, "UDP").targets == (("UDP", "192.0.2.100", 5060),)
    assert desk.locate(f"no{HOST}").because == f"no{HOST} does not exist (NXDOMAIN)"
    assert desk.peer.asked == []


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example", ".".join(["x" * 50] * 6), ""])
def test_what_is_no_host_name_is_said_to_be_none(host: str) -> None:
    located = Desk().locate(host)
    assert not located.targets
    assert located.because


@pytest.mark.parametrize(
    "wire", [b"\0" * 5, b"\0" * 40, dns.message.make_response(dns.message.make_query("other.example", "A")).to_wire()]
)
def test_an_answer_that_cannot_be_read_is_a_failure(wire: bytes) -> None:
    desk = Desk()
    desk.start("pbx.example")
    while desk.on_the_way:
        desk.on_the_way.pop()[1](wire, "")
    assert "the answer for pbx.example cannot be read" in desk.found.pop().because


def test_why_an_answer_cannot_be_read_is_told_in_one_line() -> None:
    """RFC 6891 6.1.1: an OPT record has its place in the additional section; dnspython says so in two lines."""
    desk = Desk()
    desk.start("pbx.example")
    while desk.on_the_way:
        query, done = desk.on_the_way.pop()
        option = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
        done(query[:2] + b"\x80\0\0\1\0\1\0\0\0\0" + query[12:].removesuffix(option) + option, "")
    because = desk.found.pop().because
    assert "OPT record" in because
    assert because.isprintable()


def test_names_that_never_repeat_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voiceconnector.dns.KEPT", 10)
    desk = Desk(SOA)
    for number in range(50):
        desk.locate(f"host{number}.example")
    assert len(desk.resolver._kept) <= 10


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


def test_an_answer_is_kept_for_a_day_at_most_whatever_it_says() -> None:
    """RFC 8767 4: resolvers cap what they take from a TTL."""
    desk = Desk(f"pbx.example. {2**31 - 1} IN A 192.0.2.1", SOA)
    assert desk.addresses("pbx.example") == ["192.0.2.1"]
    desk.peer.set("pbx.example. 60 IN A 192.0.2.2", SOA)
    desk.now += LONGEST_SECONDS - 1
    assert desk.addresses("pbx.example") == ["192.0.2.1"]
    desk.now += 1
    assert desk.addresses("pbx.example") == ["192.0.2.2"]


def told(desk: Desk, name: str, *records: str) -> Located:
    """Where a name leads if a name server writes these records into every section of every answer."""
    desk.start(name)
    while desk.on_the_way:
        query, done = desk.on_the_way.pop()
        response = dns.message.make_response(dns.message.from_wire(query))
        for record in records:
            owner, type_, text = record.split()
            for section in (response.answer, response.authority, response.additional):
                section.append(dns.rrset.from_text(owner, 60, "IN", type_, text))
        done(response.to_wire(), "")
    return desk.found.pop()


def test_aliases_that_lead_in_a_circle_lead_nowhere() -> None:
    """RFC 1034 3.6.2."""
    located = told(Desk(), "a.example", "a.example. CNAME b.example.", "b.example. CNAME a.example.")
    assert not located.targets
    assert located.because


def test_what_an_answer_says_of_other_names_is_not_believed() -> None:
    """RFC 5452 6: only what was asked for is taken from an answer, and kept."""
    desk = Desk("pbx.example. 60 IN A 192.0.2.1", SOA)
    located = told(desk, "evil.example", "evil.example. A 192.0.2.66", "pbx.example. A 192.0.2.66")
    assert located.targets == (("UDP", "192.0.2.66", 5060),)
    assert desk.addresses("pbx.example") == ["192.0.2.1"]
