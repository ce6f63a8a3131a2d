"""Every message of RFC 4475 and RFC 5118: the verdict their text asks for, read, in the stack and live.

The messages of RFC 5118 are stored with bare LFs and with the lengths printed in the RFC, of which three are
wrong; they are sent with either line ending and the length their body has.
"""

import asyncio
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from voiceconnector.sip.grammar import ParseError, display
from voiceconnector.sip.headers import NameAddress, Via
from voiceconnector.sip.hop import Hop, Local
from voiceconnector.sip.ids import Ids
from voiceconnector.sip.lint import Level, anomalies
from voiceconnector.sip.message import BrokenRequest, Message, Request, Response, parse
from voiceconnector.sip.stack import SipStack
from voiceconnector.sip.stream import StreamError, StreamParser
from voiceconnector.sip.transaction import ServerTransaction
from voiceconnector.sip.transport import Transport
from voiceconnector.sip.uri import SipUri

CORPORA = Path(__file__).parents[2].parent / "shared" / "corpora"
pytestmark = pytest.mark.skipif(
    not CORPORA.is_dir(), reason=f"the messages of RFC 4475 and RFC 5118 are not in {CORPORA}"
)

UNDERSTOOD, DROPPED = "understood", "dropped"


@dataclass(frozen=True)
class Case:
    """A message, and the verdicts that its RFC allows."""

    file: str
    section: str
    verdicts: tuple[str | int, ...]
    """`UNDERSTOOD`, `DROPPED`, or the status code of the refusal."""

    @property
    def name(self) -> str:
        return self.file.removesuffix(".dat")

    @property
    def data(self) -> bytes:
        return (CORPORA / self.file).read_bytes()


RFC_4475 = [
    Case(f"rfc4475/{file}.dat", section, verdicts)
    for file, section, verdicts in (
        ("wsinv", "3.1.1.1", (UNDERSTOOD,)),
        ("intmeth", "3.1.1.2", (UNDERSTOOD,)),
        ("esc01", "3.1.1.3", (UNDERSTOOD,)),
        ("escnull", "3.1.1.4", (UNDERSTOOD,)),
        ("esc02", "3.1.1.5", (UNDERSTOOD,)),
        ("lwsdisp", "3.1.1.6", (UNDERSTOOD,)),
        ("longreq", "3.1.1.7", (UNDERSTOOD,)),
        ("dblreq", "3.1.1.8", (UNDERSTOOD,)),
        ("semiuri", "3.1.1.9", (UNDERSTOOD,)),
        ("transports", "3.1.1.10", (UNDERSTOOD,)),
        ("mpart01", "3.1.1.11", (UNDERSTOOD,)),
        ("unreason", "3.1.1.12", (UNDERSTOOD,)),
        ("noreason", "3.1.1.13", (UNDERSTOOD,)),
        ("badinv01", "3.1.2.1", (400,)),
        ("clerr", "3.1.2.2", (400,)),
        ("ncl", "3.1.2.3", (400,)),
        ("scalar02", "3.1.2.4", (400,)),
        ("scalarlg", "3.1.2.5", (DROPPED,)),
        ("quotbal", "3.1.2.6", (400,)),
        # "Elements attempting to be liberal" may take these seven to 3.1.2.15; 400 is as good.
        ("ltgtruri", "3.1.2.7", (400, UNDERSTOOD)),
        ("lwsruri", "3.1.2.8", (400, UNDERSTOOD)),
        ("lwsstart", "3.1.2.9", (400, UNDERSTOOD)),
        ("trws", "3.1.2.10", (400, UNDERSTOOD)),
        ("escruri", "3.1.2.11", (400, UNDERSTOOD)),
        ("baddate", "3.1.2.12", (400, UNDERSTOOD)),
        ("regbadct", "3.1.2.13", (400, UNDERSTOOD)),
        ("badaspec", "3.1.2.14", (400, UNDERSTOOD)),
        ("baddn", "3.1.2.15", (400, UNDERSTOOD)),
        ("badvers", "3.1.2.16", (505,)),
        ("mismatch01", "3.1.2.17", (400,)),
        ("mismatch02", "3.1.2.18", (501, 400)),
        ("bigcode", "3.1.2.19", (DROPPED,)),
        ("badbranch", "3.2.1", (400, UNDERSTOOD)),  # 400, or matched as RFC 2543 did.
        ("insuf", "3.3.1", (400, DROPPED)),  # "Ideally" 400; there is little to answer with.
        ("unkscm", "3.3.2", (416,)),
        ("novelsc", "3.3.3", (416,)),
        ("unksm2", "3.3.4", (UNDERSTOOD,)),
        ("bext01", "3.3.5", (UNDERSTOOD,)),
        ("invut", "3.3.6", (UNDERSTOOD,)),
        ("regaut01", "3.3.7", (UNDERSTOOD,)),
        ("multi01", "3.3.8", (400,)),
        ("mcl01", "3.3.9", (400,)),
        ("bcast", "3.3.10", (UNDERSTOOD,)),  # Well formed; the stack has to drop it.
        ("zeromf", "3.3.11", (UNDERSTOOD,)),
        ("cparam01", "3.3.12", (UNDERSTOOD,)),
        ("cparam02", "3.3.13", (UNDERSTOOD,)),
        ("regescrt", "3.3.14", (UNDERSTOOD,)),
        ("sdp01", "3.3.15", (UNDERSTOOD,)),
        ("inv2543", "3.4.1", (UNDERSTOOD,)),
        ("test", "in the archive only: a start line without version", (400, DROPPED)),
    )
]
RFC_5118 = [
    Case(f"rfc5118/{file}", section, verdicts)
    for file, section, verdicts in (
        ("ipv6-good", "4.1", (UNDERSTOOD,)),
        ("ipv6-bad", "4.2", (400,)),
        ("port-ambiguous", "4.3", (UNDERSTOOD,)),
        ("port-unambiguous", "4.4", (UNDERSTOOD,)),
        ("via-received-param-with-delim", "4.5", (UNDERSTOOD,)),
        ("via-received-param-no-delim", "4.5", (UNDERSTOOD,)),
        ("ipv6-in-sdp", "4.6", (UNDERSTOOD,)),
        ("mult-ip-in-header", "4.7", (UNDERSTOOD,)),
        ("mult-ip-in-sdp", "4.8", (UNDERSTOOD,)),
        ("ipv4-mapped-ipv6", "4.9", (UNDERSTOOD,)),
        ("ipv6-bug-abnf-3-colons", "4.10", (UNDERSTOOD,)),  # "must tolerate both of the above"
        ("ipv6-correct-abnf-2-colons", "4.10", (UNDERSTOOD,)),
    )
]


