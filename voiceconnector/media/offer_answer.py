"""The rules of offer and answer (RFC 3264) that a relaying and a plain user agent share.

Of a description exactly one line counts, for audio or for fax. For audio it is the first that has a port, a
codec that may be used, and RTP/AVP, or RTP/SAVP with a key where the leg's `Protection` has it so.
telephone-event at 8000 Hz may always be used. For fax it is the first for T.38 over UDPTL (RFC 3362). Every other
line is declined. What cannot be accepted is a `NegotiationError`, which carries the answer to give and the words
to explain it.

Left out: RTCP feedback (RTP/AVPF and RTP/SAVPF, RFC 4585), which G.711 has no use for; keys by DTLS (RFC 5763),
which the service does not take; multicast; streams of more than one line.
"""

import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

from voiceconnector.media import sdes, sdp
from voiceconnector.media.plan import Srtp
from voiceconnector.media.sdes import PLAIN, Crypto, CryptoError, Protection
from voiceconnector.media.sdp import Direction, Format, MediaDescription, SessionDescription

TELEPHONE_EVENT = "TELEPHONE-EVENT"
DEFAULT_PTIME_MS = 20
"""The packet time of G.711 where nobody says otherwise (RFC 3551 4.2)."""

_LONGEST_SENTENCE = 500

# Addresses no host on the public Internet has, named by what sets them aside. Loopback is left out: on one
# machine it is what everybody means.
_SET_ASIDE = re.compile(
    r"(?P<RFC1918>10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.)"
    r"|(?P<RFC6598>100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)"
    r"|(?P<RFC3927>169\.254\.)|(?P<RFC4193>f[cd][0-9a-f]{2}:)|(?P<RFC4291>fe[89ab][0-9a-f]:)",
    re.ASCII | re.IGNORECASE,
)
_MULTICAST = re.compile(r"22[4-9]\.|23\d\.|ff[0-9a-f]{2}:", re.ASCII | re.IGNORECASE)


def plain(sentence: str) -> str:
    """A sentence fit to be printed although it quotes a peer: no key, nothing unprintable, and not endless."""
    sentence = sdes.without_keys(sentence)
    if len(sentence) > _LONGEST_SENTENCE:
        sentence = sentence[:_LONGEST_SENTENCE] + "…"
    if sentence.isprintable():
        return sentence
    return "".join([character if character.isprintable() else "?" for character in sentence])


class NegotiationError(Exception):
    """An offer or answer that cannot be accepted, with the answer to give; str() is one plain sentence."""

    def __init__(
        self,
        status_code: int,
        reason_phrase: str,
        warn_code: int,
        because: str,
        *,
        source: str,
        setting: str = "",
        remedy: str = "",
    ) -> None:
        self.because = plain(because)
        """One plain sentence with the facts."""
        super().__init__(self.because)
        self.status_code = status_code
        """SIP status code towards the offerer: 400, 488 or 491 for its offer, 488 or 502 for an answer."""
        self.reason_phrase = reason_phrase
        self.warn_code = warn_code
        """Code for a Warning header (RFC 3261 20.43); 399 where none of the listed ones fits."""
        self.setting = setting
        """The setting that governs it, or nothing."""
        self.source = source
        """Where the rule comes from: "RFC 3264 6"."""
        self.remedy = remedy
        """What to change for it to pass, or nothing."""


class LegAddress(NamedTuple):
    """Where we take RTP on one leg; RTCP is taken on the port above (RFC 3550 11)."""

    address: str
    """An IPv4 or IPv6 address as text, without brackets."""
    port: int


class MediaLine(NamedTuple):
    """The line of a description that counts, and what of it may be used."""

    line_index: int
    """Its place among the m= lines, from 0."""
    description: MediaDescription
    formats: tuple[Format, ...]
    """The usable payload types in the order of the m= line; at least one is a codec. None of a fax line."""
    direction: Direction
    crypto: Crypto | None = None
    """The key of its writer; None for plain RTP, and for fax."""
    is_fax: bool = False
    """Whether it is for T.38."""


