"""Offer and answer between the two legs of a call (RFC 3264): what is passed on, and what the relay is to do.

Either side may offer at any time. An offer on one leg becomes an offer of ours on the other; the answer that
comes back becomes our answer on the first. The codecs and attributes of the one audio line are passed on;
addresses, ports, o= lines and whatever belongs to one transport are ours.

Each leg has its own list of m= lines, as lines may never be taken away again (RFC 3264 8): a line that only
one side knows is declined towards that side and never shown to the other.

Left out: secure RTP, ICE, RTCP multiplexing, T.38 and video, which are declined.
"""

import re
from functools import lru_cache
from typing import Literal, NamedTuple

from voiceconnector.media import sdp
from voiceconnector.media.offer_answer import (
    AudioLine,
    Author,
    LegAddress,
    NegotiationError,
    Stream,
    answered_audio,
    common,
    declined,
    encodings,
    is_telephone_event,
    named,
    offered_audio,
    plain,
    private_range,
    read,
    stream_of,
)
from voiceconnector.media.sdp import SessionDescription

Leg = Literal["a", "b"]
"""Leg a called, leg b was called."""

_OTHER: dict[Leg, Leg] = {"a": "b", "b": "a"}
_PARTY: dict[Leg, str] = {"a": "The caller", "b": "The called side"}

# Attributes whose value begins with a payload type number, or "*" for all.
_PER_FORMAT = {"rtpmap", "fmtp", "rtcp-fb"}

# Attributes that are true of one transport only, and a lie on the other leg.
_NOT_PASSED_ON = {
    # ours: written anew
    *sdp.DIRECTIONS, "rtcp", "rtcp-unicast", "source-filter",
    # ICE (RFC 8839, RFC 8840) and what came before it: candidates name the peer's own addresses
    "candidate", "remote-candidates", "end-of-candidates", "ice-ufrag", "ice-pwd", "ice-lite", "ice-mismatch",
    "ice-options", "ice-pacing", "alt",
    # one port for RTP and RTCP, or for several lines (RFC 5761, RFC 8858, RFC 9143): declined by silence
    "rtcp-mux", "rtcp-mux-only", "group", "mid", "bundle-only", "msid", "msid-semantic", "rid", "simulcast",
    # keys (RFC 4568, RFC 4567, RFC 8122, RFC 4145, RFC 8842, RFC 8827, RFC 6189) end where the transport ends
    "crypto", "key-mgmt", "fingerprint", "setup", "connection", "tls-id", "identity", "zrtp-hash",
    # sources (RFC 5576): the relay may send audio of its own, and another far side may take over
    "ssrc", "ssrc-group",
    # other configurations (RFC 3407, RFC 5939), which may hold the transports and codecs just taken out
    "sqn", "cdsc", "cpar", "cparmin", "cparmax", "csup", "creq", "acap", "tcap", "pcfg", "acfg",
}  # fmt: skip

_MOST_FINDINGS = 50
"""A peer that thinks of something new in every re-INVITE must not fill the memory."""

_TITLE = re.compile(r"\n(i=[^\r\n\0]*)")
_BANDWIDTH = re.compile(r"\n(b=[^\r\n\0]*)")


class Streams(NamedTuple):
    """What the relay has to do for each leg's party."""

    a: Stream
    b: Stream


class Relayed(NamedTuple):
    """An answer passed on, and what the exchange now means for the relay."""

    body: bytes
    """Our answer on the leg that offered."""
    streams: Streams


class _Lines(NamedTuple):
    """The m= lines of one leg, all in the form that declines them, and which of them is the audio."""

    declined: tuple[str, ...]
    audio: int


class _Exchange(NamedTuple):
    """An offer passed on, and all there was before it."""

    offerer: Leg
    offer: AudioLine
    lines_before: dict[Leg, _Lines]
    streams_before: Streams | None