def with_line_ends(stored: bytes, line_end: bytes) -> bytes:
    """A message of RFC 5118 with this line ending, its empty line, and the length its body has."""
    head, _, body = stored.rstrip(b"\n").partition(b"\n\n")
    if body:
        body += b"\n"
    head, body = head.replace(b"\n", line_end), body.replace(b"\n", line_end)
    return re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(body), head) + line_end * 2 + body


EVERY: list[tuple[str, Case, bytes]] = []
if CORPORA.is_dir():
    EVERY += [(case.name, case, case.data) for case in RFC_4475]
    EVERY += [(f"{case.file} CRLF", case, with_line_ends(case.data, b"\r\n")) for case in RFC_5118]
    EVERY += [(f"{case.file} LF", case, with_line_ends(case.data, b"\n")) for case in RFC_5118]
EACH = pytest.mark.parametrize(("case", "data"), [row[1:] for row in EVERY], ids=[row[0] for row in EVERY])


def test_the_tables_name_every_file() -> None:
    files = {str(path.relative_to(CORPORA)) for path in CORPORA.glob("rfc[45]*/*")}
    assert files == {case.file for case in RFC_4475 + RFC_5118}


# -- read


def verdict_of(data: bytes) -> str | int:
    try:
        message = parse(data)
    except BrokenRequest as broken:
        return broken.status_code
    except ParseError:
        return DROPPED
    try:
        if isinstance(message, Request):
            message.validate()
    except ParseError as error:
        return error.status_code
    return UNDERSTOOD


@EACH
def test_a_message_gets_its_verdict_when_read(case: Case, data: bytes) -> None:
    """The section of RFC 4475 or RFC 5118 stands in the table."""
    assert verdict_of(data) in case.verdicts


