"""Broken input of every kind: nothing raises what it should not, nothing hangs, nothing is left behind.

The seeds are the messages of RFC 4475 and RFC 5118 where they are at hand, and a few of our own always.
"""

import random
import re
import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceconnector.sip.digest import credentials_for
from voiceconnector.sip.grammar import ParseError
from voiceconnector.sip.hop import Hop, Local
from voiceconnector.sip.ids import Ids
from voiceconnector.sip.lint import Level, anomalies
from voiceconnector.sip.message import Message, Request, Response, parse
from voiceconnector.sip.session import Session
from voiceconnector.sip.stack import SipStack
from voiceconnector.sip.stream import StreamError, StreamParser
from voiceconnector.sip.transaction import ClientTransaction, ServerTransaction

CORPORA = Path(__file__).parents[2].parent / "shared" / "corpora"
HEAD = (
    b"%s sip:+12065550100@example.net SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bK776;rport\r\n"
    b"Max-Forwards: 70\r\nFrom: <sip:+12065550199@example.com>;tag=19\r\nTo: <sip:+12065550100@example.net>%s\r\n"
    b"Call-ID: a84b\r\nCSeq: 1 %s\r\nContact: <sip:192.0.2.77>\r\nContent-Length: %d\r\n\r\n%s"
)
SEEDS = [
    HEAD % (b"INVITE", b"", b"INVITE", 5, b"v=0\r\n"),
    HEAD % (b"CANCEL", b"", b"CANCEL", 0, b""),
    HEAD % (b"ACK", b"", b"ACK", 0, b""),
    HEAD % (b"ACK", b";tag=2", b"ACK", 0, b""),
    HEAD % (b"BYE", b";tag=2", b"BYE", 0, b""),
    HEAD % (b"OPTIONS", b"", b"OPTIONS", 0, b""),
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\n"
    b"Call-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
    *(path.read_bytes() for path in sorted(CORPORA.glob("rfc[45]*/*"))),
]
PIECES = [
    b"\r\n", b"\n", b"\r", b" ", b"\t", b"\r\n ", b":", b";", b",", b"<", b">", b'"', b"\\", b"@", b"%", b"[", b"]",
    b"=", b"\x00", b"\xff", b"\xc3\xa9", b"SIP/2.0", b"sip:", b"sips:[::1]:70000", b":99999", b":0", b";tag=",
    b";branch=", b";rport", b";received=", b"\r\nVia: ", b"\r\nRecord-Route: <sip:x;lr>",
    b"\r\nRecord-Route: <sip:x,", b"\r\nContact: *",
    b"\r\nTo: ", b"\r\nContent-Length: ", b"\r\nl: 3", b"-1", b"9" * 25, b"INVITE", b"CANCEL", b"ACK",
]  # fmt: skip


@st.composite
def broken_messages(draw: st.DrawFn) -> bytes:
    """A seed with a few cuts, insertions, repetitions and pieces of other seeds."""
    message = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(message)))
        end = min(len(message), start + draw(st.integers(0, 40)))
        other = draw(st.sampled_from(SEEDS))
        cut = draw(st.integers(0, len(other)))
        message[start:end] = draw(
            st.sampled_from([b"", bytes(message[start:end]) * 2, other[cut : cut + 60], *PIECES])
            | st.binary(max_size=6)
        )
    return bytes(message)


ANYTHING = broken_messages() | st.binary(max_size=200)


def read_all(message: Message) -> None:
    """Ask for everything that is read only when asked for; each part may raise ParseError, and nothing else."""
    parts: list[Callable[[], object]] = [
        lambda: message.branch, lambda: message.from_, lambda: message.to, lambda: message.content_type,
        message.contact, *(lambda name=name: message.values(name) for name in message.headers),
        *(lambda name=name: message.tokens(name) for name in message.headers),
    ]  # fmt: skip
    if isinstance(message, Request):
        request = message
        parts += [lambda: request.request_uri, lambda: request.max_forwards, request.validate]
        parts += [lambda: str(request.request_uri), lambda: request.request_uri.address]
    for part in parts:
        with suppress(ParseError):
            part()


@given(ANYTHING)
def test_a_message_is_read_or_refused(data: bytes) -> None:
    with suppress(ParseError):
        message = parse(data)
        assert message.raw == data
        assert message.call_id == message.headers["call-id"][0]
        read_all(message)


@given(ANYTHING)
def test_lint_names_what_the_parser_refuses(data: bytes) -> None:
    found = anomalies(data)
    try:
        message = parse(data)
        if isinstance(message, Request):
            message.validate()
    except ParseError:
        assert found[0].level is Level.ERROR


