"""Offer and answer between the two legs of a call (RFC 3264): what is passed on, and what the relay is to do.

Either side may offer at any time. An offer on one leg becomes an offer of ours on the other; the answer that
comes back becomes our answer on the first. The codecs and attributes of the one line that counts, be it for audio
or for fax, are passed on; addresses, ports, o= lines and whatever belongs to one transport are ours.

Each leg has its own list of m= lines, as lines may never be taken away again (RFC 3264 8): a line that only
one side knows is declined towards that side and never shown to the other. Where audio turns into fax on one leg,
so it does on the other, in a line that was for fax before or else in the same line (RFC 3264 8.3.3).

Each leg has its own protection too: secure RTP with keys of its own (RFC 4568), or plain RTP.

Left out: ICE, RTCP multiplexing and video, which are declined; secure fax (RFC 7345).
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, NamedTuple

from voiceconnector.media import sdes, sdp
from voiceconnector.media.offer_answer import (
    Author,
    LegAddress,
    MediaLine,
    NegotiationError,
    Stream,
    answered_line,
    common,
    declined,
    encodings,
    fax_stream_of,
    is_telephone_event,
    named,
    offered_audio,
    offered_fax,
    offers_audio,
    plain,
    private_range,
    read,
    stream_of,
)
from voiceconnector.media.plan import Srtp
from voiceconnector.media.sdes import PLAIN, Crypto, Protection
from voiceconnector.media.sdp import SessionDescription

Leg = Literal["a", "b"]
"""Leg a called, leg b was called."""

_OTHER: dict[Leg, Leg] = {"a": "b", "b": "a"}
_ALL_PLAIN: dict[Leg, Protection] = {"a": PLAIN, "b": PLAIN}
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


class _Side(NamedTuple):
    """One leg's m= lines, and our keys there."""

    declined: tuple[str, ...]
    """All lines, in the form that declines them."""
    line_index: int
    """Which of them counts."""
    keys: tuple[Crypto, ...] = ()
    """What our a=crypto lines say: all we propose, and after the answer the one in use. None: plain RTP."""


class _Exchange(NamedTuple):
    """An offer passed on, and all there was before it."""

    offerer: Leg
    offer: MediaLine
    sides_before: dict[Leg, _Side]
    streams_before: Streams | None