@EACH
def test_what_is_refused_or_only_tolerated_is_named_by_lint(case: Case, data: bytes) -> None:
    found = anomalies(data)
    if verdict_of(data) != UNDERSTOOD:
        assert found[0].level is Level.ERROR
    elif case.verdicts != (UNDERSTOOD,):
        assert found[0].level is not Level.NOTE


def request(name: str) -> Request:
    (data,) = (row[2] for row in EVERY if row[0] == name)
    message = parse(data)
    assert isinstance(message, Request)
    return message


def response(name: str) -> Response:
    message = parse((CORPORA / f"rfc4475/{name}.dat").read_bytes())
    assert isinstance(message, Response)
    return message


def vias(message: Message) -> list[Via]:
    return [Via.parse(value) for value in message.values("via")]


def contacts(message: Message) -> list[NameAddress]:
    return [NameAddress.parse(value, "Contact") for value in message.values("contact")]


def uri(text: str) -> SipUri:
    return SipUri.parse(text)


READINGS: list[tuple[str, str, Callable[[Request], object], object]] = [
    ("wsinv", "CSeq, leading zeros", lambda m: (m.cseq, m.method), (9, "INVITE")),
    ("wsinv", "Max-Forwards, leading zeros", lambda m: m.max_forwards, 68),
    ("wsinv", "tags", lambda m: (m.to_tag, m.from_tag), ("1918181833n", "98asjd8")),
    ("wsinv", "quotes within quotes", lambda m: m.from_.display_name, r'"J Rosenberg \\\""'),
    ("wsinv", "Via in all spellings", lambda m: [(via.transport, via.host, via.branch) for via in vias(m)], [
        ("UDP", "192.0.2.2", "390skdjuw"), ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]),
    ("wsinv", "an empty header", lambda m: m.header("subject"), ""),
    ("wsinv", "folding", lambda m: m.header("newfangledheader"), "newfangled value continued newfangled value"),
    ("wsinv", "unknown header", lambda m: m.header("unknownheaderwithunusualvalue"), ";;,,;;,;"),
    ("wsinv", "Contact", lambda m: contacts(m)[0].parameters, {
        "newparam": "newvalue", "secondparam": None, "q": "0.33",
    }),
    ("wsinv", "loose route", lambda m: uri(NameAddress.parse(m.values("route")[0], "Route").uri).is_loose, True),
    ("wsinv", "body", lambda m: len(m.body), 150),
    ("intmeth", "method", lambda m: m.method, "!interesting-Method0123456789_*+`.%indeed'~"),
    ("intmeth", "user", lambda m: m.request_uri.user.partition(":")[0],
        "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"),
    ("intmeth", "host", lambda m: m.request_uri.host, "example.com"),
    ("intmeth", "branch", lambda m: m.branch, "z9hG4bK-.!%66*_+`'~"),
    ("intmeth", "quoted NUL", lambda m: m.to.display_name, '"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f"'),
    ("intmeth", "tokens as name", lambda m: m.from_.display_name, "token1~` token2'+_ token3*%!.-"),
    ("intmeth", "tag", lambda m: m.from_tag, "_token~1'+`*%!-."),
    ("intmeth", "UTF-8 parameter", lambda m: display(m.from_.parameters["fromparam''~+*_!.-%"] or ""), '"работающий"'),
    ("intmeth", "Call-ID", lambda m: m.call_id, "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"),
    ("intmeth", "UTF-8 header", lambda m: display(m.header("extensionheader-!.%*+_`'~") or ""), "\ufeff大停電"),
    ("esc01", "escaped user", lambda m: m.request_uri.unescaped_user, "sips:user@example.com"),
    ("esc01", "escaped To", lambda m: uri(m.to.uri).unescaped_user, "user"),
    ("esc01", "spaces", lambda m: uri(m.from_.uri).unescaped_user, "I have spaces"),
    ("esc01", "Contact", lambda m: uri(contacts(m)[0].uri).unescaped_user, "caller"),
    ("escnull", "NUL in user", lambda m: uri(m.to.uri).unescaped_user, "null-\0-null"),
    ("escnull", "two bindings", lambda m: [uri(contact.uri).unescaped_user for contact in contacts(m)], ["\0", "\0\0"]),
    ("esc02", "no escape in a method", lambda m: m.method, "RE%47IST%45R"),
    ("esc02", "no escape in a name", lambda m: m.from_.display_name, '"%Z%45"'),
    ("esc02", "two contacts, not three", lambda m: [c.uri[:10] for c in contacts(m)], ["sip:alias1", "sip:alias3"]),
    ("lwsdisp", "name", lambda m: m.from_.display_name, "caller"),
    ("longreq", "Vias", lambda m: len(vias(m)), 34),
    ("longreq", "port in To", lambda m: uri(m.to.uri).port, 6000),
    ("longreq", "tag", lambda m: (m.from_tag[:7], m.from_tag[-7:]), ("1298298", "2982424")),
    ("dblreq", "method and body", lambda m: (m.method, m.body), ("REGISTER", b"")),
    ("semiuri", "user", lambda m: m.request_uri.unescaped_user, "user;par=u@example.net"),
    ("semiuri", "no parameters", lambda m: m.request_uri.parameters, ""),
    ("transports", "all", lambda m: [via.transport for via in vias(m)], ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]),
    ("mpart01", "type", lambda m: m.content_type, "multipart/mixed"),
    ("mpart01", "binary body", lambda m: len(m.body), 553),
    ("badbranch", "branch", lambda m: m.branch, "z9hG4bK"),
    ("unksm2", "To", lambda m: m.to.uri, "isbn:2983792873"),
    ("bext01", "Require", lambda m: m.tokens("require"), {"nothingsupportsthis", "nothingsupportsthiseither"}),
    ("invut", "type", lambda m: m.content_type, "application/unknownformat"),
    ("zeromf", "Max-Forwards", lambda m: m.max_forwards, 0),
    ("cparam01", "the header's", lambda m: (contacts(m)[0].uri[-14:], contacts(m)[0].parameters), (
        "w1.example.net", {"unknownparam": None},
    )),
    ("cparam02", "the URI's", lambda m: (uri(contacts(m)[0].uri).parameters, contacts(m)[0].parameters), (
        ";unknownparam", {},
    )),
    ("regescrt", "escaped header", lambda m: uri(contacts(m)[0].uri).headers, "Route=%3Csip:sip.example.com%3E"),
    ("sdp01", "Accept", lambda m: m.values("accept"), ["text/nobodyKnowsThis"]),
    ("inv2543", "nothing new", lambda m: (m.branch, m.from_tag, m.max_forwards, len(m.body)), ("", "", 70, 105)),
    ("port-ambiguous", "no port", lambda m: (m.request_uri.host, m.request_uri.port), ("[2001:db8::10:5070]", None)),
    ("port-unambiguous", "port", lambda m: (m.request_uri.host, m.request_uri.port), ("[2001:db8::10]", 5070)),
    ("via-received-param-with-delim", "received", lambda m: vias(m)[0].parameters["received"], "[2001:db8::9:255]"),
    ("via-received-param-no-delim", "received", lambda m: vias(m)[0].parameters["received"], "2001:db8::9:255"),
    ("ipv6-in-sdp", "user", lambda m: (m.request_uri.user, m.request_uri.host), ("user", "[2001:db8::10]")),
    ("mult-ip-in-header", "hosts", lambda m: [via.sent_by for via in vias(m)], [
        "[2001:db8::9:1]:6050", "192.0.2.1", "[2001:db8::9:255]",
    ]),
    ("ipv4-mapped-ipv6", "hosts", lambda m: [via.sent_by for via in vias(m)], [
        "[::ffff:192.0.2.10]:19823", "[::ffff:192.0.2.2]",
    ]),
    ("ipv6-bug-abnf-3-colons", "host", lambda m: m.request_uri.host, "[2001:db8:::192.0.2.1]"),
    ("ipv6-correct-abnf-2-colons", "host", lambda m: m.request_uri.host, "[2001:db8::192.0.2.1]"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "read", "expected"),
    [(name, read, expected) for name, _, read, expected in READINGS],
    ids=[f"{name}: {what}" for name, what, _, _ in READINGS],
)
def test_an_understood_request_has_the_values_its_text_names(
    name: str, read: Callable[[Request], object], expected: object
) -> None:
    """RFC 4475 3.1.1 and 3.3, RFC 5118 4; sections as in the tables above."""
    if f"rfc5118/{name}" in {case.file for case in RFC_5118}:
        assert read(request(f"rfc5118/{name} LF")) == expected
        assert read(request(f"rfc5118/{name} CRLF")) == expected
    else:
        assert read(request(f"rfc4475/{name}")) == expected


