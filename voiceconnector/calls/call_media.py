"""The media of one call: its ports, the offers and answers that pass between the legs, and the relay's plan."""

from collections.abc import Callable
from typing import Protocol

from voiceconnector.media.multipart import MultipartError, sdp_of
from voiceconnector.media.negotiation import Leg, MediaSession, Streams
from voiceconnector.media.offer_answer import LegAddress, NegotiationError, Stream
from voiceconnector.media.plan import Forward, MediaPlan, PortPair, Sink, StreamPlan
from voiceconnector.media.sdes import Protection
from voiceconnector.sip.hop import Hop
from voiceconnector.sip.message import Request, Response
from voiceconnector.trunk.profile import Profile

from .history import CallHistory
from .keeping import Keeping
from .roles import PARTY

OTHER: dict[Leg, Leg] = {"a": "b", "b": "a"}


class MediaRelay(Protocol):
    """The relay, as call control sees it."""

    def allocate(self, media_address: str) -> PortPair | None: ...
    def why_none(self, media_address: str) -> str: ...
    def apply(self, call: int, plan: MediaPlan) -> None: ...
    def release(self, call: int, pairs: tuple[PortPair, ...]) -> None: ...


class CallMedia:
    """What a call is besides its signalling. `key` is what the relay knows it by."""

    def __init__(
        self,
        relay: MediaRelay,
        profile: Profile,
        key: int,
        session_id: int,
        octets: Callable[[int], bytes],
        history: CallHistory,
    ) -> None:
        self._relay = relay
        self._profile = profile
        self._key = key
        self._session = MediaSession(profile.codecs, session_id, octets, fax_allowed=profile.t38)
        self._history = history
        self._pairs: dict[Leg, PortPair] = {}
        self._left: list[PortPair] = []
        """Pairs of Regions that the call has left."""
        self._told = 0
        """How many of the negotiation's findings are among the notes."""

    @property
    def offerer(self) -> Leg | None:
        """The leg whose offer has no final answer yet; None while there is no such offer."""
        return self._session.offerer

    def protect_customer(self, leg: Leg, *, required: bool) -> None:
        """Have the customer's leg encrypted as its connector wants it; the PSTN's is always plain."""
        profile = self._profile
        if required:
            protection = Protection(True, profile.srtp_suites, profile.srtp_offer, "RequireEncryption")
        else:
            protection = Protection(
                False, profile.srtp_suites if profile.srtp_optional else (), (), "profile.srtp_optional"
            )
        self._session.protect(leg, protection)

    def reserve(self, leg: Leg, media_address: str) -> bool:
        """Take a port pair for a leg at an address, which `release` gives back; False where it has none left.

        A pair that the leg has there is kept; one at another address is not used any more.
        """
        there = self._pairs.get(leg)
        if there and there.address == media_address:
            return True
        pair = self._relay.allocate(media_address)
        if pair is None:
            return False
        if there:
            self._left.append(there)
        self._pairs[leg] = pair
        return True

    def release(self) -> None:
        """The call is over: its ports are free, and packets are no longer relayed."""
        pairs = (*self._pairs.values(), *self._left)
        self._pairs.clear()
        self._relay.release(self._key, pairs)

    def ours(self, leg: Leg) -> LegAddress:
        """Where a leg's party is told to send its RTP."""
        pair = self._pairs[leg]
        return LegAddress(pair.address, pair.rtp)

    def offer(self, description: bytes, leg: Leg, source: Hop, now: float) -> bytes:
        """Take an offer from a leg; our offer for the other one. Raises NegotiationError, and nothing has changed."""
        to_leg = OTHER[leg]
        offer = self._session.relay_offer(description, leg, self.ours(to_leg), source.address[0])
        self._look_at_keys(leg, source)
        self._tell(now)
        return offer

    def answer(
        self, description: bytes | None, leg: Leg, source: Hop, now: float, *, provisional: bool = False
    ) -> bytes:
        """Take the answer of a leg to the other's offer; our answer for that, or b"" where the early one stands.

        From here on the relay does what was agreed. Raises NegotiationError; the exchange then is open still.
        """
        if description is None:
            self._session.settle()
            body, streams = b"", self._session.streams
        else:
            to_leg = OTHER[leg]
            body, streams = self._session.relay_answer(
                description, leg, self.ours(to_leg), provisional=provisional, source_address=source.address[0]
            )
            self._look_at_keys(leg, source)
        if streams:
            self._connect(streams, early=provisional)
        self._tell(now)
        return body

    def withdraw(self) -> None:
        """The offer goes to somebody else; what was answered so far does not count, and is not heard any more."""
        self._session.abandon()
        plan = self._history.plan
        if plan and plan != (silent := plan.silent()):
            self._apply(silent)

    def restore(self) -> None:
        """An offer came to nothing: everything is as it was before it (RFC 3261 14.1)."""
        streams = self._session.abandon()
        if streams:
            self._connect(streams)

    def keep(self, keeping: Keeping) -> None:
        """Keep this of the media from now on, and no more."""
        self._history.keeping = keeping
        plan = self._history.plan
        if plan:
            self._apply(MediaPlan(tuple([self._kept(stream) for stream in plan.streams])))

    def _kept(self, stream: StreamPlan) -> StreamPlan:
        """The same, with what is kept now."""
        forwards = tuple([sink for sink in stream.sinks if isinstance(sink, Forward)])
        return stream._replace(sinks=forwards + self._files("a" if stream.leg == "a" else "b"))

    def _files(self, leg: Leg) -> tuple[Sink, ...]:
        history = self._history
        return history.keeping.sinks(history.aws_transaction_id, history.roles, leg)

    def _connect(self, streams: Streams, *, early: bool = False) -> None:
        """Compile what both descriptions say into the relay's plan."""
        plan = MediaPlan(
            (self._stream_plan("a", streams.a, early=early), self._stream_plan("b", streams.b, early=early))
        )
        self._apply(plan)
        self._history.codec = streams.a.encoding_name

    def _apply(self, plan: MediaPlan) -> None:
        """Tell the relay, unless that is what it does already, as after the refresh of a session."""
        if plan != self._history.plan:
            self._relay.apply(self._key, plan)
            self._history.plan = plan

    def _stream_plan(self, leg: Leg, stream: Stream, *, early: bool) -> StreamPlan:
        """Silence is worth a word only of a party that may send audio, and only once the call is answered."""
        watched = stream.may_send and not early and not stream.is_fax
        return StreamPlan(
            leg,
            self._pairs[leg],
            stream.remote_rtp,
            stream.payload_types,
            stream.may_send,
            stream.may_receive,
            (Forward(OTHER[leg]), *self._files(leg)),
            event_payload_type=stream.telephone_event,
            remote_rtcp=stream.remote_rtcp,
            no_media_seconds=self._profile.no_media_seconds if watched else 0.0,
            vanish_seconds=self._profile.media_vanished_seconds if watched else 0.0,
            protocol="UDPTL" if stream.is_fax else "RTP",
            srtp=stream.srtp,
        )

    def _look_at_keys(self, leg: Leg, source: Hop) -> None:
        """Keys are as secret as the signalling that carries them (RFC 4568 8)."""
        transport = source.local.transport
        if transport != "TLS" and self._session.is_keyed(leg):
            self._session.find(
                f"The keys of {PARTY[leg].lower()}'s secure RTP pass in SIP over {transport}, which is not encrypted: "
                "whoever can read that can listen. Use TLS for the trunk."
            )

    def _tell(self, now: float) -> None:
        """Hand on what the negotiation has noticed."""
        findings = self._session.findings
        if len(findings) > self._told:
            for finding in findings[self._told :]:
                self._history.note(now, finding)
            self._told = len(findings)


def description_of(message: Request | Response) -> bytes | None:
    """The session description that a message carries, alone or as a part. Raises NegotiationError."""
    if not message.body:
        return None
    try:
        return sdp_of(message.header("content-type") or "", message.body)
    except MultipartError as error:
        raise NegotiationError(400, "Bad Multipart Body", 399, str(error), source="RFC 2046 5.1") from error
