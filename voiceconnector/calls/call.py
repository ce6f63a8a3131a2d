"""One call: leg a of whoever calls, leg b of whoever is called, and the media between them.

What one leg says is said again on the other, as the service's own words: early media, the answer, re-INVITE and
UPDATE from either side, INFO, the end. Both legs are SIP sessions. A call always ends once, in `_end`, with
one `CallEnded`.
"""

import math
from typing import TYPE_CHECKING

from voiceconnector.media.multipart import with_sdp
from voiceconnector.media.negotiation import Leg
from voiceconnector.media.offer_answer import NegotiationError
from voiceconnector.sip.grammar import without_controls
from voiceconnector.sip.hop import Hop, bracketed
from voiceconnector.sip.message import Request, Response
from voiceconnector.sip.session import CONFIRMED, EARLY, Session
from voiceconnector.sip.timers import Timer
from voiceconnector.sip.transaction import ClientTransaction, LogEntry, ServerTransaction
from voiceconnector.trunk.decisions import Decision

from .call_media import OTHER, CallMedia, description_of
from .events import CallAnswered, CallEnded, CallStarted
from .history import CallHistory
from .inspection import obstacle
from .passed_on import display_name, header_lines, readable, reason_phrase, refusal_lines
from .refusals import (
    REASON_PHRASES,
    called_side_refused,
    expired,
    for_caller,
    interval_too_small,
    media_refused,
    no_port,
    nobody_answered,
    unreachable,
)

if TYPE_CHECKING:
    from .switch import NextHop, Switch

SDP = "Content-Type: application/sdp\r\n"

_PARTY: dict[Leg, str] = {"a": "The caller", "b": "The called side"}


