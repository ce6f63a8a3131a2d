"""Locating SIP servers: RFC 3263 section 4, with the order of RFC 2782. The procedure only; DNS is asked elsewhere.

`locate` is a generator: it yields the questions it has, all of a round at once, takes their answers in the same
order and returns `Located`. It asks at once for all that it may need of the host itself, so that a host without
SRV records costs one round trip, and a name server that is silent one time-out.

Left out: section 5, where responses go, which is the transaction layer's.
"""

from collections.abc import Generator, Iterable, Iterator
from itertools import groupby, islice
from operator import attrgetter
from random import Random
from typing import Literal, NamedTuple

from .hop import is_ip_address

QuestionType = Literal["A", "AAAA", "SRV", "NAPTR"]

TRANSPORTS = ("UDP", "TCP", "TLS")
"""Tried, in this order, where neither route nor NAPTR records choose."""
SERVERS = 16
"""Targets of SRV records that are looked up at most for one host."""
TARGETS = 32
"""Targets that one host has at most, however many addresses a name server sends."""

_SERVICES = {"SIP+D2U": "UDP", "SIP+D2T": "TCP", "SIPS+D2T": "TLS"}
_PREFIXES = {"UDP": "_sip._udp.", "TCP": "_sip._tcp.", "TLS": "_sips._tcp."}


class Question(NamedTuple):
    """What DNS is asked."""

    name: str
    """Without a final dot; compared without regard to case by whoever answers."""
    type: QuestionType


class Srv(NamedTuple):
    """An SRV record (RFC 2782)."""

    priority: int
    """The lowest comes first."""
    weight: int
    """Share among those of one priority."""
    port: int
    target: str
    """Host name; "." means that the service is decidedly not there."""


class Naptr(NamedTuple):
    """A NAPTR record (RFC 3403 4.1), without its regular expression, which SIP does not use."""

    order: int
    """Only the lowest one that has a usable service counts."""
    preference: int
    flags: str
    service: str
    """Such as "SIP+D2U"."""
    replacement: str
    """Where the SRV records are."""


Record = str | Srv | Naptr
"""An IP address as text (the text of a TXT record, where those were asked for), or one of the others."""


class Answer(NamedTuple):
    """What came back for one question."""

    records: tuple[Record, ...] = ()
    because: str = ""
    """Why there are none, in words; "" where the name is there and has none of this type."""


class Located(NamedTuple):
    """Where requests for a host can be sent."""

    targets: tuple[tuple[str, str, int], ...]
    """(transport, IP address, port) in the order to be tried; empty when the name does not resolve."""
    because: str = ""
    """Why it is empty, in words."""


Procedure = Generator[tuple[Question, ...], tuple[Answer, ...], Located]


def locate(host: str, port: int, transport: str, chance: Random) -> Procedure:
    """Where to send a request for `host` (RFC 3263 4.1, 4.2).

    `port` 0 leaves it to SRV records, then to the default port; with a port only addresses are looked up.
    `transport` is UDP, TCP or TLS; "" leaves it to NAPTR, then to SRV records, then to UDP. `chance` decides
    among SRV records of one priority.
    """
    host = host.strip("[]").removesuffix(".")
    if is_ip_address(host):
        return Located(((transport or "UDP", host, port or _default_port(transport)),))
    transports = (transport,) if transport else TRANSPORTS
    services = () if port else tuple(Question(_PREFIXES[each] + host, "SRV") for each in transports)
    choice = () if port or transport else (Question(host, "NAPTR"),)
    known: dict[Question, Answer] = {}
    yield from _ask((*_address_questions(host), *services, *choice), known)

    offers = list(_offers(known[choice[0]])) if choice else []
    if not offers:
        offers = list(zip(transports, (question.name for question in services)))
    yield from _ask([Question(name, "SRV") for _, name in offers], known)
    servers = list(islice(_servers(offers, known, chance), SERVERS))
    if not servers:
        servers = [(transport or "UDP", Srv(0, 0, port or _default_port(transport), host))]

    hosts = dict.fromkeys(server.target for _, server in servers if server.target != ".")
    yield from _ask([question for name in hosts for question in _address_questions(name)], known)
    found = {name: _addresses(name, known)[:TARGETS] for name in hosts}
    targets = ((each, address, server.port) for each, server in servers for address in found.get(server.target, ()))
    located = tuple(dict.fromkeys(targets))[:TARGETS]
    return Located(located, "" if located else _why_not(host, list(hosts), known))


def _servers(offers: list[tuple[str, str]], known: dict[Question, Answer], chance: Random) -> Iterator[tuple[str, Srv]]:
    """Transports and SRV records, drawn one by one: there may be thousands, of which the first few are wanted."""
    for transport, name in offers:
        for server in _in_order(_srv(known[Question(name, "SRV")]), chance):
            yield transport, server


def _ask(questions: Iterable[Question], known: dict[Question, Answer]) -> Generator[
    tuple[Question, ...], tuple[Answer, ...], None
]:  # fmt: skip
    """Ask what is not known yet."""
    missing = tuple(dict.fromkeys(question for question in questions if question not in known))
    if missing:
        answers = yield missing
        known.update(zip(missing, answers, strict=True))


def _offers(answer: Answer) -> Iterator[tuple[str, str]]:
    """Transport and name of the SRV records, as NAPTR records prefer (RFC 3263 4.1, RFC 3403 4.1)."""
    usable = sorted(
        record
        for record in answer.records
        if isinstance(record, Naptr) and record.flags.lower() == "s" and _transport(record) in TRANSPORTS
    )
    for record in usable:
        if record.order == usable[0].order:
            yield _transport(record), record.replacement


def _transport(record: Naptr) -> str:
    return _SERVICES.get(record.service.upper(), "")


def _srv(answer: Answer) -> list[Srv]:
    return [record for record in answer.records if isinstance(record, Srv)]


def _in_order(records: list[Srv], chance: Random) -> Iterator[Srv]:
    """By priority, and at random by weight within one (RFC 2782, "Weight")."""
    for _, group in groupby(sorted(records), attrgetter("priority")):
        left = list(group)  # Sorted, so those of weight 0 stand first, as the RFC wants them.
        while left:
            selected = chance.randint(0, sum(record.weight for record in left))
            running = 0
            for record in left:
                running += record.weight
                if running >= selected:
                    break
            left.remove(record)
            yield record


def _address_questions(name: str) -> tuple[Question, Question]:
    return Question(name, "A"), Question(name, "AAAA")


def _addresses(name: str, known: dict[Question, Answer]) -> list[str]:
    """IPv4 before IPv6, each in the order of the answer."""
    return [
        record
        for question in _address_questions(name)
        for record in known[question].records
        if isinstance(record, str)
    ]  # fmt: skip


def _default_port(transport: str) -> int:
    return 5061 if transport == "TLS" else 5060


def _why_not(host: str, hosts: list[str], known: dict[Question, Answer]) -> str:
    """What a person has to know of a look-up that led nowhere."""
    if not hosts:
        return f'the SRV records of {host} say that it takes no such calls (target ".")'
    reasons = dict.fromkeys(
        known[question].because or f"{name} has no A and no AAAA record"
        for name in hosts
        for question in _address_questions(name)
    )
    via = "" if hosts == [host] else f"the SRV records of {host} lead nowhere: "
    return via + "; ".join(reasons)
