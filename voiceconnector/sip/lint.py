"""Everything unusual in a received message, in words: what, where, and which RFC section says so.

For `explain`, on stored bytes; nothing here is on the path of a call. The parser copes with most of what is
found here, other equipment may not. Values that cannot be read are told in the parser's own words.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_address, ip_network

from .digest import DigestCredentials
from .grammar import TOKEN, ParseError, display, read_number, split_values
from .headers import COMPACT_FORMS, NameAddress, Via, parse_cseq
from .hop import is_ip_address
from .message import MAGIC_COOKIE, Request, parse
from .session_timer import SessionExpires, parse_min_se
from .uri import SipUri

LONGEST_DATAGRAM = 1300
"""Bytes that may go over UDP where the path is not known better, RFC 3261 18.1.1."""

_METHODS = {"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "UPDATE", "INFO", "PRACK", "REFER", "MESSAGE"}
_MANDATORY = {
    "via": "RFC 3261 8.1.1.7", "from": "RFC 3261 8.1.1.3", "to": "RFC 3261 8.1.1.2",
    "call-id": "RFC 3261 8.1.1.4", "cseq": "RFC 3261 8.1.1.5",
}  # fmt: skip
_ONCE = {"from", "to", "call-id", "cseq", "max-forwards", "content-length", "content-type", "date", "expires"}
_ADDRESSES = ("from", "to", "contact", "route", "record-route", "p-asserted-identity")
_NOT_REACHABLE_FROM_ELSEWHERE = [
    ip_network(network)
    for network in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8",
        "fc00::/7", "fe80::/10", "::1/128",
    )
]  # fmt: skip

_NAME = re.compile(TOKEN)
_HEADER_LINE = re.compile(rf"[ \t]|{TOKEN}[ \t]*:")
_BLANK_LINE = re.compile(rb"\n\r?\n")
_LINE_END = re.compile(rb"\r?\n")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# RFC 3261 25.1: user, with the characters that may stand there unescaped.
_USER = re.compile(r"(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/:]|%[0-9A-Fa-f]{2})*")
_UNBRACKETED_IPV6 = re.compile(r"sips?:(?:[^@\[]*@)?[0-9A-Fa-f]*:[0-9A-Fa-f]*:", re.IGNORECASE)
_SDP_ADDRESS = re.compile(rb"^c=IN IP[46] ([^\s/]+)", re.MULTILINE)


class Level(StrEnum):
    """How much an anomaly matters."""

    NOTE = "note"
    """Allowed, and worth knowing."""
    WARNING = "warning"
    """Against the RFC, and understood all the same."""
    ERROR = "error"
    """The RFC wants the message refused or dropped."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One unusual thing in a message."""

    what: str
    """A plain sentence without its full stop."""
    where: str
    """ "Via (line 3)", "start line", "body" …"""
    source: str
    """RFC section."""
    level: Level = Level.WARNING


@dataclass(frozen=True, slots=True)
class _Header:
    name: str
    """Full, in lower case."""
    written: str
    """As on the wire, with blanks before the colon."""
    value: str
    """Unfolded, stripped."""
    line: int
    folded: bool

    @property
    def where(self) -> str:
        return f"{self.written.strip()} (line {self.line})"


@dataclass(frozen=True, slots=True)
class _Message:
    raw: bytes
    lines: list[str]
    """Of the head, the start line first, folded ones as they are."""
    headers: list[_Header]
    body: bytes
    transport: str
    source_address: str
    initial: bool

    @property
    def is_response(self) -> bool:
        return self.lines[0][:4].upper() == "SIP/"

    @property
    def method(self) -> str:
        return "" if self.is_response else self.lines[0].split(" ")[0]

    def named(self, *names: str) -> list[_Header]:
        return [header for header in self.headers if header.name in names]