class MediaSession:
    """The offer/answer state of one call: one exchange at a time, from either side.

    `codecs` are the encoding names that may pass, ("PCMU",): 8 kHz, mono. `session_id` is a random number
    below 2**62, from which the o= lines of both legs are made. `octets` gives so many random ones, for keys.
    """

    __slots__ = (
        "_allowed", "_answered", "_authors", "_codecs", "_fax_allowed", "_octets", "_open", "_protection", "_sides",
        "findings", "streams",
    )  # fmt: skip

    def __init__(
        self, codecs: tuple[str, ...], session_id: int, octets: Callable[[int], bytes], *, fax_allowed: bool = True
    ) -> None:
        self.findings: list[str] = []
        """What a user should know about the descriptions seen so far: plain sentences in order, each once."""
        self.streams: Streams | None = None
        """What is in force, be it by an early answer; None before the first answer."""
        self._codecs = codecs
        self._allowed = encodings(codecs)
        self._octets = octets
        self._fax_allowed = fax_allowed
        # Two numbers: a PBX that calls itself through the trunk sees both legs.
        self._authors = {"a": Author(session_id), "b": Author(session_id + 1)}
        self._protection = _ALL_PLAIN
        self._sides: dict[Leg, _Side] = {}
        self._open: _Exchange | None = None
        self._answered = False

    def protect(self, leg: Leg, protection: Protection) -> None:
        """Say how the audio of a leg may be, or must be, protected; it counts from the next offer on."""
        self._protection = {**self._protection, leg: protection}

    def is_keyed(self, leg: Leg) -> bool:
        """Whether keys for secure RTP stand in a leg's descriptions."""
        side = self._sides.get(leg)
        return side is not None and bool(side.keys)

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
        sides_before, streams_before = self._sides, self.streams
        if before is not None and not self._answered:
            if before.offerer != from_leg:
                raise NegotiationError(
                    491,
                    "Request Pending",
                    399,
                    f"{_PARTY[from_leg]} offers while an offer to it is unanswered.",
                    source="RFC 3264 4",
                )
            sides_before, streams_before = before.sides_before, before.streams_before
        description = read(offer, _PARTY[from_leg], 400)
        known = sides_before.get(from_leg)
        if "\nm=image " in description.body:
            line = self._fax_or_audio(description, from_leg, known)
        else:
            line = offered_audio(description, self._allowed, _PARTY[from_leg], self._protection[from_leg])
        self._look_at(description, line, from_leg, source_address)
        self._look_at_offer(description, line, from_leg, known)
        to_leg = _OTHER[from_leg]
        lines = tuple([declined(media) for media in description.media])
        self._sides = {
            from_leg: _Side(
                lines, line.line_index, self._keys_to_answer(from_leg, line) if line.crypto or line.is_fax else ()
            ),
            to_leg: self._side_to_offer(to_leg, line, sides_before.get(to_leg)),
        }
        self._open = _Exchange(from_leg, line, sides_before, streams_before)
        self._answered = False
        return self._write(to_leg, description, line, ours)

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
        side = self._sides[from_leg]
        findings: list[str] = []
        line = answered_line(description, side.line_index, offer, party, findings, () if offer.is_fax else side.keys)
        if len(description.media) != len(side.declined):
            findings.append(
                f"{party} answers {len(description.media)} m= lines to an offer of "
                f"{len(side.declined)}; there must be as many (RFC 3264 6)."
            )
        for finding in findings:
            self.find(finding)
        self._look_at(description, line, from_leg, source_address)
        offerer, answerer = (_fax_streams if offer.is_fax else self._audio_streams)(exchange, line)
        agreed = Streams(offerer, answerer) if from_leg == "b" else Streams(answerer, offerer)
        if self._answered and agreed != self.streams:
            self.find(
                f"{party} answers one offer twice and not the same; a peer that keeps to RFC 3261 "
                "13.2.1 goes by the first answer."
            )
        self.streams = agreed
        self._answered = True
        body = self._write(exchange.offerer, description, line, ours)
        if not provisional:
            self._open = None
            if offerer.srtp or answerer.srtp or offerer.is_fax:
                self._keep_keys_in_use(agreed)
        return Relayed(body, agreed)

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
        if self.streams:
            self._keep_keys_in_use(self.streams)

    def abandon(self) -> Streams | None:
        """Forgets the exchange that is open, if any, and returns what is in force again (RFC 3261 14.1).

        Versions of o= lines are not taken back: who saw a number must not see it again with other words.
        """
        if self._open is not None:
            self._sides = self._open.sides_before
            self.streams = self._open.streams_before
            self._open = None
        return self.streams

    def _keep_keys_in_use(self, streams: Streams) -> None:
        """Of the keys proposed, the one that was taken up.

        After a fax, audio begins anew: with the same key, it could repeat the key stream.
        """
        for leg, side in self._sides.items():
            srtp = (streams.a if leg == "a" else streams.b).srtp
            if streams.a.is_fax:
                keys = [sdes.fresh(key, self._octets) for key in side.keys]
            else:
                keys = [key for key in side.keys if srtp and srtp.local_key == key.key]
            self._sides[leg] = side._replace(keys=tuple(keys))

    # -- the line that counts

    def _fax_or_audio(self, description: SessionDescription, leg: Leg, before: _Side | None) -> MediaLine:
        """The line that counts of an offer that may be for fax. `before` are the leg's lines up to now.

        Of audio and fax, both with a port, it is the one new to the leg, else the one in force.
        """
        party = _PARTY[leg]
        fax = offered_fax(description, party)
        if fax is not None:
            with_audio = offers_audio(description)
            refusal = self._why_no_fax(party)
            if refusal is None and not (with_audio and self._prefers_audio(description, before)):
                return fax
            if refusal is not None and not with_audio:
                raise refusal
        return offered_audio(description, self._allowed, party, self._protection[leg])

    def _prefers_audio(self, description: SessionDescription, before: _Side | None) -> bool:
        """Whether an offer of both means audio."""
        if before is None:
            return True
        known = [line.partition(" ")[0] for line in before.declined]
        new = {media.media for media in description.media[len(known) :] if media.port}
        new |= {media.media for media, was in zip(description.media, known, strict=False) if f"m={media.media}" != was}
        if "audio" in new or "image" in new:
            return "audio" in new
        return not (self.streams and self.streams.a.is_fax)

    def _why_no_fax(self, party: str) -> NegotiationError | None:
        """What keeps a fax from being passed on as T.38."""
        if any(protection.required for protection in self._protection.values()):
            return NegotiationError(
                488,
                "Fax Cannot Be Encrypted",
                304,
                f"{party} offers fax over UDPTL, which is not encrypted, and the Voice Connector requires encryption.",
                source="RFC 3362, RFC 7345",
                setting="RequireEncryption",
                remedy="Send the fax as audio (G.711 pass-through), or turn RequireEncryption off.",
            )
        if not self._fax_allowed:
            return NegotiationError(
                488,
                "Fax Not Available",
                304,
                f"{party} offers fax over UDPTL, which profile.t38 does not allow.",
                source="profile",
                setting="profile.t38",
                remedy="Send the fax as audio (G.711 pass-through).",
            )
        return None

    def _side_to_offer(self, leg: Leg, line: MediaLine, before: _Side | None) -> _Side:
        """Where our offer on `leg` has the line, and with which keys."""
        current, proposed = self._sides.get(leg), self._protection[leg].offered
        keys = current.keys if current is not None else ()
        if proposed and not keys:
            keys = sdes.proposed(proposed, self._octets)
        if before is None:
            return _Side((declined(line.description, _protocol(line, keys)),), 0, keys)
        kind = f"m={line.description.media} "
        if before.declined[before.line_index].startswith(kind):
            return before if keys == before.keys else before._replace(keys=keys)
        for index, known in enumerate(before.declined):
            if known.startswith(kind):
                return before._replace(line_index=index, keys=keys)
        lines = [*before.declined]
        lines[before.line_index] = declined(line.description, _protocol(line, keys))
        return _Side(tuple(lines), before.line_index, keys)

    def _keys_to_answer(self, leg: Leg, line: MediaLine) -> tuple[Crypto, ...]:
        """Our key for the answer to an offer: the one in use while the suite stays (RFC 4568 7.1.4)."""
        current = self._sides.get(leg)
        keys = current.keys if current is not None else ()
        if line.crypto is None:
            return keys  # A fax needs none, and the audio after it will.
        for ours in keys:
            if ours.suite == line.crypto.suite:
                return (line.crypto._replace(key=ours.key),)
        return (sdes.fresh(line.crypto, self._octets),)

    def _audio_streams(self, exchange: _Exchange, answer: MediaLine) -> tuple[Stream, Stream]:
        """What is agreed for the party that offered, and for the one that answered."""
        offer, leg = exchange.offer, exchange.offerer
        offered, direction = common(offer.formats, answer.formats), answer.direction
        srtp = self._srtp(leg, offer.crypto) if offer.crypto else None
        offerer = stream_of(offer.description, offered, answer.formats, direction.receives, direction.sends, srtp)
        srtp = self._srtp(_OTHER[leg], answer.crypto) if answer.crypto else None
        return offerer, stream_of(
            answer.description, answer.formats, offered, direction.sends, direction.receives, srtp
        )

    def _srtp(self, leg: Leg, theirs: Crypto) -> Srtp:
        ours = next(key for key in self._sides[leg].keys if int(key.tag) == int(theirs.tag))
        return Srtp(theirs.suite, theirs.key, ours.key)

    # -- what is written

    def _write(self, leg: Leg, description: SessionDescription, line: MediaLine, ours: LegAddress) -> bytes:
        """Our description on `leg`, saying of the line what the other side's description says."""
        side = self._sides[leg]
        media = [*side.declined]
        if line.description.port:
            media[side.line_index] = self._fax_section(line, ours) if line.is_fax else _section(line, side.keys, ours)
        attributes = []
        for name, colon, value in description.attributes:
            if name not in _NOT_PASSED_ON:
                attributes.append(f"a={name}{colon}{value}")
        bandwidths = _BANDWIDTH.findall(description.text) if "\nb=" in description.text else []
        return self._authors[leg].write(ours.address, bandwidths, attributes, media)

    def _fax_section(self, fax: MediaLine, ours: LegAddress) -> str:
        """The fax section as we write it: theirs, less what is not passed on, at our port. It has no RTCP.

        The transport is spelled as the offerer spells it.
        """
        assert self._open
        protocol, media = self._open.offer.description.protocol, fax.description
        passed_on = _passed_on(media.below.text, " ".join(media.formats))
        direction = "" if fax.direction is sdp.SENDRECV else f"a={fax.direction.name}\r\n"
        written = f"m=image {ours.port} {protocol} {' '.join(media.formats)}\r\n{passed_on}{direction}"
        return written.removesuffix("\r\n")

    # -- what is told

    def _look_at(self, description: SessionDescription, line: MediaLine, leg: Leg, source_address: str) -> None:
        """Notes what is worth knowing about a description, offer or answer."""
        party = _PARTY[leg]
        for anomaly in description.anomalies():
            self.find(f"{party}'s SDP {anomaly}.")
        values, address = line.description.values, line.description.address
        private = private_range(address)
        if private:
            came_from = f", while its SIP came from {source_address}" if source_address else ""
            self.find(
                f"{party}'s SDP asks for {'fax' if line.is_fax else 'audio'} at {address}, a private address "
                f"({private}) that the real service cannot reach{came_from}."
            )
        if sdp.is_unspecified(address):
            self.find(f"{party}'s SDP holds the call with the address {address} (RFC 3264 8.4).")
        if "rtcp-mux" in values:
            self.find(f"{party} would take RTCP on the RTP port (rtcp-mux); declined, it has its own port.")
        if "candidate" in values:
            self.find(f"{party} gives ICE candidates; ignored, media goes to the address in c= and m=.")
        if "crypto" in values and line.crypto is None and not line.is_fax:
            self.find(
                f"{party} gives keys (a=crypto) under RTP/AVP, as best effort; ignored, they count under RTP/SAVP "
                "only (RFC 4568), and the audio is not encrypted."
            )

    def _look_at_offer(self, description: SessionDescription, line: MediaLine, leg: Leg, before: _Side | None) -> None:
        """Notes what of an offer is not taken up; `before` are the leg's lines up to now."""
        party = _PARTY[leg]
        if not line.is_fax:
            media = line.description
            if len(line.formats) < len(media.formats):
                left_out = [named(one) for one in media.rtp_formats() if one not in line.formats]
                self.find(
                    f"{party} also offers {', '.join(left_out) or 'what is no payload type'}; not passed on, as "
                    f"profile.codecs allows {' and '.join(self._codecs)}."
                )
            if not any(map(is_telephone_event, line.formats)):
                self.find(f"{party} offers no telephone-event at 8000 Hz: digits can only come as tones or in INFO.")
        for index, other in enumerate(description.media):
            if other.port and index != line.line_index:
                self.find(f"{party} also offers {other.media} over {other.protocol}; declined, as one line is carried.")
        if before and len(description.media) < len(before.declined):
            self.find(
                f"{party} offers {len(description.media)} m= lines after {len(before.declined)}; none may "
                "go (RFC 3264 8)."
            )

    def find(self, finding: str) -> None:
        """Note something, once."""
        finding = plain(finding)
        if finding not in self.findings and len(self.findings) < _MOST_FINDINGS:
            self.findings.append(finding)