def read_stream(pieces: list[bytes]) -> tuple[list[bytes], str]:
    """The messages of a stream, and why it ended."""
    parser = StreamParser()
    messages: list[bytes] = []
    try:
        for piece in pieces:
            messages.extend(parser.feed(piece))
    except StreamError as error:
        # What an iterator gave before it raised is in the list: `extend` takes one by one.
        return messages, str(error)
    return messages, ""


@given(st.lists(ANYTHING, max_size=4), st.data())
def test_a_stream_gives_the_same_messages_however_it_is_split(messages: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    assert read_stream([stream[a:b] for a, b in pairwise([0, *cuts, len(stream)])]) == read_stream([stream])


class Capricious:
    """Answers requests in one way or another, or with a ParseError; sends a request of its own."""

    def __init__(self, choose: random.Random) -> None:
        self.choose = choose
        self.told = 0

    def on_request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        transaction.user = self
        if self.choose.random() < 0.3:
            transaction.respond(180, "Ringing", now)
        request.contact()
        transaction.respond(self.choose.choice([200, 302, 404, 500, 603]), "Answer", now)

    def on_overload(self, request: Request, hop: Hop, now: float) -> tuple[int, str, str] | None:
        return (503, "Service Unavailable", "Retry-After: 1\r\n") if self.choose.random() < 0.5 else None

    def on_ack(self, request: Request, now: float) -> None:
        self.told += 1

    def on_cancel(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        transaction.respond(487, "Request Terminated", now)

    def on_server_failure(self, transaction: ServerTransaction, why: str, now: float) -> None:
        self.told += 1

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        self.told += 1
        response.contact()

    def on_client_failure(self, transaction: ClientTransaction, status: int, why: str, now: float) -> None:
        self.told += 1


def check_outbox(stack: SipStack, source: Hop) -> None:
    """What we send is whole lines with one length, and goes where one can send to, to whoever asked."""
    for hop, data in stack.outbox:
        assert 0 < hop.address[1] < 65536
        assert hop.address[0] in (source.address[0], "192.0.2.200")
        head, _, body = data.partition(b"\r\n\r\n")
        start, *lines = head.split(b"\r\n")
        assert start.startswith(b"SIP/2.0 ") or start.endswith(b" SIP/2.0")
        assert all(re.match(rb"[^ :]+: |Via:$", line) for line in lines)
        assert [line for line in lines if line.startswith(b"Content-Length")] == [b"Content-Length: %d" % len(body)]
        assert b"\n" not in head.replace(b"\r\n", b"")
    stack.outbox.clear()


@settings(max_examples=100)
@given(
    st.lists(st.tuples(ANYTHING, st.sampled_from([0.0, 0.1, 0.6, 5.0, 33.0])), max_size=6),
    st.sampled_from(["UDP", "TCP"]),
    st.booleans(),
    st.integers(0, 10_000),
)
def test_the_stack_survives_anything_and_leaves_no_transaction_behind(
    messages: list[tuple[bytes, float]], transport: str, overloaded: bool, seed: int
) -> None:
    choose = random.Random(seed)
    core = Capricious(choose)
    stack = SipStack(core, Ids(random.Random(seed)))
    stack.overloaded = overloaded
    local = Local("test", transport, "192.0.2.1", 5060)
    stack.add_local(local)
    source = Hop(local, ("192.0.2.77", 40_000))
    own = Hop(local, ("192.0.2.200", 5060))
    headers = "Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: 1\r\n"
    now = 0.0
    transaction = stack.request("OPTIONS", "sip:c@d", f"{headers}CSeq: 1 OPTIONS\r\n", b"", own, core, [], now)
    for data, pause in messages:
        now += pause
        stack.timers.fire(now)
        # Some of the responses are to our own request.
        stack.receive(data.replace(b"z9hG4bK1\r\n", transaction.key[0].encode() + b"\r\n"), source, now)
        check_outbox(stack, source)
    for _ in range(500):
        due = stack.timers.next_due()
        if due is None:
            break
        stack.timers.fire(due)
        check_outbox(stack, source)
    assert stack.timers.next_due() is None
    assert stack.open_transactions == 0
    assert stack.dialogs == {}
    assert not stack._merged


@pytest.mark.parametrize(
    ("old", "new", "refused"),
    [
        (b"192.0.2.77:5060;branch=z9hG4bK776;rport", b"192.0.2.77:99999;branch=z9hG4bK776", True),
        (b"192.0.2.77:5060;branch=z9hG4bK776;rport", b"192.0.2.77:0;branch=z9hG4bK776", True),
        (b";rport", b";rport;rport", False),
        (b";rport", b";x=1;x=2", False),
        (b"<sip:192.0.2.77>", b"sip:a@192.0.2.77?Route=x", True),
        (b"<sip:192.0.2.77>", b'"unfinished', True),
    ],
)
@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_what_cannot_be_sent_to_or_read_is_answered_and_forgotten(
    old: bytes, new: bytes, refused: bool, transport: str
) -> None:
    """A port that no socket takes, a parameter given twice, a Contact that only the core reads."""
    local = Local("test", transport, "192.0.2.1", 5060)
    stack = SipStack(Capricious(random.Random(4)), Ids(random.Random(1)))
    source = Hop(local, ("192.0.2.77", 40_000))
    stack.receive(SEEDS[5].replace(old, new), source, 0.0)
    (_, data) = stack.outbox[-1]
    answer = parse(data)
    assert isinstance(answer, Response)
    assert (answer.status_code == 400) is refused
    check_outbox(stack, source)
    stack.timers.fire(40.0)
    assert stack.open_transactions == 0


class Calls:
    """A core that takes every INVITE as a call, and makes one; it hangs up at the end."""

    def __init__(self, choose: random.Random) -> None:
        self.choose = choose
        self.sessions: list[Session] = []
        self.told = 0

    def on_request_outside(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        if request.method != "INVITE":
            transaction.respond(200, "OK", now)
            return
        session = Session.incoming(transaction.stack, transaction, "sip:192.0.2.1", self)
        if refusal := session.propose_timer(request):
            session.refuse(*refusal[:2], now, refusal[2])
            return
        self.sessions.append(session)
        session.progress(183, "Session Progress", now)
        session.accept(now, body=b"v=0\r\n")

    def on_request(self, session: Session, transaction: ServerTransaction, request: Request, now: float) -> None:
        if request.method == "INVITE" and self.choose.random() < 0.7:
            session.accept(now, body=b"v=0\r\n")
        elif request.method == "INVITE":
            session.refuse(488, "Not Acceptable Here", now)
        else:
            session.answer(transaction, self.choose.choice([200, 404]), "Answer", now)

    def on_answer(self, session: Session, response: Response, now: float) -> None:
        session.acknowledge(now)

    def on_reply(self, session: Session, transaction: ClientTransaction, response: Response, now: float) -> None:
        if transaction.method == "INVITE" and 200 <= response.status_code < 300:
            session.acknowledge(now)

    def _told(self, *_: object) -> None:
        self.told += 1

    on_progress = on_failure = on_ack = on_cancel = on_no_reply = on_bye = on_lost = _told


class Outside:
    """What the stack sees of `Calls`."""

    def __init__(self, calls: Calls) -> None:
        self.on_request = calls.on_request_outside

    def on_overload(self, request: Request, hop: Hop, now: float) -> None:
        return None


IN_DIALOG = (
    b"%s sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bK%d;rport\r\nMax-Forwards: 70\r\n"
    b"From: <sip:+12065550199@example.com>;tag=19\r\nTo: <sip:+12065550100@example.net>;tag=%s\r\nCall-ID: a84b\r\n"
    b"CSeq: %d %s\r\nContact: <sip:192.0.2.77>\r\nSupported: timer\r\nSession-Expires: %d\r\nContent-Length: 0\r\n\r\n"
)
ANSWER = b"SIP/2.0 %d Answer\r\n%s\r\nContact: <sip:192.0.2.78>\r\nSession-Expires: 90\r\nContent-Length: 0\r\n\r\n"


@st.composite
def edits(draw: st.DrawFn) -> list[tuple[float, int, bytes]]:
    """Where, as a share of the length, how many bytes are cut, and what is put there."""
    what = st.sampled_from(PIECES) | st.binary(max_size=4)
    return draw(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 20), what), max_size=3))