def anomalies(raw: bytes, *, transport: str = "", source_address: str = "", initial: bool = False) -> list[Anomaly]:
    """What is unusual in a message, as it was received; errors first. Raises nothing.

    `transport` and `source_address`: how and from where it came, "" where unknown. `initial`: it was to
    start a call.
    """
    message = _read(raw, transport.upper(), source_address, initial)
    found = [anomaly for check in _CHECKS for anomaly in check(message)]
    if not any(anomaly.level is Level.ERROR for anomaly in found):
        found += _refusal(raw)
    return sorted(dict.fromkeys(found), key=lambda anomaly: list(Level).index(anomaly.level), reverse=True)


def _read(raw: bytes, transport: str, source_address: str, initial: bool) -> _Message:
    text = raw.lstrip(b"\r\n")
    end = _BLANK_LINE.search(text)
    head, body = (text[: end.start()], text[end.end() :]) if end else (text, b"")
    lines = [line.decode("latin-1").removesuffix("\r") for line in head.rstrip(b"\r\n").split(b"\n")]
    headers: list[_Header] = []
    for number, line in enumerate(lines[1:], 2):
        if line[:1] in (" ", "\t") and headers:
            last = headers[-1]
            value = f"{last.value} {line.strip()}".strip()
            headers[-1] = _Header(last.name, last.written, value, last.line, True)
            continue
        written, colon, value = line.partition(":")
        name = written.strip().lower()
        if colon and _NAME.fullmatch(name):
            headers.append(_Header(COMPACT_FORMS.get(name, name), written, value.strip(), number, False))
    return _Message(raw, lines, headers, body, transport, source_address, initial)


# -- bytes and lines


def _lines(message: _Message) -> Iterator[Anomaly]:
    head = message.raw[: len(message.raw) - len(message.body)]
    if head[:1] in (b"\r", b"\n"):
        yield Anomaly("empty lines before the start line", "start line", "RFC 3261 7.5", Level.NOTE)
    breaks = _LINE_END.findall(head)
    if bare := breaks.count(b"\n"):
        yield Anomaly(f"{bare} of {len(breaks)} lines end with a bare LF, not with CRLF", "header", "RFC 3261 7")
    if not _BLANK_LINE.search(message.raw.lstrip(b"\r\n")):
        yield Anomaly("no empty line ends the header", "header", "RFC 3261 7")
    for number, line in enumerate(message.lines, 1):
        where = f"line {number}" if number > 1 else "start line"
        yield from _characters(line, where)
        if number > 1 and not _HEADER_LINE.match(line):
            yield Anomaly(f"{_shown(line)} is no header line", where, "RFC 3261 7.3")


def _characters(line: str, where: str) -> Iterator[Anomaly]:
    if control := _CONTROL.search(line):
        escaped = line[control.start() - 1 : control.start()] == "\\"
        what = f"control character 0x{ord(control[0]):02x}"
        yield Anomaly(what, where, "RFC 3261 25.1", Level.NOTE if escaped else Level.WARNING)
    if not line.isascii():
        if display(line) == line:
            what = "bytes that are not UTF-8; they are read as latin-1"
            yield Anomaly(what, where, "RFC 3261 7")
        else:
            yield Anomaly("characters beyond ASCII, as UTF-8", where, "RFC 3261 7", Level.NOTE)


def _spelling(message: _Message) -> Iterator[Anomaly]:
    compact = [header.written.strip() for header in message.headers if len(header.written.strip()) == 1]
    if compact:
        what = f"compact header names: {', '.join(dict.fromkeys(compact))}"
        yield Anomaly(what, "header", "RFC 3261 7.3.3", Level.NOTE)
    for header in message.headers:
        if header.folded:
            yield Anomaly("a header folded over several lines", header.where, "RFC 3261 7.3.1", Level.NOTE)
        if header.written != header.written.strip():
            yield Anomaly("blanks before the colon", header.where, "RFC 3261 7.3.1", Level.NOTE)


# -- start line