def test_an_understood_response_has_the_values_its_text_names() -> None:
    """RFC 4475 3.1.1.12, 3.1.1.13, 3.3.10."""
    unreason = response("unreason")
    assert unreason.status_code == 200
    assert display(unreason.reason_phrase).startswith("= 2**3 * 5**2 но сто девяносто девять - простое")
    assert (response("noreason").status_code, response("noreason").reason_phrase) == (100, "")
    assert [via.host for via in vias(response("bcast"))] == ["192.0.2.198", "255.255.255.255"]


# -- framed

INCOMPLETE = ("rfc4475/clerr", "rfc4475/baddn")
"""The one is without all of its body, the other without its empty line: over a stream there may be more to come."""
UNFRAMED = ("rfc4475/ncl", "rfc4475/mcl01", "rfc4475/inv2543")
"""No length to be trusted, or none: RFC 4475 3.1.2.3, 3.3.9; RFC 3261 20.14."""


@EACH
def test_a_message_is_framed_over_a_stream_as_its_length_allows(case: Case, data: bytes) -> None:
    """RFC 3261 18.3."""
    parser = StreamParser()
    if case.name in UNFRAMED:
        with pytest.raises(StreamError, match="Content-Length"):
            list(parser.feed(data))
    elif case.name in INCOMPLETE:
        assert list(parser.feed(data)) == []
    else:
        first = next(parser.feed(data))
        assert data.startswith(first)
        assert verdict_of(first) in case.verdicts