class Stream(NamedTuple):
    """What one party of a completed exchange is sent, and what may come from it."""

    remote_rtp: tuple[str, int] | None
    """Address and port to send RTP to; None while the party has given 0.0.0.0 (RFC 3264 8.4)."""
    remote_rtcp: tuple[str, int] | None
    """Address and port to send RTCP to; None as above, or where RTP has the last port."""
    declared: tuple[Format, ...]
    """What to send to this party, under its own payload type numbers and in its order of preference."""
    accepted: tuple[Format, ...]
    """What may come from this party: the other side's numbers, then its own.

    RFC 3264 5.1 has the receiver choose the numbers, but many peers use their own both ways.
    """
    may_send: bool
    """Whether this party may send; False on hold."""
    may_receive: bool
    """Whether this party is to be sent media; False on hold."""
    ptime_ms: int
    """Packet time this party would like to receive, in milliseconds."""
    srtp: Srtp | None = None
    """The keys of both directions; None for plain RTP."""
    is_fax: bool = False
    """T.38 over UDPTL: there are no payload types."""

    @property
    def payload_types(self) -> tuple[int, ...]:
        """Numbers of `accepted`."""
        return tuple([accepted.payload_type for accepted in self.accepted])

    @property
    def codec(self) -> Format:
        """The codec this party likes best."""
        return next(declared for declared in self.declared if not is_telephone_event(declared))

    @property
    def encoding_name(self) -> str:
        """That codec's name, or "T.38"."""
        return "T.38" if self.is_fax else self.codec.encoding_name

    @property
    def telephone_event(self) -> int | None:
        """Payload type under which this party is sent telephone events (RFC 4733), or None."""
        return next((declared.payload_type for declared in self.declared if is_telephone_event(declared)), None)


def encodings(codecs: Iterable[str]) -> frozenset[str]:
    """The upper-case names of all that may be used: the codecs, and telephone-event."""
    return frozenset([*(codec.upper() for codec in codecs), TELEPHONE_EVENT])


def is_telephone_event(candidate: Format) -> bool:
    """Whether a payload type carries RFC 4733 events."""
    return candidate.encoding_name.upper() == TELEPHONE_EVENT


def read(body: bytes, party: str, status_code: int) -> SessionDescription:
    """Parses an offer (`status_code` 400) or an answer (502); NegotiationError where it cannot be used."""
    try:
        return sdp.parse(body)
    except sdp.SdpError as error:
        because = f"{party}'s SDP cannot be used: {error}."
        raise NegotiationError(status_code, "Bad SDP", 399, because, source="RFC 8866 5") from error


def offered_audio(
    description: SessionDescription, allowed: frozenset[str], party: str, protection: Protection = PLAIN
) -> MediaLine:
    """Picks the audio line of an offer that is taken up (RFC 3264 6).

    `allowed` are encoding names as `encodings` gives them, for 8 kHz and mono; `party` is the offerer as a
    sentence begins with it ("The caller").
    Raises NegotiationError (488) where no line can be taken up.
    """
    refusal: NegotiationError | None = None
    for index, media in enumerate(description.media):
        if media.media != "audio" or not media.port:
            continue
        crypto = None
        if media.protocol != "RTP/AVP" or protection.required:
            try:
                crypto = _offered_key(media, party, protection)
            except NegotiationError as error:
                refusal = refusal or error
                continue
        formats = [
            offered
            for offered in media.rtp_formats()
            if offered.encoding_name.upper() in allowed and offered.clock_rate == 8000 and offered.channels == 1
        ]
        if not _has_codec(formats):
            refusal = refusal or _no_codec(media, allowed, party)
            continue
        _check_address(media, party)
        return MediaLine(index, media, tuple(formats), media.direction, crypto)
    if refusal:
        raise refusal
    kinds = ", ".join([f"{media.media} over {media.protocol} with port {media.port}" for media in description.media])
    raise NegotiationError(
        488,
        "No Audio Offered",
        304,
        f"{party} offers no audio line with a port, only {kinds}.",
        source="RFC 3264 6",
        remedy="Offer audio, or fax as T.38 over UDPTL; video and other media are not carried.",
    )


def offered_fax(description: SessionDescription, party: str) -> MediaLine | None:
    """The line of an offer that is for fax, if there is one (RFC 3362)."""
    for index, media in enumerate(description.media):
        if media.media == "image" and media.port and _is_t38(media):
            _check_address(media, party)
            return MediaLine(index, media, (), media.direction, None, True)
    return None


def offers_audio(description: SessionDescription) -> bool:
    """Whether a description has an audio line with a port."""
    return any(media.media == "audio" and media.port for media in description.media)