def _start_line(message: _Message) -> Iterator[Anomaly]:
    line = message.lines[0]
    if message.is_response:
        yield from _status_line(line)
        return
    version = line.rstrip(" ").rpartition(" ")[2]
    if re.search(r"\bHTTP/1\.\d$", line):
        yield Anomaly("this is HTTP, not SIP", "start line", "RFC 3261 7.1", Level.ERROR)
    elif message.raw.startswith(b"\x16\x03"):
        yield Anomaly("this is a TLS handshake, not SIP", "start line", "RFC 3261 7.1", Level.ERROR)
    elif not re.fullmatch(r"SIP/\d+\.\d+", version, re.IGNORECASE):
        what = f"{_shown(line)} is not method, Request-URI and SIP/2.0"
        yield Anomaly(what, "start line", "RFC 3261 7.1", Level.ERROR)
    elif version.upper() != "SIP/2.0":
        what = f"version {version}, where only SIP/2.0 is known"
        yield Anomaly(what, "start line", "RFC 3261 21.5.6", Level.ERROR)
    else:
        if version != "SIP/2.0":
            yield Anomaly(f"{version} is to be sent in upper case", "start line", "RFC 3261 7.1")
        if line.count(" ") != 2:
            what = f"{line.count(' ')} blanks, where one is before and one behind the Request-URI"
            yield Anomaly(what, "start line", "RFC 3261 7.1", Level.ERROR)
        yield from _request_uri(line.partition(" ")[2].rstrip(" ").rpartition(" ")[0].strip(" "))
    if message.method != message.method.upper() and message.method.upper() in _METHODS:
        what = f"method {message.method} is another than {message.method.upper()}: case matters"
        yield Anomaly(what, "start line", "RFC 3261 7.1")


def _status_line(line: str) -> Iterator[Anomaly]:
    version, _, rest = line.partition(" ")
    code, blank, reason = rest.partition(" ")
    if version != "SIP/2.0":
        level = Level.WARNING if version.upper() == "SIP/2.0" else Level.ERROR
        yield Anomaly(f"version {version}, where SIP/2.0 is known", "start line", "RFC 3261 7.2", level)
    if not re.fullmatch(r"[1-6]\d\d", code, re.ASCII):
        yield Anomaly(f"status code {_shown(code)}", "start line", "RFC 3261 7.2", Level.ERROR)
    elif not blank or not reason:
        yield Anomaly("no reason phrase", "start line", "RFC 3261 7.2", Level.NOTE)


def _request_uri(uri: str) -> Iterator[Anomaly]:
    if uri.startswith("<"):
        what = "the Request-URI stands in <>"
        yield Anomaly(what, "start line", "RFC 3261 7.1", Level.ERROR)
        return
    yield from _uri(uri, "Request-URI", Level.ERROR)
    if "?" in uri.rpartition("@")[2]:
        yield Anomaly("headers in the Request-URI", "Request-URI", "RFC 3261 19.1.1 Table 1", Level.ERROR)


def _uri(uri: str, where: str, level: Level) -> Iterator[Anomaly]:
    """`level`: how much a URI matters that cannot be read."""
    try:
        read = SipUri.parse(uri, where)
    except ParseError as error:
        if _UNBRACKETED_IPV6.match(uri):
            yield Anomaly("an IPv6 address without [ ]", where, "RFC 3261 25.1, RFC 5118 4.2", level)
        else:
            yield Anomaly(error.sentence, where, error.source, level)
        return
    if not _USER.fullmatch(read.user):
        what = f"user {_shown(read.user)} has characters that are to be escaped with %"
        yield Anomaly(what, where, "RFC 3261 19.1.2, 25.1")
    if read.host.startswith("[") and not is_ip_address(read.host.strip("[]")):
        yield Anomaly(f"{read.host} is not an IPv6 address", where, "RFC 3261 25.1, RFC 5118 4.10")


# -- headers


