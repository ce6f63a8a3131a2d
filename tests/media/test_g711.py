"""G.711 against the published tables, the ITU's test sequence and sox."""

import shutil
import struct
import subprocess

import pytest

from voiceconnector.media import g711
from voiceconnector.media.g711 import PCMA, PCMU, Clip

# ITU-T G.711 table 2a/2b: character signal -> y_n, times 4 for 16 bits. Spot values from all segments.
MULAW_LEVELS = {0xFF: 0, 0xFE: 2, 0xF0: 30, 0xEF: 33, 0xE0: 93, 0xDF: 99, 0xCF: 231, 0xBF: 495, 0xAF: 1023,
                0x9F: 2079, 0x8F: 4191, 0x81: 7775, 0x80: 8031, 0x7E: -2, 0x0F: -4191, 0: -8031}  # fmt: skip
# ITU-T G.711 table 1a/1b: character signal -> y_n, times 8 for 16 bits (even bits inverted on the line).
ALAW_LEVELS = {0xD5: 1, 0xD4: 3, 0xDA: 31, 0xC5: 33, 0xF5: 66, 0xE5: 132, 0x95: 264, 0x85: 528, 0xB5: 1056,
               0xA5: 2112, 0xAA: 4032, 0x55: -1, 0x54: -3, 0x25: -2112, 0x2A: -4032}  # fmt: skip
EVERY_SAMPLE = struct.pack("<65536h", *range(-32768, 32768))
SOX_NAMES = {PCMU: "ul", PCMA: "al"}


def samples(linear: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(linear) // 2}h", linear)


@pytest.mark.parametrize(("payload_type", "levels", "scale"), [(PCMU, MULAW_LEVELS, 4), (PCMA, ALAW_LEVELS, 8)])
def test_codes_stand_for_the_levels_of_the_table(payload_type: int, levels: dict[int, int], scale: int) -> None:
    """ITU-T G.711 tables 1 and 2."""
    assert samples(g711.expand(bytes(levels), payload_type)) == tuple(level * scale for level in levels.values())


@pytest.mark.parametrize(("payload_type", "levels", "scale"), [(PCMU, MULAW_LEVELS, 4), (PCMA, ALAW_LEVELS, 8)])
def test_levels_of_the_table_are_compressed_to_their_codes(
    payload_type: int, levels: dict[int, int], scale: int
) -> None:
    """ITU-T G.711 tables 1 and 2."""
    linear = struct.pack(f"<{len(levels)}h", *(level * scale for level in levels.values()))
    assert g711.compress(linear, payload_type) == bytes(levels)


@pytest.mark.parametrize("payload_type", [PCMU, PCMA])
def test_a_code_survives_being_expanded_and_compressed(payload_type: int) -> None:
    """ITU-T G.711: a level lies inside its own interval. Mu-law's negative zero becomes positive."""
    codes = bytes(code for code in range(256) if (payload_type, code) != (PCMU, 0x7F))
    assert g711.compress(g711.expand(codes, payload_type), payload_type) == codes


@pytest.mark.parametrize(
    ("payload_type", "sequence"),
    [(PCMU, "1e 0b 0b 1e 9e 8b 8b 9e"), (PCMA, "34 21 21 34 b4 a1 a1 b4")],
)
def test_a_tone_of_1_khz_at_0_dbm0_is_the_digital_milliwatt(payload_type: int, sequence: str) -> None:
    """ITU-T G.711 tables 5 and 6: this sequence of character signals, over and over, is 1 kHz at 0 dBm0."""
    stream = b"".join(g711.tone(1000, payload_type, level_dbm0=0.0))
    assert len(stream) == 8000
    assert stream[4:-4] == bytes.fromhex(sequence) * 999


def test_a_tone_repeats_without_a_step() -> None:
    """A second holds a whole number of periods, so the sample after the last is the first."""
    linear = samples(g711.expand(b"".join(g711.tone(440, PCMU) * 2), PCMU))
    assert linear[:8000] == linear[8000:]
    assert max(linear) == pytest.approx(g711.PEAK_0_DBM0 * 10 ** (-10 / 20), rel=0.05)


@pytest.mark.interop
@pytest.mark.skipif(shutil.which("sox") is None, reason="sox is not installed (Debian: sox)")
@pytest.mark.parametrize("payload_type", [PCMU, PCMA])
def test_sox_expands_every_code_alike(payload_type: int) -> None:
    codes = bytes(range(256))
    assert g711.expand(codes, payload_type) == sox(codes, SOX_NAMES[payload_type], "s16")


@pytest.mark.interop
@pytest.mark.skipif(shutil.which("sox") is None, reason="sox is not installed (Debian: sox)")
@pytest.mark.parametrize("payload_type", [PCMU, PCMA])
def test_sox_compresses_every_sample_alike_but_for_ties(payload_type: int) -> None:
    """sox rounds to 14 or 13 bits first: so near to a decision value it may go the other way."""
    ours = g711.compress(EVERY_SAMPLE, payload_type)
    theirs = sox(EVERY_SAMPLE, "s16", SOX_NAMES[payload_type])
    for at, (our, their) in enumerate(zip(ours, theirs)):
        assert our == their or their in ours[max(0, at - 4) : at + 5], at - 32768


def sox(audio: bytes, source: str, target: str) -> bytes:
    """Audio converted by sox between headerless formats, without dither."""
    formats = {"s16": ["-t", "raw", "-e", "signed", "-b", "16"], "ul": ["-t", "ul"], "al": ["-t", "al"]}
    options = ["-r", "8000", "-c", "1"]
    command = ["sox", "-D", *formats[source], *options, "-", *formats[target], *options, "-"]
    return subprocess.run(command, input=audio, capture_output=True, check=True, timeout=20).stdout


def wav(tag: int, bits: int, data: bytes, rate: int = 8000, channels: int = 1, extra: bytes = b"") -> bytes:
    """A RIFF/WAVE file with an odd-sized chunk before its data."""
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits) + extra
    chunks = b"".join(
        name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)
        for name, body in ((b"fmt ", form), (b"LIST", b"abc"), (b"data", data))
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


