"""The resolver of SIP hosts in virtual time, against name servers that may lie."""

from collections.abc import Callable
from random import Random

import dns.message
import dns.rrset
import pytest

from tests.test_dns import HOST, SOA, NameServer, zone
from voiceconnector.dns import FAILURE_SECONDS, LONGEST_SECONDS, Resolver
from voiceconnector.sip.locate import Located


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