def _counts(message: _Message) -> Iterator[Anomaly]:
    counts = Counter(header.name for header in message.headers)
    for name, source in _MANDATORY.items():
        if not counts[name]:
            yield Anomaly("missing", _title(name), source, Level.ERROR)
    for header in message.headers:
        if header.name in _ONCE and counts[header.name] > 1:
            what = f"given {counts[header.name]} times"
            yield Anomaly(what, _title(header.name), "RFC 3261 7.3.1", Level.ERROR)
    if message.method and not counts["max-forwards"]:
        yield Anomaly("missing, read as 70", "Max-Forwards", "RFC 3261 8.1.1.6")
    if message.method == "INVITE" and not counts["contact"]:
        yield Anomaly("missing", "Contact", "RFC 3261 8.1.1.8")
    for header in message.named("via", "route", "record-route", "contact"):
        if (count := len(_values(header))) > 1:
            yield Anomaly(f"{count} values in one line", header.where, "RFC 3261 7.3.1", Level.NOTE)


def _via(message: _Message) -> Iterator[Anomaly]:
    vias = [(header, value) for header in message.named("via") for value in _values(header)]
    if message.is_response and len(vias) > 1:
        yield Anomaly(f"a response that still has {len(vias)} Vias", "Via", "RFC 3261 8.1.3.3", Level.ERROR)
    for position, (header, value) in enumerate(vias):
        try:
            via = Via.parse(value)
        except ParseError as error:
            yield Anomaly(error.sentence, header.where, error.source, Level.ERROR)
            continue
        if (via.parameters.get("received") or "").startswith("["):
            yield Anomaly("received in [ ]", header.where, "RFC 5118 4.5", Level.NOTE)
        if position == 0 and not message.is_response:
            yield from _top_via(message, header, via)


def _top_via(message: _Message, header: _Header, via: Via) -> Iterator[Anomaly]:
    where = header.where
    if not via.branch.startswith(MAGIC_COOKIE):
        what = f"a branch without {MAGIC_COOKIE}, as before RFC 3261" if via.branch else "no branch, as before RFC 3261"
        yield Anomaly(what, where, "RFC 3261 8.1.1.7")
    elif via.branch == MAGIC_COOKIE:
        yield Anomaly(f"a branch of nothing but {MAGIC_COOKIE}", where, "RFC 3261 8.1.1.7")
    if via.transport == "UDP" and "rport" not in via.parameters:
        what = "no rport: answers go to the port in Via, which a NAT may not let in"
        yield Anomaly(what, where, "RFC 3581 3", Level.NOTE)
    if message.transport and via.transport != message.transport:
        yield Anomaly(f"says {via.transport}, it came over {message.transport}", where, "RFC 3261 18.1.1")
    yield from _reachable(via.host.strip("[]"), where, message)


def _addresses(message: _Message) -> Iterator[Anomaly]:
    for header in message.named(*_ADDRESSES):
        if header.value == "*" and header.name == "contact":
            continue
        for value in [header.value] if header.name in _ONCE else _values(header):
            try:
                address = NameAddress.parse(value, _title(header.name))
            except ParseError as error:
                yield Anomaly(error.sentence, header.where, error.source, Level.ERROR)
                continue
            yield from _address(message, header, value, address)