# -- in the stack


class Answering:
    """A core that reads what a call needs of a request, and answers it with 200, an INVITE with 486."""

    def __init__(self) -> None:
        self.taken: list[Request] = []

    def on_request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        self.taken.append(request)
        request.contact()
        request.values("record-route")
        assert request.from_.uri
        assert request.to.uri
        if request.method == "INVITE":
            transaction.respond(486, "Busy Here", now)
        else:
            transaction.respond(200, "OK", now)

    def on_overload(self, request: Request, hop: Hop, now: float) -> None:
        return None


def read_answer(data: bytes) -> Message:
    """An answer copies the CSeq of the request (RFC 3261 8.2.6.2), even one that no parser takes."""
    return parse(re.sub(rb"CSeq: \d{11,}", b"CSeq: 1", data))


def run_out(stack: SipStack) -> None:
    """Let every timer fire, in order."""
    for _ in range(1000):
        due = stack.timers.next_due()
        if due is None:
            return
        stack.timers.fire(due)
        stack.outbox.clear()
    pytest.fail("the timers never end")


@EACH
def test_a_message_gets_its_verdict_in_the_stack_and_leaves_nothing_behind(case: Case, data: bytes) -> None:
    """RFC 4475, RFC 5118; a request to no dialog of ours gets 481 (RFC 3261 12.2.2)."""
    local = Local("test", "UDP", "192.0.2.100", 5060)
    core = Answering()
    stack = SipStack(core, Ids(random.Random(1)))
    stack.add_local(local)
    stack.receive(data, Hop(local, ("192.0.2.77", 40_000)), 0.0)
    answers = [read_answer(sent) for _, sent in stack.outbox]
    if not answers:
        assert DROPPED in case.verdicts or data.startswith(b"SIP/2.0")
        assert stack.dropped.total() == 1
    else:
        (answer,) = answers
        assert isinstance(answer, Response)
        if core.taken:
            assert UNDERSTOOD in case.verdicts
            assert answer.call_id == core.taken[0].call_id
        elif answer.status_code == 481:
            assert UNDERSTOOD in case.verdicts
        else:
            assert answer.status_code in case.verdicts
    run_out(stack)
    assert stack.open_transactions == 0


# -- live


PING = (
    b"OPTIONS sip:test SIP/2.0\r\nVia: SIP/2.0/%s 127.0.0.1;branch=z9hG4bKping%d;rport\r\nMax-Forwards: 70\r\n"
    b"From: <sip:ping@test>;tag=1\r\nTo: <sip:test>\r\nCall-ID: ping%d\r\nCSeq: 1 OPTIONS\r\n"
    b"Content-Length: 0\r\n\r\n"
)


