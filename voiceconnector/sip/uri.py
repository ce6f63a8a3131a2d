"""SIP and SIPS URIs: RFC 3261 section 19.1. Other schemes are told apart, not read."""

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote as unescape

from .grammar import ParseError

_SIP_URI = re.compile(
    r"(?P<scheme>sips?):"
    r"(?:(?P<user>[A-Za-z0-9\-_.!~*'()&=+$,;?/%#\x80-\xff]+)(?::(?P<password>[^@:<>\s\x00-\x1f\x7f]*))?@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9\-._]*[A-Za-z0-9_.])?)"
    r"(?::(?P<port>\d{1,5}))?"
    r"(?P<parameters>(?:;[^;?\s<>\"\x00-\x1f\x7f]*)*)"
    r"(?:\?(?P<headers>[^\s<>\"\x00-\x1f\x7f]*))?",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+\-.]*:")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class SipUri(NamedTuple):
    """A SIP or SIPS URI. Host in lower case, IPv6 in brackets; user and parameters as on the wire."""

    scheme: str
    user: str
    host: str
    port: int | None
    parameters: str
    """`;transport=tcp;lr`, unread; see `parameter`."""
    headers: str = ""
    """What follows `?`, unread."""

    @classmethod
    def parse(cls, text: str, where: str = "Request-URI") -> "SipUri":
        """Raises ParseError: 416 for another scheme, 400 for what is no URI."""
        uri = _read(text)
        if uri is not None:
            return uri
        if _SCHEME.match(text) and not text.lower().startswith(("sip:", "sips:")):
            raise ParseError(
                f"scheme of {text!r} is not sip or sips",
                where,
                "RFC 3261 8.2.2.1",
                416,
                "Unsupported URI Scheme",
            )
        raise ParseError(f"{text!r} is not a SIP URI", where, "RFC 3261 19.1.1")

    def parameter(self, name: str) -> str | None:
        """The value of a URI parameter, "" for a flag, None where it is absent. `name` in lower case."""
        for parameter in self.parameters.split(";")[1:]:
            key, _, value = parameter.partition("=")
            if key.lower() == name:
                return value
        return None

    @property
    def is_loose(self) -> bool:
        """Whether a Route made of this URI is a loose router's (`;lr`)."""
        return self.parameter("lr") is not None

    @property
    def transport(self) -> str:
        """UDP, TCP or TLS: as the URI says, or the default of its scheme (RFC 3263 4.1 without DNS)."""
        named = (self.parameter("transport") or "").upper()
        if self.scheme == "sips" or named == "TLS":
            return "TLS"
        return "TCP" if named == "TCP" else "UDP"

    @property
    def address(self) -> tuple[str, int]:
        """Host (IPv6 without brackets) and port, the default port where none is given."""
        return self.host.strip("[]"), self.port or (5061 if self.transport == "TLS" else 5060)

    @property
    def unescaped_user(self) -> str:
        """The user part with %-escapes resolved, for comparing (RFC 3261 19.1.4)."""
        return unescape(self.user, "latin-1") if "%" in self.user else self.user

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        headers = f"?{self.headers}" if self.headers else ""
        return f"{self.scheme}:{user}{self.host}{port}{self.parameters}{headers}"


# A PBX has one Contact and calls the same hosts all day, and the values are immutable.
@lru_cache(maxsize=4096)
def _read(text: str) -> SipUri | None:
    match = _SIP_URI.fullmatch(text)
    if match is None or ("%" in text and _BAD_ESCAPE.search(text)):
        return None
    scheme, user, _password, host, port_text, parameters, headers = match.groups("")
    port = int(port_text) if port_text else None
    if port is not None and not 0 < port < 65536:
        return None
    return SipUri(scheme.lower(), user, host.lower(), port, parameters, headers)


def forget() -> None:
    """Keep none of the URIs that were read."""
    _read.cache_clear()
