"""Messages from people who mean no good, into the whole service: nothing raises, nothing is left, nothing leaks across.

What may be sent is built from parts of real messages, so that it gets past the first checks.
"""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.flows.stage import CALLED_FAR, CALLER, CONNECTOR, FAR, FAR_SDP, PBX, Stage, sdp
from tests.phone import Phone
from tests.wire import header, request
from voiceconnector.trunk.model import Credential

EXAMPLES = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))

NASTY = st.sampled_from(
    [
        "", " ", "\r", "\0", "\t", "<", ">", '"', '"\\', ",", ";", ";;", "=", "%", "%zz", "%0d%0a", "\xff", "\x7f",
        "sip:", "sip:@", "<sip:>", "<sip:a@b", '"x', '"x" <', "tel:+1", "<tel:+12065550100>", "9" * 40, "-1", "0",
        "a" * 3000, "\xc3\x28", ";tag=", ";tag=a;tag=b", "z9hG4bK", "SIP/2.0/UDP", "[::1]", "<sip:a@[::1>", "()",
        "\u00b2", "1e9", "*",
    ]
)  # fmt: skip
TEXT = st.one_of(NASTY, st.text(st.characters(max_codepoint=255), max_size=30))
HEADER_NAMES = st.sampled_from(
    [
        "Via", "From", "To", "Call-ID", "CSeq", "Contact", "Max-Forwards", "Content-Type", "Content-Length", "Route",
        "Record-Route", "Allow", "Supported", "Require", "Session-Expires", "Min-SE", "Reason", "Warning",
        "Proxy-Authorization", "Authorization", "P-Asserted-Identity", "X-Thing", "x-\0", "Subject", "Privacy",
        "Retry-After", "Content-Disposition", "Content-Encoding", "RSeq", "Replaces", "Identity", "Diversion",
        "v", "m", "x", "k",
    ]
)  # fmt: skip
METHODS = st.sampled_from(
    ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "UPDATE", "INFO", "REGISTER", "PRACK", "REFER", "JUMP"]
)
MULTIPART = b"--b\r\nContent-Type: application/sdp\r\n\r\n" + sdp() + b"\r\n--b--"
BODIES = st.sampled_from(
    [
        b"", b"x", sdp(), sdp(direction="sendonly", version=2), sdp(formats="8"), sdp(formats="18"), sdp(port=0),
        sdp("0.0.0.0"), sdp("224.0.0.1"), sdp().replace(b"m=audio", b"m=video"), b"v=0\r\n", b"\0" * 50,
        sdp().replace(b"RTP/AVP", b"RTP/SAVP"), sdp() + sdp(), MULTIPART, b"--b\r\n--b--", b"--b",
    ]
)  # fmt: skip
LINES = st.lists(st.tuples(HEADER_NAMES, TEXT), max_size=4).map(
    lambda pairs: "".join(f"{name}: {value}\r\n" for name, value in pairs)
)
TYPES = st.sampled_from(["application/sdp", "multipart/mixed;boundary=b", "multipart/mixed", "text/plain", ""])


def typed(content_type: str) -> str:
    return f"Content-Type: {content_type}\r\n" if content_type else ""


def replace_header(data: bytes, name: str, value: str) -> bytes:
    """The message with another value in the first header of that name."""
    line = f"\r\n{name}: {value}".encode("latin-1", "replace")
    return re.sub(b"\r\n" + name.encode() + rb": [^\r\n]*", line.replace(b"\\", b"\\\\"), data, count=1)


def check(stage: Stage) -> None:
    """Nothing of it is left, and every message of ours can be read again line by line."""
    for phone in (stage.pbx, stage.far):
        for session in phone.sessions:
            session.hang_up(stage.now)
    stage.world.rules.clear()
    stage.world.run(250)
    stage.pbx.stack.dialogs.clear()
    trunk = stage.switch.stack
    left = [*trunk.transactions(), *trunk.dialogs, *trunk.timers.running()]
    assert not left, f"{left}\n{stage.world.drawn()}"
    assert not stage.ports.in_use
    assert stage.switch.active_calls == 0
    assert not stage.switch.limits.active_calls_in_region("us-east-1")
    assert not stage.switch.history.live
    for packet, _ in stage.world.ladder:
        if packet.source == "trunk":
            head = packet.data.partition(b"\r\n\r\n")[0]
            # An answer gives a peer its own header fields back as they came; the rest is our own text.
            ours = head if packet.data[:3] != b"SIP" else head.partition(b"\r\n")[0]
            assert not re.search(rb"[\0\x7f]|\r(?!\n)|(?<!\r)\n", ours), ours
    for call in stage.switch.history.all():
        stage.explained_of(call)


