"""Offer and answer of a plain user agent (RFC 3264): one that speaks and listens itself, as the PSTN does.

It offers its codecs in its own order. It answers with one codec, so that nobody has to guess which will come,
and with telephone-event (RFC 4733) where that was offered.

Left out: as in `offer_answer`.
"""

from typing import NamedTuple

from voiceconnector.media import sdp
from voiceconnector.media.offer_answer import (
    DEFAULT_PTIME_MS,
    Author,
    LegAddress,
    Stream,
    answered_audio,
    common,
    declined,
    encodings,
    is_telephone_event,
    offered_audio,
    read,
    stream_of,
)
from voiceconnector.media.sdp import SENDRECV, Direction, Format

_PARTY = "The other side"
_TELEPHONE_EVENT = Format(101, "telephone-event", 8000)
_CODECS = {"PCMU": Format(0, "PCMU", 8000), "PCMA": Format(8, "PCMA", 8000)}
_EVENTS = "0-15"  # RFC 4733 2.5.1.1: the sixteen DTMF events


class Answered(NamedTuple):
    """An answer to send, and what it agrees to."""

    body: bytes
    stream: Stream
    """The other side's: where to send what, and what may come from there."""


class Endpoint:
    """The offer/answer state of one dialog.

    `codecs` are of "PCMU" and "PCMA", the one to be offered first first. `session_id` is a random number
    below 2**62 for the o= line.
    """

    __slots__ = ("_allowed", "_audio", "_author", "_formats", "_lines", "_offered", "ours")

    def __init__(self, codecs: tuple[str, ...], ours: LegAddress, session_id: int) -> None:
        self.ours = ours
        """Where we take RTP; what is written from now on says so."""
        self._allowed = encodings(codecs)
        self._formats = (*(_CODECS[codec] for codec in codecs), _TELEPHONE_EVENT)
        self._author = Author(session_id)
        self._lines: tuple[str, ...] = ("",)
        self._audio = 0
        self._offered: Direction | None = None

    def offer(self, direction: Direction = SENDRECV) -> bytes:
        """An offer of all our codecs; hold is `SENDONLY`, or `INACTIVE` (RFC 3264 8.4)."""
        self._offered = direction
        return self._write(self._formats, direction)

    def accept(self, answer: bytes) -> Stream:
        """Takes the answer to our last offer and gives the other side's stream.

        Raises NegotiationError (488 or 502) where it cannot be used; the offer then still stands.
        """
        assert self._offered is not None, "an answer without an offer"
        description = read(answer, _PARTY, 502)
        audio = answered_audio(description, self._audio, self._formats, self._offered, _PARTY, [])
        offered = common(self._formats, audio.formats)
        sends, receives = audio.direction.sends, audio.direction.receives
        return stream_of(audio.description, audio.formats, offered, sends, receives)

    def answer(self, offer: bytes, direction: Direction = SENDRECV) -> Answered:
        """Answers an offer, as far as it permits in `direction` (RFC 3264 6.1).

        Raises NegotiationError (400 or 488) where it cannot be answered; nothing has changed then.
        """
        description = read(offer, _PARTY, 400)
        offered = offered_audio(description, self._allowed, _PARTY)
        codec = next(one for one in offered.formats if not is_telephone_event(one))
        events = [one for one in offered.formats if is_telephone_event(one)]
        formats = (codec, *events[:1])
        theirs = offered.direction
        direction = sdp.direction_of(direction.sends and theirs.receives, direction.receives and theirs.sends)
        self._lines = tuple([declined(media) for media in description.media])
        self._audio = offered.line_index
        stream = stream_of(offered.description, formats, formats, direction.receives, direction.sends)
        return Answered(self._write(formats, direction), stream)

    def _write(self, formats: tuple[Format, ...], direction: Direction) -> bytes:
        numbers = " ".join([str(one.payload_type) for one in formats])
        lines = [f"m=audio {self.ours.port} RTP/AVP {numbers}"]
        lines += [f"a=rtpmap:{one.payload_type} {one.encoding_name}/{one.clock_rate}" for one in formats]
        lines += [f"a=fmtp:{one.payload_type} {_EVENTS}" for one in formats if is_telephone_event(one)]
        lines += [f"a={direction.name}", f"a=rtcp:{self.ours.port + 1}", f"a=ptime:{DEFAULT_PTIME_MS}"]
        media = [*self._lines]
        media[self._audio] = "\r\n".join(lines)
        return self._author.write(self.ours.address, [], [], media)
