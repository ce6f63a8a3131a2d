"""Messages as RFC 3261 section 7 has them, in every spelling that has to be understood."""

import pytest
import sipmessage
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire import answer, request
from voiceconnector.sip.grammar import ParseError
from voiceconnector.sip.message import (
    MAXIMUM_HEADERS,
    MAXIMUM_MESSAGE,
    BrokenRequest,
    Message,
    Request,
    Response,
    parse,
)
from voiceconnector.sip.uri import SipUri

INVITE = (
    b"INVITE sip:bob@biloxi.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP bigbox3.site3.atlanta.com;branch=z9hG4bK77ef4c2312983.1\r\n"
    b"Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bKnashds8\r\n"
    b"Max-Forwards: 69\r\n"
    b"To: Bob <sip:bob@biloxi.com>\r\n"
    b"From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n"
    b"Call-ID: a84b4c76e66710\r\n"
    b"CSeq: 314159 INVITE\r\n"
    b"Contact: <sip:alice@pc33.atlanta.com>\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length: 3\r\n\r\nv=0"
)


def read_request(data: bytes) -> Request:
    message = parse(data)
    assert isinstance(message, Request)
    return message


def read_response(data: bytes) -> Response:
    message = parse(data)
    assert isinstance(message, Response)
    return message


def essence(message: Message) -> tuple[object, ...]:
    """What must not depend on the spelling."""
    return (
        message.method,
        message.cseq,
        message.call_id,
        message.from_tag,
        message.to_tag,
        message.headers,
        message.body,
    )


def test_a_request_is_read() -> None:
    """RFC 3261 24.2 F2, as far as it is needed."""
    message = read_request(INVITE)
    assert (message.method, message.uri) == ("INVITE", "sip:bob@biloxi.com")
    assert message.request_uri == SipUri("sip", "bob", "biloxi.com", None, "")
    assert (message.call_id, message.cseq, message.branch) == ("a84b4c76e66710", 314159, "z9hG4bK77ef4c2312983.1")
    assert (message.from_tag, message.to_tag) == ("1928301774", "")
    assert (message.from_.display_name, message.to.uri) == ("Alice", "sip:bob@biloxi.com")
    assert len(message.values("via")) == 2
    assert message.max_forwards == 69
    assert message.content_type == "application/sdp"
    assert (contact := message.contact()) is not None
    assert contact.uri == "sip:alice@pc33.atlanta.com"
    assert (message.body, message.raw) == (b"v=0", INVITE)
    message.validate()


def test_a_response_is_read() -> None:
    """24.2 F8; the method is that of CSeq."""
    message = read_response(
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bKnashds8;received=192.0.2.1\r\n"
        b"To: Bob <sip:bob@biloxi.com>;tag=a6c85cf\r\nFrom: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n"
        b"Call-ID: a84b4c76e66710\r\nCSeq: 314159 INVITE\r\nContact: <sip:bob@192.0.2.4>\r\nContent-Length: 0\r\n\r\n"
    )
    assert (message.status_code, message.reason_phrase, message.method) == (200, "OK", "INVITE")
    assert (message.from_tag, message.to_tag, message.body) == ("1928301774", "a6c85cf", b"")


@pytest.mark.parametrize(
    ("line", "status_code", "reason"),
    [
        ("SIP/2.0 100 Trying", 100, "Trying"),
        ("sip/2.0 699 Own = 2**3 * 7 \xf6", 699, "Own = 2**3 * 7 \xf6"),
        ("SIP/2.0 200 ", 200, ""),
        ("SIP/2.0 200", 200, ""),
        ("SIP/2.0 404 Not  Found ", 404, "Not  Found "),
    ],
)
def test_status_lines(line: str, status_code: int, reason: str) -> None:
    """7.2, RFC 4475 3.1.1.12, 3.1.1.13."""
    data = answer(INVITE).replace(b"SIP/2.0 200 OK", line.encode("latin-1"), 1)
    message = read_response(data)
    assert (message.status_code, message.reason_phrase) == (status_code, reason)


@pytest.mark.parametrize(
    "line",
    [
        "SIP/2.0",
        "SIP/2.0 ",
        "SIP/2.0 OK",
        "SIP/2.0 099 x",
        "SIP/2.0 700 x",
        "SIP/2.0 20 x",
        "SIP/2.0 2000 x",
        "SIP/3.0 200 OK",
        "SIP/2.0  200 OK",
        "SIP/2.0 4294967301 better not",
    ],
)
def test_a_bad_status_line_can_only_be_dropped(line: str) -> None:
    """7.2, RFC 4475 3.1.2.19."""
    with pytest.raises(ParseError) as refusal:
        parse(answer(INVITE).replace(b"SIP/2.0 200 OK", line.encode(), 1))
    assert not isinstance(refusal.value, BrokenRequest)


