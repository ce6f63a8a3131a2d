"""The other end of the trunk: phones of the public network, as SIP user agents of their own.

To the service this is a SIP peer like any other. Each call, to a phone or from one, is one session and, once it
has media, one stream of the relay that echoes or plays.
"""

from typing import Protocol

from voiceconnector.media.endpoint import Endpoint
from voiceconnector.media.multipart import MultipartError, sdp_of
from voiceconnector.media.offer_answer import LegAddress, NegotiationError, Stream
from voiceconnector.media.plan import Echo, MediaPlan, Play, PortPair, Source, StreamPlan, Tone
from voiceconnector.sip.hop import Hop, bracketed, host_port
from voiceconnector.sip.ids import Ids
from voiceconnector.sip.message import Request, Response
from voiceconnector.sip.session import EARLY, ENDED, Session
from voiceconnector.sip.stack import SipStack
from voiceconnector.sip.timers import Timer
from voiceconnector.sip.transaction import ClientTransaction, ServerTransaction

from .behaviours import REASON_PHRASES, RINGBACK_HZ, Behaviour, Routing

CODECS = ("PCMU", "PCMA")
CALLING_CODECS = ("PCMU",)
"""What a phone offers, behind the carrier that brings its calls."""

FAX_AFTER = 1.0
"""Seconds from the answer until a fax machine offers T.38: it has heard the other's tones by then."""

_SDP = "Content-Type: application/sdp\r\n"
_ALLOW = "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO\r\n"


class Ports(Protocol):
    """The relay, as a phone sees it."""

    def allocate(self, media_address: str) -> PortPair | None: ...
    def apply(self, call: int, plan: MediaPlan) -> None: ...
    def release(self, call: int, pairs: tuple[PortPair, ...]) -> None: ...


class PublicNetwork:
    """All phones there are; the core of the network's SIP stack."""

    def __init__(self, routing: Routing, relay: Ports, media_address: str, ids: Ids) -> None:
        self.stack = SipStack(self, ids)
        self.routing = routing
        self.relay = relay
        self.media_address = media_address
        self._calls: dict[int, PhoneCall] = {}
        self._last_key = 0

    def on_overload(self, request: Request, hop: Hop, now: float) -> tuple[int, str, str] | None:
        return 503, "Service Unavailable", "Retry-After: 1\r\n"

    def on_request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        if request.method == "INVITE":
            self._last_key -= 1  # Below zero: the service counts upwards on the same relay.
            number = request.request_uri.unescaped_user
            PhoneCall(self, self._last_key, self.routing.route(number).behaviour).start(transaction, now)
        elif request.method == "OPTIONS":
            transaction.respond(200, "OK", now, _ALLOW)
        elif request.method in ("BYE", "UPDATE", "INFO", "PRACK"):
            transaction.respond(481, "Call/Transaction Does Not Exist", now)
        else:
            transaction.respond(405, "Method Not Allowed", now, _ALLOW)

    def call(
        self,
        hop: Hop,
        to: str,
        from_: str,
        duration: float,
        now: float,
        play: str = "",
        host: str = "",
    ) -> str:
        """Let a phone call a number through the trunk at `hop`; the Call-ID of its INVITE.

        `to` and `from_` are E.164 numbers; `host` is the trunk's name, where it is not that address. Once answered,
        the phone plays the WAV file `play`, or else a tone, and hangs up after `duration` seconds. Raises NoPort
        where there is none for its audio.
        """
        self._last_key -= 1
        source = Play(play) if play else Tone(RINGBACK_HZ)
        behaviour = Behaviour("call", sinks=(), sources=(source,), hang_up_after=duration)
        return PhoneCall(self, self._last_key, behaviour).dial(hop, to, from_, host, now)

    def hang_up(self, call_id: str, now: float) -> bool:
        """Let the phone of a call hang up, or give up where it has no answer yet; False: it is no phone's call."""
        for call in self._calls.values():
            if call.call_id == call_id:
                call.hang_up(now)
                return True
        return False

    def remember(self, call: "PhoneCall") -> None:
        self._calls[call.key] = call

    def forget(self, call: "PhoneCall") -> None:
        self._calls.pop(call.key, None)

    @property
    def active_calls(self) -> int:
        return len(self._calls)

    def close(self, now: float) -> None:
        """Every phone hangs up."""
        for call in list(self._calls.values()):
            call.hang_up(now)


