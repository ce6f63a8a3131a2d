"""A call as a picture in text: who sent which SIP message to whom, and when.

Takes the packets of a call as they crossed the wire and reads no more of them than it shows: first line,
CSeq, Warning (RFC 3261 20.43), Reason (RFC 3326) and what the SDP says of the media (RFC 4566). It reads
leniently, because broken messages are those one wants to see. What could give away a password or a media key
is hidden.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from textwrap import wrap

STATIC_CODECS = {"0": "PCMU", "8": "PCMA", "9": "G722", "18": "G729"}
"""Payload types that need no rtpmap (RFC 3551 6)."""
NO_CODECS = {"telephone-event", "CN"}
CODECS_SHOWN = 3
HIDDEN = b"(hidden)"

TIME_WIDTH = 10
NARROWEST_SPAN = 20
"""Between two lifelines; with less, the messages become a list."""
NARROWEST = 40
"""Of a list."""
NOTE_WIDTH = 48
"""Longer notes below an arrow may break."""
PAUSE_SECONDS = 1.0
"""After a silence as long as this, the ladder has a gap."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A SIP message as it crossed the wire."""

    time: float
    """Seconds since the epoch."""
    transport: str
    """ "UDP", "TCP" or "TLS"."""
    source: str
    """ "host:port"."""
    destination: str
    data: bytes


@dataclass(frozen=True, slots=True)
class _Step:
    """A packet, read for showing."""

    offset: float
    source: str
    destination: str
    label: str
    media: str
    notes: tuple[str, ...]
    cseq: str
    again: bool


@dataclass(frozen=True, slots=True)
class _Ink:
    lifeline: str
    line: str
    broken_line: str
    right: str
    left: str
    ellipsis: str


UNICODE = _Ink("│", "─", "┄", "►", "◄", "…")
ASCII = _Ink("|", "-", ".", ">", "<", "~")


def ladder(packets: Sequence[Packet], names: Mapping[str, str], *, width: int = 110, ascii_only: bool = False) -> str:
    """The messages of a call as arrows between its participants, in at most `width` columns.

    `names` tells what an address ("host:port") is called; addresses of one name are one participant.
    Participants stand in the order of their appearance. A message that was sent again has a broken line.
    Where there is no room for arrows, the messages are a list.
    """
    width = max(width, NARROWEST)
    if not packets:
        return "No messages.\n"
    ink = ASCII if ascii_only else UNICODE
    steps = _read(packets, names)
    picture = _Picture.fitting(steps, _participants(packets, names), ink, width)
    body = picture.lines(steps) if picture else _listed(steps, ink, width)
    title = wrap(_title(packets, steps), width)
    text = "\n".join(line[:width].rstrip() for line in (*title, "", *body)) + "\n"
    return _plain(text, ascii_only)


def render_messages(
    packets: Sequence[Packet], names: Mapping[str, str], *, width: int = 110, ascii_only: bool = False
) -> str:
    """The whole text of every message, each under a line that tells when, who to whom, and how."""
    ink = ASCII if ascii_only else UNICODE
    parts = []
    for number, packet in enumerate(packets, 1):
        source, destination = (
            " ".join(filter(None, (names.get(address), address))) for address in (packet.source, packet.destination)
        )
        head = (
            f"{ink.line * 2} {number}  +{packet.time - packets[0].time:.3f} s"
            f"  {source} {ink.right} {destination}  {packet.transport}, {len(packet.data)} bytes "
        )
        text = without_secrets(packet.data).decode("utf-8", "backslashreplace").replace("\r\n", "\n")
        parts.append(f"{head:{ink.line}<{width}}\n{_printable(text).rstrip()}\n")
    return _plain("\n".join(parts), ascii_only)