class Call:
    """A call in progress. Made by `Switch`, which also owns all of them."""

    def __init__(self, switch: "Switch", key: int, started: CallStarted, history: CallHistory) -> None:
        self.switch = switch
        self.key = key
        """What the relay knows the call by."""
        self.started = started
        self.history = history
        self.media = CallMedia(switch.relay, switch.profile, key, switch.ids.number(61), history)
        self._leg_a: Session | None = None
        self._leg_b: Session | None = None
        self._answer_time: float | None = None
        self._waiting: dict[ClientTransaction, ServerTransaction] = {}
        """Requests passed on, and whom their answers are for."""
        self._timer: Timer | None = None
        self._ringing = 0.0
        """Seconds that the called side may ring."""
        self._over = False

    @property
    def log(self) -> list[LogEntry]:
        """Messages of both legs, by which a call is known where only its log is at hand."""
        return self.history.log

    # -- set-up

    def start(self, transaction: ServerTransaction, caller: str, called: str, way: "NextHop", now: float) -> None:
        """Take the INVITE on leg a and send one on leg b.

        `caller`, `called`: E.164 numbers for leg b. `way`: where leg b goes.
        """
        request = transaction.request
        hop, host, _ = way
        switch = self.switch
        local_a = transaction.hop.local
        leg_a = self._leg_a = Session.incoming(switch.stack, transaction, _contact(called, local_a.uri), self)
        leg_a.min_se = switch.profile.session_expires_min
        leg_a.session_interval = switch.profile.session_expires
        obstacle_to_timer = leg_a.propose_timer(request)
        if obstacle_to_timer:
            status_code, reason, lines = obstacle_to_timer
            self._refuse(interval_too_small(status_code, reason), now, lines)
            return
        media_addresses: dict[Leg, str] = {"a": switch.media_addresses[local_a.name], "b": way.media_address}
        lacking = self.media.reserve(media_addresses)
        if lacking:
            decision = no_port(switch.relay.why_none(lacking), switch.profile.retry_after)
            self._refuse(decision, now, switch.lines(decision))
            return
        try:
            typed, body = self._body_for_far_side(request, transaction.hop, now)
        except NegotiationError as error:
            self._refuse_media(error, now)
            return
        transaction.respond(100, "Trying", now)
        lines = f"Max-Forwards: {request.max_forwards - 1}\r\n{switch.capabilities}{header_lines(request)}{typed}"
        # From and To have no port (RFC 3261 19.1.1 table 1).
        self._leg_b = Session.outgoing(
            switch.stack,
            hop,
            f"sip:{called}@{host}",
            f"{display_name(request)}<sip:{caller}@{bracketed(hop.local.host)}>",
            f"<sip:{called}@{bracketed(hop.address[0])}>",
            _contact(caller, hop.local.uri),
            lines,
            body,
            self,
            self.history.log,
            now,
        )
        self._ringing = min(switch.profile.ring_timeout, _expiry(request))
        self._timer = switch.stack.timers.start(self._ringing, self, "ring time-out", now)

    def _body_for_far_side(self, request: Request, source: Hop, now: float) -> tuple[str, bytes]:
        """Content-Type line and body of our INVITE: theirs, with our session description in place of theirs."""
        body = request.body
        if not body:
            return "", b""
        content_type = without_controls(request.header("content-type") or "")
        offer = description_of(request)
        if offer is not None:
            body = with_sdp(content_type, body, self.media.offer(offer, "a", source.address[0], now))
        return f"Content-Type: {content_type}\r\n", body

    # -- refusals and ends

    def _refuse(self, decision: Decision, now: float, lines: str = "") -> None:
        """Refuse the call on leg a, and give up leg b."""
        assert self._leg_a
        self.history.refusal = decision
        self._leg_a.refuse(decision.status_code, decision.reason_phrase, now, lines)
        if self._leg_b:
            self._leg_b.hang_up(now)
        self._end(now, completed=False, message=decision.reason_phrase)

    def _refuse_media(self, error: NegotiationError, now: float) -> None:
        self._refuse(media_refused(error), now, self._warning(error))

    def _warning(self, error: NegotiationError) -> str:
        """The Warning line of a refused offer or answer, with the code of its kind (RFC 3261 20.43)."""
        return f"Warning: {error.warn_code}{media_refused(error).warning(self.switch.name)[3:]}\r\n"

    def hang_up(self, now: float, message: str, *, completed: bool = False, cause: int = 503) -> None:
        """End the call from our side, for a reason that both sides and the record are told.

        `cause` is a SIP status code: what the caller gets where it has no answer yet.
        """
        reason = f'SIP;cause={cause};text="{message}"'
        self._note(now, f"The trunk ended the call: {message}.")
        if self._leg_a and self._leg_a.state == EARLY:
            self._leg_a.refuse(cause, f"{REASON_PHRASES[cause]}: {message}", now, f"Reason: {reason}\r\n")
        for leg in (self._leg_a, self._leg_b):
            if leg:
                leg.hang_up(now, reason)
        self._end(now, completed=completed, message="OK" if completed else message)

    def _end(self, now: float, *, completed: bool, message: str) -> None:
        """What is done at the end, however it came; first what must not be lost, the record."""
        if self._over:
            return
        self._over = True
        if self._timer:
            self._timer.stop()
        switch = self.switch
        ended = CallEnded(self.started, self._answer_time, now + switch.epoch, completed, readable(message))
        self.history.ended = ended
        switch.call_ended(self, ended)
        for origin in self._waiting.values():
            origin.respond(487, REASON_PHRASES[487], now)  # RFC 3261 15.1.2
        self._waiting.clear()
        self.media.release()

    def _note(self, now: float, sentence: str) -> None:
        self.history.note(now, sentence)

    # -- leg b on its way to an answer

    def on_progress(self, session: Session, response: Response, now: float) -> None:
        assert self._leg_a
        typed, body = "", b""
        if response.body and self.media.offerer == "a":
            try:
                answer = description_of(response)
                if answer is not None:
                    body = self.media.answer(answer, "b", session.hop.address[0], now, provisional=True)
                    typed = SDP
            except NegotiationError as error:
                self._note(now, f"Early media is not passed on: {_explained(error)}")
        status_code = response.status_code
        self._leg_a.progress(status_code, reason_phrase(response.reason_phrase, status_code), now, typed, body)

    def on_answer(self, session: Session, response: Response, now: float) -> None:
        assert self._leg_a
        self._stop_timer()
        try:
            body = self._answer_for_caller(session, response, now)
        except NegotiationError as error:
            self._refuse_media(error, now)
            return
        capabilities = self.switch.capabilities
        self._leg_a.accept(now, capabilities + SDP if body else capabilities, body)
        self._answer_time = now + self.switch.epoch
        self.history.answered_at = now
        self.switch.events.append(CallAnswered(self.started, self._answer_time))
        limit = self.switch.profile.maximum_call_duration
        self._timer = self.switch.stack.timers.start(limit, self, "maximum duration", now)

    def _answer_for_caller(self, session: Session, response: Response, now: float) -> bytes:
        """Our answer to the caller's offer, or our offer where it left that to the called side."""
        assert self._leg_a
        description = description_of(response)
        if self.media.offerer == "a":
            session.acknowledge(now)
            return self.media.answer(description, "b", session.hop.address[0], now) or self._leg_a.body
        if description is None:
            raise NegotiationError(
                502,
                "No SDP Offer",
                399,
                "The called side accepts a call that has no offer yet, and makes none.",
                source="RFC 3261 13.2.1",
            )
        return self.media.offer(description, "b", session.hop.address[0], now)

    def on_failure(self, session: Session, status_code: int, reason: str, now: float) -> None:
        self._leg_b = None
        refusal = session.refusal
        if refusal is None:
            decision = unreachable(status_code, reason)
            self._refuse(decision, now, self.switch.lines(decision))
        else:
            decision = called_side_refused(refusal)
            as_it_is = decision.status_code == status_code
            self._refuse(decision, now, refusal_lines(refusal, as_it_is=as_it_is))

    def on_cancel(self, session: Session, request: Request, now: float) -> None:
        if session.state == CONFIRMED:
            other = self._session(OTHER[self._leg_of(session)])
            if other:
                other.withdraw(now)
            return
        if self._leg_b:
            self._leg_b.cancel(now, _reason_of(request))
        self._note(now, "The caller cancelled the call before the answer.")
        self._end(now, completed=False, message=REASON_PHRASES[487])

    def on_ack(self, session: Session, request: Request, now: float) -> None:
        """The ACK of a 2xx of ours; the answer is in it where the offer was in the 2xx."""
        leg = self._leg_of(session)
        other = self._session(OTHER[leg])
        if self.media.offerer != OTHER[leg] or other is None:
            return
        try:
            body = self.media.answer(description_of(request), leg, session.hop.address[0], now)
        except NegotiationError as error:
            self._note(now, _explained(error))
            self.hang_up(now, error.reason_phrase, cause=488)
            return
        other.acknowledge(now, body)

    # -- in the call

    def on_request(self, session: Session, transaction: ServerTransaction, request: Request, now: float) -> None:
        method = request.method
        accepted = method in self.switch.profile.methods
        found = obstacle(request)
        if found and accepted:
            self._note(now, f"{method} was refused: {found.decision.because}.")
            status_code, reason = found.decision.status_code, found.decision.reason_phrase
            self._reply(session, transaction, status_code, reason, now, found.lines)
        elif method == "OPTIONS":
            shown = self.switch.capabilities if self.switch.profile.options_shows_capabilities else ""
            session.answer(transaction, 200, "OK", now, shown)
        elif method in ("INVITE", "UPDATE") and accepted:
            self._pass_offer_on(session, transaction, request, now)
        elif method == "INFO" and accepted:
            self._pass_info_on(session, transaction, request, now)
        else:
            self.switch.refuse_method(transaction, request, self.history, now)

    def _pass_offer_on(self, session: Session, transaction: ServerTransaction, request: Request, now: float) -> None:
        leg = self._leg_of(session)
        other = self._session(OTHER[leg])
        if request.method == "UPDATE" and not request.body:
            session.answer(transaction, 200, "OK", now)
            return
        if self.media.offerer == leg:  # RFC 3311 5.2: its own offer has no answer yet.
            retry = f"Retry-After: {self.switch.ids.number(32) % 11}\r\n"
            self._reply(session, transaction, 500, "Server Internal Error: an offer is unanswered", now, retry)
            return
        if other is None or other.busy or other.state != CONFIRMED or self.media.offerer:
            self._reply(session, transaction, 491, "Request Pending", now)
            return
        body, typed = b"", ""
        try:
            offer = description_of(request)
            if offer is not None:
                body = self.media.offer(offer, leg, session.hop.address[0], now)
                typed = SDP
        except NegotiationError as error:
            self._note(now, _explained(error))
            self._reply(session, transaction, error.status_code, error.reason_phrase, now, self._warning(error))
            return
        if request.method == "INVITE":
            transaction.respond(100, "Trying", now)
        passed = other.send(request.method, now, self.switch.capabilities + typed, body)
        self._waiting[passed] = transaction

    def _reply(
        self,
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

    def _pass_info_on(self, session: Session, transaction: ServerTransaction, request: Request, now: float) -> None:
        """RFC 6086, and the older INFO with application/dtmf-relay: carried as it is."""
        other = self._session(OTHER[self._leg_of(session)])
        if other is None or other.state != CONFIRMED:
            session.answer(transaction, 480, REASON_PHRASES[480], now)
            return
        lines = "".join(
            f"{title}: {without_controls(value)}\r\n"
            for title in ("Content-Type", "Content-Disposition", "Info-Package")
            for value in request.headers.get(title.lower(), ())
        )
        self._waiting[other.send("INFO", now, lines, request.body)] = transaction

    def on_reply(self, session: Session, transaction: ClientTransaction, response: Response, now: float) -> None:
        status_code = response.status_code
        if status_code < 200:
            return
        origin = self._waiting.pop(transaction, None)
        asking = self._session(OTHER[self._leg_of(session)])
        if origin is None or asking is None:
            return  # An audit of ours: that there is an answer is enough.
        if transaction.method != "INFO" and status_code < 300:
            self._take_new_answer(session, asking, origin, response, now)
            return
        if transaction.method != "INFO":
            self.media.restore()
        reason = reason_phrase(response.reason_phrase, status_code)
        self._reply(asking, origin, for_caller(status_code), reason, now)

    def _take_new_answer(
        self, session: Session, asking: Session, origin: ServerTransaction, response: Response, now: float
    ) -> None:
        """A 2xx to an offer that was passed on, or the late offer in a 2xx to one without.

        An answer that cannot be used ends the call: the other side has changed over already (13.2.2.4).
        """
        leg = self._leg_of(session)
        invite = response.method == "INVITE"
        if origin.answered:  # It was cancelled, and that crossed the answer.
            self._note(now, f"{_PARTY[leg]} accepted a re-INVITE that had been cancelled meanwhile.")
            session.acknowledge(now)
            self.media.restore()
            return
        source = session.hop.address[0]
        try:
            description = description_of(response)
            if self.media.offerer == OTHER[leg]:
                if invite:
                    session.acknowledge(now)
                body = self.media.answer(description, leg, source, now)
            elif description is not None:
                body = self.media.offer(description, leg, source, now)
            else:
                session.acknowledge(now)
                body = b""
        except NegotiationError as error:
            self._note(now, _explained(error))
            self._reply(asking, origin, 488, error.reason_phrase, now, self._warning(error))
            self.hang_up(now, error.reason_phrase, cause=488)
            return
        if invite:
            body = body or asking.body
            asking.accept(now, SDP if body else "", body)
        else:
            asking.answer(origin, 200, "OK", now, SDP, body)

    def on_no_reply(
        self, session: Session, transaction: ClientTransaction, status_code: int, why: str, now: float
    ) -> None:
        origin = self._waiting.pop(transaction, None)
        asking = self._session(OTHER[self._leg_of(session)])
        if origin is not None and asking is not None:
            if transaction.method != "INFO":
                self.media.restore()
            self._reply(asking, origin, status_code, REASON_PHRASES[status_code], now)

    # -- the end

    def on_bye(self, session: Session, request: Request, now: float) -> None:
        leg = self._leg_of(session)
        self._note(now, f"{_PARTY[leg]} hung up.")
        other = self._session(OTHER[leg])
        if other:
            other.hang_up(now, _reason_of(request))
        answered = self._answer_time is not None
        self._end(now, completed=answered, message="OK" if answered else REASON_PHRASES[487])

    def on_lost(self, session: Session, why: str, now: float) -> None:
        leg = self._leg_of(session)
        self._note(now, f"{_PARTY[leg]} is lost: {why}.")
        other = self._session(OTHER[leg])
        if other:
            other.hang_up(now, f'SIP;cause=408;text="{why}"')
        self._end(now, completed=False, message=why)

    def on_timer(self, name: str, now: float) -> None:
        if name == "ring time-out":
            if self._leg_b:
                self._leg_b.cancel(now, 'SIP;cause=408;text="ring time-out"')
            limit = self.switch.profile.ring_timeout
            decision = expired(self._ringing) if self._ringing < limit else nobody_answered(limit)
            self._refuse(decision, now, self.switch.lines(decision))
        elif name == "maximum duration":
            self.hang_up(now, "maximum call duration reached", completed=True, cause=200)

    def audit(self, leg: Leg, now: float) -> None:
        """Ask whether a silent party is still there: OPTIONS in the dialog. No answer ends the call."""
        session = self._session(leg)
        if session and session.state == CONFIRMED:
            session.send("OPTIONS", now)

    # -- who is who

    def _leg_of(self, session: Session) -> Leg:
        return "a" if session is self._leg_a else "b"

    def _session(self, leg: Leg) -> Session | None:
        return self._leg_a if leg == "a" else self._leg_b

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.stop()


def _expiry(request: Request) -> float:
    """How long an INVITE is good for, in seconds (RFC 3261 13.3.1); for ever where it does not say."""
    value = request.header("expires") or ""
    return float(value) if value.isascii() and value.isdigit() and value.strip("0") else math.inf


def _contact(user: str, uri: str) -> str:
    return f"sip:{user}@{uri.removeprefix('sip:')}"


def _reason_of(request: Request) -> str:
    """The value of a Reason header (RFC 3326), to be passed on."""
    return without_controls(request.header("reason") or "")


def _explained(error: NegotiationError) -> str:
    return f"{error.because} {error.remedy}".strip()
