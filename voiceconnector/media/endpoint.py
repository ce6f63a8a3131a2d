"""Offer and answer of a plain user agent (RFC 3264): one that speaks and listens itself, as the PSTN does.

It offers its codecs in its own order. It answers with one codec, so that nobody has to guess which will come,
and with telephone-event (RFC 4733) where that was offered. A fax machine turns to T.38 and back with it (RFC 3362).

Left out: as in `offer_answer`, and secure RTP.
"""

from typing import NamedTuple

from voiceconnector.media import sdp
from voiceconnector.media.offer_answer import (
    DEFAULT_PTIME_MS,
    Author,
    LegAddress,
    MediaLine,
    Stream,
    answered_line,
    common,
    declined,
    encodings,
    fax_stream_of,
    is_telephone_event,
    offered_audio,
    offered_fax,
    offers_audio,
    read,
    stream_of,
)
from voiceconnector.media.sdp import SENDRECV, Direction, Format

_PARTY = "The other side"
_TELEPHONE_EVENT = Format(101, "telephone-event", 8000)
_CODECS = {"PCMU": Format(0, "PCMU", 8000), "PCMA": Format(8, "PCMA", 8000)}
_EVENTS = "0-15"  # RFC 4733 2.5.1.1: the sixteen DTMF events
_FAX = (
    "a=T38FaxVersion:0",
    "a=T38MaxBitRate:14400",
    "a=T38FaxRateManagement:transferredTCF",
    "a=T38FaxMaxDatagram:400",
    "a=T38FaxUdpEC:t38UDPRedundancy",
)
"""ITU-T T.38 D.2.3: Group 3 fax with redundancy."""


class Answered(NamedTuple):
    """An answer to send, and what it agrees to."""

    body: bytes
    stream: Stream
    """The other side's: where to send what, and what may come from there."""


class Endpoint:
    """The offer/answer state of one dialog.

    `codecs` are of "PCMU" and "PCMA", the one to be offered first first. `session_id` is a random number
    below 2**62 for the o= line. `fax`: whether it is a fax machine.
    """

    __slots__ = ("_allowed", "_author", "_fax", "_formats", "_line_index", "_lines", "_offered", "ours")

    def __init__(self, codecs: tuple[str, ...], ours: LegAddress, session_id: int, *, fax: bool = False) -> None:
        self.ours = ours
        """Where we take RTP; what is written from now on says so."""
        self._allowed = encodings(codecs)
        self._formats = (*(_CODECS[codec] for codec in codecs), _TELEPHONE_EVENT)
        self._author = Author(session_id)
        self._lines: tuple[str, ...] = ("",)
        self._line_index = 0
        self._offered: MediaLine | None = None
        self._fax = fax

    def offer(self, direction: Direction = SENDRECV) -> bytes:
        """An offer of all our codecs; hold is `SENDONLY`, or `INACTIVE` (RFC 3264 8.4)."""
        return self._offer(self._audio(self._formats, direction))

    def offer_fax(self) -> bytes:
        """An offer to go on as a fax, in the line that is audio now (RFC 3264 8.3.3)."""
        return self._offer(self._fax_line())

    def _offer(self, section: str) -> bytes:
        body = self._write(section)
        media = sdp.parse(body).media[self._line_index]
        fax = media.media == "image"
        self._offered = MediaLine(self._line_index, media, () if fax else self._formats, media.direction, is_fax=fax)
        return body

    def accept(self, answer: bytes) -> Stream:
        """Takes the answer to our last offer and gives the other side's stream.

        Raises NegotiationError (488 or 502) where it cannot be used; the offer then still stands.
        """
        offered = self._offered
        assert offered is not None, "an answer without an offer"
        line = answered_line(read(answer, _PARTY, 502), self._line_index, offered, _PARTY, [])
        sends, receives = line.direction.sends, line.direction.receives
        if line.is_fax:
            return fax_stream_of(line, sends, receives)
        return stream_of(line.description, line.formats, common(self._formats, line.formats), sends, receives)

    def answer(self, offer: bytes, direction: Direction = SENDRECV) -> Answered:
        """Answers an offer, as far as it permits in `direction` (RFC 3264 6.1).

        Raises NegotiationError (400 or 488) where it cannot be answered; nothing has changed then.
        """
        description = read(offer, _PARTY, 400)
        fax = offered_fax(description, _PARTY) if self._fax and not offers_audio(description) else None
        line = fax or offered_audio(description, self._allowed, _PARTY)
        self._lines = tuple([declined(media) for media in description.media])
        self._line_index = line.line_index
        if fax:
            return Answered(self._write(self._fax_line()), fax_stream_of(fax, True, True))
        codec = next(one for one in line.formats if not is_telephone_event(one))
        events = [one for one in line.formats if is_telephone_event(one)]
        formats = (codec, *events[:1])
        theirs = line.direction
        direction = sdp.direction_of(direction.sends and theirs.receives, direction.receives and theirs.sends)
        stream = stream_of(line.description, formats, formats, direction.receives, direction.sends)
        return Answered(self._write(self._audio(formats, direction)), stream)

    def _audio(self, formats: tuple[Format, ...], direction: Direction) -> str:
        numbers = " ".join([str(one.payload_type) for one in formats])
        lines = [f"m=audio {self.ours.port} RTP/AVP {numbers}"]
        lines += [f"a=rtpmap:{one.payload_type} {one.encoding_name}/{one.clock_rate}" for one in formats]
        lines += [f"a=fmtp:{one.payload_type} {_EVENTS}" for one in formats if is_telephone_event(one)]
        lines += [f"a={direction.name}", f"a=rtcp:{self.ours.port + 1}", f"a=ptime:{DEFAULT_PTIME_MS}"]
        return "\r\n".join(lines)

    def _fax_line(self) -> str:
        return "\r\n".join([f"m=image {self.ours.port} udptl t38", *_FAX])

    def _write(self, section: str) -> bytes:
        media = [*self._lines]
        media[self._line_index] = section
        return self._author.write(self.ours.address, [], [], media)
