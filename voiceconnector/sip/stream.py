"""SIP over a byte stream: RFC 3261 18.3 (framing by Content-Length) and RFC 5626 4.4.1 (keep-alive).

Finds where messages end and nothing more; `message.parse` reads them. Bare LFs, folded lines and compact
forms frame like their strict spellings, so that what `message.parse` is lenient about is reached at all.
"""

import re
from collections.abc import Iterator

from .message import MAXIMUM_MESSAGE

_BLANK_LINES = re.compile(rb"(?:\r?\n)+")
_HEAD_END = re.compile(rb"\n\r?\n")
_CONTENT_LENGTH = re.compile(
    rb"^(?:content-length|l)[ \t]*:(?P<value>[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)", re.IGNORECASE | re.MULTILINE
)
_TLS_HANDSHAKE = b"\x16\x03"


class StreamError(ValueError):
    """The stream cannot be framed any further: answer what can be answered, then close the connection.

    `head` is the message it happened in, up to its empty line or as far as it came: enough to answer a
    request with `status_code` (400 or 513).
    """

    def __init__(self, sentence: str, head: bytes, status_code: int = 400) -> None:
        super().__init__(sentence)
        self.head = head
        self.status_code = status_code


class StreamParser:
    """Cuts one connection's bytes into messages. It holds at most one incomplete message.

    A CRLF pair between messages is a keep-alive ping, which `take_pings` reports; a single CRLF is a pong
    or padding (RFC 3261 7.5) and is skipped.
    """

    def __init__(self, maximum: int = MAXIMUM_MESSAGE) -> None:
        """`maximum`: bytes of the longest message that is let in."""
        self._maximum = maximum
        self._buffer = bytearray()
        # How far the buffer has been searched for the end of the head, so that no byte is read twice.
        self._searched = 0
        # Length of the message at the front of the buffer; 0 until its head is complete.
        self._message_length = 0
        self._blank_lines = 0
        self._pings = 0
        self._error: StreamError | None = None
        self.messages = 0
        """How many have been cut."""

    @property
    def is_within_message(self) -> bool:
        """Whether one has begun that is not complete."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that `data` completes, each with its head and exactly its body.

        An iterator, so that messages before a broken one are handed out before StreamError is raised.
        Raised once, it is raised again: the rest of the stream cannot be trusted.
        """
        if not self._error:
            self._buffer += data
        return self._messages()

    def take_pings(self) -> int:
        """Number of keep-alive pings since this was last asked; each wants one CRLF in return."""
        pings, self._pings = self._pings, 0
        return pings

    def _messages(self) -> Iterator[bytes]:
        while message := self._next():
            yield message

    def _next(self) -> bytes | None:
        if self._error:
            raise self._error
        buffer = self._buffer
        if not self._message_length:
            self._skip_blank_lines()
            self._message_length = self._read_head()
        if not self._message_length or len(buffer) < self._message_length:
            return None
        message = bytes(buffer[: self._message_length])
        del buffer[: self._message_length]
        self._message_length = self._searched = self._blank_lines = 0
        self.messages += 1
        return message

    def _skip_blank_lines(self) -> None:
        if self._searched:
            return
        match = _BLANK_LINES.match(self._buffer)
        if match:
            pings, self._blank_lines = divmod(self._blank_lines + match[0].count(b"\n"), 2)
            self._pings += pings
            del self._buffer[: match.end()]

    def _read_head(self) -> int:
        """Length of the message at the front of the buffer, 0 while its head is incomplete."""
        buffer = self._buffer
        if buffer.startswith(_TLS_HANDSHAKE):
            raise self._fail("a TLS handshake, on a connection that is not TLS", 0)
        end = _HEAD_END.search(buffer, self._searched)
        head_length = end.end() if end else len(buffer)
        if head_length > self._maximum:
            raise self._fail(f"the header is longer than {self._maximum} bytes", self._maximum, 513)
        if end:
            return head_length + self._read_content_length(head_length)
        # The end may have begun: LF and CR of it can be the last two bytes.
        self._searched = max(len(buffer) - 2, 0)
        return 0

    def _read_content_length(self, head_length: int) -> int:
        start = self._buffer.find(b"\n")
        values = {match["value"].strip() for match in _CONTENT_LENGTH.finditer(self._buffer, start, head_length)}
        if not values:
            raise self._fail("Content-Length is missing, RFC 3261 20.14 wants it on a stream", head_length)
        if len(values) > 1:
            told = " and ".join(sorted(map(_shown, values)))
            raise self._fail(f"Content-Length is given as {told}", head_length)
        value = values.pop()
        if not value.isdigit():
            raise self._fail(f"Content-Length {_shown(value)} is not a number of bytes", head_length)
        digits = value.lstrip(b"0") or b"0"
        if len(digits) > 9 or head_length + int(digits) > self._maximum:
            sentence = f"Content-Length {_shown(value)} makes it longer than {self._maximum} bytes"
            raise self._fail(sentence, head_length, 513)
        return int(digits)

    def _fail(self, sentence: str, head_length: int, status_code: int = 400) -> StreamError:
        self._error = StreamError(sentence, bytes(self._buffer[:head_length]), status_code)
        self._buffer.clear()
        return self._error


def _shown(value: bytes) -> str:
    text = value[:40].decode("latin-1")
    return repr(text if len(value) <= 40 else f"{text}…")