def answered_line(
    description: SessionDescription,
    line_index: int,
    offered: MediaLine,
    party: str,
    findings: list[str],
    keys: tuple[Crypto, ...] = (),
) -> MediaLine:
    """Reads the answer to our offer of `offered`'s formats and direction in line `line_index` (RFC 3264 7).

    `keys` are the a=crypto lines of that offer. The direction comes back as far as the offer permits it (RFC 3264
    6.1). What is wrong but bearable is added to `findings`: a declined fax too, after which the call may go back to
    audio. Raises NegotiationError (488) where the answer declines audio, names no codec of the offer, has no key that
    fits, or asks for what cannot be carried.
    """
    media = _answering_line(description, line_index, offered.description.media)
    if media is not None and not media.port and offered.is_fax:
        findings.append(f"{party} declines the fax with port 0; nothing passes until one side offers audio again.")
        return MediaLine(line_index, media, (), sdp.INACTIVE, None, True)
    if media is None or not media.port:
        kind = "fax" if offered.is_fax else "audio"
        raise NegotiationError(
            488,
            f"{kind.capitalize()} Declined",
            304,
            f"{party} answers without taking up the {kind}: there is no {kind} line with a port.",
            source="RFC 3264 6",
        )
    crypto = None
    if offered.is_fax:
        if not _is_t38(media):
            raise _wrong_protocol(media, party, "answers", "T.38 over UDPTL")
    elif keys:
        crypto = _answered_key(media, keys, party)
    elif media.protocol != "RTP/AVP":
        raise _wrong_protocol(media, party, "answers", "RTP/AVP")
    _check_address(media, party)
    formats = () if offered.is_fax else _answered_formats(media, offered.formats, party, findings)
    permitted, written = offered.direction, media.direction
    direction = sdp.direction_of(written.sends and permitted.receives, written.receives and permitted.sends)
    if direction is not written:
        findings.append(
            f"{party} answers {written.name} to an offer of {permitted.name}; taken as {direction.name} (RFC 3264 6.1)."
        )
    return MediaLine(line_index, media, formats, direction, crypto, offered.is_fax)


def common(offered: tuple[Format, ...], answered: tuple[Format, ...]) -> tuple[Format, ...]:
    """The offered formats that were answered, under the offer's numbers."""
    if offered == answered:
        return offered
    names = {one.encoding_name.upper() for one in answered}
    return tuple([one for one in offered if one.encoding_name.upper() in names])


def stream_of(
    media: MediaDescription,
    declared: tuple[Format, ...],
    other: tuple[Format, ...],
    may_send: bool,
    may_receive: bool,
    srtp: Srtp | None = None,
) -> Stream:
    """The stream of the party that wrote `media`; `other` are the other side's formats (RFC 3264 5.1)."""
    accepted = other
    if declared != other:
        numbers = {one.payload_type for one in other}
        accepted += tuple([one for one in declared if one.payload_type not in numbers])
    reachable = not sdp.is_unspecified(media.address)
    return Stream(
        (media.address, media.port) if reachable else None,
        media.rtcp() if reachable else None,
        declared,
        accepted,
        may_send,
        may_receive,
        media.below.ptime_ms or DEFAULT_PTIME_MS,
        srtp,
    )


def fax_stream_of(line: MediaLine, may_send: bool, may_receive: bool) -> Stream:
    """The stream of the party that wrote a fax line."""
    media = line.description
    remote = (media.address, media.port) if media.port and not sdp.is_unspecified(media.address) else None
    return Stream(remote, None, (), (), may_send, may_receive, DEFAULT_PTIME_MS, is_fax=True)


def declined(media: MediaDescription, protocol: str = "") -> str:
    """The m= line that declines a line, or keeps its place later on (RFC 3264 6, 8.2)."""
    return f"m={media.media} 0 {protocol or media.protocol} {' '.join(media.formats) or '0'}"


def private_range(address: str) -> str:
    """What sets a private address aside, "RFC 1918" and its like; nothing for other addresses."""
    match = _SET_ASIDE.match(address)
    return f"RFC {match.lastgroup.removeprefix('RFC')}" if match and match.lastgroup else ""


