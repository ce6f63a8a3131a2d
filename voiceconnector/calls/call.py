"""One call: leg a of whoever calls, leg b of whoever is called, and the media between them.

What one leg says is said again on the other, as the service's own words: early media, the answer, the end; what
passes in between is `in_call`. Where leg b goes is the affair of `Placing`: to the PSTN, or to a PBX, one route
after the other. Both legs are SIP sessions. A call always ends once, in `_end`, with one `CallEnded`.
"""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from voiceconnector.media.negotiation import Leg
from voiceconnector.media.offer_answer import NegotiationError
from voiceconnector.sip.grammar import without_controls
from voiceconnector.sip.hop import Hop
from voiceconnector.sip.message import Request, Response
from voiceconnector.sip.session import CONFIRMED, EARLY, Edge, Session
from voiceconnector.sip.timers import Timer
from voiceconnector.sip.transaction import ClientTransaction, LogEntry, ServerTransaction
from voiceconnector.trunk.decisions import Decision
from voiceconnector.trunk.model import VoiceConnector

from . import in_call
from .call_media import OTHER, CallMedia, description_of
from .events import CallAnswered, CallEnded, CallStarted
from .history import CallHistory
from .in_call import SDP, explained
from .passed_on import readable, reason_phrase
from .refusals import REASON_PHRASES, expired, interval_too_small, media_refused, no_port, nobody_answered
from .roles import PARTY

if TYPE_CHECKING:
    from .switch import Switch


class Placing(Protocol):
    """Who sends leg b on its way."""

    def start(self, call: "Call", transaction: ServerTransaction, now: float) -> None:
        """Leg a is taken, with this INVITE: place leg b, or refuse the call."""

    def failed(self, session: Session, status_code: int, reason: str, now: float) -> None:
        """Leg b came to nothing: refuse the call, or try elsewhere. `status_code` 408 or 503 without an answer."""

    def answered(self, response: Response, now: float) -> None:
        """Leg b's 2xx is there."""

    def stop(self, now: float) -> None:
        """The call is over, however: nothing more is to be placed."""


class Invite(NamedTuple):
    """What an INVITE of leg b says."""

    hop: Hop
    uri: str
    caller: str
    """From, without its tag."""
    called: str
    """To."""
    contact: str
    lines: str
    """All other header lines."""
    body: bytes
    call_id: str = ""
    """ "" for a new one, as with the tag of From."""
    local_tag: str = ""
    cseq: int = 1
    edge: Edge | None = None


