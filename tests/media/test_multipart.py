"""Multipart bodies: the session's part found and replaced, all other bytes left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.media.multipart import (
    MultipartError,
    is_multipart,
    is_sdp,
    replace_part,
    sdp_part,
    split_multipart,
)

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 1024 RTP/AVP 0\r\n"
PIDF = b'<?xml version="1.0" encoding="UTF-8"?>\r\n<presence entity="pres:alice@atlanta.example.com"/>\r\n'

# The form of RFC 6442 4.1, an emergency call with its location.
EMERGENCY_TYPE = "multipart/mixed; boundary=boundary1"
EMERGENCY = (
    b"--boundary1\r\nContent-Type: application/sdp\r\n\r\n"
    + SDP
    + b"\r\n--boundary1\r\nContent-Type: application/pidf+xml\r\n"
    + b"Content-ID: <target123@atlanta.example.com>\r\n\r\n"
    + PIDF
    + b"\r\n--boundary1--\r\n"
)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/sdp", True),
        ("Application/SDP", True),
        ("application/sdp;charset=utf-8", True),
        (" application/sdp ", True),
        ("application/sdpx", False),
        ("multipart/mixed;boundary=application/sdp", False),
        ("", False),
    ],
)
def test_a_content_type_says_that_it_is_sdp(content_type: str, expected: bool) -> None:
    """RFC 3261 7.4.1, RFC 2045 5.1: types are compared without regard to case."""
    assert is_sdp(content_type) is expected


def test_a_content_type_says_that_it_has_parts() -> None:
    """RFC 2046 5.1."""
    assert is_multipart("Multipart/Mixed; boundary=x")
    assert is_multipart("multipart/alternative;boundary=x")
    assert not is_multipart("application/sdp")


def test_parts_are_split_at_the_boundary() -> None:
    """RFC 2046 5.1.1: the line end before a boundary belongs to the boundary."""
    first, second = split_multipart(EMERGENCY_TYPE, EMERGENCY)
    assert (first.content_type, first.body) == ("application/sdp", SDP)
    assert (second.content_type, second.body) == ("application/pidf+xml", PIDF)
    assert second.header("content-id") == "<target123@atlanta.example.com>"
    assert second.header("Content-Length") == ""


def test_only_the_sessions_part_changes() -> None:
    """RFC 6442: the location must reach the far side as it was."""
    part = sdp_part(EMERGENCY_TYPE, EMERGENCY)
    assert part is not None
    replaced = replace_part(EMERGENCY, part, b"v=0\r\n")
    assert replaced == EMERGENCY.replace(SDP, b"v=0\r\n")
    assert replace_part(EMERGENCY, part, part.body) == EMERGENCY


def test_the_example_of_rfc_2046_has_two_parts() -> None:
    """RFC 2046 5.1.1: preamble and epilogue, and a part without headers."""
    implicit = b"This is implicitly typed plain US-ASCII text.\r\nIt does NOT end with a linebreak."
    explicit = b"This is explicitly typed plain US-ASCII text.\r\nIt DOES end with a linebreak.\r\n"
    body = (
        b"This is the preamble.  It is to be ignored.\r\n\r\n--simple boundary\r\n\r\n"
        + implicit
        + b"\r\n--simple boundary\r\nContent-type: text/plain; charset=us-ascii\r\n\r\n"
        + explicit
        + b"\r\n--simple boundary--\r\n\r\nThis is the epilogue.  It is also to be ignored.\r\n"
    )
    parts = split_multipart('multipart/mixed; boundary="simple boundary"', body)
    assert [(part.content_type, part.body) for part in parts] == [
        ("text/plain", implicit),
        ("text/plain; charset=us-ascii", explicit),
    ]


@pytest.mark.parametrize(
    ("content_type", "line_end"),
    [
        ("multipart/mixed;boundary=b", b"\r\n"),
        ('multipart/mixed; Boundary="b"', b"\n"),
        ("multipart/related; type=x ; boundary = b ; start=y", b"\r\n"),
    ],
)
def test_a_body_may_be_written_in_several_ways(content_type: str, line_end: bytes) -> None:
    """RFC 2046 5.1.1: white space after a boundary, folded headers, no line end after the last boundary."""
    body = (
        b"--b  \r\ncontent-type:\r\n application/sdp\r\n"
        b"Content-Disposition: session;\r\n\thandling=required\r\n\r\n"
        b"v=0\r\n--b\r\n\r\n--b--"
    ).replace(b"\r\n", line_end)
    part = sdp_part(content_type, body)
    assert part is not None
    assert part.body == b"v=0"
    assert part.header("Content-Disposition") == "session; handling=required"
    assert replace_part(body, part, b"new") == body.replace(b"v=0", b"new")
    assert len(split_multipart(content_type, body)) == 2


def test_a_content_length_within_a_part_is_kept_true() -> None:
    """RFC 5621 4 has none there, but gateways write one."""
    body = b"--b\r\nContent-Type: application/sdp\r\nContent-Length: 3\r\nX: 1\r\n\r\nv=0\r\n--b--\r\n"
    part = sdp_part("multipart/mixed;boundary=b", body)
    assert part is not None
    assert replace_part(body, part, b"v=0\r\ns=-") == (
        b"--b\r\nContent-Type: application/sdp\r\nContent-Length: 8\r\nX: 1\r\n\r\nv=0\r\ns=-\r\n--b--\r\n"
    )


def test_a_description_for_something_else_is_passed_over() -> None:
    """RFC 3959: early-session is not the session. RFC 3261 20.11."""
    early = b"--b\r\nContent-Type: application/sdp\r\nContent-Disposition: early-session\r\n\r\nearly\r\n"
    body = early + b"--b\r\nContent-Type: application/sdp\r\n\r\nsession\r\n--b--\r\n"
    part = sdp_part("multipart/mixed;boundary=b", body)
    assert part is not None
    assert part.body == b"session"
    assert sdp_part("multipart/mixed;boundary=b", early + b"--b--\r\n") is None


@pytest.mark.parametrize(
    ("content_type", "body", "message"),
    [
        ("multipart/mixed", EMERGENCY, "Content-Type 'multipart/mixed' has no usable boundary"),
        ('multipart/mixed;boundary=""', EMERGENCY, "has no usable boundary"),
        ("multipart/mixed;boundary=\xe9", EMERGENCY, "has no usable boundary"),
        ("multipart/mixed;boundary=other", EMERGENCY, "does not begin and end with the boundary 'other'"),
        (EMERGENCY_TYPE, EMERGENCY.replace(b"--\r\n", b"\r\n"), "does not begin and end"),
        (EMERGENCY_TYPE, b"--boundary1--\r\n", "does not begin and end"),
        (EMERGENCY_TYPE, b"", "does not begin and end"),
        (
            EMERGENCY_TYPE,
            EMERGENCY.replace(b"sdp\r\n", b"sdp\r\nContent-Transfer-Encoding: BASE64\r\n"),
            "the SDP part is encoded as 'base64'",
        ),
    ],
)
def test_a_body_that_cannot_be_read_says_why(content_type: str, body: bytes, message: str) -> None:
    """RFC 2046 5.1.1: a missing closing boundary is an error."""
    with pytest.raises(MultipartError) as caught:
        sdp_part(content_type, body)
    assert message in str(caught.value)


@given(
    st.lists(st.sampled_from([b"--b", b"--b--", b"\r\n", b"\n", b"--", b"Content-Type: application/sdp", b"x", b" "]))
)
def test_any_body_is_refused_or_put_together_again(pieces: list[bytes]) -> None:
    """Nothing but MultipartError comes out, and a part replaced by itself changes nothing."""
    body = b"".join(pieces)
    try:
        parts = split_multipart("multipart/mixed;boundary=b", body)
    except MultipartError:
        return
    for part in parts:
        assert body[part.body_start : part.body_start + len(part.body)] == part.body
        assert replace_part(body, part, part.body) == body