def without_secrets(data: bytes, *, same_length: bool = False) -> bytes:
    """A SIP message without digest responses, other credentials, and media keys (SDES, `k=`).

    With `same_length`, zeros stand in for them, so that Content-Length and the base64 of a key stay right.
    """
    conceal, words = _zeros if same_length else _word, data.lower()
    if b"auth" in words:
        data = _credentials(lambda found: _concealed(found[0], conceal), data)
    if b"inline:" in words or b"k=" in words or b"a=key-mgmt" in words:
        data = _media_key(lambda found: found[1] + conceal(found[2]), data)
    if b"a=crypto" in words or b"a=acap" in words:
        data = _crypto_line(lambda line: _base64(lambda found: conceal(found[0]), line[0]), data)
    return data


# A header goes on over lines that begin with white space (RFC 3261 7.3.1).
_credentials = re.compile(
    rb"(?im)^(?:(?:Proxy-)?Authorization|Authentication-Info)[ \t]*:[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*"
).sub
_response = re.compile(rb'(?i)\b((?:response|rspauth)\s*=\s*"?)((?<=")(?:[^"\\]|\\.)*|[^\s,"]+)').sub
_media_key = re.compile(rb"(?im)(^k=|(?<=[ \t;])inline:|^a=key-mgmt:\S+[ \t]+)([^\s|;]+)").sub


# A key that does not stand where it should is a key all the same.
_crypto_line = re.compile(rb"(?im)^a=(?:crypto|acap)\b[^\r\n]*").sub
_base64 = re.compile(rb"[A-Za-z0-9+/]{16,}=*").sub


def _concealed(header: bytes, conceal: Callable[[bytes], bytes]) -> bytes:
    name, _, value = header.partition(b":")
    credentials = value.lstrip()
    if name.lower().endswith(b"-info") or credentials.lower().startswith(b"digest"):
        return _response(lambda found: found[1] + conceal(found[2]), header)
    return b"%b:%b%b" % (name, value[: len(value) - len(credentials)], conceal(credentials))


def _word(_secret: bytes) -> bytes:
    return HIDDEN


def _zeros(secret: bytes) -> bytes:
    return re.sub(rb"[^=\s]", b"0", secret)


# What is read of a message.


def _read(packets: Sequence[Packet], names: Mapping[str, str]) -> list[_Step]:
    steps, seen = [], set()
    for packet in packets:
        sent = (packet.source, packet.destination, packet.data)
        steps.append(_step(packet, packet.time - packets[0].time, names, again=sent in seen))
        seen.add(sent)
    return steps


def _step(packet: Packet, offset: float, names: Mapping[str, str], *, again: bool) -> _Step:
    text = packet.data.decode("utf-8", "replace").replace("\r\n", "\n")
    head, _, body = text.lstrip("\n").partition("\n\n")
    first, *headers = re.sub(r"\n[ \t]+", " ", head).split("\n")
    notes = [_quoted_text(value) for value in _values(headers, "warning")]
    notes += [f"Reason: {value}" for value in _values(headers, "reason")]
    return _Step(
        offset=offset,
        source=names.get(packet.source, packet.source),
        destination=names.get(packet.destination, packet.destination),
        label=_printable(_label(first)),
        media="" if again else _printable(_media(body)),
        notes=() if again else tuple(_printable(note) for note in notes),
        cseq=_printable(" ".join(next(_values(headers, "cseq"), "").split()))[:24],
        again=again,
    )


def _label(first_line: str) -> str:
    """ "INVITE" of a request, "180 Ringing" of a response; of anything else the beginning."""
    if first_line.startswith("SIP/2.0 "):
        return first_line[8:].strip()
    method, _, rest = first_line.partition(" ")
    return method if rest.endswith("SIP/2.0") else first_line[:40] or "(keep-alive)"


def _values(headers: Sequence[str], name: str) -> Iterator[str]:
    for header in headers:
        field, _, value = header.partition(":")
        if field.strip().lower() == name:
            yield value.strip()


def _quoted_text(warning: str) -> str:
    quoted = re.search(r'"((?:[^"\\]|\\.)*)"', warning)
    return re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else warning


