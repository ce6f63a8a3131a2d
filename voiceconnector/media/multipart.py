"""Multipart bodies as SIP carries them (RFC 2046 5.1, RFC 5621): find a part, replace it, leave the rest.

A body is never taken apart and put together again: parts know their place in it, and only the bytes of the
replaced part change. Lines may end in CRLF or LF.

Left out: parts inside parts, and transfer encodings other than those that leave bytes as they are.
"""

import re
from typing import NamedTuple

_BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.ASCII | re.IGNORECASE)
_BLANK_LINE = re.compile(rb"(?:\A|\r?\n)\r?\n")
_AS_IT_IS = ("", "7bit", "8bit", "binary")


class MultipartError(ValueError):
    """A multipart body that cannot be read; the message says why."""


class Part(NamedTuple):
    """One part of a multipart body."""

    headers: bytes
    """Header lines as they came."""
    body: bytes
    headers_start: int
    """Where the headers begin in the whole body."""
    body_start: int
    """Where the part's body begins in the whole body; the line end before the boundary is not part of it."""

    def header(self, name: str) -> str:
        """The value of the first header of that name, unfolded; nothing where there is none."""
        match = _header_pattern(name).search(self.headers)
        return " ".join(match[2].decode("latin-1").split()) if match else ""

    @property
    def content_type(self) -> str:
        """What the part is; text/plain where it does not say (RFC 2046 5.1)."""
        return self.header("Content-Type") or "text/plain"


def is_sdp(content_type: str) -> bool:
    """Whether a Content-Type says that a body is a session description."""
    return content_type == "application/sdp" or _media_type(content_type) == "application/sdp"


def is_multipart(content_type: str) -> bool:
    """Whether a Content-Type says that a body has parts."""
    return _media_type(content_type).startswith("multipart/")


def split_multipart(content_type: str, body: bytes) -> list[Part]:
    """The parts of a body in order.

    Raises MultipartError where the Content-Type has no boundary, or the body no opening or closing one.
    """
    parameter = _BOUNDARY.search(content_type)
    boundary = (parameter[1] or parameter[2]).rstrip() if parameter else ""
    if not boundary or not boundary.isascii():
        raise MultipartError(f"Content-Type {content_type[:80]!a} has no usable boundary (RFC 2046 5.1.1)")
    delimiter = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary.encode("ascii")) + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    found = list(delimiter.finditer(body))
    closing = next((index for index, match in enumerate(found) if match[1]), 0)
    if not closing:
        raise MultipartError(f"the body does not begin and end with the boundary {boundary!a} (RFC 2046 5.1.1)")
    return [_part(body, found[index].end(), found[index + 1].start()) for index in range(closing)]


def sdp_part(content_type: str, body: bytes) -> Part | None:
    """The part that describes the session: the first application/sdp that is not disposed of otherwise.

    RFC 3261 20.11: a session description without Content-Disposition is for the session. Raises
    MultipartError where the body cannot be read, or the part is in a transfer encoding.
    """
    for part in split_multipart(content_type, body):
        if not is_sdp(part.content_type):
            continue
        if _media_type(part.header("Content-Disposition")) not in ("", "session"):
            continue
        encoding = part.header("Content-Transfer-Encoding").lower()
        if encoding not in _AS_IT_IS:
            raise MultipartError(f"the SDP part is encoded as {encoding[:40]!a} (RFC 3261 7.4.1)")
        return part
    return None


def replace_part(body: bytes, part: Part, replacement: bytes) -> bytes:
    """The whole body with the body of one of its parts replaced, and its Content-Length if it has one."""
    length = _header_pattern("Content-Length")
    headers = length.sub(rb"\g<1>%d" % len(replacement), part.headers, count=1)
    headers_end = part.headers_start + len(part.headers)
    return b"".join(
        [
            body[: part.headers_start],
            headers,
            body[headers_end : part.body_start],
            replacement,
            body[part.body_start + len(part.body) :],
        ]
    )


def sdp_of(content_type: str, body: bytes) -> bytes | None:
    """The session description of a body, alone or as one of its parts; None where it has none.

    Raises MultipartError.
    """
    if is_sdp(content_type):
        return body
    part = sdp_part(content_type, body) if is_multipart(content_type) else None
    return part.body if part else None


def with_sdp(content_type: str, body: bytes, description: bytes) -> bytes:
    """The body with another session description in place of its own. Raises MultipartError."""
    part = sdp_part(content_type, body) if is_multipart(content_type) else None
    return replace_part(body, part, description) if part else description


def _part(body: bytes, start: int, end: int) -> Part:
    """The part between the end of one delimiter line, before its line end, and the start of the next."""
    start = min(body.index(b"\n", start) + 1, end)
    blank = _BLANK_LINE.search(body[start:end])
    if blank is None:
        return Part(body[start:end], b"", start, end)
    return Part(body[start : start + blank.start()], body[start + blank.end() : end], start, start + blank.end())


def _header_pattern(name: str) -> re.Pattern[bytes]:
    """Matches a header with its folded lines: the name and colon as group 1, the value as group 2."""
    return re.compile(
        rb"^(" + name.encode("ascii") + rb"[ \t]*:[ \t]*)([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)",
        re.IGNORECASE | re.MULTILINE,
    )


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