class Author:
    """Writes our descriptions on one leg, under one o= line with a version that counts changes.

    RFC 3264 8: the version grows by one when the description changes and stays when it does not, and the rest
    of the o= line stays in any case, even if our address changes.
    """

    __slots__ = ("_origin", "_session_id", "_version", "_written")

    def __init__(self, session_id: int) -> None:
        self._session_id = session_id
        self._version = 0
        self._origin = ""
        self._written = ""

    def write(self, address: str, bandwidths: list[str], attributes: list[str], media: list[str]) -> bytes:
        """A description at our `address`: b= and a= lines of the session, then whole media sections."""
        connection = sdp.connection_of(address)
        written = "\r\n".join(["s=-", f"c={connection}", *bandwidths, "t=0 0", *attributes, *media, ""])
        if written != self._written:
            self._version += 1
            self._written = written
            self._origin = self._origin or connection
        return f"v=0\r\no=- {self._session_id} {self._version} {self._origin}\r\n{written}".encode("latin-1")


def _has_codec(formats: Sequence[Format]) -> bool:
    """Whether anything but telephone-event is among the formats."""
    return not all(map(is_telephone_event, formats))


def _is_t38(media: MediaDescription) -> bool:
    """Whether a line is for T.38 over UDPTL (RFC 3362); its words are compared without regard to case."""
    return media.protocol.lower() == "udptl" and "t38" in [word.lower() for word in media.formats]


def _answering_line(description: SessionDescription, line_index: int, kind: str) -> MediaDescription | None:
    """The line that answers ours; where an answerer lost count, its first of that kind with a port."""
    media = description.media
    if line_index < len(media) and media[line_index].media == kind:
        return media[line_index]
    return next((line for line in media if line.media == kind and line.port), None)


def _offered_key(media: MediaDescription, party: str, protection: Protection) -> Crypto:
    """The key of an offered line that is not, or must not be, plain RTP (RFC 4568 5.1.2)."""
    if media.protocol == "RTP/AVP":
        raise _not_encrypted(media, party)
    if media.protocol != "RTP/SAVP" or not protection.accepted:
        carried = "RTP/AVP and RTP/SAVP" if protection.accepted else "RTP/AVP"
        carried = "RTP/SAVP" if protection.required else carried
        raise _wrong_protocol(media, party, "offers", carried, protection.setting)
    try:
        return sdes.choose(_key_lines(media, party, "offers"), protection.accepted)
    except CryptoError as error:
        raise _no_key(media, party, "offers", str(error)) from None


def _answered_key(media: MediaDescription, keys: tuple[Crypto, ...], party: str) -> Crypto:
    """The key of the answer to an offer of RTP/SAVP with those lines (RFC 4568 5.1.3)."""
    if media.protocol != "RTP/SAVP":
        raise _wrong_protocol(media, party, "answers", "RTP/SAVP")
    try:
        return sdes.answering(_key_lines(media, party, "answers"), keys)
    except CryptoError as error:
        raise _no_key(media, party, "answers", str(error)) from None


def _key_lines(media: MediaDescription, party: str, does: str) -> list[str]:
    """The values of a section's a=crypto lines; there must be one."""
    values = [value for name, _, value in media.attributes if name == "crypto"]
    if not values:
        raise _no_key(media, party, does, "it has no a=crypto line")
    return values


def _no_key(media: MediaDescription, party: str, does: str, because: str) -> NegotiationError:
    if "fingerprint" in media.values and "crypto" not in media.values:
        return _dtls(media, party, does)
    return NegotiationError(
        488,
        "No Usable Key for SRTP",
        306,
        f"{party} {does} audio over {media.protocol} without a key that can be used, as {because}.",
        source="RFC 4568 5.1",
        setting="profile.srtp_suites",
        remedy="Let the PBX give its keys by SDES (a=crypto) for one of these suites, without MKI.",
    )


def _dtls(media: MediaDescription, party: str, does: str) -> NegotiationError:
    return NegotiationError(
        488,
        "DTLS-SRTP Not Available",
        302,
        f"{party} {does} audio over {media.protocol} with a fingerprint: DTLS-SRTP is not supported, use SDES.",
        source="RFC 4568",
        remedy="Set the media encryption of the trunk to SRTP with SDES, whose keys stand in a=crypto.",
    )


def _not_encrypted(media: MediaDescription, party: str) -> NegotiationError:
    best_effort = "; its a=crypto lines count under RTP/SAVP only" if "crypto" in media.values else ""
    return NegotiationError(
        488,
        "SRTP Required",
        302,
        f"{party} offers audio over RTP/AVP, and the Voice Connector requires encryption, which is "
        f"RTP/SAVP{best_effort}.",
        source="guide p. 61, RFC 4568",
        setting="RequireEncryption",
        remedy="Make SRTP with SDES mandatory on the PBX (not best effort), or turn RequireEncryption off.",
    )


