"""What a request is looked at for before anybody works on it: RFC 3261 8.2.2 and 8.2.3, and 16.3 for the hops.

Whoever cannot be answered sensibly, because of an extension, a body or a missing Contact, is told so in the
words of a `Decision`, as in every other refusal.
"""

from typing import NamedTuple

from voiceconnector.sip.grammar import ParseError
from voiceconnector.sip.headers import uri_of
from voiceconnector.sip.message import Request
from voiceconnector.sip.uri import SipUri
from voiceconnector.trunk.decisions import Decision, Outcome, shown
from voiceconnector.trunk.emergency import PIDF_TYPE

EXTENSIONS = frozenset({"timer"})
"""Option tags that a Require may name (RFC 4028)."""
BODIES = ("application/sdp", "multipart/mixed", PIDF_TYPE)
"""Media types of bodies: what may carry an offer, and the location of a caller (RFC 4119)."""


class Obstacle(NamedTuple):
    """Why a request cannot be worked on."""

    decision: Decision
    lines: str = ""
    """Header lines that the refusal carries (RFC 3261 8.2.2.3, 8.2.3)."""


def obstacle(request: Request) -> Obstacle | None:
    """What stands in the way of any request that is not ACK or CANCEL."""
    headers = request.headers
    if "require" in headers:
        unsupported = sorted(request.tokens("require") - EXTENSIONS)
        if unsupported:
            return _bad_extension(unsupported)
    if request.body and request.method in ("INVITE", "UPDATE"):
        if request.content_type not in BODIES and not _is_optional(request):
            return _unsupported_body(request.content_type)
        if "content-encoding" in headers and request.header("content-encoding") != "identity":
            return _encoded_body(request.header("content-encoding") or "")
    return None


def obstacle_to_call(request: Request) -> Obstacle | None:
    """What stands in the way of an INVITE that is to start a call."""
    if request.max_forwards == 0:
        return Obstacle(
            _refusal(
                483,
                "Too Many Hops",
                "hops",
                because="the INVITE came with Max-Forwards 0, so it must not be passed on",
                source="RFC 3261 16.3",
                remedy="Look for a loop between PBX and trunk; a PBX sends Max-Forwards 70",
            )
        )
    found = obstacle(request)
    if found:
        return found
    wrong = _why_no_dialog(request)
    if wrong:
        return Obstacle(
            _refusal(
                400,
                "Bad Contact or Record-Route",
                "contact",
                because=wrong,
                source="RFC 3261 8.1.1.8, 12.1.1",
                remedy="Let the PBX put one SIP URI at which it can be reached into Contact",
            )
        )
    return None


def _why_no_dialog(request: Request) -> str:
    """What keeps an INVITE from opening a dialog; a missing Contact does not, as RFC 2543 allowed that."""
    try:
        if "record-route" in request.headers:
            request.values("record-route")
        for contact in request.values("contact")[:1]:
            SipUri.parse(uri_of(contact), "Contact")
    except ParseError as error:
        return f"of the INVITE, {shown(str(error), 200)}"
    return ""


def _is_optional(request: Request) -> bool:
    """Whether whoever does not understand the body may leave it alone (RFC 3261 20.11)."""
    disposition = request.header("content-disposition") or ""
    return "handling=optional" in disposition.replace(" ", "").lower()


def _bad_extension(unsupported: list[str]) -> Obstacle:
    names = ", ".join(shown(name) for name in unsupported)
    return Obstacle(
        _refusal(
            420,
            "Bad Extension",
            "extensions",
            because=f"the request requires {names}, and the trunk supports {', '.join(sorted(EXTENSIONS))} only",
            source="RFC 3261 8.2.2.3",
            remedy=f"Let the PBX support {names} without requiring it (for 100rel: reliable provisional responses)",
        ),
        f"Unsupported: {names}\r\n",
    )


def _unsupported_body(content_type: str) -> Obstacle:
    what = f"a body of type {shown(content_type)}" if content_type else "a body without Content-Type"
    return Obstacle(
        _refusal(
            415,
            "Unsupported Media Type",
            "body",
            because=f"the request has {what}; understood are {' and '.join(BODIES)}",
            source="RFC 3261 8.2.3",
            remedy="Send the session description as application/sdp, or as a part of multipart/mixed",
        ),
        f"Accept: {', '.join(BODIES)}\r\n",
    )


def _encoded_body(encoding: str) -> Obstacle:
    return Obstacle(
        _refusal(
            415,
            "Unsupported Content Encoding",
            "body",
            because=f"the body is encoded as {shown(encoding)}",
            source="RFC 3261 8.2.3",
            remedy="Send the session description as it is",
        ),
        "Accept-Encoding: identity\r\n",
    )


def _refusal(status_code: int, reason_phrase: str, check: str, *, because: str, source: str, remedy: str) -> Decision:
    return Decision(Outcome.REJECT, check, because, "", source, remedy, status_code, reason_phrase)
