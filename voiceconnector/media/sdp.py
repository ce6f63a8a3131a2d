"""Session descriptions (RFC 8866, before it RFC 4566): bytes to immutable values, and back to the same bytes.

The parse is lenient: it takes lines ended by CRLF or LF, keeps every line in its place whether it knows it
or not, and asks for no more than a call needs: v=0, an m= line, and an address for each line that has a
port. What is odd but usable is told by `SessionDescription.anomalies`. Text is latin-1 one to one, so bytes
of any character set pass unchanged.

Values are named tuples, which are made three times faster than frozen dataclasses: four descriptions are
read or written for every call. A PBX writes the same lines below m= on each call, so what they say is kept.

Left out: times, repeats, time zones, keys, e-mail and telephone lines are kept but not understood.
"""

import ipaddress
import re
from functools import lru_cache
from typing import NamedTuple

KEPT = 512
"""Different sections whose meaning is kept."""
LONGEST_KEPT = 2_000
"""Characters of a section beyond which it is read anew each time."""

Attribute = tuple[str, str, str]
"""An a= line in three pieces that make it up again: name, ":" or "", value."""


class SdpError(ValueError):
    """A session description that cannot be used.

    The message says why, in which line and by which section, in words that go on from "it cannot be used: …".
    """


class Direction(NamedTuple):
    """Who sends, seen from the one who wrote the description (RFC 8866 6.7)."""

    name: str
    """ "sendrecv", "sendonly", "recvonly" or "inactive"."""
    sends: bool
    """Whether the writer means to send."""
    receives: bool
    """Whether the writer wants to be sent media."""


SENDRECV = Direction("sendrecv", True, True)
SENDONLY = Direction("sendonly", True, False)
RECVONLY = Direction("recvonly", False, True)
INACTIVE = Direction("inactive", False, False)

DIRECTIONS = {direction.name: direction for direction in (SENDRECV, SENDONLY, RECVONLY, INACTIVE)}


def direction_of(sends: bool, receives: bool) -> Direction:
    """The direction of one who sends, receives, does both or neither."""
    if sends:
        return SENDRECV if receives else SENDONLY
    return RECVONLY if receives else INACTIVE


class Format(NamedTuple):
    """One RTP payload type and what it stands for (RFC 8866 6.6)."""

    payload_type: int
    encoding_name: str
    """As written; compared without regard to case. Empty where nothing says what the number means."""
    clock_rate: int
    """Hz; 0 where unknown."""
    channels: int = 1


# RFC 3551 table 4: the audio payload types that need no rtpmap, under the word of the m= line.
STATIC_FORMATS = {str(static.payload_type): static for static in (
    Format(0, "PCMU", 8000), Format(3, "GSM", 8000), Format(4, "G723", 8000), Format(5, "DVI4", 8000),
    Format(6, "DVI4", 16000), Format(7, "LPC", 8000), Format(8, "PCMA", 8000), Format(9, "G722", 8000),
    Format(10, "L16", 44100, 2), Format(11, "L16", 44100), Format(12, "QCELP", 8000), Format(13, "CN", 8000),
    Format(14, "MPA", 90000), Format(15, "G728", 8000), Format(16, "DVI4", 11025), Format(17, "DVI4", 22050),
    Format(18, "G729", 8000),
)}  # fmt: skip

# What nearly every rtpmap says; found whole, they need not be taken apart.
_USUAL_RTPMAPS = {
    f"{usual.payload_type} {usual.encoding_name}/{usual.clock_rate}": usual
    for usual in (
        *(static for static in STATIC_FORMATS.values() if static.channels == 1),
        *(Format(number, "telephone-event", 8000) for number in range(96, 128)),
    )
}