class NoPort(Exception):
    """A phone has no port for its audio."""


class PhoneCall:
    """One call at a phone, which takes it or makes it."""

    def __init__(self, network: PublicNetwork, key: int, behaviour: Behaviour) -> None:
        self.network = network
        self.key = key
        self.behaviour = behaviour
        self._session: Session | None = None
        self._pair: PortPair | None = None
        self._endpoint: Endpoint | None = None
        self._stream: Stream | None = None
        self._timer: Timer | None = None
        self._fax_timer: Timer | None = None
        self._body = b""

    @property
    def call_id(self) -> str:
        """Of its dialog."""
        return self._session.dialog.call_id if self._session else ""

    def start(self, transaction: ServerTransaction, now: float) -> None:
        """Take an INVITE and behave."""
        stack = self.network.stack
        request = transaction.request
        contact = transaction.hop.local.uri.replace("sip:", f"sip:{request.request_uri.user}@", 1)
        session = self._session = Session.incoming(stack, transaction, contact, self)
        self.network.remember(self)
        refusal = _obstacle(request) or session.propose_timer(request)
        if refusal:
            self._refuse(*refusal[:2], now, refusal[2])
            return
        behaviour = self.behaviour
        if behaviour.refuse_with is not None and not behaviour.ring_seconds:
            self._refuse_as_told(now)
            return
        offer = _description(request)
        answer = self._take_offer(offer, now) if offer is not None else b""
        if answer is None:
            return
        if behaviour.early_media and answer:
            self._connect(early=True)
            session.progress(183, "Session Progress", now, _SDP, answer)
        elif behaviour.ring_seconds or not behaviour.answers:
            session.progress(180, "Ringing", now)
        if behaviour.answers:
            self._timer = stack.timers.start(behaviour.ring_seconds, self, "ringing is over", now)

    def dial(self, hop: Hop, to: str, from_: str, host: str, now: float) -> str:
        """Make a call; its Call-ID."""
        network = self.network
        pair = self._pair = network.relay.allocate(network.media_address)
        if pair is None:
            raise NoPort(f"no port is free on {network.media_address}")
        self._endpoint = Endpoint(CALLING_CODECS, LegAddress(pair.address, pair.rtp), network.stack.ids.number(61))
        local = hop.local
        self._session = Session.outgoing(
            network.stack,
            hop,
            f"sip:{to}@{host or host_port(*hop.address)}",
            f"<sip:{from_}@{bracketed(local.host)}>",
            f"<sip:{to}@{host or bracketed(hop.address[0])}>",
            local.uri.replace("sip:", f"sip:{from_}@", 1),
            f"Max-Forwards: 70\r\n{_ALLOW}{_SDP}",
            self._endpoint.offer(),
            self,
            [],
            now,
        )
        network.remember(self)
        return self.call_id

    def _take_offer(self, offer: bytes, now: float) -> bytes | None:
        """Our answer; None where the call was refused instead."""
        endpoint = self._open(now)
        if endpoint is None:
            return None
        try:
            self._body, self._stream = endpoint.answer(offer)
        except NegotiationError as error:
            self._refuse(error.status_code, error.reason_phrase, now)
            return None
        return self._body

    def _open(self, now: float) -> Endpoint | None:
        """This phone's media; None where there was no port, and the call is refused."""
        if self._endpoint is None:
            self._pair = self.network.relay.allocate(self.network.media_address)
            if self._pair is None:
                self._refuse(503, "Service Unavailable: no media port", now)
                return None
            ours = LegAddress(self._pair.address, self._pair.rtp)
            self._endpoint = Endpoint(CODECS, ours, self.network.stack.ids.number(61), fax=self.behaviour.fax)
        return self._endpoint

    def _refuse_as_told(self, now: float) -> None:
        code = self.behaviour.refuse_with
        assert code
        self._refuse(code, REASON_PHRASES.get(code, "Rejected"), now)

    def _refuse(self, status_code: int, reason: str, now: float, lines: str = "") -> None:
        assert self._session
        self._session.refuse(status_code, reason, now, lines)
        self._finish()

    def on_timer(self, name: str, now: float) -> None:
        if name == "hang up":
            self.hang_up(now)
        elif name == "turn to fax":
            self._offer_fax(now)
        elif self.behaviour.refuse_with is not None:
            self._refuse_as_told(now)
        else:
            self._answer(now)

    def _answer(self, now: float) -> None:
        assert self._session
        if self._stream is None:
            endpoint = self._open(now)
            if endpoint is None:
                return
            self._body = endpoint.offer()
        else:
            self._connect()
        self._session.accept(now, _ALLOW + _SDP, self._body)
        timers = self.network.stack.timers
        if self.behaviour.hang_up_after is not None:
            self._timer = timers.start(self.behaviour.hang_up_after, self, "hang up", now)
        if self.behaviour.fax:
            self._fax_timer = timers.start(FAX_AFTER, self, "turn to fax", now)

    def _offer_fax(self, now: float) -> None:
        """Ask to go on as T.38, unless the other side did first, or is about to."""
        assert self._session
        assert self._endpoint
        if self._stream and not self._stream.is_fax and not self._session.busy:
            self._session.send("INVITE", now, _ALLOW + _SDP, self._endpoint.offer_fax())

    def _connect(self, early: bool = False) -> None:
        """Tell the relay what this phone does with its audio."""
        stream = self._stream
        if stream is None or self._pair is None:
            return
        sources: tuple[Source, ...] = (Tone(RINGBACK_HZ),) if early else self.behaviour.sources
        if stream.is_fax:
            fax = StreamPlan("a", self._pair, stream.remote_rtp, (), sinks=(Echo(),), protocol="UDPTL")
            self.network.relay.apply(self.key, MediaPlan((fax._replace(no_media_seconds=0.0),)))
            return
        plan = StreamPlan(
            "a",
            self._pair,
            stream.remote_rtp,
            stream.payload_types,
            stream.may_send,
            stream.may_receive,
            () if early else self.behaviour.sinks,
            sources,
            audio_payload_type=stream.codec.payload_type,
            event_payload_type=stream.telephone_event,
            remote_rtcp=stream.remote_rtcp,
            no_media_seconds=0.0,
        )
        self.network.relay.apply(self.key, MediaPlan((plan,)))

    def hang_up(self, now: float) -> None:
        assert self._session
        self._session.hang_up(now)
        self._finish()

    def _finish(self) -> None:
        for timer in (self._timer, self._fax_timer):
            if timer:
                timer.stop()
        self.network.relay.release(self.key, (self._pair,) if self._pair else ())
        self._pair = None
        self.network.forget(self)

    # -- what the session tells

    def on_request(self, session: Session, transaction: ServerTransaction, request: Request, now: float) -> None:
        if request.method in ("INVITE", "UPDATE"):
            self._take_new_offer(session, transaction, request, now)
        elif request.method in ("INFO", "OPTIONS"):
            transaction.respond(200, "OK", now)
        else:
            transaction.respond(405, "Method Not Allowed", now, _ALLOW)

    def _take_new_offer(self, session: Session, transaction: ServerTransaction, request: Request, now: float) -> None:
        method = request.method
        obstacle = _obstacle(request)
        if obstacle is None and self._endpoint is None:
            obstacle = 491, "Request Pending", ""  # There has been no offer yet, on a call that still rings.
        if obstacle:
            self._reply(session, transaction, *obstacle, now)
            return
        assert self._endpoint
        body = b""
        try:
            offer = _description(request)
            if offer is not None:
                body, self._stream = self._endpoint.answer(offer)
                self._connect(early=session.state == EARLY)
            elif method == "INVITE":
                body = self._endpoint.offer()
        except NegotiationError as error:
            self._reply(session, transaction, error.status_code, error.reason_phrase, "", now)
            return
        lines = _SDP if body else ""
        if method == "INVITE":
            session.accept(now, lines, body)
        else:
            session.answer(transaction, 200, "OK", now, lines, body)

    def _reply(
        self, session: Session, transaction: ServerTransaction, status_code: int, reason: str, lines: str, now: float
    ) -> None:
        if transaction.method == "INVITE":
            session.refuse(status_code, reason, now, lines)
        else:
            session.answer(transaction, status_code, reason, now, lines)

    def on_ack(self, session: Session, request: Request, now: float) -> None:
        answer = _description(request)
        if answer is not None and self._endpoint:
            self._take_answer(answer, now)

    def _take_answer(self, answer: bytes, now: float) -> bool:
        """Go on as our offer was answered; False: that cannot be, and we have hung up."""
        assert self._endpoint
        try:
            self._stream = self._endpoint.accept(answer)
        except NegotiationError:
            self.hang_up(now)
            return False
        self._connect()
        return True

    def on_cancel(self, session: Session, request: Request, now: float) -> None:
        if session.state == ENDED:
            self._finish()

    def on_bye(self, session: Session, request: Request, now: float) -> None:
        self._finish()

    def on_lost(self, session: Session, why: str, now: float) -> None:
        self._finish()

    def on_progress(self, session: Session, response: Response, now: float) -> None: ...

    def on_answer(self, session: Session, response: Response, now: float) -> None:
        session.acknowledge(now)
        if self._take_answer(_description(response) or b"", now):
            assert self.behaviour.hang_up_after is not None
            self._timer = self.network.stack.timers.start(self.behaviour.hang_up_after, self, "hang up", now)

    def on_failure(self, session: Session, status_code: int, reason: str, now: float) -> None:
        self._finish()

    def on_reply(self, session: Session, transaction: ClientTransaction, response: Response, now: float) -> None:
        """The answer to our offer of a fax; after a refusal, audio goes on, and after port 0 it is offered again."""
        if response.method != "INVITE" or not 200 <= response.status_code < 300:
            return
        session.acknowledge(now)
        if not self._take_answer(_description(response) or b"", now):
            return
        assert self._endpoint
        assert self._stream
        if self._stream.is_fax and not self._stream.remote_rtp:
            session.send("INVITE", now, _ALLOW + _SDP, self._endpoint.offer())

    def on_no_reply(
        self, session: Session, transaction: ClientTransaction, status_code: int, why: str, now: float
    ) -> None: ...


_LOCATION = "application/pidf+xml"
"""Where the caller is (RFC 4119): a body of its own, in an INVITE that leaves the offer to the phone."""


def _obstacle(request: Request) -> tuple[int, str, str] | None:
    """What a phone does not understand: status, reason and header lines (RFC 3261 8.2.2.3, 8.2.3)."""
    unsupported = sorted(request.tokens("require") - {"timer"}) if "require" in request.headers else []
    if unsupported:
        return 420, "Bad Extension", f"Unsupported: {', '.join(unsupported)}\r\n"
    if request.body and request.content_type != _LOCATION and _description(request) is None:
        return 415, "Unsupported Media Type", "Accept: application/sdp\r\n"
    return None


def _description(message: Request | Response) -> bytes | None:
    try:
        return sdp_of(message.header("content-type") or "", message.body) if message.body else None
    except MultipartError:
        return None
