"""SIP messages: RFC 3261 section 7. One lazy parse, and the printing of answers.

`parse` finds the header lines once and decodes nothing but the start line, CSeq, Call-ID and tags; the rest
is decoded when it is asked for. It is lenient where a trunk has to be (bare LF, folded lines, compact
forms, unknown headers) and keeps the original bytes in `raw`. `Request.validate` adds what only the start
of a new transaction has to pay for.
"""

import re

from .grammar import ParseError, display, has_controls, read_number, split_values
from .headers import COMPACT_FORMS, METHODS, NameAddress, Via, branch_of, parse_cseq, tag_of
from .uri import SipUri

MAGIC_COOKIE = "z9hG4bK"

MAXIMUM_MESSAGE = 65_535
MAXIMUM_HEADERS = 400

_METHOD = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
# The shapes that nearly every Via, From and To has: what matches needs no further look.
_PLAIN_VIA = re.compile(
    r"SIP/2\.0/[A-Z]+ [A-Za-z0-9\-.]+(?::[1-9]\d{0,3}|:[1-5]\d{4})?(?:;[a-z]+(?:=[A-Za-z0-9\-.!%*_+`'~]+)?)*"
).fullmatch
_PLAIN_ADDRESS = re.compile(
    r"(?:\"[^\"\\]*\" ?|[A-Za-z0-9\-.!%*_+`'~ ]*)<sips?:[^<>\s\"]+>(?:;tag=[A-Za-z0-9\-.!%*_+`'~]+)?"
).fullmatch
_SINGLE = frozenset(("from", "to", "call-id", "cseq", "max-forwards", "content-length", "content-type"))

# The spellings nearly every message uses, so that none of them has to be lowered or looked up twice.
_CANONICAL = {
    name: name.lower()
    for name in (
        "Via", "From", "To", "Call-ID", "CSeq", "Contact", "Max-Forwards", "Content-Type", "Content-Length",
        "Route", "Record-Route", "Allow", "Supported", "Require", "User-Agent", "Server", "Authorization",
        "Proxy-Authorization", "Session-Expires", "Min-SE", "Reason", "Subject", "Expires", "Warning",
    )
} | COMPACT_FORMS  # fmt: skip


class Message:
    """What requests and responses share. Never changed once parsed."""

    __slots__ = ("body", "call_id", "cseq", "from_tag", "headers", "method", "raw", "to_tag")

    raw: bytes
    headers: dict[str, list[str]]
    """Values by full name in lower case, unfolded and stripped, one entry a header line."""
    body: bytes
    method: str
    """The request's method, or the one in the response's CSeq."""
    cseq: int
    call_id: str
    from_tag: str
    """ "" where there is none, as RFC 2543 allowed."""
    to_tag: str
    """ "" where there is none: no dialog yet."""

    def header(self, name: str) -> str | None:
        """The first line of a header, or None. `name` in lower case."""
        lines = self.headers.get(name)
        return lines[0] if lines else None

    def values(self, name: str) -> list[str]:
        """All values of a header that may have several, in order (RFC 3261 7.3.1)."""
        return [value for line in self.headers.get(name, ()) for value in split_values(line)]

    def tokens(self, name: str) -> set[str]:
        """The values of a list of tokens (Require, Supported, Allow …) in lower case."""
        return {value.lower() for line in self.headers.get(name, ()) for value in line.replace(",", " ").split()}

    @property
    def branch(self) -> str:
        """Branch of the topmost Via."""
        return branch_of(self.headers["via"][0])

    @property
    def from_(self) -> NameAddress:
        return NameAddress.parse(self.headers["from"][0], "From")

    @property
    def to(self) -> NameAddress:
        return NameAddress.parse(self.headers["to"][0], "To")

    @property
    def content_type(self) -> str:
        """Media type without parameters, in lower case; "" without a body."""
        return (self.header("content-type") or "").partition(";")[0].strip().lower()

    def contact(self) -> NameAddress | None:
        """The first Contact, None where there is none. Raises ParseError."""
        values = self.values("contact")
        return NameAddress.parse(values[0], "Contact") if values else None