def _address(message: _Message, header: _Header, value: str, address: NameAddress) -> Iterator[Anomaly]:
    where = header.where
    name = address.display_name
    if name and not name.startswith('"') and not all(_NAME.fullmatch(word) for word in name.split()):
        yield Anomaly(f"display name {_shown(name)} is to be quoted", where, "RFC 3261 25.1", Level.ERROR)
    if name and f"{name}<" in value:
        yield Anomaly("no blank between display name and <", where, "RFC 4475 3.1.1.6", Level.NOTE)
    if f"<{address.uri}>" not in value and "<" in value:
        yield Anomaly("blanks within < >", where, "RFC 3261 25.1, RFC 4475 3.1.2.14", Level.ERROR)
    if "<" not in value and re.search(r"[?,]", address.uri):
        yield Anomaly("a URI with ? or , is to stand in < >", where, "RFC 3261 20.10", Level.ERROR)
    if not address.uri.lower().startswith(("sip:", "sips:")):
        yield Anomaly(f"a URI that is not SIP: {_shown(address.uri)}", where, "RFC 3261 19.1", Level.NOTE)
        return
    yield from _uri(address.uri, where, Level.WARNING)
    try:
        uri = SipUri.parse(address.uri)
    except ParseError:
        return
    if header.name in ("from", "to") and uri.port:
        yield Anomaly("a port, which has no meaning here", where, "RFC 3261 19.1.1 Table 1", Level.NOTE)
    if header.name in ("route", "record-route") and not uri.is_loose:
        yield Anomaly("no ;lr: a strict router, as before RFC 3261", where, "RFC 3261 16.4", Level.NOTE)
    if header.name == "contact":
        yield from _reachable(uri.host.strip("[]"), where, message)


def _tags(message: _Message) -> Iterator[Anomaly]:
    for name, wanted in (("from", True), ("to", message.is_response), ("to", False)):
        for header in message.named(name)[:1]:
            try:
                tag = NameAddress.parse(header.value, _title(name)).tag
            except ParseError:
                continue
            status = message.lines[0].split(" ")[1:2]
            if wanted and not tag and status != ["100"]:
                source = "RFC 3261 8.1.1.3" if name == "from" else "RFC 3261 8.2.6.2"
                yield Anomaly("no tag, as before RFC 3261", header.where, source)
            if name == "to" and tag and message.initial and not message.is_response:
                what = "a tag in To names a dialog; a request that starts a call has none"
                yield Anomaly(what, header.where, "RFC 3261 8.1.1.2", Level.ERROR)


def _cseq(message: _Message) -> Iterator[Anomaly]:
    for header in message.named("cseq"):
        try:
            _, method = parse_cseq(header.value)
        except ParseError as error:
            yield Anomaly(error.sentence, header.where, error.source, Level.ERROR)
            continue
        if message.method and method != message.method:
            what = f"names {method}, the request is {message.method}"
            yield Anomaly(what, header.where, "RFC 3261 8.1.1.5", Level.ERROR)
    for header in message.named("call-id"):
        if " " in header.value or not header.value:
            yield Anomaly("not one word", header.where, "RFC 3261 25.1 callid")


def _numbers(message: _Message) -> Iterator[Anomaly]:
    for header in message.named("max-forwards"):
        hops = read_number(header.value)
        if hops is None or hops > 255:
            what = f"{_shown(header.value)} is not a number from 0 to 255"
            yield Anomaly(what, header.where, "RFC 3261 20.22", Level.ERROR)
        elif hops == 0:
            yield Anomaly("0: no element may pass it on", header.where, "RFC 3261 16.3")
    for header in message.named("expires", "retry-after"):
        seconds = read_number(re.split(r"[ \t;(]", header.value)[0])
        if seconds is None or seconds >= 2**32:
            what = f"{_shown(header.value)} is not a number of seconds below 2**32"
            yield Anomaly(what, header.where, "RFC 3261 25.1 delta-seconds")
    for header in message.named("warning"):
        if not re.match(r"\d{3} ", header.value, re.ASCII):
            yield Anomaly(f"{_shown(header.value)} has no three-digit code", header.where, "RFC 3261 20.43")


def _read_values(message: _Message) -> Iterator[Anomaly]:
    """Headers whose reader says what is wrong with them."""
    readers: dict[str, Callable[[str], object]] = {
        "session-expires": SessionExpires.parse, "min-se": parse_min_se, "date": _read_date,
    }  # fmt: skip
    for header in message.headers:
        reader = readers.get(header.name)
        if header.name.endswith("authorization") and header.value[:6].lower() == "digest":
            reader = DigestCredentials.parse
        if reader:
            try:
                reader(header.value)
            except ParseError as error:
                yield Anomaly(error.sentence, header.where, error.source)


