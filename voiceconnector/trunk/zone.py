"""The DNS zone of the outbound host names: what is answered to a question, from the connectors there are. No I/O.

Names and records (RFC 1035, RFC 2782, RFC 3263), for every Voice Connector, all with the addresses and ports its
Region listens at:

    <id>             A, AAAA; NAPTR for UDP, TCP and TLS
    _sip._udp.<id>   SRV of UDP
    _sip._tcp.<id>   SRV of TCP, where that is at the addresses of UDP
    _sips._tcp.<id>  the same of TLS

of which a connector that requires encryption has TLS only; and SOA, NS at the top. Queries are read and answers
written as RFC 1035, 6891 (EDNS), 8482 (ANY) and 2308 (what is not there) say; the records of an answer change
places from one to the next. Left out: DNSSEC, zone transfers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.name import Name
from dns.rcode import Rcode
from dns.rdata import Rdata
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType

from .model import HOST_NAME_SUFFIX, Snapshot, VoiceConnector
from .profile import Profile

ORIGIN = dns.name.from_text(HOST_NAME_SUFFIX.removeprefix("."))
NAME_SERVER = dns.name.from_text("ns", ORIGIN)
PAYLOAD = 1232
"""Bytes of a UDP message that we send at most, and say that we take (RFC 6891 6.2.5)."""
KEPT = 2_000
"""Rendered answers kept at most."""
LONGEST_KEPT = 512
"""Bytes of a query whose answer is kept; a longer one is not sent twice by anybody who means well."""

_HEADER = 12
_QR, _RD = 0x80, 0x01
_SERVICES = {"UDP": ("SIP+D2U", "_sip._udp"), "TCP": ("SIP+D2T", "_sip._tcp"), "TLS": ("SIPS+D2T", "_sips._tcp")}
"""By transport: the service of NAPTR records (RFC 3263 4.1), and the labels where its SRV records are."""
_META_TYPES = range(128, 255)
"""Question types that name no records, but for ANY (RFC 6895 3.1): TKEY, TSIG, IXFR, AXFR, MAILB, MAILA."""


class Edge(NamedTuple):
    """Where a Region listens, as far as DNS tells of it."""

    addresses: tuple[str, ...]
    """IP addresses, IPv4 and IPv6."""
    ports: Mapping[str, int]
    """By transport (UDP, TCP, TLS), the preferred one first; each of them at all of the addresses."""


class RecordSet(NamedTuple):
    """All records of a name and type."""

    name: Name
    type: RdataType
    rdatas: tuple[Rdata, ...]


class Reply(NamedTuple):
    """What is said to a question, before it is a message."""

    rcode: Rcode
    answer: tuple[RecordSet, ...] = ()
    authority: tuple[RecordSet, ...] = ()
    additional: tuple[RecordSet, ...] = ()

    @property
    def rotations(self) -> int:
        """How many orders of the records there are."""
        return max((len(records.rdatas) for records in (*self.answer, *self.additional)), default=1)


@dataclass(frozen=True, slots=True)
class Zone:
    """The zone at one moment."""

    snapshot: Snapshot
    edges: Mapping[str, Edge]
    """By Region."""
    unavailable: frozenset[str]
    """Regions that are down."""
    profile: Profile
    name_server: tuple[str, ...] = ()
    """IP addresses of the server itself."""
    serial: int = 1

    def reply(self, name: Name, class_: RdataClass, type_: RdataType) -> Reply:
        """What is said to a question about `name`; REFUSED if it is not of this zone, NOTIMP for a transfer."""
        if class_ not in (RdataClass.IN, RdataClass.ANY) or not name.is_subdomain(ORIGIN):
            return Reply(Rcode.REFUSED)
        if type_ in _META_TYPES:
            return Reply(Rcode.NOTIMP)
        records = self.records(name)
        if records is None:
            return Reply(Rcode.NXDOMAIN, authority=(self._soa(),))
        found = [known for known in records if type_ in (known.type, RdataType.ANY)][:1]  # ANY: RFC 8482 4.1
        if not found:
            return Reply(Rcode.NOERROR, authority=(self._soa(),))
        additional = [
            addresses
            for rdata in found[0].rdatas
            if isinstance(target := getattr(rdata, "target", None), Name)
            for addresses in self.records(target) or ()
            if addresses.type in (RdataType.A, RdataType.AAAA)
        ]
        return Reply(Rcode.NOERROR, tuple(found), additional=tuple(additional))

    def records(self, name: Name) -> tuple[RecordSet, ...] | None:
        """All records of a name in the zone; None if there is no such name, () if there are only names below it."""
        labels = [label.decode("latin-1").lower() for label in name.relativize(ORIGIN).labels]
        if not labels:
            return (self._soa(), _record_set(ORIGIN, "NS", NAME_SERVER.to_text()))
        if labels == ["ns"]:
            return _address_sets(NAME_SERVER, self.name_server)
        connector = self.snapshot.by_id.get(labels.pop())
        return self._records_of(connector, ".".join(labels)) if connector else None

    def _records_of(self, connector: VoiceConnector, service: str) -> tuple[RecordSet, ...] | None:
        """The records of a connector's host name, or of `_sip._udp` and the like below it."""
        host = dns.name.from_text(connector.voice_connector_id, ORIGIN)
        edge = self.edges.get(connector.aws_region, Edge((), {}))
        ports = dict(edge.ports) if self.profile.dns_service_records else {}
        if connector.require_encryption:
            ports = {transport: port for transport, port in ports.items() if transport == "TLS"}
        names: dict[str, tuple[RecordSet, ...]] = {
            "": (
                *_address_sets(host, self._addresses(connector, edge)),
                *_naptr_set(host, ports),
            )
        }
        for transport, port in ports.items():
            labels = _SERVICES[transport][1]
            srv = _record_set(dns.name.from_text(labels, host), "SRV", f"10 10 {port} {host}")
            names |= {labels.partition(".")[2]: (), labels: (srv,)}
        if service in names and self.profile.dns_withdraws_region and connector.aws_region in self.unavailable:
            return ()
        return names.get(service)

    def _addresses(self, connector: VoiceConnector, edge: Edge) -> tuple[str, ...]:
        if connector.network_type == "DUAL_STACK" or self.profile.dns_ipv6_for_ipv4_only:
            return edge.addresses
        return tuple(address for address in edge.addresses if ":" not in address)

    def _soa(self) -> RecordSet:
        """RFC 2308 4: its last field is how long an answer that something is not there may be kept."""
        text = f"{NAME_SERVER} hostmaster.{ORIGIN} {self.serial} 3600 600 86400 {self.profile.dns_ttl}"
        return _record_set(ORIGIN, "SOA", text)


