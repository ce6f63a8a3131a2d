"""What is in the audio itself: how loud it is, and DTMF tones (ITU-T Q.23, Q.24) where events should be.

G.711 at 8,000 Hz, one frame at a time. Leaves out: all other tones, and frames of less than 20 ms. Frequencies may
be off by 1.5 % with up to 4 dB of twist; at the right ones the high tone may be 8 dB the weaker.
"""

from collections.abc import Sequence
from math import cos, pi

from voiceconnector.media.g711 import EXPAND, FRAME_SAMPLES, PCMA, PCMU, PEAK_0_DBM0, SAMPLE_RATE

LOW_HZ, HIGH_HZ = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
KEYS = ("123A", "456B", "789C", "*0#D")
"""Rows by low frequency, columns by high (ITU-T Q.23)."""
SILENCE_DBM0 = -60.0
"""Audio below this is silence: a line without anybody on it has about as much noise."""
FAINTEST_DBM0 = -36.0
"""Fainter tones are not looked for: Q.24 asks for -25 to -29 dBm a frequency."""
FRAMES = 2
"""So many in a row make a digit, one of them filled by it: the 40 ms of Q.24, wherever a frame begins."""
SHARE = 0.5
"""Of the frame's power that both tones together have at least: pure ones at the edge of their band have that."""
PART = 0.3
"""The same of a frame in which they begin or end."""
TWIST = 10.0
"""Between the powers of the tones, as they are measured: the edge of a band looks weaker than its middle."""
RUNNER_UP = 0.7
"""Of a tone's power: less than this is left for any other of its group."""


def _samples(payload_type: int) -> list[int]:
    """16-bit sample of each code."""
    return [int.from_bytes(bytes(pair), "little", signed=True) for pair in zip(*EXPAND[payload_type])]


_SAMPLES = {law: _samples(law) for law in (PCMU, PCMA)}
_POWERS = {law: [sample**2 for sample in samples] for law, samples in _SAMPLES.items()}
_COEFFICIENTS = {hz: 2 * cos(2 * pi * hz / SAMPLE_RATE) for hz in (*LOW_HZ, *HIGH_HZ)}


def power_of(level_dbm0: float) -> float:
    """Mean square of 16-bit samples at this level."""
    return PEAK_0_DBM0**2 / 2 * 10 ** (level_dbm0 / 10)


SILENCE_POWER = power_of(SILENCE_DBM0)
_FAINTEST_POWER = power_of(FAINTEST_DBM0)


def power(codes: bytes | memoryview, law: int) -> float:
    """Mean square of the samples. `law` is PCMU or PCMA."""
    return sum(map(_POWERS[law].__getitem__, codes)) / max(1, len(codes))


class ToneDetector:
    """Finds DTMF tones in one stream. 70 to 140 microseconds a frame with sound in it, 5 for one without."""

    __slots__ = ("_digit", "_filled", "_frames")

    def __init__(self) -> None:
        self._digit = ""
        self._frames = 0
        self._filled = False

    def take(self, codes: bytes | memoryview, law: int) -> str:
        """The next packet's audio; the digits that are certain with it, each once for as long as it sounds."""
        found = ""
        for at in range(0, len(codes) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
            found += self._frame(codes[at : at + FRAME_SAMPLES], law)
        return found

    def _frame(self, codes: bytes | memoryview, law: int) -> str:
        digit, share = digit_in(codes, law)
        if digit != self._digit:
            self._digit, self._frames, self._filled = digit, 0, False
        certain = self._frames >= FRAMES and self._filled
        self._frames += 1
        self._filled = self._filled or share >= SHARE
        return digit if self._frames >= FRAMES and self._filled and not certain else ""


def digit_in(codes: bytes | memoryview, law: int) -> tuple[str, float]:
    """The digit whose tones this frame of 160 samples has, and their share of its power; "" for none."""
    whole = sum(map(_POWERS[law].__getitem__, codes))
    if whole < _FAINTEST_POWER * len(codes):
        return "", 0.0
    samples = list(map(_SAMPLES[law].__getitem__, codes))
    row, low = _strongest(samples, LOW_HZ, whole)
    if not low:
        return "", 0.0
    column, high = _strongest(samples, HIGH_HZ, whole)
    if low + high < PART or not 1 / TWIST <= high / low <= TWIST:
        return "", 0.0
    return KEYS[row][column], low + high


def _strongest(samples: Sequence[int], group: Sequence[int], whole: int) -> tuple[int, float]:
    """Which tone of a group stands out, and its share of the power; a share of 0 where none does."""
    shares = [_share(samples, _COEFFICIENTS[hz], whole) for hz in group]
    most = max(shares)
    index = shares.index(most)
    others = max(shares[:index] + shares[index + 1 :])
    return index, most if most > PART / (1 + TWIST) and others < most * RUNNER_UP else 0.0


def _share(samples: Sequence[int], coefficient: float, whole: int) -> float:
    """The share of the power that one frequency has (Goertzel's algorithm)."""
    last = before = 0.0
    for sample in samples:
        last, before = sample + coefficient * last - before, last
    found = last * last + before * before - coefficient * last * before
    return 2 * found / (len(samples) * whole)
