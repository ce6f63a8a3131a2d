"""DTMF in the audio, made by arithmetic: what ITU-T Q.23 and Q.24 say of it."""

from array import array
from math import pi, sin
from random import Random

import pytest

from voiceconnector.media.g711 import PCMA, PCMU, PEAK_0_DBM0, SILENCE, compress, tone
from voiceconnector.media.tones import SHARE, SILENCE_POWER, ToneDetector, digit_in, power

FREQUENCIES = {
    digit: (low, high)
    for low, row in zip((697, 770, 852, 941), ("123A", "456B", "789C", "*0#D"))
    for high, digit in zip((1209, 1336, 1477, 1633), row)
}
"""ITU-T Q.23."""


def sound(
    digit: str, milliseconds: int = 20, low_dbm0: float = -10, high_dbm0: float = -10, off: float = 0
) -> list[int]:
    """16-bit samples of a digit's two tones, their frequencies off by a share."""
    samples = []
    for at in range(milliseconds * 8):
        parts = zip(FREQUENCIES[digit], (low_dbm0, high_dbm0), (0.3, 1.1))
        samples.append(
            round(
                sum(
                    PEAK_0_DBM0 * 10 ** (level / 20) * sin(2 * pi * hz * (1 + off) * at / 8000 + phase)
                    for hz, level, phase in parts
                )
            )
        )
    return samples


def coded(samples: list[int], law: int = PCMU) -> bytes:
    return compress(array("h", samples).tobytes(), law)


def filled(codes: bytes, law: int = PCMU) -> str:
    """The digit that a frame is filled with."""
    digit, share = digit_in(codes, law)
    return digit if share >= SHARE else ""


@pytest.mark.parametrize("law", [PCMU, PCMA])
@pytest.mark.parametrize("digit", FREQUENCIES)
def test_each_digit_is_found_with_the_tolerances_of_its_frequencies(digit: str, law: int) -> None:
    """Q.24: frequencies off by up to 1.5 % are taken; so is twist, of either sign."""
    for off in (-0.015, 0, 0.015):
        for twist in (-4, 0, 4):
            assert filled(coded(sound(digit, high_dbm0=-10 + twist, off=off), law), law) == digit


def test_a_tone_lasts_forty_milliseconds_at_least() -> None:
    """Q.24: signals of 40 ms are digits, wherever frames begin; much shorter ones are not."""
    for delay in range(0, 160, 20):
        for milliseconds, found in ((40, "5"), (60, "5"), (15, "")):
            samples = [0] * delay + sound("5", milliseconds) + [0] * 480
            assert ToneDetector().take(coded(samples), PCMU) == found, (delay, milliseconds)


def test_a_digit_counts_once_however_long_it_sounds_and_again_after_a_pause() -> None:
    """Q.24: a pause of 40 ms ends a digit."""
    samples = sound("1", 500) + [0] * 320 + sound("1", 100) + [0] * 320 + sound("#", 100)
    assert ToneDetector().take(coded(samples), PCMU) == "11#"


@pytest.mark.parametrize("level", [-3, -15, -25])
def test_faint_and_loud_tones_are_found(level: float) -> None:
    """Q.24 table A-1: from -3 to -24 dBm a frequency (AT&T, NTT) and fainter."""
    assert filled(coded(sound("9", low_dbm0=level - 3, high_dbm0=level - 3)), PCMU) == "9"


def test_other_sounds_are_no_digits() -> None:
    chance = Random(1)
    others = [*tone(440, PCMU)[:2], *tone(1000, PCMU)[:2], *tone(1336, PCMU)[:2], *tone(770, PCMU)[:2], SILENCE[PCMU]]
    others += [coded([round(chance.gauss(0, 3000)) for _ in range(160)]) for _ in range(200)]
    assert [filled(frame) for frame in others] == [""] * len(others)


def test_voices_are_no_digits() -> None:
    """Sounds with the harmonics and formants of vowels, at random: the talk-off test of Q.24 in small."""
    chance = Random(2)
    for _ in range(100):
        pitch = chance.uniform(80, 300)
        formants = (chance.uniform(300, 900), chance.uniform(900, 2500))
        parts = []
        for harmonic in range(1, 12):
            near = sum(1 / (1 + ((pitch * harmonic - formant) / 80) ** 2) for formant in formants)
            parts.append((pitch * harmonic, (1 + 8 * near) / harmonic, chance.uniform(0, 2 * pi)))
        whole = sum(amplitude for _, amplitude, _ in parts)
        samples = [
            round(6000 * sum(a * sin(2 * pi * hz * at / 8000 + phase) for hz, a, phase in parts) / whole)
            for at in range(4 * 160)
        ]
        assert ToneDetector().take(coded(samples), PCMU) == ""


@pytest.mark.parametrize("law", [PCMU, PCMA])
def test_silence_is_below_minus_sixty_dbm0(law: int) -> None:
    assert power(SILENCE[law], law) < SILENCE_POWER
    assert power(tone(1004, law, -66.0)[0], law) < SILENCE_POWER
    assert power(tone(1004, law, -54.0)[0], law) > SILENCE_POWER
    assert power(tone(1004, law, 0.0)[0], law) == pytest.approx(PEAK_0_DBM0**2 / 2, rel=0.03)
