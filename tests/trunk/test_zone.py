"""The zone of the outbound host names: records, rotation, what is not there, EDNS, truncation, hostile packets."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest
from dns.edns import GenericOption
from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.trunk.model import Snapshot, VoiceConnector
from voiceconnector.trunk.profile import AWS, LAB, Profile
from voiceconnector.trunk.zone import KEPT, LONGEST_KEPT, PAYLOAD, Answers, Edge

FIRST, SECOND, DUAL = "abcdef1ghij2klmno3pqr4", "0123456789abcdefghijkl", "dualstack0000000000000"
SUFFIX = "voiceconnector.chime.aws"
EDGES = {
    "us-east-1": Edge(
        ("192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "2001:db8::2"), {"UDP": 5060, "TCP": 5062}
    ),
    "us-west-2": Edge(("198.51.100.1",), {"UDP": 5080}),
}


class Place:
    """Answers over connectors and Regions that a test changes."""

    def __init__(self, profile: Profile = AWS, edges: dict[str, Edge] = EDGES) -> None:
        self.snapshot = Snapshot.of(
            [
                VoiceConnector(FIRST, "first"),
                VoiceConnector(SECOND, "second", "us-west-2"),
                VoiceConnector(DUAL, "dual", network_type="DUAL_STACK"),
            ]
        )
        self.down: set[str] = set()
        self.answers = Answers(
            lambda: self.snapshot, edges, profile, ("127.0.0.1",), lambda region: region not in self.down, serial=7
        )

    def ask(self, name: str, type_: str = "A", *, over_tcp: bool = False, edns: int = -1) -> dns.message.QueryMessage:
        """What is said of a name below the zone, "" for the zone itself."""
        whole = f"{name}.{SUFFIX}" if name else SUFFIX
        return self.send(dns.message.make_query(whole, type_, use_edns=edns), over_tcp)

    def send(self, query: dns.message.Message, over_tcp: bool = False) -> dns.message.QueryMessage:
        wire = self.answers.respond(query.to_wire(), over_tcp)
        assert wire is not None
        answer = dns.message.from_wire(wire)
        assert isinstance(answer, dns.message.QueryMessage)
        assert query.is_response(answer)
        return answer

    def records(self, name: str, type_: str = "A") -> list[str]:
        """The answer section, in its order."""
        return [rdata.to_text() for rrset in self.ask(name, type_).answer for rdata in rrset]


@pytest.fixture
def place() -> Place:
    return Place()


def test_a_query_and_its_answer_to_the_byte() -> None:
    """RFC 1035 4.1: id, flags QR AA RD, counts; the question; a pointer to it, type, class, TTL, length, address."""
    name = b"\x16abcdef1ghij2klmno3pqr4\x0evoiceconnector\x05chime\x03aws\x00"
    question = name + b"\x00\x01\x00\x01"
    query = b"\xbe\xef\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + question
    answer = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04" + ip_address("192.0.2.1").packed
    place = Place(edges={"us-east-1": Edge(("192.0.2.1",), {})})
    assert place.answers.respond(query) == (
        b"\xbe\xef\x85\x00\x00\x01\x00\x01\x00\x00\x00\x00" + question + answer
    )  # fmt: skip


def test_every_connector_has_the_addresses_of_its_region(place: Place) -> None:
    assert sorted(place.records(FIRST)) == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert place.records(SECOND) == ["198.51.100.1"]


def test_the_addresses_take_turns_whatever_else_is_asked_in_between(place: Place) -> None:
    """A PBX that asks for A and AAAA in turn gets each in turn."""
    seen = []
    for _ in range(4):
        seen.append(place.records(DUAL))
        place.records(DUAL, "AAAA")
    assert seen == [
        ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
        ["192.0.2.2", "192.0.2.3", "192.0.2.1"],
        ["192.0.2.3", "192.0.2.1", "192.0.2.2"],
        ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
    ]


def test_they_take_turns_too_where_every_query_differs(place: Place) -> None:
    """A client that chooses the case of each letter by chance (as resolvers do against forged answers)."""
    names = [FIRST, FIRST.upper(), FIRST.title()]
    assert {place.records(name)[0] for name in names} == {"192.0.2.1", "192.0.2.2", "192.0.2.3"}


@pytest.mark.parametrize(
    ("profile", "connector", "addresses"),
    [
        (AWS, FIRST, []),
        (AWS, DUAL, ["2001:db8::1", "2001:db8::2"]),
        (LAB, FIRST, ["2001:db8::1", "2001:db8::2"]),
        (LAB, SECOND, []),
    ],
)
def test_ipv6_addresses_are_those_of_a_region_that_has_them(
    profile: Profile, connector: str, addresses: list[str]
) -> None:
    assert Place(profile).records(connector, "AAAA") == addresses


def test_srv_records_name_the_port_and_bring_the_addresses(place: Place) -> None:
    """RFC 2782; the additional section saves the client a question."""
    udp = place.ask(f"_sip._udp.{FIRST}", "SRV")
    assert [each.to_text() for each in udp.answer[0]] == [f"10 10 5060 {FIRST}.{SUFFIX}."]
    assert sorted(rdata.to_text() for rdata in udp.additional[0]) == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert place.records(f"_sip._tcp.{FIRST}", "SRV") == [f"10 10 5062 {FIRST}.{SUFFIX}."]
    assert place.records(f"_sip._udp.{SECOND}", "SRV") == [f"10 10 5080 {SECOND}.{SUFFIX}."]
    assert place.ask(f"_sip._tcp.{SECOND}", "SRV").rcode() == dns.rcode.NXDOMAIN, "it does not listen on TCP there"
    assert place.ask(f"_sips._tcp.{FIRST}", "SRV").rcode() == dns.rcode.NXDOMAIN


def test_tls_is_found_as_sips_and_is_all_that_a_connector_with_encryption_has() -> None:
    """RFC 3263 4.1: SIPS+D2T and _sips._tcp stand for TLS."""
    place = Place(edges={"us-east-1": Edge(("192.0.2.1",), {"UDP": 5060, "TCP": 5060, "TLS": 5061})})
    tls = f'"s" "SIPS+D2T" "" _sips._tcp.{FIRST}.{SUFFIX}.'
    assert sorted(place.records(FIRST, "NAPTR"))[2] == f"10 30 {tls}"
    assert place.records(f"_sips._tcp.{FIRST}", "SRV") == [f"10 10 5061 {FIRST}.{SUFFIX}."]
    place.snapshot = Snapshot.of([VoiceConnector(FIRST, "encrypted", require_encryption=True)])
    assert place.records(FIRST, "NAPTR") == [f"10 10 {tls}"]
    assert place.records(f"_sips._tcp.{FIRST}", "SRV") == [f"10 10 5061 {FIRST}.{SUFFIX}."]
    assert place.ask(f"_sip._udp.{FIRST}", "SRV").rcode() == dns.rcode.NXDOMAIN
    assert place.ask(f"_sip._tcp.{FIRST}", "SRV").rcode() == dns.rcode.NXDOMAIN


def test_naptr_records_lead_to_the_srv_records(place: Place) -> None:
    """RFC 3263 4.1: flag "s", service SIP+D2U or SIP+D2T, no regular expression."""
    assert sorted(place.records(FIRST, "NAPTR")) == [
        f'10 10 "s" "SIP+D2U" "" _sip._udp.{FIRST}.{SUFFIX}.',
        f'10 20 "s" "SIP+D2T" "" _sip._tcp.{FIRST}.{SUFFIX}.',
    ]
    assert place.records(SECOND, "NAPTR") == [f'10 10 "s" "SIP+D2U" "" _sip._udp.{SECOND}.{SUFFIX}.']


def test_the_profile_can_do_without_srv_and_naptr() -> None:
    place = Place(replace(AWS, dns_service_records=False))
    assert place.records(FIRST)
    assert place.records(FIRST, "NAPTR") == []
    assert place.ask(f"_sip._udp.{FIRST}", "SRV").rcode() == dns.rcode.NXDOMAIN


def test_the_zone_has_its_soa_and_name_server(place: Place) -> None:
    """RFC 1035 3.3.13, 3.3.11."""
    assert place.records("", "NS") == [f"ns.{SUFFIX}."]
    assert [rdata.to_text() for rrset in place.ask("", "NS").additional for rdata in rrset] == ["127.0.0.1"]
    assert place.records("ns") == ["127.0.0.1"]
    assert place.records("", "SOA") == [f"ns.{SUFFIX}. hostmaster.{SUFFIX}. 7 3600 600 86400 60"]


@pytest.mark.parametrize(
    ("name", "type_", "rcode"),
    [
        ("nosuchconnector0000000", "A", dns.rcode.NXDOMAIN),
        (f"www.{FIRST}", "A", dns.rcode.NXDOMAIN),
        (f"_sip._udp.{FIRST}.x", "SRV", dns.rcode.NXDOMAIN),
        (FIRST, "AAAA", dns.rcode.NOERROR),
        (FIRST, "MX", dns.rcode.NOERROR),
        (FIRST, "TYPE65280", dns.rcode.NOERROR),
        (f"_udp.{FIRST}", "SRV", dns.rcode.NOERROR),
        ("", "A", dns.rcode.NOERROR),
    ],
)
def test_what_is_not_there_comes_with_the_soa(place: Place, name: str, type_: str, rcode: int) -> None:
    """RFC 2308 2.1, 2.2 (and RFC 8020 for names above others); 3: the TTL is that of the negative answer."""
    answer = place.ask(name, type_)
    assert (answer.rcode(), answer.answer) == (rcode, [])
    (soa,) = answer.authority
    assert (soa.rdtype, soa.ttl, soa[0].minimum) == (dns.rdatatype.SOA, AWS.dns_ttl, AWS.dns_ttl)
    assert answer.flags & dns.flags.AA


@pytest.mark.parametrize("name", ["example.com", "chime.aws", "aws", ".", f"x{SUFFIX}"])
def test_another_zone_is_refused(place: Place, name: str) -> None:
    answer = place.send(dns.message.make_query(name, "A"))
    assert (answer.rcode(), answer.answer, answer.authority) == (dns.rcode.REFUSED, [], [])
    assert not answer.flags & dns.flags.AA


def test_another_class_is_refused(place: Place) -> None:
    assert place.send(dns.message.make_query("version.bind", "TXT", "CH")).rcode() == dns.rcode.REFUSED
    assert place.send(dns.message.make_query(f"{FIRST}.{SUFFIX}", "A", "CH")).rcode() == dns.rcode.REFUSED


def test_any_gets_one_record_set(place: Place) -> None:
    """RFC 8482 4.1."""
    (rrset,) = place.ask(FIRST, "ANY").answer
    assert rrset.rdtype == dns.rdatatype.A
    assert place.ask("nosuchconnector0000000", "ANY").rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize("type_", ["AXFR", "IXFR", "MAILB"])
def test_zone_transfers_are_not_implemented(place: Place, type_: str) -> None:
    """RFC 5936 2.2.1 has NOTIMP for a server without them."""
    wire = place.answers.respond(dns.message.make_query(SUFFIX, type_).to_wire(), True)
    assert wire is not None
    assert wire[3] & 15 == dns.rcode.NOTIMP


def test_case_does_not_matter_and_comes_back_as_it_was(place: Place) -> None:
    """RFC 4343 4.1."""
    asked = f"{FIRST.upper()}.VoiceConnector.chime.AWS."
    answer = place.send(dns.message.make_query(asked, "A"))
    assert answer.question[0].name.to_text() == asked
    assert answer.answer[0].name.to_text() == asked


def test_the_ttl_is_the_profiles(place: Place) -> None:
    assert place.ask(FIRST).answer[0].ttl == 60
    assert Place(replace(AWS, dns_ttl=5)).ask(FIRST).answer[0].ttl == 5


# -- EDNS and size


def test_edns_is_answered_with_edns_and_only_then(place: Place) -> None:
    """RFC 6891 7: no OPT in the answer to a query without."""
    assert place.ask(FIRST).edns == -1
    answer = place.ask(FIRST, edns=0)
    assert (answer.edns, answer.payload) == (0, PAYLOAD)
    assert answer.answer


def test_a_later_version_of_edns_is_told_so(place: Place) -> None:
    """RFC 6891 6.1.3: BADVERS, with the version that is spoken here."""
    answer = place.ask(FIRST, edns=1)
    assert (answer.rcode(), answer.edns, answer.answer) == (dns.rcode.BADVERS, 0, [])


MANY = {"us-east-1": Edge(tuple(f"192.0.2.{host}" for host in range(1, 101)), {"UDP": 5060})}


@pytest.mark.parametrize(("edns", "payload", "limit"), [(-1, 0, 512), (0, 100, 512), (0, 700, 700), (0, 4096, PAYLOAD)])
def test_what_is_too_long_is_truncated_and_whole_over_tcp(edns: int, payload: int, limit: int) -> None:
    """RFC 1035 4.2.1: 512 bytes without EDNS; RFC 6891 6.2.3: less than 512 means 512; RFC 2181 9: TC."""
    place = Place(edges=MANY)
    query = dns.message.make_query(f"{FIRST}.{SUFFIX}", "A", use_edns=edns, payload=payload)
    wire = place.answers.respond(query.to_wire())
    assert wire is not None
    assert len(wire) <= limit
    assert dns.message.from_wire(wire).flags & dns.flags.TC
    whole = place.send(query, over_tcp=True)
    assert not whole.flags & dns.flags.TC
    assert len(whole.answer[0]) == 100


def test_twelve_addresses_fit_into_512_bytes() -> None:
    """As many as the service was seen to answer with."""
    place = Place(edges={"us-east-1": Edge(tuple(f"192.0.2.{host}" for host in range(12)), {"UDP": 5060})})
    assert len(place.records(FIRST)) == 12
    assert len(place.ask(f"_sip._udp.{FIRST}", "SRV").additional[0]) == 12


# -- changes


def test_create_and_delete_show_at_once_and_raise_the_serial(place: Place) -> None:
    """RFC 1982: the serial grows with each change."""
    new = "newconnector0000000000"
    assert place.ask(new).rcode() == dns.rcode.NXDOMAIN
    before = place.snapshot
    place.snapshot = Snapshot.of([*before.by_id.values(), VoiceConnector(new, "new")])
    assert sorted(place.records(new)) == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    place.snapshot = before
    assert place.ask(new).rcode() == dns.rcode.NXDOMAIN
    assert place.records("", "SOA")[0].split()[2] == "9"


def test_the_names_of_a_region_that_is_down_have_no_records_until_it_is_back(place: Place) -> None:
    place.records(FIRST)
    place.down.add("us-east-1")
    for name, type_ in ((FIRST, "A"), (FIRST, "NAPTR"), (f"_sip._udp.{FIRST}", "SRV")):
        answer = place.ask(name, type_)
        assert (answer.rcode(), answer.answer) == (dns.rcode.NOERROR, [])
    assert place.ask(f"www.{FIRST}").rcode() == dns.rcode.NXDOMAIN
    assert place.records(SECOND) == ["198.51.100.1"]
    place.down.clear()
    assert len(place.records(FIRST)) == 3


def test_the_profile_can_leave_the_addresses_of_a_region_that_is_down() -> None:
    place = Place(replace(AWS, dns_withdraws_region=False))
    place.down.add("us-east-1")
    assert len(place.records(FIRST)) == 3


def test_a_connector_of_a_region_that_is_not_run_here_has_a_name_without_records(place: Place) -> None:
    place.snapshot = Snapshot.of([VoiceConnector(FIRST, "first", "eu-west-1")])
    answer = place.ask(FIRST)
    assert (answer.rcode(), answer.answer) == (dns.rcode.NOERROR, [])


# -- what is broken


def edited(change: Callable[[bytearray], object]) -> bytes:
    wire = bytearray(dns.message.make_query(f"{FIRST}.{SUFFIX}", "A", use_edns=0).to_wire())
    change(wire)
    return bytes(wire)


@pytest.mark.parametrize(
    ("query", "rcode"),
    [
        (edited(lambda wire: wire.__setitem__(slice(4, 6), b"\0\0")), dns.rcode.FORMERR),
        (edited(lambda wire: wire.__setitem__(slice(4, 6), b"\0\2")), dns.rcode.FORMERR),
        (edited(lambda wire: wire.__delitem__(slice(20, None))), dns.rcode.FORMERR),
        (edited(lambda wire: wire.__setitem__(12, 0xC0)), dns.rcode.FORMERR),
        (edited(lambda wire: wire.extend(b"junk")), dns.rcode.FORMERR),
        (edited(lambda wire: wire.__setitem__(2, dns.opcode.NOTIFY << 3)), dns.rcode.NOTIMP),
        (edited(lambda wire: wire.__setitem__(2, dns.opcode.UPDATE << 3)), dns.rcode.NOTIMP),
        (edited(lambda wire: wire.__setitem__(2, 15 << 3)), dns.rcode.NOTIMP),
    ],
)
def test_what_cannot_be_read_or_done_is_said_in_the_header(place: Place, query: bytes, rcode: int) -> None:
    """RFC 1035 4.1.1: 1 for a format error, 4 for a kind of query that is not supported."""
    answer = place.answers.respond(query)
    assert answer is not None
    assert (answer[:2], answer[2] & 0x80, answer[2] & 0x78, answer[3] & 15) == (query[:2], 0x80, query[2] & 0x78, rcode)


@pytest.mark.parametrize("query", [b"", b"\0" * 11, edited(lambda wire: wire.__setitem__(2, 0x80))])
def test_an_answer_or_less_than_a_header_gets_nothing(place: Place, query: bytes) -> None:
    """To answer answers would let two servers talk for ever."""
    assert place.answers.respond(query) is None


QUERIES = st.builds(
    lambda name, type_, edns, number: dns.message.make_query(
        f"{name}.{SUFFIX}", type_, use_edns=edns, id=number
    ).to_wire(),
    st.sampled_from([FIRST, SECOND, f"_sip._udp.{FIRST}", "nosuch"]),
    st.sampled_from(["A", "AAAA", "SRV", "NAPTR", "ANY", "OPT", "TSIG"]),
    st.sampled_from([False, 0, 1]),
    st.integers(0, 65535),
)


@given(QUERIES, st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255)), max_size=4), st.binary(max_size=40))
def test_a_damaged_query_is_answered_with_a_message_or_not_at_all(
    query: bytes, changes: list[tuple[int, int]], tail: bytes
) -> None:
    damaged = bytearray(query)
    for place, byte in changes:
        damaged[place % len(damaged)] = byte
    see_that_it_is_survived(bytes(damaged + tail))


@given(st.binary(max_size=600))
def test_any_bytes_are_answered_with_a_message_or_not_at_all(data: bytes) -> None:
    see_that_it_is_survived(data)


@given(st.binary(max_size=200), st.integers(0, 3), st.integers(0, 3))
def test_any_records_behind_a_header_are_survived(data: bytes, answers: int, additional: int) -> None:
    counts = b"\0\1" + answers.to_bytes(2) + b"\0\0" + additional.to_bytes(2)
    see_that_it_is_survived(b"\1\2\0\0" + counts + b"\0\0\1\0\1" + data)


def see_that_it_is_survived(data: bytes) -> None:
    answer = Place().answers.respond(data)
    if len(data) < 12 or data[2] & 0x80:
        assert answer is None
        return
    assert answer is not None
    assert len(answer) <= PAYLOAD
    read = dns.message.from_wire(answer)
    assert read.id == int.from_bytes(data[:2])
    assert read.flags & dns.flags.QR


def test_queries_that_never_repeat_do_not_fill_the_memory(place: Place) -> None:
    for number in range(KEPT + 10):
        query = dns.message.make_query(f"name{number}.{SUFFIX}", "A")
        place.answers.respond(query.to_wire())
    assert len(place.answers._rendered) <= KEPT


def test_queries_longer_than_anybody_needs_are_answered_and_not_kept(place: Place) -> None:
    query = dns.message.make_query(f"name.{SUFFIX}", "A", use_edns=0, options=[GenericOption("PADDING", bytes(1_000))])
    wire = query.to_wire()
    assert len(wire) > LONGEST_KEPT
    assert dns.message.from_wire(place.answers.respond(wire) or b"").rcode() == dns.rcode.NXDOMAIN
    assert not place.answers._rendered
