"""Framing of SIP over TCP: RFC 3261 18.3, keep-alives of RFC 5626 4.4.1."""

import time
import timeit
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.sip.stream import StreamError, StreamParser

OPTIONS = b"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nContent-Length: 0\r\n\r\n"
INVITE = b"INVITE sip:a SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 9\r\n\r\nv=0\r\n\r\n\r\n"
COMPACT = b"MESSAGE sip:a SIP/2.0\r\nl : 4\r\nX: Content-Length: 7\r\n\r\nBYE "
FOLDED = b"BYE sip:a SIP/2.0\r\nX: a\r\n Content-Length: 7\r\ncontent-LENGTH:\r\n\t 002\r\n\r\n\r\n"
BARE_LF = b"SIP/2.0 200 OK\nl:3\nCall-ID: 1\n\nabc"
REPEATED = b"BYE sip:a SIP/2.0\r\nContent-Length: 1\r\nl: 1\r\n\r\nx"
MESSAGES = [OPTIONS, INVITE, COMPACT, FOLDED, BARE_LF, REPEATED]


def read(parser: StreamParser, *pieces: bytes) -> list[bytes]:
    return [message for piece in pieces for message in parser.feed(piece)]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_complete_with_the_last_byte_of_its_body(message: bytes) -> None:
    parser = StreamParser()
    assert read(parser, message[:-1]) == []
    assert read(parser, message[-1:]) == [message]


def test_messages_in_one_piece_are_told_apart() -> None:
    assert read(StreamParser(), b"".join(MESSAGES)) == MESSAGES


@given(st.lists(st.sampled_from([*MESSAGES, b"\r\n", b"\r\n\r\n", b"\n"]), max_size=8), st.data())
def test_any_split_gives_the_same_messages_and_pings(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=30)))
    whole, split, single = StreamParser(), StreamParser(), StreamParser()
    messages = [part for part in parts if len(part) > 4]
    assert read(whole, stream) == messages
    assert read(split, *(stream[a:b] for a, b in pairwise([0, *cuts, len(stream)]))) == messages
    assert read(single, *(bytes([byte]) for byte in stream)) == messages
    assert whole.take_pings() == split.take_pings() == single.take_pings()


def test_a_double_crlf_between_messages_is_a_ping_and_a_single_one_is_not() -> None:
    """RFC 5626 4.4.1: CRLFCRLF asks for CRLF. RFC 3261 7.5: a CRLF before a start line is ignored."""
    parser = StreamParser()
    assert read(parser, b"\r\n", OPTIONS, b"\r\n", OPTIONS) == [OPTIONS, OPTIONS]
    assert parser.take_pings() == 0
    assert read(parser, b"\r\n\r\n\r\n\r", b"\n") == []
    assert parser.take_pings() == 2
    assert parser.take_pings() == 0
    assert read(parser, b"\r\n\r\n" + INVITE) == [INVITE]
    assert parser.take_pings() == 1


@pytest.mark.parametrize(
    ("headers", "sentence", "status_code"),
    [
        (b"", "Content-Length is missing, RFC 3261 20.14 wants it on a stream", 400),
        (b"Content-Length: -999\r\n", "Content-Length '-999' is not a number of bytes", 400),
        (b"Content-Length:\r\n", "Content-Length '' is not a number of bytes", 400),
        (b"Content-Length: 1 2\r\n", "Content-Length '1 2' is not a number of bytes", 400),
        (b"Content-Length: 0x10\r\n", "Content-Length '0x10' is not a number of bytes", 400),
        (b"Content-Length: \xb2\r\n", "Content-Length '²' is not a number of bytes", 400),
        (b"Content-Length: 13\r\nl: 5\r\n", "Content-Length is given as '13' and '5'", 400),
        (b"l: 65500\r\n", "Content-Length '65500' makes it longer than 65535 bytes", 513),
        (
            b"l: " + b"9" * 5000 + b"\r\n",
            f"Content-Length '{'9' * 40}…' makes it longer than 65535 bytes",
            513,
        ),
    ],
)
def test_a_length_that_cannot_be_trusted_ends_the_stream_and_leaves_what_an_answer_needs(
    headers: bytes, sentence: str, status_code: int
) -> None:
    """RFC 3261 18.3, RFC 4475 3.1.2.3 and 3.3.9; 513 is Message Too Large (21.5.7)."""
    parser = StreamParser()
    head = b"INVITE sip:a SIP/2.0\r\nCall-ID: 1\r\n" + headers + b"\r\n"
    messages = parser.feed(OPTIONS + head + b"v=0")
    assert next(messages) == OPTIONS
    with pytest.raises(StreamError) as refusal:
        next(messages)
    assert str(refusal.value) == sentence
    assert refusal.value.head == head
    assert refusal.value.status_code == status_code
    with pytest.raises(StreamError, match="Content-Length"):
        read(parser, OPTIONS)


def test_a_header_that_never_ends_is_given_up() -> None:
    parser = StreamParser(maximum=1000)
    assert read(parser, b"X" * 1000) == []
    with pytest.raises(StreamError, match="longer than 1000 bytes") as refusal:
        read(parser, b"X")
    assert refusal.value.head == b"X" * 1000
    assert refusal.value.status_code == 513


def test_a_tls_handshake_on_a_tcp_port_is_named() -> None:
    with pytest.raises(StreamError, match="TLS handshake"):
        read(StreamParser(), bytes.fromhex("160301013a010001360303"))


def test_what_follows_the_declared_body_is_the_next_message() -> None:
    """RFC 4475 3.1.1.8 dblreq: no bytes outside the declared length belong to the first request."""
    second = INVITE.replace(b"Call-ID: 1", b"Call-ID: 2")
    assert read(StreamParser(), OPTIONS + b"\r\n" + second) == [OPTIONS, second]


def test_byte_by_byte_costs_as_much_for_each_byte_of_a_long_message_as_of_a_short_one() -> None:
    def cost_of_a_byte(length: int) -> float:
        """CPU time, best of several, as the machine may be busy."""
        message = b"INVITE sip:a SIP/2.0\r\nX: " + b"a" * length + b"\r\nl: %d\r\n\r\n" % length + b"b" * length
        pieces = [bytes([byte]) for byte in message]
        clock = timeit.Timer(lambda: read(StreamParser(), *pieces), timer=time.process_time)
        return min(clock.repeat(number=1, repeat=5)) / len(message)

    assert cost_of_a_byte(30_000) < 4 * cost_of_a_byte(1_000)


@given(st.lists(st.binary(max_size=80) | st.sampled_from([*MESSAGES, b"l: 3\r\n", b"\r\n\r\n"]), max_size=12))
def test_any_bytes_give_messages_or_a_stream_error(pieces: list[bytes]) -> None:
    parser = StreamParser()
    stream = b"".join(pieces)
    with suppress(StreamError):
        assert all(message in stream for message in read(parser, *pieces))
        return
    with pytest.raises(StreamError) as refusal:
        read(parser, b"")
    assert refusal.value.status_code in (400, 513)
    assert refusal.value.head in stream
