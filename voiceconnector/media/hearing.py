"""What one leg sounds like, as far as it costs next to nothing to know: silence, digits, the clock behind it.

Audio packets pass without being looked at. Twice a second the next one is asked for, by declaring no packet plain
(`lane`), so that it comes here; only streams that are listened to come here whole. Events always do. Findings are
told once for each plan or occurrence.
"""

from collections.abc import Callable

from voiceconnector.media import rtp
from voiceconnector.media.drift import Drift
from voiceconnector.media.dtmf import EVENT_OCTETS, Collector, Digit
from voiceconnector.media.g711 import PCMA, PCMU
from voiceconnector.media.lane import Lane
from voiceconnector.media.tones import SILENCE_POWER, ToneDetector, power

SILENT_US = 5_000_000
"""Audio that is silent for so long is worth a word."""
MOST_DRIFT_PPM = 100
"""Two clocks of 50 ppm each, as ITU-T G.703 allows, drift apart no faster."""
DIGIT_OVER_US = 500_000
"""An event without an end has ended when nothing of it comes for so long."""
DIGITS_TOLD = 16
"""Digits told between two sweeps, twice what anybody can dial: the rest is an attack, and only counted."""

_NOTHING: frozenset[int] = frozenset()

Tell = Callable[..., None]
"""Called with an event's name and what follows call and leg in it."""


class Hearing:
    """Listens to what one leg receives."""

    __slots__ = (
        "_asked", "_collector", "_digit_us", "_digits_left", "_drift", "_drift_told", "_lane", "_last_us", "_plain",
        "_quiet_since_us", "_silence_told", "_tell", "_tones", "_wrong_told", "jitter_samples", "jitter_total_us",
    )  # fmt: skip

    def __init__(self, lane: Lane, tell: Tell) -> None:
        self.jitter_total_us = self.jitter_samples = 0
        self._lane = lane
        self._tell = tell
        self._plain = lane.plain
        self._asked = False  # for the next packet: the lane's plain words are here meanwhile
        self._tones: ToneDetector | None = None
        self._collector = Collector()
        self._drift = Drift()
        self._last_us = self._quiet_since_us = self._digit_us = 0
        self._digits_left = DIGITS_TOLD
        self._silence_told = self._drift_told = self._wrong_told = False

    def replan(self) -> None:
        """A new plan, whose plain words the lane has now."""
        self._plain = self._lane.plain
        self._asked = self._tones is not None
        self._drift_told = self._wrong_told = False
        if self._asked:
            self._lane.plain = _NOTHING

    def listen(self, whole: bool) -> None:
        """Hears all packets from now on, for tones, or none but those that it asks for."""
        if whole and not self._tones:
            self._tones = ToneDetector()
            self._plain = self._plain if self._asked else self._lane.plain
            self._lane.plain = _NOTHING
            self._asked = True
        elif not whole and self._tones:
            self._tones = None
            self._lane.plain = self._plain
            self._asked = False

    def hear(self, packet: memoryview, now_us: int) -> None:
        """A good packet that is not plain, or was asked for."""
        payload_type = packet[1] & rtp.PAYLOAD_TYPE
        if payload_type >= rtp.FIRST_DYNAMIC:
            self._hear_event(packet, now_us)
        elif self._asked and payload_type in (PCMU, PCMA):
            self._hear_audio(packet, payload_type, now_us)

    def hear_wrong(self, payload_type: int) -> None:
        """A packet whose payload type was not agreed."""
        if not self._wrong_told:
            self._wrong_told = True
            self._tell("WrongPayloadType", payload_type)

    def sweep(self, now_us: int) -> None:
        """What is looked at about twice a second."""
        lane = self._lane
        self._digits_left = DIGITS_TOLD
        if self._collector.open and now_us - self._digit_us > DIGIT_OVER_US:
            self._tell_digits(self._collector.flush())
        if lane.last_us == self._last_us:
            return
        self._last_us = lane.last_us
        transit_us = lane.transit_us
        if transit_us is None:
            return  # a fax, which has no clock
        self.jitter_total_us += lane.jitter_us
        self.jitter_samples += 1
        self._follow_clock(transit_us)
        if not self._asked:
            self._asked, self._plain, lane.plain = True, lane.plain, _NOTHING

    @property
    def drift_ppm(self) -> int | None:
        """How much faster the remote's audio clock is than ours."""
        return self._drift.ppm

    def _hear_audio(self, packet: memoryview, law: int, now_us: int) -> None:
        if not self._tones:
            self._asked, self._lane.plain = False, self._plain
        bounds = rtp.payload_bounds(packet)
        assert bounds
        codes = bytes(packet[bounds[0] : bounds[1]])
        if self._tones:
            for digit in self._tones.take(codes, law):
                self._tell_within_limits("ToneDigit", digit)
        if not codes or power(codes, law) >= SILENCE_POWER:
            self._end_silence(now_us)
        elif not self._quiet_since_us:
            self._quiet_since_us = now_us
        elif now_us - self._quiet_since_us >= SILENT_US and not self._silence_told:
            self._silence_told = True
            self._tell("SilentAudio", (now_us - self._quiet_since_us) / 1_000_000)

    def _end_silence(self, now_us: int) -> None:
        if self._silence_told:
            self._silence_told = False
            self._tell("AudioHeard", (now_us - self._quiet_since_us) / 1_000_000)
        self._quiet_since_us = 0

    def _hear_event(self, packet: memoryview, now_us: int) -> None:
        """Whatever number it has: what is agreed besides G.711 is telephone-event, and four octets are no audio."""
        bounds = rtp.payload_bounds(packet)
        if bounds is None or bounds[1] - bounds[0] != EVENT_OCTETS:
            return
        _, _, timestamp, _ = rtp.FIXED_HEADER.unpack_from(packet)
        self._digit_us = now_us
        marker = bool(packet[1] & rtp.MARKER)
        self._tell_digits(self._collector.take(marker, timestamp, packet[bounds[0] : bounds[1]]))

    def _tell_digits(self, digits: list[Digit]) -> None:
        for digit in digits:
            self._tell_within_limits("DigitReceived", *digit)

    def _tell_within_limits(self, name: str, *fields: str | int) -> None:
        if self._digits_left:
            self._digits_left -= 1
            self._tell(name, *fields)

    def _follow_clock(self, transit_us: int) -> None:
        self._drift.sample(transit_us, self._last_us)
        ppm = self._drift.ppm
        if ppm is not None and abs(ppm) > MOST_DRIFT_PPM and not self._drift_told:
            self._drift_told = True
            self._tell("ClockDrift", ppm)
