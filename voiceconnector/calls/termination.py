"""The way of a call from a PBX to the public network: one INVITE, to one place."""

from typing import TYPE_CHECKING, NamedTuple

from voiceconnector.media.multipart import with_sdp
from voiceconnector.media.offer_answer import NegotiationError
from voiceconnector.sip.grammar import quote, without_controls
from voiceconnector.sip.hop import Hop, bracketed
from voiceconnector.sip.message import Request, Response
from voiceconnector.sip.session import Session
from voiceconnector.sip.transaction import ServerTransaction
from voiceconnector.trunk.calling_names import shown_name

from .call import Invite, contact_of
from .call_media import description_of
from .passed_on import display_name, header_lines, refusal_lines
from .refusals import called_side_refused, unreachable

if TYPE_CHECKING:
    from .call import Call


class NextHop(NamedTuple):
    """Where a call leaves the service."""

    hop: Hop
    host: str
    """Host (and port) for the Request-URI."""
    media_address: str
    """Which of the relay's addresses that side can reach."""


class ToPstn:
    """Sends leg b to the PSTN."""

    __slots__ = ("_call", "_called", "_caller", "_way")

    def __init__(self, caller: str, called: str, way: NextHop) -> None:
        """`caller` and `called` are E.164 numbers."""
        self._caller = caller
        self._called = called
        self._way = way
        self._call: Call | None = None

    def start(self, call: "Call", transaction: ServerTransaction, now: float) -> None:
        self._call = call
        request = transaction.request
        hop, host, media_address = self._way
        if not call.reserve("b", media_address, now):
            return
        try:
            typed, body = self._body(call, request, transaction.hop, now)
        except NegotiationError as error:
            call.refuse_media(error, now)
            return
        transaction.respond(100, "Trying", now)
        caller, called = self._caller, self._called
        # From and To have no port (RFC 3261 19.1.1 table 1).
        invite = Invite(
            hop,
            f"sip:{called}@{host}",
            f"{self._name(call, now) or display_name(request)}<sip:{caller}@{bracketed(hop.local.host)}>",
            f"<sip:{called}@{bracketed(hop.address[0])}>",
            contact_of(caller, hop.local.uri),
            f"Max-Forwards: {request.max_forwards - 1}\r\n{call.switch.capabilities}{header_lines(request)}{typed}",
            body,
        )
        call.place(invite, now)

    def _name(self, call: "Call", now: float) -> str:
        """The calling name that the account has set, quoted and with a blank after it; or nothing (guide p. 58)."""
        name = shown_name(call.switch.snapshot(), self._caller, now + call.switch.epoch)
        return f"{quote(name)} " if name else ""

    def _body(self, call: "Call", request: Request, source: Hop, now: float) -> tuple[str, bytes]:
        """Content-Type line and body of our INVITE: theirs, with our session description in place of theirs."""
        body = request.body
        if not body:
            return "", b""
        content_type = without_controls(request.header("content-type") or "")
        offer = description_of(request)
        if offer is not None:
            body = with_sdp(content_type, body, call.media.offer(offer, "a", source, now))
        return f"Content-Type: {content_type}\r\n", body

    def failed(self, session: Session, status_code: int, reason: str, now: float) -> None:
        call, refusal = self._call, session.refusal
        assert call
        if refusal is None:
            decision = unreachable(status_code, reason)
            call.refuse(decision, now, call.switch.lines(decision))
        else:
            decision = called_side_refused(refusal)
            call.refuse(decision, now, refusal_lines(refusal, as_it_is=decision.status_code == status_code))

    def answered(self, response: Response, now: float) -> None: ...
    def stop(self, now: float) -> None:
        self._call = None  # They know each other: two that do wait for the garbage collector.