_IPV4 = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}"
_IPV4_ADDRESS = re.compile(_IPV4, re.ASCII)
_HOST_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9.-]{0,253}")
_USUAL_CONNECTION = re.compile(rf"\nc=IN IP4 ({_IPV4})[\r\n]", re.ASCII)
_ATTRIBUTE = re.compile(r"\na=([^:\r\n\0]*)(:?)([^\r\n\0]*)")
_RTPMAP = re.compile(r"\s*(\d{1,3})\s+([^\s/]+)/(\d{1,9})(?:/(\d{1,3}))?\s*", re.ASCII)
_UNKNOWN_LINE = re.compile(r"\n([^vosiuepcbtrzkam\r\n][^\r\n]*)")


class Below(NamedTuple):
    """What the lines below an m= line say. Shared between descriptions, so not to be changed."""

    text: str
    """The lines as they came, from the line end of m= on."""
    address: str
    """By the first c= line; "" without one."""
    attributes: tuple[Attribute, ...]
    """The a= lines in order."""
    values: dict[str, str]
    """The first value under each attribute name, "" for one without value."""
    mapped: dict[str, Format]
    """Formats by the word of the m= line, as rtpmap lines have them."""
    direction: Direction | None
    """The last that is named; None where none is."""
    unknown: str
    """The first line of no known type; "" where there is none."""
    ptime_ms: int | None
    """Packet time the writer would like to receive, in milliseconds (RFC 8866 6.4); None where it does not say."""


class MediaDescription(NamedTuple):
    """One m= line and the lines below it (RFC 8866 5.14)."""

    first: str
    """The m= line as it came."""
    media: str
    """ "audio", "video", "image" …"""
    port: int
    """0 for a declined or removed line (RFC 3264 6, 8.2)."""
    protocol: str
    """ "RTP/AVP" …"""
    formats: tuple[str, ...]
    """Format words of the m= line; for RTP they are payload type numbers."""
    address: str
    """Where it wants to be sent media, by its own c= or the session's: an IP address or a host name.

    Empty only where the port is 0.
    """
    below: Below
    session_direction: Direction
    """The direction set for all media above the first m= line."""

    @property
    def text(self) -> str:
        """The section as it came, line ends and all."""
        return self.first + self.below.text

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """The section's a= lines in order."""
        return self.below.attributes

    @property
    def values(self) -> dict[str, str]:
        """The first value under each attribute name, "" for one without value; not to be changed."""
        return self.below.values

    @property
    def direction(self) -> Direction:
        """What the writer sends and receives; the address 0.0.0.0 takes the receiving away (RFC 3264 8.4)."""
        written = self.below.direction or self.session_direction
        if is_unspecified(self.address):
            return direction_of(written.sends, False)
        return written

    def rtcp(self) -> tuple[str, int] | None:
        """Where RTCP goes: by a=rtcp (RFC 3605), else to the port above RTP's (RFC 3550 11).

        Parts of a=rtcp that are not a port or an IP address count as not written. None where the port above
        is no port.
        """
        if "rtcp" in self.values:
            port, _, connection = self.values["rtcp"].strip().partition(" ")
            number = _number(port, 1, 65535)
            if number is not None:
                address = _address(connection)
                return address if address and not is_host_name(address) else self.address, number
        return (self.address, self.port + 1) if 0 < self.port < 65535 else None

    def rtp_formats(self) -> list[Format]:
        """The payload types of the m= line in its order, named by rtpmap or RFC 3551.

        A number that nothing explains comes with an empty name; words that are no payload type are left out.
        """
        mapped = self.below.mapped
        formats = []
        for word in self.formats:
            known = mapped.get(word) or STATIC_FORMATS.get(word)
            if known:
                formats.append(known)
            elif (number := _number(word, 0, 127)) is not None:
                formats.append(Format(number, "", 0))
        return formats