class Request(Message):
    """RFC 3261 7.1."""

    __slots__ = ("_request_uri", "uri")

    uri: str
    """As on the wire."""
    _request_uri: SipUri | None

    @property
    def request_uri(self) -> SipUri:
        """Raises ParseError (416, 400) where it is not a SIP URI; parsed once."""
        uri = self._request_uri
        if uri is None:
            uri = self._request_uri = SipUri.parse(self.uri)
        return uri

    def validate(self) -> None:
        """What RFC 3261 wants of a request that starts a transaction, beyond what `parse` needs.

        Raises ParseError with the answer (400, 416, 483 …).
        """
        headers = self.headers
        for name, lines in headers.items():
            if len(lines) > 1 and name in _SINGLE:
                raise ParseError("given more than once", _title(name), "RFC 3261 7.3.1")
        if has_controls(self.call_id):
            raise ParseError("has a control character in it", "Call-ID", "RFC 3261 25.1")
        if has_controls(self.from_tag):
            raise ParseError("its tag has a control character in it", "From", "RFC 3261 25.1")
        self.request_uri  # noqa: B018 - read once, kept
        if not _PLAIN_ADDRESS(headers["from"][0]):
            NameAddress.parse(headers["from"][0], "From")
        if not _PLAIN_ADDRESS(headers["to"][0]):
            NameAddress.parse(headers["to"][0], "To")
        for line in headers["via"]:
            if not _PLAIN_VIA(line):
                for via in split_values(line):
                    Via.parse(via)
        if self.max_forwards > 255:
            raise ParseError("above 255", "Max-Forwards", "RFC 3261 20.22")

    @property
    def max_forwards(self) -> int:
        """70 where the header is missing, as RFC 2543 senders leave it out."""
        text = self.header("max-forwards")
        if text is None:
            return 70
        hops = read_number(text)
        if hops is None:
            raise ParseError(f"{text!r} is not a number", "Max-Forwards", "RFC 3261 20.22")
        return hops


class Response(Message):
    """RFC 3261 7.2."""

    __slots__ = ("reason_phrase", "status_code")

    status_code: int
    reason_phrase: str


class BrokenRequest(ParseError):
    """A request that cannot be used but can be answered: `request` has what an answer copies."""

    def __init__(self, request: Request, error: ParseError) -> None:
        super().__init__(error.sentence, error.where, error.source, error.status_code, error.reason_phrase)
        self.request = request


def _title(name: str) -> str:
    return {"call-id": "Call-ID", "cseq": "CSeq"}.get(name, name.title())


def parse(data: bytes) -> Request | Response:
    """One message from one datagram, or from one frame of a stream.

    Raises BrokenRequest for a request that should get an error response, ParseError for anything that can
    only be dropped: no SIP at all, a bad response, a request without what an answer needs.
    """
    if len(data) > MAXIMUM_MESSAGE:
        raise ParseError(f"{len(data)} bytes are too many", "message", "limit of this implementation")
    head, separator, body = data.partition(b"\r\n\r\n")
    text = head.decode("latin-1")
    lines = text.split("\r\n")
    if not separator or not lines[0] or text.count("\n") >= len(lines):
        lines, body = _split_leniently(data)
    start = lines[0]
    message = _read_status_line(start) if start[:4].upper() == "SIP/" else _read_request_line(start)
    message.raw = data
    message.headers = headers = _read_headers(lines)
    try:
        _read_identity(message, body)
    except ParseError as error:
        if isinstance(message, Request) and headers.get("via") and "call-id" in headers and "cseq" in headers:
            raise BrokenRequest(message, error) from None
        raise
    return message


def _split_leniently(data: bytes) -> tuple[list[str], bytes]:
    """Header lines and body where there are line breaks before them, bare LFs, or no empty line between."""
    data = data.lstrip(b"\r\n")
    match = re.search(rb"\r?\n\r?\n", data)
    head, body = (data[: match.start()], data[match.end() :]) if match else (data.rstrip(b"\r\n"), b"")
    if not head:
        raise ParseError("nothing but line breaks", "message", "RFC 3261 7")
    return head.decode("latin-1").replace("\r\n", "\n").split("\n"), body