def of_its_own(data: bytes, number: int) -> bytes:
    """The message with `rport` in its first Via, so that the answer finds back (RFC 3581), and with a branch and
    a Call-ID of its own, as several messages share theirs and would be taken for one."""
    data = re.sub(rb"(?im)^((?:via|v)[ \t]*:(?:[^;\r\n]|\r?\n[ \t])*)", rb"\1;rport", data, count=1)
    data = re.sub(rb"z9hG4bK(?=[^;\s,])", b"z9hG4bK%dx" % number, data, count=1)
    return re.sub(rb"(?im)^((?:call-id|i)[ \t]*:)", rb"\g<1> %dx" % number, data, count=1)


def statuses(answers: list[bytes]) -> Iterator[int]:
    for answer in answers:
        message = read_answer(answer)
        assert isinstance(message, Response)
        if not message.call_id.startswith("ping"):
            yield message.status_code


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.received.put_nowait(data)


async def over_udp(port: int) -> dict[str, list[int]]:
    """Send each message, then a ping, and collect what comes until the ping is answered.

    What came before comes again on a slow machine, as nobody acknowledges it, and is no answer to this message.
    """
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        Datagrams, remote_addr=("127.0.0.1", port)
    )
    outcomes = {}
    known: set[bytes] = set()
    for number, (name, _, data) in enumerate(EVERY):
        transport.sendto(of_its_own(data, number))
        transport.sendto(PING % (b"UDP", number, number))
        answers: list[bytes] = []
        while not answers or b"Call-ID: ping%d\r\n" % number not in answers[-1]:
            answer = await asyncio.wait_for(protocol.received.get(), 60)
            if answer not in known:
                answers.append(answer)
        known.update(answers)
        outcomes[name] = list(statuses(answers))
    transport.close()
    return outcomes


async def over_tcp(port: int) -> dict[str, list[int]]:
    """Send each message and a ping on a connection of its own; -1 stands for a connection closed by the peer."""
    outcomes = {}
    for number, (name, _, data) in enumerate(EVERY):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        parser = StreamParser()
        writer.write(of_its_own(data, number))
        if name in INCOMPLETE:
            writer.write_eof()  # Nothing more comes.
        else:
            writer.write(PING % (b"TCP", number, number))
        answers: list[bytes] = []
        closed = False
        while not closed and not any(b"Call-ID: ping" in answer for answer in answers):
            piece = await asyncio.wait_for(reader.read(65536), 60)
            closed = not piece
            answers += parser.feed(piece)
        outcomes[name] = [*statuses(answers), *([-1] if closed else [])]
        writer.close()
        await writer.wait_closed()
    return outcomes


@pytest.mark.parametrize("over", ["UDP", "TCP"])
def test_a_live_listener_gives_each_message_its_verdict_and_lives_on(over: str) -> None:
    """RFC 4475, RFC 5118, RFC 3261 18.3. A valid request behind each message is answered."""

    async def play() -> tuple[dict[str, list[int]], list[Exception]]:
        faults: list[Exception] = []
        stack = SipStack(Answering(), Ids(random.Random(1)))
        transport = Transport(stack, on_fault=lambda fault, now: faults.append(fault))
        try:
            if over == "UDP":
                local = transport.open_udp("test", "127.0.0.1", 0)
                return await over_udp(local.port), faults
            local = await transport.open_tcp("test", "127.0.0.1", 0)
            return await over_tcp(local.port), faults
        finally:
            await transport.close()

    outcomes, faults = asyncio.run(play())
    assert not faults
    for name, case, data in EVERY:
        outcome = outcomes[name]
        if over == "TCP" and name in UNFRAMED:
            assert outcome == [400, -1], name
        elif over == "TCP" and name in INCOMPLETE:
            assert outcome == [-1], name
        elif not outcome:
            assert DROPPED in case.verdicts or data.startswith(b"SIP/2.0"), name
        elif UNDERSTOOD in case.verdicts and outcome[0] in (200, 481, 486):
            assert len(set(outcome)) == 1 or name == "rfc4475/dblreq", name
        else:
            assert set(outcome) <= set(case.verdicts), name