class SessionDescription(NamedTuple):
    """A whole description. `encode` gives back the bytes that were parsed."""

    body: str
    """All of it as it came."""
    text: str
    """The session's own part of it, above the first m=."""
    media: tuple[MediaDescription, ...]
    attributes: list[Attribute]
    """The session's own a= lines in order; not to be changed."""

    def encode(self) -> bytes:
        """The description as bytes, exactly as it was parsed."""
        return self.body.encode("latin-1")

    def anomalies(self) -> list[str]:
        """What is not as RFC 8866 has it although it can be used, in words that go on from "the SDP …"."""
        found = []
        session = self.text
        if "\no=" not in session or "\ns=" not in session or "\nt=" not in session:
            missing = " and ".join([kind for kind in ("o=", "s=", "t=") if f"\n{kind}" not in session])
            found.append(f"lacks the {missing} line, which is required (RFC 8866 5)")
        if self.body.count("\n") != self.body.count("\r"):
            found.append("ends lines with something else than CRLF (RFC 8866 5)")
        unknown = _unknown_line(session) or next((one.below.unknown for one in self.media if one.below.unknown), "")
        if unknown:
            found.append(f"has a line of no known type, {_shown(unknown)} (RFC 8866 5)")
        return found


def parse(body: bytes) -> SessionDescription:
    """Reads a session description (RFC 8866 5).

    Raises SdpError where it cannot be used for a call: no v=0, no m= line, an m= line without a proper port,
    protocol or format, a c= line without a proper address, or no c= for an m= line that has a port.
    """
    text = body.decode("latin-1")
    if not text.startswith(("v=0\r\n", "v=0\n")):
        first = f"line 1 is {_shown(text.partition(chr(10))[0])}" if text else "it is empty"
        raise SdpError(f"it does not begin with v=0: {first} (RFC 8866 5.1)")
    pieces = text.split("\nm=")
    last = len(pieces) - 1
    if not last:
        raise SdpError("it has no m= line, so it describes no media (RFC 8866 5.14)")
    session = pieces[0] + "\n"
    address = _section_address(session)
    if address is None:
        raise _bad_connection(session, 1)
    attributes = attributes_of(session) if "\na=" in session else []
    direction = SENDRECV
    for name, _, _ in attributes:
        direction = DIRECTIONS.get(name, direction)
    line = 1 + session.count("\n")
    media = []
    for index in range(1, last + 1):
        section = f"m={pieces[index]}\n" if index < last else f"m={pieces[index]}"
        media.append(_media(section, line, address, direction))
        line += section.count("\n")
    return SessionDescription(text, session, tuple(media), attributes)


def _media(text: str, line: int, session_address: str, session_direction: Direction) -> MediaDescription:
    """Reads one section; `line` is the number of its m= line in the body."""
    end = text.find("\n")
    first = text[:end] if end >= 0 else text
    fields = first[2:].split()
    port = _number(fields[1].partition("/")[0], 0, 65535) if len(fields) > 1 else None
    if port is None or len(fields) < (4 if port else 3):
        raise SdpError(
            f"line {line} {_shown(first)} is not a media type, a port from 0 to 65535, a protocol and a "
            "format (RFC 8866 5.14)"
        )
    rest = text[len(first) :]
    # Keys (RFC 4568) differ from call to call, and are not kept for longer than theirs.
    below = _kept_below(rest) if len(rest) <= LONGEST_KEPT and fields[2] != "RTP/SAVP" else _below(rest)
    if below is None:
        raise _bad_connection(rest, line)
    address = below.address or session_address
    if not address and port:
        raise SdpError(
            f"line {line} {_shown(first)} has no address: no c= line stands below it or above the first m= "
            "line (RFC 8866 5.7)"
        )
    return MediaDescription(first, fields[0], port, fields[2], tuple(fields[3:]), address, below, session_direction)


