"""G.711: mu-law and A-law, tones and WAV files as 20 ms frames (ITU-T G.711, RFC 3551 4.5.14).

Linear samples are 16-bit signed little-endian at 8,000 Hz. Compression follows the decision values of G.711
tables 1a and 2a, with negative samples as the mirror image in one's complement, as ITU-T G.191 does it.
"""

import sys
from array import array
from functools import lru_cache
from math import pi, sin
from struct import Struct

SAMPLE_RATE = 8000
FRAME_SAMPLES = 160
"""Samples, and G.711 bytes, in 20 ms."""
PCMU = 0
PCMA = 8
"""Static payload types (RFC 3551 table 4)."""

PEAK_0_DBM0 = 22827
"""Peak of a sine of 0 dBm0 in 16-bit samples: overload is at 3.14 dBm0 (G.711 table 6)."""

_RIFF_CHUNK = Struct("<4sI")
_WAV_FORMAT = Struct("<HHIIHH")
_WAV_PCM, _WAV_ALAW, _WAV_MULAW, _WAV_EXTENSIBLE = 1, 6, 7, 0xFFFE


def _mulaw_floor(code: int) -> int:
    """Least non-negative 16-bit sample with this 7-bit magnitude (G.711 table 2a: x_n, times 4)."""
    segment, step = code >> 4, code & 15
    return max(0, ((16 + step) << segment + 1) - 33) * 4


def _mulaw_level(code: int) -> int:
    """The 16-bit sample this 7-bit magnitude stands for (G.711 table 2a: y_n, times 4)."""
    segment, step = code >> 4, code & 15
    return (((2 * step + 33) << segment) - 33) * 4


def _alaw_floor(code: int) -> int:
    """As `_mulaw_floor`, for A-law (G.711 table 1a: x_n, times 8)."""
    segment, step = code >> 4, code & 15
    return step << 4 if segment == 0 else (16 + step) << segment + 3


def _alaw_level(code: int) -> int:
    """As `_mulaw_level`, for A-law (G.711 table 1a: y_n, times 8)."""
    segment, step = code >> 4, code & 15
    return (step << 4) + 8 if segment == 0 else ((step << 4) + 0x108) << segment - 1


def _compressor(floors: list[int], positive_mask: int) -> bytes:
    """Table from a 16-bit sample, read as unsigned, to its code; the mask has its sign and inverted bits."""
    ends = [*floors[1:], 0x8000]
    runs = [(code, end - floor) for code, (floor, end) in enumerate(zip(floors, ends))]
    positive = b"".join(bytes([code ^ positive_mask]) * run for code, run in runs)
    negative = b"".join(bytes([code ^ positive_mask ^ 0x80]) * run for code, run in reversed(runs))
    return positive + negative


def _expander(levels: list[int], positive_mask: int) -> tuple[bytes, bytes]:
    """Tables from a code to the low and to the high byte of its sample, for `bytes.translate`."""
    samples = [0] * 256
    for code, level in enumerate(levels):
        samples[code ^ positive_mask] = level
        samples[code ^ positive_mask ^ 0x80] = -level
    return bytes(s & 0xFF for s in samples), bytes(s >> 8 & 0xFF for s in samples)


# Payload type -> table. Mu-law sends all bits inverted, A-law the even ones; a set sign bit means positive.
COMPRESS = {
    PCMU: _compressor([_mulaw_floor(code) for code in range(128)], 0xFF),
    PCMA: _compressor([_alaw_floor(code) for code in range(128)], 0xD5),
}
EXPAND = {
    PCMU: _expander([_mulaw_level(code) for code in range(128)], 0xFF),
    PCMA: _expander([_alaw_level(code) for code in range(128)], 0xD5),
}
SILENCE = {PCMU: b"\xff" * FRAME_SAMPLES, PCMA: b"\xd5" * FRAME_SAMPLES}
"""Payload type -> 20 ms of positive zero."""


def compress(samples: bytes, payload_type: int) -> bytes:
    """Linear samples as G.711 of this payload type (PCMU or PCMA)."""
    words = array("H", samples)
    if sys.byteorder == "big":
        words.byteswap()
    return bytes(map(COMPRESS[payload_type].__getitem__, words))