# -- spellings


def spelled(*changes: tuple[bytes, bytes]) -> bytes:
    data = INVITE
    for old, new in changes:
        assert old in data
        data = data.replace(old, new)
    return data


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(spelled((b"\r\n", b"\n")), id="bare LF"),
        pytest.param(b"\r\n\r\n" + INVITE, id="line breaks before it, 7.5"),
        pytest.param(b"\n" + INVITE, id="bare LF before it"),
        pytest.param(spelled((b"Max-Forwards: 69", b"mAX-fORWARDS:69")), id="case of names, 7.3.1"),
        pytest.param(spelled((b"CSeq:", b"CSEQ  \t: "), (b"To: ", b"TO :\t ")), id="white space around the colon"),
        pytest.param(spelled((b"Call-ID: a84b4c76e66710", b"Call-ID: a84b4c76e66710 \t ")), id="space at the end"),
        pytest.param(spelled((b"CSeq: 314159 INVITE", b"CSeq: 314159\r\n INVITE")), id="folded by a space"),
        pytest.param(spelled((b"To: Bob <", b"To:\r\n\tBob\r\n  <")), id="folded by a tab, twice, at once"),
        pytest.param(spelled((b"\r\nTo: Bob <", b"\nTo:\n Bob\n\t<"), (b"\r\n", b"\n")), id="folded by bare LF"),
        pytest.param(
            spelled(
                (b"Via:", b"v:"), (b"To:", b"t:"), (b"From:", b"f:"), (b"Call-ID:", b"i:"), (b"Contact:", b"m:"),
                (b"Content-Type:", b"c:"), (b"Content-Length:", b"l:"),
            ),
            id="compact forms, 7.3.3",
        ),
        pytest.param(spelled((b"Via:", b"V:"), (b"To:", b"T :"), (b"Content-Length:", b"L:")), id="compact upper case"),
    ],
)  # fmt: skip
def test_every_spelling_means_the_same(data: bytes) -> None:
    assert essence(read_request(data)) == essence(read_request(INVITE))


def test_several_values_of_a_header_may_stand_in_one_line_or_in_several() -> None:
    """7.3.1: the three spellings of Route there."""
    alice, bob, carol = "<sip:alice@atlanta.com>", "<sip:bob@biloxi.com>", "<sip:carol@chicago.com>"
    for headers in (
        f"Route: {alice}\r\nSubject: Lunch\r\nRoute: {bob}\r\nRoute: {carol}\r\n",
        f"Route: {alice}, {bob}\r\nRoute: {carol}\r\nSubject: Lunch\r\n",
        f"Subject: Lunch\r\nRoute: {alice}, {bob},\r\n  {carol}\r\n",
    ):
        message = read_request(request(headers=headers))
        assert message.values("route") == [alice, bob, carol]
        assert message.header("subject") == "Lunch"
    assert message.values("record-route") == []
    assert message.header("record-route") is None


def test_lists_of_tokens_are_sets_without_case() -> None:
    """7.3.1, 20.32, 20.37; an empty Supported is allowed."""
    message = read_request(request(headers="Supported: timer, 100REL\r\nk:path\r\nSupported:\r\nRequire:Timer\r\n"))
    assert message.tokens("supported") == {"timer", "100rel", "path"}
    assert message.tokens("require") == {"timer"}
    assert message.tokens("allow") == set()


@pytest.mark.parametrize(
    ("line", "media_type"),
    [
        ("Content-Type: Application/SDP", "application/sdp"),
        ("c: multipart/mixed;boundary=x", "multipart/mixed"),
        ("Content-Type: text/html ; charset=ISO-8859-4", "text/html"),
        ("X: y", ""),
    ],
)
def test_the_content_type(line: str, media_type: str) -> None:
    """20.15."""
    assert read_request(request(headers=f"{line}\r\n")).content_type == media_type


@pytest.mark.parametrize(
    "name", ["J\xf6rg", "Jörg".encode().decode("latin-1"), "日本".encode().decode("latin-1"), "\x80\xff"]
)
def test_bytes_beyond_ascii_come_through_unchanged(name: str) -> None:
    """25.1 TEXT-UTF8, quoted-string; whatever the encoding."""
    message = read_request(request(caller=f'"{name}" <sip:a@b>;tag=1', headers=f"Subject: {name}\r\n"))
    assert message.from_.display_name == f'"{name}"'
    assert message.header("subject") == name
    assert name.encode("latin-1") in message.raw
    message.validate()


