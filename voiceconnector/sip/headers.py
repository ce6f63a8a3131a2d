"""Header values that the core reads: Via, the name-addr family, CSeq (RFC 3261 section 20).

Each is decoded when it is asked for, from text that `message.parse` has found once.
"""

import re
from dataclasses import dataclass

from .grammar import QUOTED_STRING, TOKEN, ParseError, parse_parameters

# Compact forms: RFC 3261 7.3.3 and 20, RFC 3515, 3841, 4028, 6665, 8224.
COMPACT_FORMS = {
    "a": "accept-contact", "b": "referred-by", "c": "content-type", "d": "request-disposition",
    "e": "content-encoding", "f": "from", "i": "call-id", "j": "reject-contact", "k": "supported",
    "l": "content-length", "m": "contact", "o": "event", "r": "refer-to", "s": "subject", "t": "to",
    "u": "allow-events", "v": "via", "x": "session-expires", "y": "identity",
}  # fmt: skip

METHODS = frozenset(
    ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "SUBSCRIBE", "NOTIFY", "PUBLISH", "INFO",
     "REFER", "MESSAGE", "UPDATE")
)  # fmt: skip
"""The methods there are: RFC 3261, 3262, 3311, 3428, 3515, 3903, 6086, 6665."""

_VIA = re.compile(
    rf"SIP[ \t]*/[ \t]*2\.0[ \t]*/[ \t]*(?P<transport>{TOKEN})[ \t]+"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._]+)(?:[ \t]*:[ \t]*(?P<port>\d{1,5}))?"
    r"(?P<parameters>[ \t]*(?:;.*)?)",
    re.IGNORECASE,
)
_NAME_ADDR = re.compile(rf"(?P<name>{QUOTED_STRING}[ \t]*|[^<>\"]*)<(?P<uri>[^<>]*)>(?P<parameters>[ \t]*(?:;.*)?)")
_QUOTED_NAME = re.compile(QUOTED_STRING)
_ADDR_SPEC = re.compile(r"(?P<uri>[^\s<>;?,\"]+)(?P<parameters>[ \t]*(?:;.*)?)")
_BRANCH = re.compile(r";[ \t]*[Bb][Rr][Aa][Nn][Cc][Hh][ \t]*=[ \t]*([^;\s]*)")
_METHOD = re.compile(TOKEN)


@dataclass(frozen=True, slots=True)
class Via:
    """RFC 3261 20.42, with `received` (18.2.1) and `rport` (RFC 3581)."""

    transport: str
    host: str
    port: int | None
    parameters: dict[str, str | None]

    @classmethod
    def parse(cls, text: str) -> "Via":
        match = _match_via(text)
        return cls(
            match["transport"].upper(),
            match["host"].lower(),
            int(match["port"]) if match["port"] else None,
            parse_parameters(match["parameters"].strip(), "Via"),
        )

    @property
    def sent_by(self) -> str:
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def branch(self) -> str:
        return self.parameters.get("branch") or ""


@dataclass(frozen=True, slots=True)
class NameAddress:
    """From, To, Contact, Route, Record-Route: RFC 3261 20.10, 20.20, 20.30, 20.34, 20.39."""

    display_name: str
    """As on the wire, quotes kept."""
    uri: str
    parameters: dict[str, str | None]

    @classmethod
    def parse(cls, text: str, where: str) -> "NameAddress":
        match = _NAME_ADDR.fullmatch(text)
        if match:
            name = match["name"].strip(" \t")
        else:
            # Without brackets, everything behind the first semicolon belongs to the header (20.10).
            match = _ADDR_SPEC.fullmatch(text)
            name = ""
        uri = match["uri"].strip(" \t") if match else ""
        if not match or ":" not in uri or any(character.isspace() for character in uri):
            raise ParseError(f"{text!r} is not an address", where, "RFC 3261 20.10")
        return cls(name, uri, parse_parameters(match["parameters"].strip(), where))

    @property
    def tag(self) -> str:
        return self.parameters.get("tag") or ""


def parse_cseq(text: str) -> tuple[int, str]:
    """Sequence number (below 2**31) and method: RFC 3261 8.1.1.5, 20.16."""
    number, _, method = text.partition(" ")
    if method in METHODS and len(number) < 10 and number.isdecimal():
        return int(number), method
    pieces = text.split()
    number, method = pieces if len(pieces) == 2 else ("", "")
    if not (number.isdecimal() and len(number) <= 10 and int(number) < 2**31 and _METHOD.fullmatch(method)):
        raise ParseError(f"{text!r} is not a number below 2**31 and a method", "CSeq", "RFC 3261 20.16")
    return int(number), method


def tag_of(value: str) -> str:
    """The tag of a From or To, found without reading the rest; "" where none can be read."""
    start = value.find(";tag=", value.rfind(">") + 1)
    if start < 0 or '"' in value[start:]:
        return _tag_spelled_oddly(value) if "tag" in value.lower() else ""
    end = value.find(";", start + 5)
    return (value[start + 5 :] if end < 0 else value[start + 5 : end]).strip()


def _tag_spelled_oddly(value: str) -> str:
    try:
        return NameAddress.parse(value, "tag").tag
    except ParseError:
        return ""


def uri_of(value: str) -> str:
    """The URI of a name-addr or addr-spec, found without reading the rest; "" where there is none."""
    name = _QUOTED_NAME.match(value) if value[:1] == '"' else None
    behind_name = name.end() if name else 0
    start = value.find("<", behind_name)
    if start < 0 or '"' in value[behind_name:start]:  # What is in <> there is a parameter's value.
        return value.partition(";")[0].strip()
    end = value.find(">", start)
    return value[start + 1 : end].strip() if end > 0 else ""


def sent_by_of(via: str) -> tuple[str, int | None]:
    """Host and port of a Via, found without reading its parameters. Raises ParseError."""
    match = _match_via(via)
    return match["host"].lower(), int(match["port"]) if match["port"] else None


def _match_via(text: str) -> re.Match[str]:
    match = _VIA.fullmatch(text)
    if not match or (match["port"] and not 0 < int(match["port"]) < 65536):
        raise ParseError(f"{text!r} is not a Via", "Via", "RFC 3261 20.42")
    return match


def branch_of(via: str) -> str:
    """The branch of the first Via in the text; "" where there is none."""
    start = via.find(";branch=")
    if start > 0 and "," not in via and " " not in via[start:]:
        end = via.find(";", start + 8)
        return via[start + 8 :] if end < 0 else via[start + 8 : end]
    match = _BRANCH.search(via.partition(",")[0])
    return match[1] if match else ""