def expand(codes: bytes, payload_type: int) -> bytes:
    """G.711 of this payload type (PCMU or PCMA) as linear samples."""
    low, high = EXPAND[payload_type]
    samples = bytearray(2 * len(codes))
    samples[0::2] = codes.translate(low)
    samples[1::2] = codes.translate(high)
    return bytes(samples)


@lru_cache(maxsize=32)
def tone(frequency_hz: int, payload_type: int, level_dbm0: float = -10.0) -> tuple[bytes, ...]:
    """One second of a sine as fifty frames that join seamlessly when repeated."""
    peak = PEAK_0_DBM0 * 10 ** (level_dbm0 / 20)
    # Half a sample of phase keeps the samples off zero; at 1 kHz, 0 dBm0 it is G.711's own test sequence.
    step = 2 * pi * frequency_hz / SAMPLE_RATE
    wave = array("h", (round(peak * sin((n + 0.5) * step)) for n in range(SAMPLE_RATE)))
    if sys.byteorder == "big":
        wave.byteswap()
    codes = compress(wave.tobytes(), payload_type)
    return tuple(codes[at : at + FRAME_SAMPLES] for at in range(0, SAMPLE_RATE, FRAME_SAMPLES))


class Clip:
    """The audio of a WAV file, compressed frame by frame as it is first played."""

    def __init__(self, wav: bytes) -> None:
        """`wav` is a RIFF/WAVE file: 8,000 Hz, mono, 16-bit PCM or G.711. ValueError says what else it is."""
        self._format, self._data = _read_wav(wav)
        self._frame_size = FRAME_SAMPLES * (2 if self._format == _WAV_PCM else 1)
        self.frame_count = -(-len(self._data) // self._frame_size)
        self._frames: dict[tuple[int, int], bytes] = {}

    def frame(self, number: int, payload_type: int) -> bytes:
        """The number-th 20 ms as G.711 of this payload type; the last is filled up with silence."""
        frame = self._frames.get((number, payload_type))
        if frame is None:
            frame = self._compressed(number, payload_type)
            frame += SILENCE[payload_type][len(frame) :]
            self._frames[number, payload_type] = frame
        return frame

    def _compressed(self, number: int, payload_type: int) -> bytes:
        data = self._data[number * self._frame_size : (number + 1) * self._frame_size]
        if self._format == _WAV_PCM:
            return compress(data, payload_type)
        law = PCMU if self._format == _WAV_MULAW else PCMA
        return data if law == payload_type else compress(expand(data, law), payload_type)


def _read_wav(wav: bytes) -> tuple[int, bytes]:
    """Format tag and audio bytes of a WAV file the relay can play; ValueError otherwise."""
    if wav[:4] != b"RIFF" or wav[8:12] != b"WAVE":
        raise ValueError("not a WAV file")
    tag, at = 0, 12
    while at + _RIFF_CHUNK.size <= len(wav):
        name, size = _RIFF_CHUNK.unpack_from(wav, at)
        at += _RIFF_CHUNK.size
        if name == b"fmt ":
            tag = _wav_format(wav[at : at + size])
        elif name == b"data":
            if not tag:
                raise ValueError("WAV file with its data before its format")
            data = wav[at : at + size]
            return tag, data[: len(data) & ~1] if tag == _WAV_PCM else data
        at += size + (size & 1)
    raise ValueError("WAV file without audio data")


def _wav_format(chunk: bytes) -> int:
    """The format tag of a "fmt " chunk, once it is known to be one that can be played."""
    if len(chunk) < _WAV_FORMAT.size:
        raise ValueError("WAV file with a truncated format")
    tag: int
    tag, channels, rate, _, _, bits = _WAV_FORMAT.unpack_from(chunk)
    if tag == _WAV_EXTENSIBLE and len(chunk) >= 26:
        tag = int.from_bytes(chunk[24:26], "little")
    if (tag, bits) not in {(_WAV_PCM, 16), (_WAV_ALAW, 8), (_WAV_MULAW, 8)} or channels != 1 or rate != SAMPLE_RATE:
        raise ValueError(
            f"WAV file of {rate} Hz, {channels} channel(s), {bits} bits, format {tag};"
            " wanted: 8000 Hz, 1 channel, 16-bit PCM or G.711"
        )
    return tag