def _record_set(name: Name, type_: str, *texts: str) -> RecordSet:
    rdatas = tuple(dns.rdata.from_text("IN", type_, text) for text in texts)
    return RecordSet(name, RdataType.from_text(type_), rdatas)


def _address_sets(name: Name, addresses: tuple[str, ...]) -> tuple[RecordSet, ...]:
    ipv4 = [address for address in addresses if ":" not in address]
    ipv6 = [address for address in addresses if ":" in address]
    return tuple(_record_set(name, type_, *those) for type_, those in (("A", ipv4), ("AAAA", ipv6)) if those)


def _naptr_set(host: Name, ports: Mapping[str, int]) -> tuple[RecordSet, ...]:
    """One order, so that a client may go on to the next transport (RFC 3403 4.1)."""
    texts = [
        f'10 {10 * place} "s" "{_SERVICES[transport][0]}" "" {_SERVICES[transport][1]}.{host}'
        for place, transport in enumerate(ports, start=1)
    ]
    return (_record_set(host, "NAPTR", *texts),) if texts else ()


class Answers:
    """Answers to queries as they come over the wire, always from the present state.

    An answer is rendered once for each order of its records and kept until connectors or Regions change, as most
    queries repeat earlier ones to the byte, but for their id.
    """

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        edges: Mapping[str, Edge],
        profile: Profile,
        name_server: tuple[str, ...] = (),
        region_available: Callable[[str], bool] = lambda _region: True,
        serial: int = 1,
    ) -> None:
        """`edges` may be filled later, up to the first query; `serial` is that of the first SOA."""
        self._snapshot = snapshot
        self._region_available = region_available
        self._zone = Zone(snapshot(), edges, frozenset(), profile, name_server, serial)
        self._rendered: dict[tuple[bool, bytes], _Rendered] = {}
        self._turns: dict[tuple[Name, RdataType], _Turns] = {}

    def respond(self, query: bytes, over_tcp: bool = False) -> bytes | None:
        """The answer to a message from anybody, None if it is to be ignored: no query, or no header even."""
        if len(query) < _HEADER or query[2] & _QR:
            return None
        self._refresh()
        key = (over_tcp, query[2:])
        rendered = self._rendered.get(key)
        if rendered is None:
            try:
                rendered = self._prepared(_read(query))
            except _Unusable as error:
                return refusal(query, error.rcode)
            if len(query) <= LONGEST_KEPT:
                if len(self._rendered) >= KEPT:
                    self._rendered.clear()
                self._rendered[key] = rendered
        turn = rendered.turns.take()
        wire = rendered.variants[turn]
        if not wire:
            wire = rendered.variants[turn] = _wire(rendered.query, rendered.reply, turn, self._zone.profile, over_tcp)
        return query[:2] + wire[2:]

    def _refresh(self) -> None:
        """Let go of what was true of another set of connectors, or while other Regions were there."""
        zone = self._zone
        snapshot = self._snapshot()
        unavailable = frozenset(region for region in zone.edges if not self._region_available(region))
        if snapshot is not zone.snapshot or unavailable != zone.unavailable:
            serial = (zone.serial + 1) & 0xFFFFFFFF
            self._zone = Zone(snapshot, zone.edges, unavailable, zone.profile, zone.name_server, serial)
            self._rendered.clear()
            self._turns.clear()

    def _prepared(self, query: dns.message.Message) -> "_Rendered":
        """A reply of which nothing is rendered yet."""
        question = query.question[0]
        if query.edns > 0:
            reply = Reply(Rcode.BADVERS)  # RFC 6891 6.1.3
        else:
            reply = self._zone.reply(question.name, question.rdclass, question.rdtype)
        turns = _Turns(reply.rotations)
        if reply.answer:
            turns = self._turns.setdefault((question.name, question.rdtype), turns)
        return _Rendered(query, reply, turns, [b""] * reply.rotations)


