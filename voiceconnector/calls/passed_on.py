"""What of a message on one leg is said on the other, and in which words.

A peer's text crosses to another peer here, so this is where it is made fit for that: no line breaks, no
control characters, no more than a message can bear.
"""

import re

from voiceconnector.sip.grammar import QUOTED_STRING, TOKEN, display, quote, without_controls
from voiceconnector.sip.message import Request, Response

LONGEST_TEXT = 200
"""Characters of a reason phrase that are passed on."""

# Headers of an INVITE that mean something to the far side and nothing to the trunk; and all that begin with X-.
_PASSED_ON = {
    name.lower(): name
    for name in ("Subject", "User-to-User", "Diversion", "History-Info", "Geolocation", "Geolocation-Routing",
                 "Privacy", "Priority", "Content-ID", "Content-Disposition")
}  # fmt: skip

_X_HEADER = re.compile(rf"^(X-{TOKEN})[ \t]*:", re.IGNORECASE | re.MULTILINE)
_NAME = re.compile(TOKEN)
_QUOTED_NAME = re.compile(QUOTED_STRING)
_PLAIN_NAME = re.compile(rf"{TOKEN}(?: +{TOKEN})*")


def readable(text: str) -> str:
    """A peer's text as a person should read it."""
    text = display(text)
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)


def reason_phrase(text: str, status_code: int) -> str:
    """The reason phrase of a peer for another one."""
    text = without_controls(text).strip()
    if len(text) > LONGEST_TEXT:
        text = f"{text[:LONGEST_TEXT]}..."
    return text or ("Rejected" if status_code >= 300 else "Progress")


def display_name(request: Request) -> str:
    """The caller's name as it stands before the URI in From, fit to stand there again, with a blank; or nothing."""
    value = request.headers["from"][0]
    if value[0] == '"':
        match = _QUOTED_NAME.match(value)
        return f"{without_controls(match[0])} " if match else ""
    name, bracket, _ = value.partition("<")
    name = name.strip()
    if not bracket or not name:
        return ""
    return f"{name} " if _PLAIN_NAME.fullmatch(name) else f"{quote(without_controls(name))} "


def header_lines(request: Request) -> str:
    """Header lines of an INVITE that are for the far side."""
    lines = ""
    spelling: dict[str, str] = {}
    for name, values in request.headers.items():
        written = _PASSED_ON.get(name)
        if name[:2] == "x-" and _NAME.fullmatch(name):
            spelling = spelling or _spelling(request)
            written = spelling.get(name, name.title())
        if written:
            for value in values:
                lines += f"{written}: {without_controls(value)}\r\n"
    return lines


def _spelling(request: Request) -> dict[str, str]:
    """The X- headers as the sender spells them."""
    head = request.raw.partition(b"\r\n\r\n")[0].decode("latin-1")
    return {name.lower(): name for name in _X_HEADER.findall(head)}


def refusal_lines(response: Response, *, as_it_is: bool) -> str:
    """Header lines of a refusal that the caller gets too: why (RFC 3326), and when to try again.

    `as_it_is`: whether it also gets the same status code, which Retry-After and Warning belong to.
    """
    names = ("Reason", "Retry-After", "Warning") if as_it_is else ("Reason",)
    return "".join(
        f"{name}: {without_controls(value)}\r\n" for name in names for value in response.headers.get(name.lower(), ())
    )
