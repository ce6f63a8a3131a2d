"""The forwarding plan of a call: what signalling decides once, so that packets only run it.

Immutable and replaced whole. Named tuples instead of dataclasses: they are made on every call, cross to the
relay process as they are, and do not cost that process the import of `dataclasses`.

    remote -> StreamPlan "a" -> sinks: Forward("b") -> StreamPlan "b" -> remote
                              \\ Echo()
              sources: Tone, Play, Digits, Silence, one after the other -> remote
"""

from typing import Any, NamedTuple

from voiceconnector.media.g711 import PCMU

Address = tuple[str, int]
"""IP address literal and port."""


class PortPair(NamedTuple):
    """A local RTP port, even, with RTCP on the next (RFC 3550 11)."""

    address: str
    rtp: int

    @property
    def rtcp(self) -> int:
        return self.rtp + 1


class Forward(NamedTuple):
    """Sink: what comes in goes out of another leg's stream."""

    leg: str


class Echo(NamedTuple):
    """Sink: what comes in goes back out."""


class Tone(NamedTuple):
    """Source: a sine, without end."""

    frequency_hz: int
    """1 to 3999."""
    level_dbm0: float = -10.0


class Play(NamedTuple):
    """Source: a WAV file (8,000 Hz, mono, 16-bit PCM or G.711)."""

    path: str
    loop: bool = False


class Digits(NamedTuple):
    """Source: DTMF as named events of the plan's `event_payload_type` (RFC 4733)."""

    digits: str
    duration_ms: int = 100
    pause_ms: int = 100
    """Between digits; at least 40."""


class Silence(NamedTuple):
    """Source: silent audio."""

    duration_ms: int | None = None
    """None: without end."""


Sink = Forward | Echo
Source = Tone | Play | Digits | Silence
Wire = tuple[Any, ...]
"""Nested plain tuples, which is what `marshal` carries."""


class StreamPlan(NamedTuple):
    """What happens on one leg of a call."""

    leg: str
    """ "a" or "b"."""
    pair: PortPair
    remote: Address | None
    """RTP address from the remote's SDP; None while unknown."""
    payload_types: tuple[int, ...]
    """What the remote may send; nothing else is relayed."""
    receive: bool = True
    """Whether what the remote sends goes to the sinks; False on hold."""
    send: bool = True
    """Whether anything is sent to the remote; False on hold."""
    sinks: tuple[Sink, ...] = ()
    sources: tuple[Source, ...] = ()
    """Played in order. They go on undisturbed while a new plan names the same ones."""
    audio_payload_type: int = PCMU
    """PCMU or PCMA: how sources send."""
    event_payload_type: int | None = None
    remote_rtcp: Address | None = None
    """None: the port after the RTP port. Set by a=rtcp (RFC 3605)."""
    no_media_seconds: float = 5.0
    """Report when nothing at all has come for so long; 0: never."""
    vanish_seconds: float = 0.0
    """Report when media had come and then stopped for so long; 0: never."""


class MediaPlan(NamedTuple):
    """All streams of one call."""

    streams: tuple[StreamPlan, ...]

    def silent(self) -> "MediaPlan":
        """The same ports, and no packet goes through them."""
        return MediaPlan(
            tuple([stream._replace(receive=False, send=False, sinks=(), sources=()) for stream in self.streams])
        )

    def to_wire(self) -> Wire:
        """As nested plain tuples."""
        return tuple(
            [
                (
                    leg,
                    tuple(pair),
                    remote,
                    payload_types,
                    receive,
                    send,
                    _tagged(sinks),
                    _tagged(sources),
                    *rest,
                )
                for leg, pair, remote, payload_types, receive, send, sinks, sources, *rest in self.streams
            ]
        )

    @classmethod
    def from_wire(cls, wire: Wire) -> "MediaPlan":
        """The plan that `to_wire` made this of."""
        streams = []
        for leg, pair, remote, payload_types, receive, send, sinks, sources, *rest in wire:
            flat = (
                leg,
                PortPair(*pair),
                remote,
                payload_types,
                receive,
                send,
                _parts(sinks),
                _parts(sources),
                *rest,
            )
            streams.append(StreamPlan._make(flat))
        return cls(tuple(streams))


def _tagged(parts: tuple[Sink | Source, ...]) -> tuple[Wire, ...]:
    return tuple([(type(part).__name__, *part) for part in parts]) if parts else ()


def _parts(tagged: tuple[Wire, ...]) -> tuple[Sink | Source, ...]:
    return tuple([_PARTS[name](*fields) for name, *fields in tagged])


_PARTS = {part.__name__: part for part in (Forward, Echo, Tone, Play, Digits, Silence)}