class _Turns:
    """Whose turn it is to stand first, however differently the question is put."""

    __slots__ = ("_count", "_next")

    def __init__(self, count: int) -> None:
        self._count = count
        self._next = 0

    def take(self) -> int:
        turn = self._next
        self._next = (turn + 1) % self._count
        return turn


class _Rendered(NamedTuple):
    """A query that has come before."""

    query: dns.message.Message
    reply: Reply
    turns: _Turns
    variants: list[bytes]
    """The whole answer, for each turn; empty until it is asked for."""


class _Unusable(Exception):
    """A query that cannot be answered."""

    def __init__(self, rcode: Rcode) -> None:
        self.rcode = rcode


def _read(wire: bytes) -> dns.message.Message:
    """A query with one question. Raises _Unusable."""
    if dns.opcode.from_flags(int.from_bytes(wire[2:4])) != dns.opcode.QUERY:
        raise _Unusable(Rcode.NOTIMP)
    if int.from_bytes(wire[4:6]) != 1:  # RFC 9619
        raise _Unusable(Rcode.FORMERR)
    try:
        return dns.message.from_wire(wire, keyring=False)
    except (dns.exception.DNSException, ValueError):
        raise _Unusable(Rcode.FORMERR) from None


def refusal(query: bytes, rcode: Rcode) -> bytes:
    """A header that says no more than `rcode`: to what cannot be read, or cannot be answered now."""
    return query[:2] + bytes((_QR | query[2] & (0x78 | _RD), rcode)) + bytes(8)


def _wire(query: dns.message.Message, reply: Reply, turn: int, profile: Profile, over_tcp: bool) -> bytes:
    """The message as it is sent, truncated where it is too long (RFC 2181 9, RFC 6891 6.2.5)."""
    response = dns.message.make_response(query, our_payload=PAYLOAD, pad=0)
    response.set_rcode(reply.rcode)
    if reply.answer or reply.authority:
        response.flags |= dns.flags.AA
    asked = query.question[0].name
    sections = (response.answer, reply.answer), (response.authority, reply.authority)
    for section, sets in (*sections, (response.additional, reply.additional)):
        for name, _, rdatas in sets:
            first = turn % len(rdatas)
            owner = asked if name == asked else name  # In the case of the question, as RFC 4343 4.1 has it.
            rrset = dns.rrset.from_rdata_list(owner, profile.dns_ttl, (*rdatas[first:], *rdatas[:first]))
            section.append(rrset)
    limit = 0xFFFF if over_tcp else min(max(query.payload, 512), PAYLOAD)
    return response.to_wire(max_size=limit, prefer_truncation=True, want_shuffle=False)