def test_ipv6_everywhere() -> None:
    """RFC 5118 4.1, 4.5, 4.10."""
    message = read_request(
        request(
            uri="sip:[2001:db8::10]:5070",
            via="SIP/2.0/UDP [2001:db8::9:1]:5060;received=[2001:db8::9:255];branch=z9hG4bKas3-111",
            caller="sip:user@[2001:db8::20];tag=81x2",
            headers='Contact: "Caller" <sip:caller@[2001:db8::1]>\r\n',
        )
    )
    message.validate()
    assert message.request_uri.address == ("2001:db8::10", 5070)
    assert (message.from_.uri, message.from_tag) == ("sip:user@[2001:db8::20]", "81x2")
    assert message.branch == "z9hG4bKas3-111"


def test_unknown_methods_and_headers_are_kept() -> None:
    """7.3.1, 8.2.1, RFC 4475 3.1.1.2."""
    message = read_request(request("!X-Own.%", headers="X-Own: a:b\r\nx-own: c\r\n: nameless\r\nno header\r\n"))
    assert message.method == "!X-Own.%"
    assert message.headers["x-own"] == ["a:b", "c"]


# -- bodies and lengths


@pytest.mark.parametrize("body", [b"", b"v=0\r\n\r\nv=0", bytes(range(256)), b"\r\n\r\n", b"\n\n"])
def test_a_body_is_bytes(body: bytes) -> None:
    """7.4: whatever is in it; 18.3: what is behind it does not belong to it."""
    data = request(body=body)
    assert read_request(data).body == body
    assert read_request(data + b"INVITE").body == body
    assert read_request(data.replace(b"Content-Length: %d\r\n" % len(body), b"")).body == body


@pytest.mark.parametrize("length", ["4", "-1", "x", "", "1.0", "99999999999999", "\xb2"])
def test_a_length_that_is_not_that_of_the_body(length: str) -> None:
    """18.3: 400 for a request; a response is dropped."""
    declared = f"Content-Length: {length}\r\n".encode("latin-1")
    asked = request(body=b"123").replace(b"Content-Length: 3\r\n", declared)
    with pytest.raises(BrokenRequest) as refusal:
        parse(asked)
    assert (refusal.value.status_code, refusal.value.where) == (400, "Content-Length")
    with pytest.raises(ParseError):
        parse(answer(request(), body=b"123").replace(b"Content-Length: 3\r\n", declared))


def test_the_largest_message_and_one_byte_more() -> None:
    """A UDP datagram can hold no more."""
    space = MAXIMUM_MESSAGE - len(request(body=b"")) - 4
    assert len(read_request(request(body=b"x" * space)).body) == space
    with pytest.raises(ParseError):
        parse(b"x" * (MAXIMUM_MESSAGE + 1))


def test_too_many_headers_are_refused() -> None:
    headers = "".join(f"X-{number}: {number}\r\n" for number in range(MAXIMUM_HEADERS))
    with pytest.raises(ParseError):
        parse(request(headers=headers))


# -- what cannot be used


def test_a_broken_request_is_kept_for_its_answer() -> None:
    """8.2.6: what an answer copies."""
    with pytest.raises(BrokenRequest) as refusal:
        parse(request(cseq="1 BYE"))
    broken = refusal.value.request
    assert (broken.method, broken.call_id, broken.headers["cseq"]) == ("INVITE", "1@127.0.0.1", ["1 BYE"])
    assert (refusal.value.status_code, refusal.value.where) == (400, "CSeq")


@pytest.mark.parametrize(
    ("line", "status_code"),
    [
        ("INVITE sip:b@c SIP/7.0", 505), ("INVITE sip:b@c SIP/2.1", 505), ("INVITE sip:b@c", 400),
        ("INVITE SIP/2.0", 400), ("INVITE  sip:b@c SIP/2.0", 400), ("INVITE sip:b@c  SIP/2.0", 400),
        ("INVITE sip:b@c SIP/2.0 ", 400), ("INVITE sip:b@c; lr SIP/2.0", 400), ("INVITE sip:b@c HTTP/1.1", 400),
    ],
)  # fmt: skip
def test_bad_request_lines(line: str, status_code: int) -> None:
    """7.1, RFC 4475 3.1.2.6, 3.1.2.9, 3.1.2.10, 3.1.2.16."""
    with pytest.raises(ParseError) as refusal:
        parse(request().replace(b"INVITE sip:bob@127.0.0.2 SIP/2.0", line.encode(), 1))
    assert refusal.value.status_code == status_code


def test_a_request_line_in_lower_case_is_sip_2_0() -> None:
    """7.1: SIP-Version is case-insensitive; methods are not."""
    assert read_request(request().replace(b"SIP/2.0\r\n", b"sip/2.0\r\n", 1)).method == "INVITE"
    with pytest.raises(BrokenRequest):
        parse(request().replace(b"INVITE", b"invite", 1))


