"""What passes between the legs of a call that is up: re-INVITE and UPDATE from either side, INFO.

Each is sent on as a request of ours and answered with what comes back (RFC 3261 14, RFC 3311, RFC 6086). Of
two offers that cross, one is refused with 491 (RFC 3261 14.2).
"""

from typing import TYPE_CHECKING

from voiceconnector.media.offer_answer import NegotiationError
from voiceconnector.sip.grammar import without_controls
from voiceconnector.sip.message import Request, Response
from voiceconnector.sip.session import CONFIRMED, Session
from voiceconnector.sip.transaction import ClientTransaction, ServerTransaction

from .call_media import OTHER, description_of
from .inspection import obstacle
from .passed_on import reason_phrase
from .refusals import REASON_PHRASES, for_caller
from .roles import PARTY

if TYPE_CHECKING:
    from .call import Call

SDP = "Content-Type: application/sdp\r\n"


def take_request(call: "Call", session: Session, transaction: ServerTransaction, request: Request, now: float) -> None:
    """A request on one leg."""
    profile, method = call.switch.profile, request.method
    accepted = method in profile.methods
    found = obstacle(request)
    if found and accepted:
        call.note(now, f"{method} was refused: {found.decision.because}.")
        status_code, reason = found.decision.status_code, found.decision.reason_phrase
        _reply(session, transaction, status_code, reason, now, found.lines)
    elif method == "OPTIONS":
        shown = call.switch.capabilities if profile.options_shows_capabilities else ""
        session.answer(transaction, 200, "OK", now, shown)
    elif method in ("INVITE", "UPDATE") and accepted:
        _pass_offer_on(call, session, transaction, request, now)
    elif method == "INFO" and accepted:
        _pass_info_on(call, session, transaction, request, now)
    else:
        call.switch.refuse_method(transaction, request, call.history, now)


def _pass_offer_on(
    call: "Call", session: Session, transaction: ServerTransaction, request: Request, now: float
) -> None:
    leg = call.leg_of(session)
    other = call.session(OTHER[leg])
    if request.method == "UPDATE" and not request.body:
        session.answer(transaction, 200, "OK", now)
        return
    if call.media.offerer == leg:  # RFC 3311 5.2: its own offer has no answer yet.
        retry = f"Retry-After: {call.switch.ids.number(32) % 11}\r\n"
        _reply(session, transaction, 500, "Server Internal Error: an offer is unanswered", now, retry)
        return
    if other is None or other.busy or other.state != CONFIRMED or call.media.offerer:
        _reply(session, transaction, 491, "Request Pending", now)
        return
    body, typed = b"", ""
    try:
        offer = description_of(request)
        if offer is not None:
            body = call.media.offer(offer, leg, session.hop, now)
            typed = SDP
    except NegotiationError as error:
        call.note(now, explained(error))
        _reply(session, transaction, error.status_code, error.reason_phrase, now, call.warning(error))
        return
    if request.method == "INVITE":
        transaction.respond(100, "Trying", now)
    passed = other.send(request.method, now, call.switch.capabilities + typed, body)
    call.waiting[passed] = transaction


def _reply(
    session: Session,
    transaction: ServerTransaction,
    status_code: int,
    reason: str,
    now: float,
    lines: str = "",
) -> None:
    """Refuse a request in the call."""
    if transaction.method == "INVITE":
        session.refuse(status_code, reason, now, lines)
    else:
        session.answer(transaction, status_code, reason, now, lines)


def _pass_info_on(call: "Call", session: Session, transaction: ServerTransaction, request: Request, now: float) -> None:
    """RFC 6086, and the older INFO with application/dtmf-relay: carried as it is."""
    other = call.session(OTHER[call.leg_of(session)])
    if other is None or other.state != CONFIRMED:
        session.answer(transaction, 480, REASON_PHRASES[480], now)
        return
    lines = "".join(
        f"{title}: {without_controls(value)}\r\n"
        for title in ("Content-Type", "Content-Disposition", "Info-Package")
        for value in request.headers.get(title.lower(), ())
    )
    call.waiting[other.send("INFO", now, lines, request.body)] = transaction


# -- the answers


def take_reply(call: "Call", session: Session, transaction: ClientTransaction, response: Response, now: float) -> None:
    """The answer to a request that was passed on, or to an audit of ours."""
    status_code = response.status_code
    if status_code < 200:
        return
    origin = call.waiting.pop(transaction, None)
    asking = call.session(OTHER[call.leg_of(session)])
    if origin is None or asking is None:
        return  # An audit of ours: that there is an answer is enough.
    if transaction.method != "INFO" and status_code < 300:
        _take_new_answer(call, session, asking, origin, response, now)
        return
    if transaction.method != "INFO":
        call.media.restore()
    reason = reason_phrase(response.reason_phrase, status_code)
    _reply(asking, origin, for_caller(status_code), reason, now)


def _take_new_answer(
    call: "Call", session: Session, asking: Session, origin: ServerTransaction, response: Response, now: float
) -> None:
    """A 2xx to an offer that was passed on, or the late offer in a 2xx to one without.

    An answer that cannot be used ends the call: the other side has changed over already (13.2.2.4).
    """
    media, leg = call.media, call.leg_of(session)
    invite = response.method == "INVITE"
    if origin.answered:  # It was cancelled, and that crossed the answer.
        call.note(now, f"{PARTY[leg]} accepted a re-INVITE that had been cancelled meanwhile.")
        session.acknowledge(now)
        media.restore()
        return
    source = session.hop
    try:
        description = description_of(response)
        if media.offerer == OTHER[leg]:
            if invite:
                session.acknowledge(now)
            body = media.answer(description, leg, source, now)
        elif description is not None:
            body = media.offer(description, leg, source, now)
        else:
            session.acknowledge(now)
            body = b""
    except NegotiationError as error:
        call.note(now, explained(error))
        _reply(asking, origin, 488, error.reason_phrase, now, call.warning(error))
        call.hang_up(now, error.reason_phrase, cause=488)
        return
    if invite:
        body = body or asking.body
        asking.accept(now, SDP if body else "", body)
    else:
        asking.answer(origin, 200, "OK", now, SDP, body)


def take_no_reply(call: "Call", session: Session, transaction: ClientTransaction, status_code: int, now: float) -> None:
    """A request that was passed on got no answer."""
    origin = call.waiting.pop(transaction, None)
    asking = call.session(OTHER[call.leg_of(session)])
    if origin is not None and asking is not None:
        if transaction.method != "INFO":
            call.media.restore()
        _reply(asking, origin, status_code, REASON_PHRASES[status_code], now)


def explained(error: NegotiationError) -> str:
    """What was wrong with an offer or answer, and what to do about it."""
    return f"{error.because} {error.remedy}".strip()