def _media(body: str) -> str:
    """ "SDP: 127.0.0.1:20000 PCMU": what an SDP says of each media line, shortly. Empty without one."""
    session, *blocks = re.split(r"(?m)^(?=m=)", body)
    described = [_media_line(block, session) for block in blocks]
    return f"SDP: {'; '.join(described)}" if described else ""


def _media_line(block: str, session: str) -> str:
    kind, port, protocol, *payloads = [*block.split("\n", 1)[0][2:].split(), "", "", ""]
    prefix = "" if kind == "audio" else f"{kind} "
    if not port:
        return "unreadable"
    if port == "0":
        return f"{kind} declined"
    connection = re.search(r"(?m)^c=\S+ \S+ ([^\s/]+)", block) or re.search(r"(?m)^c=\S+ \S+ ([^\s/]+)", session)
    host = connection[1] if connection else "?"
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    names = STATIC_CODECS | dict(re.findall(r"(?m)^a=rtpmap:(\d+) ([^/\s]+)", block))
    codecs = list(dict.fromkeys(names.get(payload, payload) for payload in payloads if payload))
    codecs = [codec for codec in codecs if codec not in NO_CODECS]
    direction = re.search(r"(?m)^a=(sendonly|recvonly|inactive)\b", block + session)
    words = [
        prefix + address,
        "/".join(codecs[:CODECS_SHOWN]) + ("/..." if len(codecs) > CODECS_SHOWN else ""),
        "SRTP" if "SAVP" in protocol else "",
        direction[1] if direction else "",
    ]
    return " ".join(word for word in words if word)


