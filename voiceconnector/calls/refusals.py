"""Why an admitted call came to nothing, as a `Decision` like those of admission: one value for the SIP answer, the
record and the explanation.
"""

from voiceconnector.media.offer_answer import NegotiationError
from voiceconnector.sip.message import Response
from voiceconnector.trunk.decisions import Decision, Outcome

from .passed_on import readable, reason_phrase

REASON_PHRASES = {
    408: "Request Timeout",
    480: "Temporarily Unavailable",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    500: "Server Internal Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
}

# Answers that mean something between the trunk and the far side only: challenges that the caller has no password
# for, extensions it did not use, a path that runs in circles behind the trunk.
_ABOUT_THE_TRUNK = {401, 407, 420, 421, 422, 482, 483, 494}


SHUTTING_DOWN = Decision(
    Outcome.REJECT,
    "shutdown",
    because="the emulator is shutting down and takes no more calls",
    setting="",
    source="RFC 3261 21.5.4",
    remedy="Try again when it runs",
    status_code=503,
    reason_phrase="Service Unavailable: shutting down",
)


def for_caller(status_code: int) -> int:
    """What the one who asked is told of a refusal: 502 for what was meant for the trunk, else the same.

    A redirection leads past the trunk, which does not follow it.
    """
    return 502 if 300 <= status_code < 400 or status_code in _ABOUT_THE_TRUNK else status_code


def media_refused(error: NegotiationError) -> Decision:
    """An offer or an answer cannot be used."""
    because = error.because.removesuffix(".")
    reason = f"{error.reason_phrase}: {because}" if error.status_code < 500 else error.reason_phrase
    return _refusal(
        "media",
        error.status_code,
        reason_phrase(reason, error.status_code),
        because=f"{because[:1].lower()}{because[1:]}",
        setting=error.setting,
        source=error.source,
        remedy=error.remedy.removesuffix("."),
    )


def no_port(why: str, retry_after: int) -> Decision:
    """The relay has no port for the call."""
    return _refusal(
        "ports",
        503,
        "Service Unavailable: no media port",
        because=f"there is no port for media: {why}",
        setting="rtp_ports of the Region",
        source="RFC 3261 21.5.4",
        remedy="Give the Region a wider range of ports, or make fewer calls at a time",
        retry_after=retry_after,
    )


def interval_too_small(status_code: int, reason: str) -> Decision:
    """The session timer that the caller asks for cannot be kept."""
    return _refusal(
        "session timer",
        status_code,
        reason,
        because="the Session-Expires of the INVITE is too short, or cannot be read",
        setting="profile.session_expires_min",
        source="RFC 4028 6",
        remedy="A PBX tries again by itself with the Min-SE of the refusal; or give it a longer session interval",
    )


def nobody_answered(ring_timeout: float) -> Decision:
    """The called side has rung for as long as it may."""
    return _refusal(
        "ring time-out",
        480,
        "Temporarily Unavailable: no answer",
        because=f"nobody answered within {ring_timeout:g} s",
        setting="profile.ring_timeout",
        source="profile",
    )


def expired(seconds: float) -> Decision:
    """The caller's INVITE was good for so long only."""
    return _refusal(
        "expiry",
        487,
        "Request Terminated: the INVITE expired",
        because=f"nobody answered within the {seconds:g} s that its INVITE was good for (Expires)",
        source="RFC 3261 13.3.1",
        remedy="Let the PBX send a longer Expires, or none",
    )


def unreachable(status_code: int, why: str) -> Decision:
    """The called side said nothing (408), or could not be sent to (503)."""
    told = 504 if status_code == 408 else status_code
    why = readable(why)
    return _refusal(
        "called side",
        told,
        f"{REASON_PHRASES[told]}: {why}",
        because=f"the called side cannot be reached: {why}",
        source="RFC 3261 8.1.3.1",
        remedy="Look whether something listens there, and at the target of the matching [[pstn.routes]] entry",
    )


def called_side_refused(response: Response) -> Decision:
    """The called side refused; the reason phrase is latin-1 text from the wire, fit to be sent on."""
    status_code = response.status_code
    told, said = for_caller(status_code), reason_phrase(response.reason_phrase, status_code)
    because = f"it answered {status_code} {readable(said)}"
    if told == status_code:
        return _refusal("called side", told, said, because=because, source="RFC 3261 13.2.2.3")
    return _refusal(
        "called side",
        told,
        f"{REASON_PHRASES[told]}: the called side answered {status_code} {said}",
        because=f"{because}, which concerns the trunk and not the caller",
        source="RFC 3261 16.7, 21.5.3",
        remedy="Let the called side answer itself: the trunk follows no redirection and answers no challenge",
    )


def _refusal(
    check: str,
    status_code: int,
    reason_phrase: str,
    *,
    because: str,
    source: str,
    setting: str = "",
    remedy: str = "",
    retry_after: int | None = None,
) -> Decision:
    return Decision(Outcome.REJECT, check, because, setting, source, remedy, status_code, reason_phrase, retry_after)
