"""How a number in the emulated public network behaves, and which numbers behave how."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import translate

from voiceconnector.media.plan import Digits, Echo, Play, Sink, Source, Tone
from voiceconnector.sip.uri import SipUri

DEFAULT_RING = 1.0
"""Seconds."""
RINGBACK_HZ = 440
"""The tone of early media, and of `tone` where no other frequency is set."""

REASON_PHRASES = {
    300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily", 305: "Use Proxy",
    380: "Alternative Service", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden",
    404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable", 407: "Proxy Authentication Required",
    408: "Request Timeout", 410: "Gone", 413: "Request Entity Too Large", 414: "Request-URI Too Long",
    415: "Unsupported Media Type", 416: "Unsupported URI Scheme", 420: "Bad Extension", 421: "Extension Required",
    422: "Session Interval Too Small", 423: "Interval Too Brief", 480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops", 484: "Address Incomplete",
    485: "Ambiguous", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 491: "Request Pending",
    493: "Undecipherable", 500: "Server Internal Error", 501: "Not Implemented", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Server Time-out", 505: "Version Not Supported", 513: "Message Too Large",
    600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable", 607: "Unwanted",
    608: "Rejected",
}  # fmt: skip
"""What a refusing number says: RFC 3261 21, RFC 4028, RFC 8197, RFC 8688."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What happens to a call that reaches a number."""

    name: str = "answer"
    refuse_with: int | None = None
    """Status code of a refusal, sent after ringing."""
    ring_seconds: float = DEFAULT_RING
    """Seconds of ringing before the answer or the refusal; 0: none."""
    answers: bool = True
    """False: rings until the caller gives up."""
    early_media: bool = False
    """Whether 183 with audio takes the place of 180."""
    sinks: tuple[Sink, ...] = (Echo(),)
    sources: tuple[Source, ...] = ()
    """Played from the answer on."""
    hang_up_after: float | None = None
    """Seconds from the answer to the BYE; None: the caller hangs up."""
    fax: bool = False
    """Whether it is a fax machine, which goes on as T.38 a second after the answer."""


@dataclass(frozen=True, slots=True)
class Route:
    """Numbers of one pattern, and what becomes of calls to them."""

    match: str
    """A glob over E.164 numbers: "+1206555*"."""
    behaviour: Behaviour = Behaviour()
    target: SipUri | None = None
    """A SIP peer of the user's that takes these calls in place of the emulated network."""


def behaviour(
    name: str = "answer",
    *,
    ring_seconds: float | None = None,
    hang_up_after: float | None = None,
    play: str | None = None,
    tone_hz: int | None = None,
    digits: str | None = None,
) -> Behaviour:
    """The behaviour of this name: answer, echo, tone, play, early-media, fax, busy, no-answer, reject-<code>.

    Raises ValueError for any other.
    """
    ring = DEFAULT_RING if ring_seconds is None else ring_seconds
    sources: list[Source] = [Digits(digits)] if digits else []
    if play:
        sources.append(Play(play))
    elif name == "tone" or tone_hz:
        sources.append(Tone(tone_hz or RINGBACK_HZ))
    if name == "busy":
        return Behaviour(name, 486, 0.0 if ring_seconds is None else ring)
    if name == "no-answer":
        return Behaviour(name, None, ring, answers=False)
    rejection = re.fullmatch(r"reject-([3-6]\d\d)", name)
    if rejection:
        return Behaviour(name, int(rejection[1]), 0.0 if ring_seconds is None else ring)
    if name not in ("answer", "echo", "tone", "play", "early-media", "fax"):
        raise ValueError(f'"{name}" is no behaviour; there are {", ".join(NAMES)}')
    sinks: tuple[Sink, ...] = (Echo(),) if not play and name in ("answer", "echo", "early-media", "fax") else ()
    return Behaviour(
        name,
        None,
        ring,
        early_media=name == "early-media",
        sinks=sinks,
        sources=tuple(sources),
        hang_up_after=hang_up_after,
        fax=name == "fax",
    )


NAMES = ("answer", "echo", "tone", "play", "early-media", "fax", "busy", "no-answer", "reject-<code>")


class Routing:
    """First match wins; unmatched numbers ring for a second, answer and echo."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = [(re.compile(translate(route.match)), route) for route in routes]

    def route(self, number: str) -> Route:
        for pattern, route in self._routes:
            if pattern.match(number):
                return route
        return Route("*")