def _read_request_line(line: str) -> Request:
    request = Request()
    request.call_id = request.from_tag = request.to_tag = ""
    request._request_uri = None
    pieces = line.split(" ")
    request.method = pieces[0]
    if len(pieces) == 3 and pieces[2] == "SIP/2.0" and pieces[0] in METHODS:
        request.uri = pieces[1]
        return request
    request.uri = pieces[1] if len(pieces) == 3 else line.partition(" ")[2].rpartition(" ")[0]
    if (pieces[0] not in METHODS and not _METHOD.fullmatch(pieces[0])) or (
        not pieces[-1].upper().startswith("SIP/") and "SIP/" not in line
    ):
        raise ParseError(f"{display(line[:80])!r} does not start a SIP message", "start line", "RFC 3261 7.1")
    request.cseq = 0
    if len(pieces) != 3 or pieces[2].upper() != "SIP/2.0":
        # Kept for the answer; `_read_identity` refuses it once the headers are known.
        request.uri = f"\0{line}"
    return request


def _read_status_line(line: str) -> Response:
    response = Response()
    version, _, rest = line.partition(" ")
    code, _, reason = rest.partition(" ")
    if version.upper() != "SIP/2.0" or len(code) != 3 or not code.isdecimal() or not "100" <= code <= "699":
        raise ParseError(f"{display(line[:80])!r} is not a status line", "start line", "RFC 3261 7.2")
    response.status_code = int(code)
    response.reason_phrase = reason
    return response


def _read_headers(lines: list[str]) -> dict[str, list[str]]:
    if len(lines) > MAXIMUM_HEADERS:
        raise ParseError(f"{len(lines)} header lines are too many", "message", "limit of this implementation")
    headers: dict[str, list[str]] = {}
    previous: list[str] = [""]
    canonical = _CANONICAL
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        key = canonical.get(name)
        if key is None:
            if line[:1] in " \t" and headers:  # Folded: 7.3.1.
                previous[-1] = f"{previous[-1]} {line.strip()}".strip()
                continue
            key = name.strip().lower()
            key = COMPACT_FORMS.get(key, key)
            if not colon:
                continue  # Not a header at all; `lint` names it.
        if key in headers:
            previous = headers[key]
            previous.append(value.strip())
        else:
            headers[key] = previous = [value.strip()]
    return headers


def _read_identity(message: Request | Response, body: bytes) -> None:
    """Fill what transactions and dialogs are matched by; cut the body to its declared length."""
    headers = message.headers
    try:
        message.call_id = headers["call-id"][0]
        message.from_tag = tag_of(headers["from"][0])
        message.to_tag = tag_of(headers["to"][0])
        message.cseq, method = parse_cseq(headers["cseq"][0])
        headers["via"]
    except KeyError as missing:
        raise ParseError("missing", _title(missing.args[0]), "RFC 3261 8.1.1") from None
    declared = headers.get("content-length")
    if declared and (body or declared[0] != "0"):
        body = _cut(body, declared[0])
    message.body = body
    if isinstance(message, Response):
        message.method = method
        return
    if message.uri[0:1] == "\0":
        _refuse_request_line(message.uri[1:])
    if method != message.method:
        raise ParseError(f"names {method}, the request is {message.method}", "CSeq", "RFC 3261 8.1.1.5")


def _cut(body: bytes, declared: str) -> bytes:
    length = read_number(declared)
    if length is None or length > len(body):
        raise ParseError(f"says {declared[:20]}, the body has {len(body)} bytes", "Content-Length", "RFC 3261 18.3")
    return body[:length]


def _refuse_request_line(line: str) -> None:
    version = line.rpartition(" ")[2]
    if re.fullmatch(r"SIP/\d+\.\d+", version, re.IGNORECASE) and version.upper() != "SIP/2.0":
        raise ParseError(f"{version} is not SIP/2.0", "start line", "RFC 3261 21.5.6", 505, "Version Not Supported")
    raise ParseError(
        f"{display(line[:80])!r} is not method, URI and version with one space between",
        "Request-Line",
        "RFC 3261 7.1",
    )