@pytest.mark.parametrize("payload_type", [PCMU, PCMA])
@pytest.mark.parametrize(
    ("tag", "bits", "data"),
    [
        (1, 16, g711.expand(bytes(range(240)), PCMU)),
        (7, 8, bytes(range(240))),
        (6, 8, g711.compress(g711.expand(bytes(range(240)), PCMU), PCMA)),
    ],
    ids=["PCM", "mu-law", "A-law"],
)
def test_a_wav_file_is_cut_into_frames_with_silence_after_its_end(
    tag: int, bits: int, data: bytes, payload_type: int
) -> None:
    clip = Clip(wav(tag, bits, data))
    assert clip.frame_count == 2
    frames = clip.frame(0, payload_type) + clip.frame(1, payload_type)
    assert frames[240:] == g711.SILENCE[payload_type][:80]
    if (tag, payload_type) == (7, PCMU):
        assert frames[:240] == data


def test_an_extensible_wav_file_is_read_by_its_sub_format() -> None:
    """WAVE_FORMAT_EXTENSIBLE: the format tag is the first two bytes of the sub-format."""
    extra = struct.pack("<HHI", 22, 16, 4) + struct.pack("<H", 1) + bytes.fromhex("000000001000800000aa00389b71")
    assert Clip(wav(0xFFFE, 16, b"\0\0" * 160, extra=extra)).frame(0, PCMA) == g711.SILENCE[PCMA]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "not a WAV file"),
        (b"RIFF\0\0\0\0AVI LIST", "not a WAV file"),
        (wav(1, 16, b"\0\0", rate=44100), "44100 Hz, 1 channel"),
        (wav(1, 16, b"\0\0", channels=2), "2 channel"),
        (wav(1, 8, b"\0"), "8 bits"),
        (wav(1, 16, b"")[:36], "without audio data"),
        (b"RIFF\0\0\0\0WAVEfmt \x04\0\0\0\1\0\1\0", "truncated format"),
        (b"RIFF\0\0\0\0WAVEdata\x02\0\0\0\0\0", "before its format"),
    ],
)
def test_a_file_that_can_not_be_played_says_why(content: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Clip(content)