class MediaSession:
    """The offer/answer state of one call: one exchange at a time, from either side.

    `codecs` are the encoding names that may pass, ("PCMU",): 8 kHz, mono. `session_id` is a random number
    below 2**62, from which the o= lines of both legs are made.
    """

    __slots__ = ("_allowed", "_answered", "_authors", "_codecs", "_lines", "_open", "findings", "streams")

    def __init__(self, codecs: tuple[str, ...], session_id: int) -> None:
        self.findings: list[str] = []
        """What a user should know about the descriptions seen so far: plain sentences in order, each once."""
        self.streams: Streams | None = None
        """What is in force, be it by an early answer; None before the first answer."""
        self._codecs = codecs
        self._allowed = encodings(codecs)
        # Two numbers: a PBX that calls itself through the trunk sees both legs.
        self._authors = {"a": Author(session_id), "b": Author(session_id + 1)}
        self._lines: dict[Leg, _Lines] = {}
        self._open: _Exchange | None = None
        self._answered = False

    @property
    def offerer(self) -> Leg | None:
        """The leg whose offer has no final answer yet; only then the other leg's SDP is an answer."""
        return self._open.offerer if self._open is not None else None

    def relay_offer(self, offer: bytes, from_leg: Leg, ours: LegAddress, source_address: str = "") -> bytes:
        """Takes an offer from one leg and returns our offer for the other, at our address there.

        An unanswered offer of the same leg is replaced, be it that a 200 repeats the offer of its 183 or that
        another far side is tried. `source_address` is where the SIP message came from, for `findings`.
        Raises NegotiationError: 400 unreadable, 488 nothing acceptable, 491 while the other leg's offer is
        unanswered (RFC 3264 4). The session then is as before.
        """
        before = self._open
        lines_before, streams_before = self._lines, self.streams
        if before is not None and not self._answered:
            if before.offerer != from_leg:
                raise NegotiationError(
                    491,
                    "Request Pending",
                    399,
                    f"{_PARTY[from_leg]} offers while an offer to it is unanswered.",
                    source="RFC 3264 4",
                )
            lines_before, streams_before = before.lines_before, before.streams_before
        description = read(offer, _PARTY[from_leg], 400)
        audio = offered_audio(description, self._allowed, _PARTY[from_leg])
        self._look_at(description, audio, from_leg, source_address)
        self._look_at_offer(description, audio, from_leg, lines_before.get(from_leg))
        to_leg = _OTHER[from_leg]
        self._lines = {
            from_leg: _Lines(tuple([declined(media) for media in description.media]), audio.line_index),
            to_leg: lines_before.get(to_leg) or _Lines((declined(audio.description),), 0),
        }
        self._open = _Exchange(from_leg, audio, lines_before, streams_before)
        self._answered = False
        return self._write(to_leg, description, audio, ours)

    def relay_answer(
        self,
        answer: bytes,
        from_leg: Leg,
        ours: LegAddress,
        *,
        provisional: bool = False,
        source_address: str = "",
    ) -> Relayed:
        """Takes an answer from one leg and returns our answer for the leg that offered, at our address there.

        An answer in a 18x is `provisional`: others may follow, from the same far side or another, and the
        exchange can still be abandoned. Raises NegotiationError (488 or 502) where the answer cannot be used;
        the exchange then is still open: abandon it, or end the call.
        """
        exchange = self._open
        assert exchange is not None, "an answer without an offer"
        assert exchange.offerer != from_leg, "an answer from the leg that offered"
        party, offer = _PARTY[from_leg], exchange.offer
        description = read(answer, party, 502)
        lines = self._lines[from_leg]
        findings: list[str] = []
        audio = answered_audio(description, lines.audio, offer.formats, offer.direction, party, findings)
        if len(description.media) != len(lines.declined):
            findings.append(
                f"{party} answers {len(description.media)} m= lines to an offer of "
                f"{len(lines.declined)}; there must be as many (RFC 3264 6)."
            )
        for finding in findings:
            self._find(finding)
        self._look_at(description, audio, from_leg, source_address)
        offered = common(offer.formats, audio.formats)
        answerer_sends, offerer_sends = audio.direction.sends, audio.direction.receives
        offerer = stream_of(offer.description, offered, audio.formats, offerer_sends, answerer_sends)
        answerer = stream_of(audio.description, audio.formats, offered, answerer_sends, offerer_sends)
        agreed = Streams(offerer, answerer) if from_leg == "b" else Streams(answerer, offerer)
        if self._answered and agreed != self.streams:
            self._find(
                f"{party} answers one offer twice and not the same; a peer that keeps to RFC 3261 "
                "13.2.1 goes by the first answer."
            )
        self.streams = agreed
        self._answered = True
        if not provisional:
            self._open = None
        return Relayed(self._write(exchange.offerer, description, audio, ours), agreed)

    def settle(self) -> None:
        """Ends the exchange with its provisional answer, for a 2xx that does not repeat it (RFC 6337 3.1.1).

        Raises NegotiationError (502) where there was no answer at all.
        """
        if self._open is not None and not self._answered:
            raise NegotiationError(
                502,
                "No SDP Answer",
                399,
                f"{_PARTY[_OTHER[self._open.offerer]]} accepts an offer without ever answering it with SDP.",
                source="RFC 3261 13.2.1",
            )
        self._open = None

    def abandon(self) -> Streams | None:
        """Forgets the exchange that is open, if any, and returns what is in force again (RFC 3261 14.1).

        Versions of o= lines are not taken back: who saw a number must not see it again with other words.
        """
        if self._open is not None:
            self._lines = self._open.lines_before
            self.streams = self._open.streams_before
            self._open = None
        return self.streams

    def _write(self, leg: Leg, description: SessionDescription, audio: AudioLine, ours: LegAddress) -> bytes:
        """Our description on `leg`, saying of the audio what the other side's description says."""
        lines = self._lines[leg]
        media = [*lines.declined]
        media[lines.audio] = _section(audio, ours)
        attributes = []
        for name, colon, value in description.attributes:
            if name not in _NOT_PASSED_ON:
                attributes.append(f"a={name}{colon}{value}")
        bandwidths = _BANDWIDTH.findall(description.text) if "\nb=" in description.text else []
        return self._authors[leg].write(ours.address, bandwidths, attributes, media)

    def _look_at(self, description: SessionDescription, audio: AudioLine, leg: Leg, source_address: str) -> None:
        """Notes what is worth knowing about a description, offer or answer."""
        party = _PARTY[leg]
        for anomaly in description.anomalies():
            self._find(f"{party}'s SDP {anomaly}.")
        values, address = audio.description.values, audio.description.address
        private = private_range(address)
        if private:
            came_from = f", while its SIP came from {source_address}" if source_address else ""
            self._find(
                f"{party}'s SDP asks for audio at {address}, a private address ({private}) that the real "
                f"service cannot reach{came_from}."
            )
        if sdp.is_unspecified(address):
            self._find(f"{party}'s SDP holds the call with the address {address} (RFC 3264 8.4).")
        if "rtcp-mux" in values:
            self._find(f"{party} would take RTCP on the RTP port (rtcp-mux); declined, it has its own port.")
        if "candidate" in values:
            self._find(f"{party} gives ICE candidates; ignored, media goes to the address in c= and m=.")

    def _look_at_offer(
        self, description: SessionDescription, audio: AudioLine, leg: Leg, before: _Lines | None
    ) -> None:
        """Notes what of an offer is not taken up; `before` are the leg's lines up to now."""
        party = _PARTY[leg]
        media = audio.description
        if len(audio.formats) < len(media.formats):
            left_out = [named(one) for one in media.rtp_formats() if one not in audio.formats]
            self._find(
                f"{party} also offers {', '.join(left_out) or 'what is no payload type'}; not passed on, as "
                f"profile.codecs allows {' and '.join(self._codecs)}."
            )
        if not any(map(is_telephone_event, audio.formats)):
            self._find(f"{party} offers no telephone-event at 8000 Hz: digits can only come as tones or in INFO.")
        for index, line in enumerate(description.media):
            if line.port and index != audio.line_index:
                self._find(
                    f"{party} also offers {line.media} over {line.protocol}; declined, as one audio line is carried."
                )
        if before and len(description.media) < len(before.declined):
            self._find(
                f"{party} offers {len(description.media)} m= lines after {len(before.declined)}; none may "
                "go (RFC 3264 8)."
            )

    def _find(self, finding: str) -> None:
        finding = plain(finding)
        if finding not in self.findings and len(self.findings) < _MOST_FINDINGS:
            self.findings.append(finding)


def _section(audio: AudioLine, ours: LegAddress) -> str:
    """The audio section as we write it: theirs, less what is not passed on, at our port."""
    numbers = " ".join([str(one.payload_type) for one in audio.formats])
    below = audio.description.below.text
    passed_on = (_kept_passed_on if len(below) <= sdp.LONGEST_KEPT else _passed_on)(below, numbers)
    return f"m=audio {ours.port} RTP/AVP {numbers}\r\n{passed_on}a={audio.direction.name}\r\na=rtcp:{ours.port + 1}"


def _passed_on(below: str, numbers: str) -> str:
    """The lines below the other side's m= that go below ours, where ours has those payload types."""
    lines: list[str] = []
    if "\nb=" in below or "\ni=" in below:
        lines += _TITLE.findall(below)
        lines += _BANDWIDTH.findall(below)
    formats = (*numbers.split(" "), "*")
    for name, colon, value in sdp.attributes_of(below):
        if name in _NOT_PASSED_ON:
            continue
        if name in _PER_FORMAT and value.strip().partition(" ")[0] not in formats:
            continue
        lines.append(f"a={name}{colon}{value}")
    return "".join([f"{line}\r\n" for line in lines])


_kept_passed_on = lru_cache(sdp.KEPT)(_passed_on)