class Call:
    """A call in progress. Made by `Switch`, which also owns all of them."""

    def __init__(
        self, switch: "Switch", key: int, started: CallStarted, history: CallHistory, placing: Placing
    ) -> None:
        self.switch = switch
        self.key = key
        """What the relay knows the call by."""
        self.started = started
        self.history = history
        ids = switch.ids
        self.media = CallMedia(switch.relay, switch.profile, key, ids.number(61), ids.octets, history)
        self.over = False
        self._placing = placing
        self.waiting: dict[ClientTransaction, ServerTransaction] = {}
        """Requests passed on, and whom their answers are for."""
        self._leg_a: Session | None = None
        self._leg_b: Session | None = None
        self._answer_time: float | None = None
        self._timer: Timer | None = None
        self._good_for = self._expires_at = math.inf
        """Seconds that the caller's INVITE is good for, and until when that is (RFC 3261 13.3.1)."""

    @property
    def log(self) -> list[LogEntry]:
        """Messages of both legs, by which a call is known where only its log is at hand."""
        return self.history.log

    # -- set-up

    def start(self, transaction: ServerTransaction, called: str, media_address: str, now: float) -> None:
        """Take the INVITE on leg a, and have leg b placed.

        `called` is whom leg a's Contact stands for; `media_address` which of the relay's addresses leg a can reach.
        """
        request, switch = transaction.request, self.switch
        contact = contact_of(called, transaction.hop.local.uri)
        leg_a = self._leg_a = Session.incoming(switch.stack, transaction, contact, self)
        leg_a.min_se = switch.profile.session_expires_min
        leg_a.session_interval = switch.profile.session_expires
        obstacle_to_timer = leg_a.propose_timer(request)
        if obstacle_to_timer:
            status_code, reason, lines = obstacle_to_timer
            self.refuse(interval_too_small(status_code, reason), now, lines)
        elif self.reserve("a", media_address, now):
            self._good_for = _expiry(request)
            self._expires_at = now + self._good_for
            self._placing.start(self, transaction, now)

    def reserve(self, leg: Leg, media_address: str, now: float) -> bool:
        """Have media ports for a leg; False where there was none, and the call is refused."""
        if self.media.reserve(leg, media_address):
            return True
        decision = no_port(self.switch.relay.why_none(media_address), self.switch.profile.retry_after)
        self.refuse(decision, now, self.switch.lines(decision))
        return False

    def wait_for_answer(self, now: float) -> None:
        """Give the called side the time it may ring, from now on."""
        self._stop_timer()
        seconds = min(self.switch.profile.ring_timeout, self._expires_at - now)
        self._timer = self.switch.stack.timers.start(max(0.0, seconds), self, "ring time-out", now)

    def place(self, invite: Invite, now: float) -> Session:
        """Send the INVITE of leg b."""
        leg_b = self._leg_b = Session.outgoing(
            self.switch.stack,
            invite.hop,
            invite.uri,
            invite.caller,
            invite.called,
            invite.contact,
            invite.lines,
            invite.body,
            self,
            self.log,
            now,
            invite.call_id,
            invite.local_tag,
            invite.cseq,
            invite.edge,
        )
        self.wait_for_answer(now)
        return leg_b

    def give_up_leg_b(self, now: float, reason: str) -> None:
        """Leave a called side that has not answered; should it still do so, it is released (RFC 3261 9.1, 13.2.2.4)."""
        if self._leg_b:
            self._leg_b.cancel(now, reason)
            self._leg_b = None

    def move(self, connector: VoiceConnector) -> None:
        """Go on as a call of another connector of the group."""
        self.protect_media(connector)
        self.started = self.history.started = replace(
            self.started, voice_connector_id=connector.voice_connector_id, region=connector.aws_region
        )

    def protect_media(self, connector: VoiceConnector) -> None:
        """Have the customer's audio encrypted where the connector requires it."""
        self.media.protect_customer(self.history.roles.customer, required=connector.require_encryption)

    # -- refusals and ends

    def refuse(self, decision: Decision, now: float, lines: str = "") -> None:
        """Refuse the call on leg a, and give up leg b."""
        assert self._leg_a
        self.history.refusal = decision
        self._leg_a.refuse(decision.status_code, decision.reason_phrase, now, lines)
        if self._leg_b:
            self._leg_b.hang_up(now)
        self._end(now, completed=False, message=decision.reason_phrase)

    def refuse_media(self, error: NegotiationError, now: float) -> None:
        """Refuse the call for an offer or answer that cannot be used."""
        self.refuse(media_refused(error), now, self.warning(error))

    def warning(self, error: NegotiationError) -> str:
        """The Warning line of a refused offer or answer, with the code of its kind (RFC 3261 20.43)."""
        return f"Warning: {error.warn_code}{media_refused(error).warning(self.switch.name)[3:]}\r\n"

    def hang_up(self, now: float, message: str, *, completed: bool = False, cause: int = 503) -> None:
        """End the call from our side, for a reason that both sides and the record are told.

        `cause` is a SIP status code: what the caller gets where it has no answer yet.
        """
        reason = f'SIP;cause={cause};text="{message}"'
        self.note(now, f"The trunk ended the call: {message}.")
        if self._leg_a and self._leg_a.state == EARLY:
            self._leg_a.refuse(cause, f"{REASON_PHRASES[cause]}: {message}", now, f"Reason: {reason}\r\n")
        for leg in (self._leg_a, self._leg_b):
            if leg:
                leg.hang_up(now, reason)
        self._end(now, completed=completed, message="OK" if completed else message)

    def _end(self, now: float, *, completed: bool, message: str) -> None:
        """What is done at the end, however it came; first what must not be lost, the record."""
        if self.over:
            return
        self.over = True
        self._stop_timer()
        self._placing.stop(now)
        switch = self.switch
        ended = CallEnded(self.started, self._answer_time, now + switch.epoch, completed, readable(message))
        self.history.ended = ended
        switch.call_ended(self, ended)
        for origin in self.waiting.values():
            origin.respond(487, REASON_PHRASES[487], now)  # RFC 3261 15.1.2
        self.waiting.clear()
        self.media.release()

    def note(self, now: float, sentence: str) -> None:
        """Remember something for those who ask how the call went."""
        self.history.note(now, sentence)

    # -- leg b on its way to an answer

    def on_progress(self, session: Session, response: Response, now: float) -> None:
        assert self._leg_a
        typed, body = "", b""
        if response.body and self.media.offerer == "a":
            try:
                answer = description_of(response)
                if answer is not None:
                    body = self.media.answer(answer, "b", session.hop, now, provisional=True)
                    typed = SDP
            except NegotiationError as error:
                self.note(now, f"Early media is not passed on: {explained(error)}")
        status_code = response.status_code
        self._leg_a.progress(status_code, reason_phrase(response.reason_phrase, status_code), now, typed, body)

    def on_answer(self, session: Session, response: Response, now: float) -> None:
        assert self._leg_a
        self._stop_timer()
        self._placing.answered(response, now)
        try:
            body = self._answer_for_caller(session, response, now)
        except NegotiationError as error:
            self.refuse_media(error, now)
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
            return self.media.answer(description, "b", session.hop, now) or self._leg_a.body
        if description is None:
            raise NegotiationError(
                502,
                "No SDP Offer",
                399,
                "The called side accepts a call that has no offer yet, and makes none.",
                source="RFC 3261 13.2.1",
            )
        return self.media.offer(description, "b", session.hop, now)

    def on_failure(self, session: Session, status_code: int, reason: str, now: float) -> None:
        self._leg_b = None
        self._placing.failed(session, status_code, reason, now)

    def on_cancel(self, session: Session, request: Request, now: float) -> None:
        if session.state == CONFIRMED:
            other = self.session(OTHER[self.leg_of(session)])
            if other:
                other.withdraw(now)
            return
        if self._leg_b:
            self._leg_b.cancel(now, _reason_of(request))
        self.note(now, "The caller cancelled the call before the answer.")
        self._end(now, completed=False, message=REASON_PHRASES[487])

    def on_ack(self, session: Session, request: Request, now: float) -> None:
        """The ACK of a 2xx of ours; the answer is in it where the offer was in the 2xx."""
        leg = self.leg_of(session)
        other = self.session(OTHER[leg])
        if self.media.offerer != OTHER[leg] or other is None:
            return
        try:
            body = self.media.answer(description_of(request), leg, session.hop, now)
        except NegotiationError as error:
            self.note(now, explained(error))
            self.hang_up(now, error.reason_phrase, cause=488)
            return
        other.acknowledge(now, body)

    # -- in the call

    def on_request(self, session: Session, transaction: ServerTransaction, request: Request, now: float) -> None:
        in_call.take_request(self, session, transaction, request, now)

    def on_reply(self, session: Session, transaction: ClientTransaction, response: Response, now: float) -> None:
        in_call.take_reply(self, session, transaction, response, now)

    def on_no_reply(
        self, session: Session, transaction: ClientTransaction, status_code: int, why: str, now: float
    ) -> None:
        in_call.take_no_reply(self, session, transaction, status_code, now)

    # -- the end

    def on_bye(self, session: Session, request: Request, now: float) -> None:
        leg = self.leg_of(session)
        self.note(now, f"{PARTY[leg]} hung up.")
        other = self.session(OTHER[leg])
        if other:
            other.hang_up(now, _reason_of(request))
        answered = self._answer_time is not None
        self._end(now, completed=answered, message="OK" if answered else REASON_PHRASES[487])

    def on_lost(self, session: Session, why: str, now: float) -> None:
        leg = self.leg_of(session)
        self.note(now, f"{PARTY[leg]} is lost: {why}.")
        other = self.session(OTHER[leg])
        if other:
            other.hang_up(now, f'SIP;cause=408;text="{why}"')
        self._end(now, completed=False, message=why)

    def on_timer(self, name: str, now: float) -> None:
        if name == "ring time-out":
            if self._leg_b:
                self._leg_b.cancel(now, 'SIP;cause=408;text="ring time-out"')
            limit = self.switch.profile.ring_timeout
            decision = expired(self._good_for) if now >= self._expires_at else nobody_answered(limit)
            self.refuse(decision, now, self.switch.lines(decision))
        elif name == "maximum duration":
            self.hang_up(now, "maximum call duration reached", completed=True, cause=200)

    def audit(self, leg: Leg, now: float) -> None:
        """Ask whether a silent party is still there: OPTIONS in the dialog. No answer ends the call."""
        session = self.session(leg)
        if session and session.state == CONFIRMED:
            session.send("OPTIONS", now)

    # -- who is who

    def leg_of(self, session: Session) -> Leg:
        """Whose session it is."""
        return "a" if session is self._leg_a else "b"

    def session(self, leg: Leg) -> Session | None:
        """The session of a leg, if it has one."""
        return self._leg_a if leg == "a" else self._leg_b

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.stop()


def _expiry(request: Request) -> float:
    """How long an INVITE is good for, in seconds (RFC 3261 13.3.1); for ever where it does not say."""
    value = request.header("expires") or ""
    return float(value) if value.isascii() and value.isdigit() and value.strip("0") else math.inf


def contact_of(user: str, uri: str) -> str:
    """The URI at which a user is reached through a listener's `uri`."""
    return f"sip:{user}@{uri.removeprefix('sip:')}"


def _reason_of(request: Request) -> str:
    """The value of a Reason header (RFC 3326), to be passed on."""
    return without_controls(request.header("reason") or "")