@pytest.mark.parametrize("name", ["From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length", "Content-Type"])
def test_what_may_stand_once_must_not_stand_twice(name: str) -> None:
    """7.3.1."""
    line = next(line for line in INVITE.decode().split("\r\n") if line.startswith(f"{name}:"))
    message = read_request(INVITE.replace(line.encode(), f"{line}\r\n{line}".encode()))
    with pytest.raises(ParseError) as refusal:
        message.validate()
    assert (refusal.value.status_code, refusal.value.where) == (400, name)


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("70", 70), ("255", 255), ("", None), ("-1", None), ("256", None), ("7x", None)]
)
def test_max_forwards(text: str, value: int | None) -> None:
    """20.22: 0 to 255."""
    message = read_request(request().replace(b"Max-Forwards: 70", f"Max-Forwards: {text}".encode()))
    if value is None:
        with pytest.raises(ParseError):
            message.validate()
    else:
        message.validate()
        assert message.max_forwards == value


def test_without_max_forwards_it_is_70() -> None:
    """RFC 2543 had none; 16.6 puts 70 there."""
    message = read_request(request().replace(b"Max-Forwards: 70\r\n", b""))
    message.validate()
    assert message.max_forwards == 70


# -- another parser


# Without what the other parser reads in its own way: escapes in a tag, two quoted names in one line.
TOKENS = st.text("abcdefXYZ0123456789-.!*_+`'~", min_size=1, max_size=12)
VALUES = st.text('abc XYZ019;,="<>@:/', max_size=20).map(str.strip)
MESSAGES = st.builds(
    lambda method, user, tag, call_id, number, subject, routes, body: (
        method, user, tag, call_id, number, subject, routes, body,
    ),
    st.sampled_from(["INVITE", "BYE", "OPTIONS", "INFO", "UPDATE"]), st.text("abc019+", min_size=1, max_size=8),
    TOKENS, TOKENS, st.integers(0, 2**31 - 1), VALUES,
    st.lists(st.sampled_from(["<sip:p1.test;lr>", "P2 <sip:p2.test:5070;lr>", "<sip:[::1];lr>"]), max_size=3),
    st.binary(max_size=40),
)  # fmt: skip


@settings(max_examples=60)
@given(MESSAGES, st.booleans())
def test_another_parser_reads_the_same_message(
    parts: tuple[str, str, str, str, int, str, list[str], bytes], is_response: bool
) -> None:
    method, user, tag, call_id, number, subject, routes, body = parts
    name = "Record-Route" if is_response else "Route"
    data = request(
        method, f"sip:{user}@127.0.0.2", caller=f'"A, B" <sip:{user}@test>;tag={tag}', call_id=call_id,
        cseq=f"{number} {method}", headers=f"Subject: {subject}\r\n" if subject else "", body=body,
    )  # fmt: skip
    lines = f"{name}: {', '.join(routes)}\r\n" if routes else ""
    if is_response:
        data = answer(data, 183, "Session Progress", headers=lines, body=body)
    else:
        data = data.replace(b"Max-Forwards", lines.encode() + b"Max-Forwards", 1)
    ours, theirs = parse(data), sipmessage.Message.parse(data)
    assert (ours.call_id, ours.cseq, ours.method) == (theirs.call_id, theirs.cseq.sequence, theirs.cseq.method)
    assert ours.from_tag == theirs.from_address.parameters.get("tag")
    assert ours.to_tag == (theirs.to_address.parameters.get("tag") or "")
    assert ours.branch == theirs.via[0].parameters["branch"]
    theirs_routes = theirs.record_route if is_response else theirs.route
    assert len(ours.values(name.lower())) == len(theirs_routes)
    assert ours.body == theirs.body == body
    if isinstance(ours, Response):
        assert isinstance(theirs, sipmessage.Response)
        assert (ours.status_code, ours.reason_phrase) == (theirs.code, theirs.phrase)
    else:
        assert isinstance(theirs, sipmessage.Request)
        ours.validate()
        assert str(ours.request_uri) == str(theirs.uri)
        assert ours.header("subject") == (subject or None)
    again = parse(bytes(theirs))
    assert (again.call_id, again.cseq, again.branch, again.body) == (ours.call_id, ours.cseq, ours.branch, body)


@pytest.mark.parametrize("control", ["\0", "\x0b", "\x1f", "\x7f"])
def test_what_is_said_again_in_every_message_of_a_dialog_has_no_control_characters(control: str) -> None:
    """RFC 3261 25.1: neither `word` nor `token` has any. A display name may be said in other words."""
    for broken in (request(call_id=f"a{control}b"), request(caller=f"<sip:alice@127.0.0.1>;tag=a{control}b")):
        with pytest.raises(ParseError) as refusal:
            read_request(broken).validate()
        assert refusal.value.status_code == 400
    read_request(request(caller=f'"a{control}b" <sip:alice@127.0.0.1>;tag=a')).validate()