def _read_date(value: str) -> datetime:
    try:
        return datetime.strptime(value, "%a, %d %b %Y %H:%M:%S GMT")
    except ValueError:
        raise ParseError(f"{_shown(value)} is not a date in GMT", "Date", "RFC 3261 20.17") from None


# -- size and body


def _length(message: _Message) -> Iterator[Anomaly]:
    size = len(message.raw)
    if message.transport == "UDP" and size > LONGEST_DATAGRAM:
        what = f"{size} bytes over UDP: above {LONGEST_DATAGRAM} fragments may be lost, TCP is to be used"
        yield Anomaly(what, "message", "RFC 3261 18.1.1")
    declared = message.named("content-length")
    if not declared:
        streamed = message.transport in ("TCP", "TLS")
        level = Level.ERROR if streamed else Level.NOTE
        yield Anomaly("missing", "Content-Length", "RFC 3261 20.14", level)
    for header in declared:
        length = read_number(header.value)
        if length is None:
            what = f"{_shown(header.value)} is not a number of bytes"
            yield Anomaly(what, header.where, "RFC 3261 20.14", Level.ERROR)
        elif length > len(message.body):
            what = f"says {_shown(header.value)}, {len(message.body)} bytes of body came"
            yield Anomaly(what, header.where, "RFC 3261 18.3", Level.ERROR)
        elif length < len(message.body):
            what = f"{len(message.body) - length} bytes behind the declared body are left out"
            yield Anomaly(what, header.where, "RFC 3261 18.3", Level.NOTE)


def _body(message: _Message) -> Iterator[Anomaly]:
    types = message.named("content-type")
    length = message.named("content-length")
    if message.body and not types and (not length or length[0].value.strip("0")):
        yield Anomaly("missing, and there is a body", "Content-Type", "RFC 3261 20.15")
    if types and "sdp" in types[0].value.lower():
        for address in _SDP_ADDRESS.findall(message.body):
            yield from _reachable(address.decode("latin-1"), "SDP c=", message)


def _reachable(host: str, where: str, message: _Message) -> Iterator[Anomaly]:
    """A hint where an address means nothing to whoever is not on the sender's network, as far as we are not."""
    if _is_local(host) and not _is_local(message.source_address):
        came = f"; the message came from {message.source_address}" if message.source_address else ""
        what = f"{host} is an address that only the sender's own network reaches{came}"
        level = Level.WARNING if where.startswith("Contact") and came else Level.NOTE
        yield Anomaly(what, where, "RFC 1918, 3927, 4193, 6598", level)


def _is_local(host: str) -> bool:
    return is_ip_address(host) and any(ip_address(host) in network for network in _NOT_REACHABLE_FROM_ELSEWHERE)


# -- together

_CHECKS: tuple[Callable[[_Message], Iterator[Anomaly]], ...] = (
    _lines, _spelling, _start_line, _counts, _via, _addresses, _tags, _cseq, _numbers, _read_values, _length, _body,
)  # fmt: skip


def _refusal(raw: bytes) -> list[Anomaly]:
    """What the parser refuses the message for, where no check has named it."""
    try:
        message = parse(raw)
        if isinstance(message, Request):
            message.validate()
    except ParseError as error:
        return [Anomaly(error.sentence, error.where, error.source, Level.ERROR)]
    return []


def _values(header: _Header) -> list[str]:
    try:
        return split_values(header.value)
    except ParseError:
        return [header.value]


def _title(name: str) -> str:
    return {"call-id": "Call-ID", "cseq": "CSeq", "min-se": "Min-SE"}.get(name, name.title())


def _shown(text: str) -> str:
    text = display(text)
    return repr(text if len(text) <= 60 else f"{text[:60]}…")
