"""The forwarding plan of a call: what signalling decides once, so that packets only run it.

Immutable and replaced whole. Named tuples instead of dataclasses: they are made on every call, cross to the
relay process as they are, and do not cost that process the import of `dataclasses`.

    remote -> StreamPlan "a" -> sinks: Forward("b") -> StreamPlan "b" -> remote
                              \\ Echo()
                              \\ Record(path), Capture(path), Tap(path)
              sources: Tone, Play, Digits, Silence, one after the other -> remote

Sinks and sources see plain RTP; `srtp` and `impair_…` stand between them and the remote.
"""

from typing import Any, Literal, NamedTuple

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


class Record(NamedTuple):
    """Sink: what comes in is written to a WAV file (8,000 Hz, mono, 16-bit PCM), gaps filled with silence."""

    path: str


class Capture(NamedTuple):
    """Sink: packets that come in, and those sent on this leg, are kept with their times for a packet capture."""

    path: str


class Tap(NamedTuple):
    """Sink: what comes in is copied to a Unix datagram socket, with call, leg and time of arrival before it."""

    path: str


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


Sink = Forward | Echo | Record | Capture | Tap
Source = Tone | Play | Digits | Silence
Wire = tuple[Any, ...]
"""Nested plain tuples, which is what `marshal` carries."""


class Srtp(NamedTuple):
    """How one leg's RTP and RTCP are protected (RFC 3711), by keys from its SDP (RFC 4568)."""

    suite: str
    """RFC 4568's, 6188's or 7714's name: "AES_CM_128_HMAC_SHA1_80"."""
    remote_key: bytes
    """Master key and salt of what the remote sends."""
    local_key: bytes
    """Master key and salt of what is sent to it."""

    def __repr__(self) -> str:
        return f"Srtp({self.suite!r})"  # keys never reach a log


AUTHENTICATION = "authentication failed"
UNENCRYPTED = "not encrypted"
"""Why packets of a leg with SRTP are not taken: under another key or changed, or plain RTP."""


class Impairment(NamedTuple):
    """A bad network, for one direction of one leg. Shares are of packets, 0 to 1; `seed` makes it repeatable."""

    loss: float = 0.0
    duplicated: float = 0.0
    reordered: float = 0.0
    """Held back until the packet after it has gone."""
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    """Added to the delay of each packet: uniformly 0 to so much."""
    seed: int = 0


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
    protocol: Literal["RTP", "UDPTL"] = "RTP"
    """UDPTL (T.38 fax): any datagram of the remote goes to the sinks as it is."""
    srtp: Srtp | None = None
    impair_received: Impairment | None = None
    """Before anything of it is counted, as if the network between the remote and here had done it."""
    impair_sent: Impairment | None = None

    def silent(self) -> "StreamPlan":
        """The same port, and no packet goes through it; files stay open."""
        files = tuple([sink for sink in self.sinks if isinstance(sink, Record | Capture)])
        return self._replace(receive=False, send=False, sinks=files, sources=())


class MediaPlan(NamedTuple):
    """All streams of one call."""

    streams: tuple[StreamPlan, ...]

    def silent(self) -> "MediaPlan":
        """The same ports, and no packet goes through them."""
        return MediaPlan(tuple([stream.silent() for stream in self.streams]))

    def to_wire(self) -> Wire:
        """As nested plain tuples."""
        return tuple(
            [
                (
                    stream.leg,
                    tuple(stream.pair),
                    *stream[_REMOTE:_SINKS],
                    _tagged(stream.sinks),
                    _tagged(stream.sources),
                    *stream[_AFTER_SOURCES:_SRTP],
                    stream.srtp and tuple(stream.srtp),
                    stream.impair_received and tuple(stream.impair_received),
                    stream.impair_sent and tuple(stream.impair_sent),
                )
                for stream in self.streams
            ]
        )

    @classmethod
    def from_wire(cls, wire: Wire) -> "MediaPlan":
        """The plan that `to_wire` made this of."""
        streams = []
        for leg, pair, *fields in wire:
            *facts, srtp, impair_received, impair_sent = fields
            facts[_SINKS - _REMOTE] = _parts(facts[_SINKS - _REMOTE])
            facts[_SINKS - _REMOTE + 1] = _parts(facts[_SINKS - _REMOTE + 1])
            protection = (
                srtp and Srtp(*srtp),
                impair_received and Impairment(*impair_received),
                impair_sent and Impairment(*impair_sent),
            )
            streams.append(StreamPlan._make((leg, PortPair(*pair), *facts, *protection)))
        return cls(tuple(streams))


_REMOTE, _SINKS, _SRTP = map(StreamPlan._fields.index, ("remote", "sinks", "srtp"))
_AFTER_SOURCES = _SINKS + 2


def _tagged(parts: tuple[Sink | Source, ...]) -> tuple[Wire, ...]:
    return tuple([(type(part).__name__, *part) for part in parts]) if parts else ()


def _parts(tagged: tuple[Wire, ...]) -> tuple[Sink | Source, ...]:
    return tuple([_PARTS[name](*fields) for name, *fields in tagged])


_PARTS = {part.__name__: part for part in (Forward, Echo, Record, Capture, Tap, Tone, Play, Digits, Silence)}