Asked = list[tuple[bool, str, str, bytes, str]]
"""Whether the first phone asks or the second; method, header lines, body and its type."""


def ask(stage: Stage, first: Phone, second: Phone, requests: Asked, spoilt: tuple[str, str]) -> None:
    """Send requests in the call of two phones, the last of them with a spoilt header."""
    for index, (by_first, method, lines, body, content_type) in enumerate(requests):
        phone = first if by_first else second
        dialog = phone.session.dialog
        dialog.local_cseq += 1
        uri, head = dialog.request_head(method, dialog.local_cseq)
        host = stage.world.local(phone.name).host
        data = (
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:5060;branch=z9hG4bKr{index}\r\n{head}"
            f"Contact: <sip:{host}>\r\n{lines}{typed(content_type)}Content-Length: {len(body)}\r\n\r\n"
        ).encode("latin-1", "replace") + body
        if index == len(requests) - 1:
            data = replace_header(data, *spoilt)
        stage.world.send(phone.name, stage.world.hop(phone.name, "trunk"), data)
        stage.run(0.05)


@pytest.mark.parametrize(
    ("uri", "tag"),
    [
        (f"sip:{CALLED_FAR}@{CONNECTOR.outbound_host_name}", ""),
        ("sip:+1@nowhere.example.com", ""),
        (f"sip:{CALLED_FAR}@{CONNECTOR.outbound_host_name}", ";tag=none"),
    ],
    ids=["source address", "host name", "in a dialog there is not"],
)
def test_a_stranger_gets_one_answer_for_one_message(uri: str, tag: str) -> None:
    """RFC 3261 8.2.7: an INVITE with a forged source must not make us send ten answers to its victim."""
    stage = Stage()
    stranger = stage.world.peer("stranger", "198.51.100.66")
    invite = request(uri=uri, via="SIP/2.0/UDP 198.51.100.66;branch=z9hG4bKs", called=f"<{uri}>{tag}")
    stranger.send(invite, stage.world.local("trunk"))
    stage.run(60)
    (refusal,) = stranger.received
    assert len(refusal) < 2 * len(invite)
    assert not list(stage.switch.stack.transactions())
    stranger.send(invite, stage.world.local("trunk"))
    stage.run(60)
    assert len(stranger.received) == 2, "who asks again is answered again"


@EXAMPLES
@given(LINES, BODIES, TYPES, st.tuples(HEADER_NAMES, TEXT), st.booleans())
def test_an_invite_of_any_kind(
    lines: str, body: bytes, content_type: str, spoilt: tuple[str, str], guarded: bool
) -> None:
    stage = Stage()
    if guarded:
        stage.configure(credentials=(Credential("pbx", "secret"),))
    stage.far.when_called = lambda session, now: session.accept(now, "Content-Type: application/sdp\r\n", FAR_SDP)
    head = (
        f"INVITE sip:{CALLED_FAR}@{CONNECTOR.outbound_host_name} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {PBX}:5060;branch=z9hG4bKq\r\nFrom: <sip:{CALLER}@{PBX}>;tag=f\r\n"
        f"To: <sip:{CALLED_FAR}@x>\r\nCall-ID: q\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n"
        f"Contact: <sip:pbx@{PBX}>\r\n{lines}{typed(content_type)}Content-Length: {len(body)}\r\n\r\n"
    ).encode("latin-1", "replace")
    data = replace_header(head + body, *spoilt)
    stage.world.send("pbx", stage.world.hop("pbx", "trunk"), data)
    stage.run(1)
    check(stage)


@EXAMPLES
@given(
    st.lists(st.tuples(st.booleans(), METHODS, LINES, BODIES, TYPES), min_size=1, max_size=5),
    st.tuples(HEADER_NAMES, TEXT),
)
def test_requests_of_any_kind_in_a_call(requests: Asked, spoilt: tuple[str, str]) -> None:
    stage = Stage()
    stage.answered()
    ask(stage, stage.pbx, stage.far, requests, spoilt)
    check(stage)