def _answered_formats(
    media: MediaDescription, offered: tuple[Format, ...], party: str, findings: list[str]
) -> tuple[Format, ...]:
    """The formats of an answer that the offer named, under other numbers perhaps (RFC 3264 6.1)."""
    formats = []
    for answered in media.rtp_formats():
        if answered in offered:
            formats.append(answered)
        elif not answered.encoding_name and (same := _of_number(answered.payload_type, offered)):
            formats.append(same)
            findings.append(
                f"{party} answers payload type {same.payload_type} without rtpmap; taken for "
                f"{same.encoding_name} as offered (RFC 3264 6.1)."
            )
        elif any(map(partial(_is_same_encoding, answered), offered)):
            formats.append(answered)
        else:
            findings.append(f"{party} answers {named(answered)}, which was not offered; not passed on.")
    if not _has_codec(formats):
        raise NegotiationError(
            488,
            "No Common Codec",
            305,
            f"{party} answers {_list_of(media.rtp_formats())}, but was offered {_list_of(offered)}.",
            source="RFC 3264 6.1",
            setting="profile.codecs",
            remedy="Allow an offered codec on the side that answers.",
        )
    return tuple(formats)


def _of_number(payload_type: int, formats: tuple[Format, ...]) -> Format | None:
    return next((one for one in formats if one.payload_type == payload_type), None)


def _is_same_encoding(one: Format, other: Format) -> bool:
    """Whether two formats differ in nothing but the number and the case of the name."""
    return one.encoding_name.upper() == other.encoding_name.upper() and one[2:] == other[2:]


def _check_address(media: MediaDescription, party: str) -> None:
    """Media can be sent to the IP address of one host only."""
    if sdp.is_host_name(media.address):
        raise NegotiationError(
            488,
            "Host Name In SDP",
            301,
            f"{party}'s SDP names the host {media.address}; media can only be sent to an IP address.",
            source="RFC 8866 5.7",
            remedy="Write an IP address into c=.",
        )
    if _MULTICAST.match(media.address):
        raise NegotiationError(
            488,
            "Multicast Not Available",
            330,
            f"{party}'s SDP names the multicast address {media.address}.",
            source="RFC 3264 5.2",
        )


def _wrong_protocol(
    media: MediaDescription, party: str, does: str, carried: str, setting: str = ""
) -> NegotiationError:
    if "UDP/TLS/RTP/" in media.protocol.upper() and "SAVP" in carried:
        return _dtls(media, party, does)
    verb = "are" if " and " in carried else "is"
    return NegotiationError(
        488,
        f"Only {carried} Available",
        302,
        f"{party} {does} {media.media} over {media.protocol}; only {carried} {verb} carried.",
        source="RFC 3264 6",
        setting=setting,
        remedy=_REMEDIES[carried],
    )


_REMEDIES = {
    "RTP/SAVP": "Set the trunk to SRTP with SDES keys, and turn RTCP feedback (SAVPF) off.",
    "RTP/AVP and RTP/SAVP": "Turn RTCP feedback (AVPF, SAVPF) off for the trunk.",
    "RTP/AVP": "Turn SRTP and RTCP feedback off for the trunk, or offer an RTP/AVP line besides.",
    "T.38 over UDPTL": "Let the side that answers take up the fax line as offered, or refuse it with 488.",
}


def _no_codec(media: MediaDescription, allowed: frozenset[str], party: str) -> NegotiationError:
    codecs = sorted(allowed - {TELEPHONE_EVENT})
    return NegotiationError(
        488,
        "No Acceptable Codec",
        305,
        f"{party} offers {_list_of(media.rtp_formats())}; profile.codecs allows {' and '.join(codecs)}.",
        source="RFC 3264 6",
        setting="profile.codecs",
        remedy=f"Allow {' or '.join(codecs)} on the side that offers.",
    )


def _list_of(formats: Sequence[Format]) -> str:
    return ", ".join([named(one) for one in formats]) or "nothing that is a payload type"


def named(candidate: Format) -> str:
    """A payload type as a sentence names it: "PCMU", "opus/48000"."""
    if not candidate.encoding_name:
        return f"payload type {candidate.payload_type} without rtpmap"
    if candidate.clock_rate == 8000:
        return candidate.encoding_name
    return f"{candidate.encoding_name}/{candidate.clock_rate}"
