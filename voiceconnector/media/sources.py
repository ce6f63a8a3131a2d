"""What a stream sends of its own: tones, files, digits and silence, as RTP packets 20 ms apart."""

from collections.abc import Callable, Iterator
from itertools import count

from voiceconnector.media import rtp
from voiceconnector.media.dtmf import event_packets
from voiceconnector.media.g711 import FRAME_SAMPLES, PCMU, SILENCE, Clip, tone
from voiceconnector.media.plan import Digits, Play, Silence, Source, Tone

PTIME_MS = 20

Frame = tuple[int, bool, int, bytes]
"""Payload type, marker, how far before the present timestamp it counts from, payload."""


class Player:
    """Plays sources in order, for one stream: one SSRC and one clock, whatever it is given to play."""

    def __init__(self, load: Callable[[str], Clip], ssrc: int, sequence_number: int, timestamp: int) -> None:
        """`load` reads a WAV file (OSError, ValueError); the numbers are where RTP begins (RFC 3550 5.1)."""
        self._load = load
        self.ssrc = ssrc
        self._sequence_number, self._timestamp = sequence_number, timestamp
        self._sources: tuple[Source, ...] = ()
        self._audio = PCMU
        self._event: int | None = None
        self._index = 0
        self._frames: Iterator[Frame | None] | None = None
        self._talking = False
        self._finished: list[tuple[Source, str]] = []

    def play(self, sources: tuple[Source, ...], audio: int, event: int | None, idle_samples: int = 0) -> None:
        """Starts with the first of `sources`; `audio` and `event` are the payload types to send.

        `idle_samples` is for how long nothing was ticked: the timestamp counts on meanwhile (RFC 3550 5.1).
        """
        self._sources, self._audio, self._event = sources, audio, event
        self._index, self._frames = 0, None
        self._timestamp += idle_samples
        self._talking = False

    def tick(self) -> bytes | None:
        """The packet of the next 20 ms, or None for a pause."""
        frame = self._next_frame()
        packet = None
        if frame is not None:
            payload_type, marker, age, payload = frame
            marker = marker or not self._talking  # RFC 3551 4.1: the first packet after silence
            packet = rtp.build(payload_type, self._sequence_number, self._timestamp - age, self.ssrc, payload, marker)
            self._sequence_number += 1
        self._talking = frame is not None
        self._timestamp += FRAME_SAMPLES
        return packet

    def timestamp_after(self, samples: int) -> int:
        """The RTP timestamp so many samples after the latest `tick`."""
        return self._timestamp - FRAME_SAMPLES + samples & 0xFFFFFFFF

    @property
    def done(self) -> bool:
        """True once the last source has ended."""
        return self._index >= len(self._sources)

    def take_finished(self) -> list[tuple[Source, str]]:
        """The sources that have ended since this was last asked, with what went wrong, or ""."""
        finished, self._finished = self._finished, []
        return finished

    def _next_frame(self) -> Frame | None:
        """The next frame of the present source, or of the first later one that has any."""
        while not self.done:
            source, problem = self._sources[self._index], ""
            self._frames = self._frames or self._open(source)
            try:
                return next(self._frames)
            except StopIteration:
                pass
            except (OSError, ValueError) as error:
                problem = str(error)
            self._finished.append((source, problem))
            self._index, self._frames = self._index + 1, None
        return None

    def _open(self, source: Source) -> Iterator[Frame | None]:
        match source:
            case Tone():
                return self._tone(source)
            case Play():
                return self._play(source)
            case Digits():
                return self._digits(source)
            case Silence():
                return self._silence(source)

    def _tone(self, source: Tone) -> Iterator[Frame]:
        frames = [(self._audio, False, 0, frame) for frame in tone(source.frequency_hz, self._audio, source.level_dbm0)]
        while True:
            yield from frames

    def _play(self, source: Play) -> Iterator[Frame]:
        clip = self._load(source.path)
        for _ in count() if source.loop and clip.frame_count else range(1):
            for number in range(clip.frame_count):
                yield self._audio, False, 0, clip.frame(number, self._audio)

    def _digits(self, source: Digits) -> Iterator[Frame | None]:
        if self._event is None:
            raise ValueError("the remote takes no telephone-event")
        for digit in source.digits:
            for marker, age, payload in event_packets(digit, source.duration_ms):
                yield self._event, marker, age, payload
            yield from [None] * (source.pause_ms // PTIME_MS)

    def _silence(self, source: Silence) -> Iterator[Frame]:
        frame = (self._audio, False, 0, SILENCE[self._audio])
        for _ in count() if source.duration_ms is None else range(source.duration_ms // PTIME_MS):
            yield frame