@EXAMPLES
@given(
    st.lists(
        st.tuples(st.integers(100, 699), TEXT, LINES, BODIES, TYPES, st.tuples(HEADER_NAMES, TEXT)),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
)
def test_answers_of_any_kind_to_the_trunk(
    answers: list[tuple[int, str, str, bytes, str, tuple[str, str]]], late_offer: bool
) -> None:
    stage = Stage()
    stage.far.when_called = lambda session, now: None
    stage.pbx.dial(body=b"" if late_offer else sdp())
    stage.run()
    invite = stage.sent("trunk>far INVITE")
    for index, (status_code, reason, lines, body, content_type, spoilt) in enumerate(answers):
        copied = "".join(f"{name}: {header(invite, name)}\r\n" for name in ("Via", "From", "Call-ID", "CSeq"))
        data = (
            f"SIP/2.0 {status_code} {reason}\r\n{copied}To: {header(invite, 'To')};tag=t{index}\r\n"
            f"Contact: <sip:far@{FAR}>\r\n{lines}{typed(content_type)}Content-Length: {len(body)}\r\n\r\n"
        ).encode("latin-1", "replace") + body
        stage.world.send("far", stage.world.hop("far", "trunk"), replace_header(data, *spoilt))
        stage.run(0.05)
    stage.run(70)
    for session in stage.far.sessions:
        session.refuse(486, "Busy Here", stage.now)
    check(stage)


@EXAMPLES
@given(
    st.sampled_from(["INVITE", "UPDATE", "INFO"]),
    st.integers(100, 699),
    TEXT,
    LINES,
    BODIES,
    TYPES,
    st.tuples(HEADER_NAMES, TEXT),
)
def test_answers_of_any_kind_to_what_was_passed_on(
    method: str, status_code: int, reason: str, lines: str, body: bytes, content_type: str, spoilt: tuple[str, str]
) -> None:
    stage = Stage()
    stage.answered()
    stage.far.when_asked = lambda session, transaction, request, now: None
    stage.pbx.session.send(method, stage.now, typed("application/sdp"), sdp(version=2))
    stage.run()
    request = stage.sent(f"trunk>far {method}")
    copied = "".join(f"{name}: {header(request, name)}\r\n" for name in ("Via", "From", "To", "Call-ID", "CSeq"))
    data = (
        f"SIP/2.0 {status_code} {reason}\r\n{copied}Contact: <sip:far@{FAR}>\r\n{lines}{typed(content_type)}"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode("latin-1", "replace") + body
    stage.world.send("far", stage.world.hop("far", "trunk"), replace_header(data, *spoilt))
    stage.run(0.1)
    check(stage)


@EXAMPLES
@given(METHODS, LINES, BODIES, TYPES, st.tuples(HEADER_NAMES, TEXT))
def test_the_public_network_takes_anything(
    method: str, lines: str, body: bytes, content_type: str, spoilt: tuple[str, str]
) -> None:
    stage = Stage()
    for number, cseq in ((1, 1), (2, 2)):
        head = (
            f"{method if number == 2 else 'INVITE'} sip:+12065550123@203.0.113.9 SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {PBX}:5060;branch=z9hG4bKp{number}\r\nFrom: <sip:a@{PBX}>;tag=f\r\n"
            f"To: <sip:b@c>\r\nCall-ID: p\r\n"
            f"CSeq: {cseq} {method if number == 2 else 'INVITE'}\r\nMax-Forwards: 70\r\nContact: <sip:pbx@{PBX}>\r\n"
            f"{lines}{typed(content_type)}Content-Length: {len(body)}\r\n\r\n"
        ).encode("latin-1", "replace") + body
        stage.world.send("pbx", stage.world.hop("pbx", "pstn"), replace_header(head, *spoilt))
        stage.run(2)
    stage.pstn.close(stage.now)
    stage.world.run(200)
    stage.pstn.close(stage.now)
    stage.world.run(200)
    stack = stage.pstn.stack
    left = [*stack.transactions(), *stack.dialogs, *stack.timers.running()]
    assert not left, f"{left}\n{stage.world.drawn()}"
    assert stage.pstn.active_calls == 0
    assert not stage.ports.in_use