def edited(message: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
    for share, cut, piece in changes:
        start = int(share * len(message))
        message = message[:start] + piece + message[start + cut :]
    return message


def answer_to(sent: bytes, status_code: int) -> bytes:
    """An answer to a request that we sent, as the peer would make it."""
    copied = [line for line in sent.split(b"\r\n") if line.startswith((b"Via", b"From", b"To", b"Call-ID", b"CSeq"))]
    text = b"\r\n".join(copied)
    return ANSWER % (
        status_code,
        text if b"To: <sip:c@d>;tag" in text else text.replace(b"<sip:c@d>", b"<sip:c@d>;tag=9"),
    )


A_REQUEST = st.sampled_from([b"ACK", b"BYE", b"INVITE", b"UPDATE", b"INFO", b"CANCEL", b"OPTIONS"])
A_STEP = st.tuples(
    st.one_of(A_REQUEST, st.sampled_from([100, 180, 200, 302, 401, 422, 481, 487, 500])),
    edits(),
    st.sampled_from([0.0, 0.0, 0.1, 1.0, 33.0, 50.0]),
)


@settings(max_examples=100)
@given(st.lists(A_STEP, max_size=8), edits(), st.integers(0, 10_000))
def test_calls_survive_anything_in_their_dialogs_and_end_with_nothing_left(
    steps: list[tuple[bytes | int, list[tuple[float, int, bytes]], float]],
    changes: list[tuple[float, int, bytes]],
    seed: int,
) -> None:
    calls = Calls(random.Random(seed))
    stack = SipStack(Outside(calls), Ids(random.Random(seed)))
    local = Local("test", "UDP", "192.0.2.1", 5060)
    stack.add_local(local)
    peer = Hop(local, ("192.0.2.77", 5060))
    now, sent = 0.0, b""

    def drain() -> None:
        nonlocal sent
        for hop, data in stack.outbox:
            ip_address(hop.address[0])  # Sending to a name would stop everything for a look-up.
            assert 0 < hop.address[1] < 65536
            if not data.startswith(b"SIP/2.0"):
                sent = data
                parse(sent)
        stack.outbox.clear()

    session = Session.outgoing(
        stack, peer, "sip:c@d", "<sip:a@b>", "<sip:c@d>", "sip:192.0.2.1", "Max-Forwards: 70\r\n", b"", calls, [], now
    )
    calls.sessions.append(session)
    stack.receive(edited(SEEDS[0], changes), peer, now)
    drain()
    for number, (step, change, pause) in enumerate(steps):
        now += pause
        stack.timers.fire(now)
        drain()
        if isinstance(step, int):
            data = answer_to(sent, step)
        else:
            tag = calls.sessions[-1].dialog.local_tag.encode()
            cseq = 1 if step in (b"ACK", b"CANCEL") else number + 2
            data = IN_DIALOG % (step, number, tag, cseq, step, 90 + number)
        stack.receive(edited(data, change), peer, now)
        drain()
    for each in calls.sessions:
        each.hang_up(now)
    for _ in range(500):
        drain()
        due = stack.timers.next_due()
        if due is None:
            break
        stack.timers.fire(due)
    assert stack.timers.next_due() is None
    assert stack.open_transactions == 0
    assert stack.dialogs == {}


PLACES = [
    b"INVITE sip:#@example.net SIP/2.0\r\nVia: v", b"Via: SIP/2.0/UDP h#;branch=z9hG4bK1", b"Via: #",
    b"Via: SIP/2.0/UDP h;branch=#x", b"From: #<sip:a@b>;tag=1", b"From: a#b", b"From: <#", b"To: <sip:a@b>#;tag=1",
    b"To: #x", b"CSeq: 1#INVITE", b"Contact: #,<sip:a>", b"Contact: <sip:a@b>;#", b"#: x", b"#x", b"Max-Forwards: 1#",
    b"Content-Length: 0#", b"Session-Expires: 90#x", b"Min-SE: #", b"Date: #", b"Subject: #\r\n x", b"Call-ID: #x",
    b"Route: <sip:a;lr>#", b"Proxy-Authorization: Digest #", b"Proxy-Authorization: Digest a=b#",
    b'Proxy-Authorization: Digest a="#',
]  # fmt: skip
FILLERS = [
    b" ", b"\t", b",", b";", b":", b"\\", b'"', b"<", b">", b"a", b"1", b"%", b"=", b"@", b"[", b"a,", b";a", b";a=b",
    b"a=b,", b'"a",', b"\\a", b" ;", b", ", b"<a>", b"\r\n ", b"\r\n", b"\n\t", b"\xff", b"a ", b"a: b\r\n",
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_no_run_of_anything_anywhere_takes_more_than_linear_time(place: bytes) -> None:
    """A datagram that keeps the parser busy for seconds would stop every call."""
    where = place.partition(b":")[0] + b":"
    head = SEEDS[0].partition(b"\r\n\r\n")[0]
    for filler in FILLERS:
        line = place.replace(b"#", filler * (15_000 // len(filler)))
        lines = [line if kept.startswith(where) else kept for kept in head.split(b"\r\n")]
        if line not in lines:
            lines.insert(4, line)
        if place.startswith(b"INVITE"):
            lines[0] = line.partition(b"\r\nVia: v")[0]
        message = b"\r\n".join(lines) + b"\r\n\r\n"
        started = time.process_time()
        with suppress(ParseError):
            read_all(parse(message))
        with suppress(ParseError):
            credentials_for([line.partition(b": ")[2].decode("latin-1")], "realm")
        with suppress(StreamError):
            list(StreamParser().feed(message))
        anomalies(message)
        assert time.process_time() - started < 0.7, filler