def _fax_streams(exchange: _Exchange, answer: MediaLine) -> tuple[Stream, Stream]:
    """The same for a fax."""
    direction = answer.direction
    return (
        fax_stream_of(exchange.offer, direction.receives, direction.sends),
        fax_stream_of(answer, direction.sends, direction.receives),
    )


def _protocol(line: MediaLine, keys: tuple[Crypto, ...]) -> str:
    """The transport of a line that says what `line` says, with these keys of ours."""
    if line.is_fax:
        return line.description.protocol
    return "RTP/SAVP" if keys else "RTP/AVP"


def _section(audio: MediaLine, keys: tuple[Crypto, ...], ours: LegAddress) -> str:
    """The audio section as we write it: theirs, less what is not passed on, at our port and with our keys."""
    numbers = " ".join([str(one.payload_type) for one in audio.formats])
    below = audio.description.below.text
    kept = len(below) <= sdp.LONGEST_KEPT and audio.crypto is None
    passed_on = (_kept_passed_on if kept else _passed_on)(below, numbers)
    protocol, lines = ("RTP/SAVP", "".join([f"\r\n{key.line}" for key in keys])) if keys else ("RTP/AVP", "")
    return (
        f"m=audio {ours.port} {protocol} {numbers}\r\n{passed_on}a={audio.direction.name}\r\n"
        f"a=rtcp:{ours.port + 1}{lines}"
    )


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


def forget() -> None:
    """Keep none of the sections that were passed on."""
    _kept_passed_on.cache_clear()