def _below(text: str) -> Below | None:
    """Reads what stands below an m= line; None where its c= line cannot be read."""
    address = _section_address(text)
    if address is None:
        return None
    attributes = attributes_of(text)
    values = {name: value for name, _, value in reversed(attributes)}
    direction = None
    for name, known in DIRECTIONS.items():
        if name in values:
            direction = known
    mapped = {}
    for name, _, value in attributes:
        found = (_USUAL_RTPMAPS.get(value) or _rtpmap(value)) if name == "rtpmap" else None
        if found:
            mapped[str(found.payload_type)] = found
    ptime_ms = _number(values.get("ptime", "").strip(), 1, 10_000)
    return Below(text, address, tuple(attributes), values, mapped, direction, _unknown_line(text), ptime_ms)


_kept_below = lru_cache(KEPT)(_below)


def forget() -> None:
    """Keep none of the sections that were read."""
    _kept_below.cache_clear()


def attributes_of(text: str) -> list[Attribute]:
    """The a= lines of a section in order; what stands on its first line is none."""
    found: list[Attribute] = _ATTRIBUTE.findall(text)
    return found


def _unknown_line(text: str) -> str:
    unknown = _UNKNOWN_LINE.search(text)
    return unknown[1] if unknown else ""


def _section_address(text: str) -> str | None:
    """The address of a section's first c= line; "" without one, None for one that cannot be read."""
    start = text.find("\nc=")
    if start < 0:
        return ""
    usual = _USUAL_CONNECTION.match(text, start)
    if usual:
        return usual[1]
    return _address(text[start + 1 :].partition("\n")[0][2:])


def _bad_connection(text: str, line: int) -> SdpError:
    """What is wrong with the first c= line; `line` is the number of the section's first line."""
    start = text.find("\nc=")
    written = text[start + 1 :].partition("\n")[0]
    line += text.count("\n", 0, start + 1)
    return SdpError(f"line {line} {_shown(written)} is not IN, IP4 or IP6, and an address of that type (RFC 8866 5.7)")


def _address(connection: str) -> str | None:
    """The address in "IN IP4 192.0.2.1/ttl", without TTL and count; None where that is not what it says."""
    fields = connection.split()
    if len(fields) != 3 or fields[0].upper() != "IN":
        return None
    address = fields[2].partition("/")[0]
    match fields[1].upper():
        case "IP4" if _IPV4_ADDRESS.fullmatch(address) or _HOST_NAME.fullmatch(address):
            return address
        case "IP6" if _is_ipv6(address) or _HOST_NAME.fullmatch(address):
            return address
    return None


def _is_ipv6(address: str) -> bool:
    try:
        return ipaddress.IPv6Address(address).scope_id is None
    except ValueError:
        return False


def is_host_name(address: str) -> bool:
    """Whether the address of a description would have to be looked up."""
    return ":" not in address and not address.replace(".", "").isdecimal()


def is_unspecified(address: str) -> bool:
    """Whether an address is 0.0.0.0 or ::, which asks not to be sent anything (RFC 3264 8.4)."""
    return address == "0.0.0.0" or address == "::"


def connection_of(address: str) -> str:
    """How an IP address is written in c= and o= lines: "IN IP4 192.0.2.1"."""
    return f"IN IP6 {address}" if ":" in address else f"IN IP4 {address}"


def _rtpmap(value: str) -> Format | None:
    """Reads "111 opus/48000/2" (RFC 8866 6.6)."""
    match = _RTPMAP.fullmatch(value)
    if not match:
        return None
    number, name, rate, channels = match.groups()
    return Format(int(number), name, int(rate), int(channels or 1)) if int(number) <= 127 else None


def _number(text: str, lowest: int, highest: int) -> int | None:
    """A decimal number within the bounds, else None."""
    # Latin-1 has no decimal digits but 0 to 9; Python refuses to read numbers of thousands of digits.
    if not text.isdecimal() or len(text) > 10:
        return None
    number = int(text)
    return number if lowest <= number <= highest else None


def _shown(line: str) -> str:
    """A line as a sentence may quote it: printable, and not endless."""
    line = line.rstrip("\r")
    return ascii(line if len(line) <= 60 else line[:57] + "...")