def _printable(text: str) -> str:
    """Nothing in a message may steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else " " if c == "\t" else "\ufffd" for c in text)


def _plain(text: str, ascii_only: bool) -> str:
    return text.encode("ascii", "replace").decode() if ascii_only else text


# How it is drawn.


def _title(packets: Sequence[Packet], steps: Sequence[_Step]) -> str:
    start = datetime.fromtimestamp(packets[0].time, UTC).isoformat(" ", "milliseconds").removesuffix("+00:00")
    again = sum(step.again for step in steps)
    counts = f"{len(steps)} message{'s' * (len(steps) > 1)} in {steps[-1].offset:.3f} s"
    return f"{start} UTC, {counts}" + (f", {again} of them sent again" if again else "")


def _participants(packets: Sequence[Packet], names: Mapping[str, str]) -> dict[str, list[str]]:
    """What each participant is called, and its addresses, in the order of appearance."""
    found: dict[str, list[str]] = {}
    for packet in packets:
        for address in (packet.source, packet.destination):
            addresses = found.setdefault(names.get(address, address), [])
            if address in names and address not in addresses:
                addresses.append(address)
    return found


def _listed(steps: Sequence[_Step], ink: _Ink, width: int) -> Iterator[str]:
    indent = " " * TIME_WIDTH
    for step in steps:
        time = f"{step.offset:{TIME_WIDTH - 2}.3f}  "
        who = f"{step.source} {ink.right} {step.destination}, {_margin(step)}"
        yield from wrap(_with_media(step), width, initial_indent=time, subsequent_indent=indent)
        for text in (who, *step.notes):
            yield from wrap(text, width, initial_indent=indent, subsequent_indent=indent)


def _with_media(step: _Step) -> str:
    return f"{step.label} ({step.media})" if step.media else step.label


def _margin(step: _Step) -> str:
    return f"{step.cseq} again" if step.again else step.cseq


@dataclass(frozen=True, slots=True)
class _Picture:
    """Lifelines in their places."""

    ink: _Ink
    participants: Mapping[str, Sequence[str]]
    places: Mapping[str, int]
    """The column of each participant's lifeline."""
    width: int

    @classmethod
    def fitting(
        cls, steps: Sequence[_Step], participants: Mapping[str, Sequence[str]], ink: _Ink, width: int
    ) -> "_Picture | None":
        """Lifelines as far apart as their messages need; None where the width does not allow it."""
        names = list(participants)
        half = {name: max(map(len, (name, *participants[name]))) // 2 + 1 for name in names}
        spans = [max(half[left] + half[right] + 1, NARROWEST_SPAN) for left, right in pairwise(names)]
        for step in steps:
            left, right = sorted((names.index(step.source), names.index(step.destination)))
            if right == left + 1:
                note = min(max(map(len, step.notes), default=0), NOTE_WIDTH)
                spans[left] = max(spans[left], len(_with_media(step)) + 8, note + 6)
        first = max(TIME_WIDTH, half[names[0]])
        room = width - first - 1 - max(len(_margin(step)) for step in steps) - 2
        while spans and sum(spans) > room and max(spans) >= NARROWEST_SPAN:
            spans[spans.index(max(spans))] -= 1
        if spans and min(spans) < NARROWEST_SPAN:
            return None
        places = dict(zip(names, (first + sum(spans[:i]) for i in range(len(names))), strict=True))
        return cls(ink, participants, places, width)

    def lines(self, steps: Sequence[_Step]) -> Iterator[str]:
        yield from self._header()
        before = 0.0
        for step in steps:
            if step.offset - before >= PAUSE_SECONDS:
                yield self._row()
            yield from self._message(step)
            before = step.offset
        yield self._row()

    def _header(self) -> Iterator[str]:
        """Names, word by word where they would touch, and addresses under them, above the lifelines."""
        columns = list(self.places.values())
        room = min((right - left for left, right in pairwise(columns)), default=self.width) - 2
        blocks = [
            [
                *wrap(name, room, break_on_hyphens=False),
                *(self._clipped(address, room) for address in addresses),
            ]
            for name, addresses in self.participants.items()
        ]
        height = max(map(len, blocks))
        for row in range(height):
            cells = [" "] * (self.width + room)
            for column, block in zip(columns, blocks, strict=True):
                text = [""] * (height - len(block)) + block
                start = max(0, column - len(text[row]) // 2)
                cells[start : start + len(text[row])] = text[row]
            yield "".join(cells)[: self.width]
        yield self._row()

    def _message(self, step: _Step) -> Iterator[str]:
        start, end = self.places[step.source], self.places[step.destination]
        left, inside = min(start, end), abs(end - start) - 1
        time, margin = f"{step.offset:{TIME_WIDTH - 2}.3f}", _margin(step)
        if start == end:
            yield self._row(time, f"{_with_media(step)}, to itself  {margin}", start + 2)
            return
        label, notes = _with_media(step), step.notes
        if len(label) + 5 > inside and step.media:
            label, notes = step.label, (step.media, *notes)
        if len(label) + 5 > inside:
            yield from self._text(label, left, inside)
            label = ""
        line = self.ink.broken_line if step.again else self.ink.line
        shaft = (f" {label} " if label else "").center(inside - 1, line)
        arrow = shaft + self.ink.right if start < end else self.ink.left + shaft
        last = max(self.places.values()) + 2
        yield self._row(time, arrow, left + 1)[:last].ljust(last) + " " + margin
        for note in notes:
            yield from self._text(note, left, inside)

    def _text(self, text: str, left: int, inside: int) -> Iterator[str]:
        for piece in wrap(text, inside - 3):
            yield self._row("", piece, left + 3)

    def _row(self, time: str = "", text: str = "", column: int = 0) -> str:
        """Lifelines, the time before them, and a text over them from a column on."""
        cells = [" "] * (max(self.places.values()) + 1)
        for place in self.places.values():
            cells[place] = self.ink.lifeline
        cells[: len(time)] = time
        cells[column : column + len(text)] = text
        return "".join(cells)

    def _clipped(self, text: str, width: int) -> str:
        return text if len(text) <= width else text[: width - 1] + self.ink.ellipsis
