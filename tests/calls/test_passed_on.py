"""What crosses from one leg to the other: RFC 3261 7.3.1, 20.20, 25.1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire import request
from voiceconnector.calls.passed_on import (
    LONGEST_TEXT,
    display_name,
    header_lines,
    readable,
    reason_phrase,
    refusal_lines,
)
from voiceconnector.sip.headers import NameAddress
from voiceconnector.sip.message import Request, Response, parse

LATIN_1 = st.text(st.characters(max_codepoint=255))


def invite(headers: str = "", caller: str = "<sip:alice@127.0.0.1>;tag=a") -> Request:
    message = parse(request(headers=headers, caller=caller))
    assert isinstance(message, Request)
    return message


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("<sip:a@b>;tag=1", ""),
        ("sip:a@b;tag=1", ""),
        ("Alice <sip:a@b>", "Alice "),
        ("Alice  Liddell<sip:a@b>", "Alice  Liddell "),
        ('"Alice" <sip:a@b>', '"Alice" '),
        ('"Alice <b>"<sip:a@b>', '"Alice <b>" '),
        ('"say \\"hi\\"" <sip:a@b>', '"say \\"hi\\"" '),
        ("Liddell, Alice <sip:a@b>", '"Liddell, Alice" '),
        ("a:b <sip:a@b>", '"a:b" '),
    ],
)
def test_a_display_name_is_kept_or_quoted(written: str, name: str) -> None:
    """RFC 3261 25.1: display-name = *(token LWS) / quoted-string."""
    assert display_name(invite(caller=written)) == name


@given(LATIN_1)
def test_any_display_name_makes_a_from_that_can_be_read(name: str) -> None:
    try:
        message = invite(caller=f"{name} <sip:a@b>")
        message.validate()
    except (AssertionError, ValueError):
        return  # The message itself cannot be read, so nothing is passed on.
    read = display_name(message)
    assert NameAddress.parse(f"{read}<sip:x@y>", "From").uri == "sip:x@y"
    assert not set(read) & {"\r", "\n", "\0"}


def test_extension_headers_keep_their_spelling_and_order() -> None:
    lines = header_lines(invite("X-CallId: 1\r\nx-lower: 2\r\nX-CallId: 3\r\nUser-Agent: none\r\n"))
    assert lines == "X-CallId: 1\r\nX-CallId: 3\r\nx-lower: 2\r\n"


def test_a_folded_extension_header_is_passed_on_as_one_line() -> None:
    """RFC 3261 7.3.1."""
    assert header_lines(invite("X-Long: one\r\n two\r\n\tthree\r\n")) == "X-Long: one two three\r\n"


def test_a_value_that_is_passed_on_stays_one_line() -> None:
    assert header_lines(invite("X-Lone: a\rVia: b\0\x7f\r\n")) == "X-Lone: a?Via: b??\r\n"


def test_headers_that_mean_something_to_the_far_side_are_passed_on() -> None:
    lines = header_lines(invite("s: lunch\r\nDIVERSION: <sip:a@b>\r\nGeolocation-Routing: yes\r\nPriority: urgent\r\n"))
    assert lines == "Subject: lunch\r\nDiversion: <sip:a@b>\r\nGeolocation-Routing: yes\r\nPriority: urgent\r\n"


@pytest.mark.parametrize("name", ["X-a b", "X-\0", "X-<", "Via", "Route", "Record-Route", "Server"])
def test_what_is_no_header_of_an_extension_stays_behind(name: str) -> None:
    assert header_lines(invite(f"{name}: 0\r\n")) == ""


@given(LATIN_1, st.integers(300, 699))
def test_a_reason_phrase_is_short_and_never_empty(text: str, status_code: int) -> None:
    phrase = reason_phrase(text, status_code)
    assert 0 < len(phrase) <= LONGEST_TEXT + 3
    assert not set(phrase) & set("\r\n\0\x7f")


@given(LATIN_1)
def test_what_people_read_is_printable(text: str) -> None:
    assert readable(text).isprintable()


def test_utf_8_is_read_as_such_and_everything_else_as_latin_1() -> None:
    """RFC 3261 7: text is UTF-8; old devices send latin-1."""
    assert readable("z\xe2\x80\x93sp\xc3\xa4ter") == "z\u2013sp\u00e4ter"
    assert readable("sp\xe4ter") == "sp\u00e4ter"


def test_why_passes_always_and_when_only_with_the_same_status_code() -> None:
    """RFC 3326; RFC 3261 20.33 and 20.43 belong to the status code."""
    refusal = parse(
        b"SIP/2.0 503 No\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\n"
        b"Call-ID: 1\r\nCSeq: 1 INVITE\r\nReason: Q.850;cause=34\r\nReason: SIP;cause=503\r\nRetry-After: 5\r\n"
        b'Warning: 399 far "full"\r\nServer: far\r\nContact: <sip:e@f>\r\nContent-Length: 0\r\n\r\n'
    )
    assert isinstance(refusal, Response)
    why = "Reason: Q.850;cause=34\r\nReason: SIP;cause=503\r\n"
    assert refusal_lines(refusal, as_it_is=False) == why
    assert refusal_lines(refusal, as_it_is=True) == f'{why}Retry-After: 5\r\nWarning: 399 far "full"\r\n'
