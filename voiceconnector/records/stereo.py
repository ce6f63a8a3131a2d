"""The recordings of a call's sides as one WAV file: one side left, the other right.

Each is a WAV file of 16-bit PCM, 8,000 Hz, one channel, whose samples are the last chunk; those of both sides
began at the same time. What is still being written has sizes in its header that are out of date: what is there counts.
"""

import os
from array import array
from collections.abc import Iterator, Sequence
from struct import pack, unpack
from typing import BinaryIO

SAMPLE_RATE = 8_000
SAMPLES = 65_536
"""Of each side, handed on at a time."""
_LONGEST = 0xFFFF_FFFF - 39
"""Bytes of samples that a RIFF header can name: 37 hours."""


Side = BinaryIO | None


def wav_file(parts: Sequence[tuple[Side, Side]]) -> Iterator[bytes]:
    """The file in pieces: left and right of each part, one part after the other.

    A side that is not there, or ends earlier, is silent. Raises ValueError for what is no WAV file.
    """
    lengths = [max(_find_samples(side) if side else 0 for side in part) for part in parts]
    size = min(4 * sum(lengths), _LONGEST)
    yield pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", 36 + size, b"WAVE",
        b"fmt ", 16, 1, 2, SAMPLE_RATE, SAMPLE_RATE * 4, 4, 16,
        b"data", size,
    )  # fmt: skip
    left_over = size // 4
    for part, length in zip(parts, lengths, strict=True):
        yield from _interleaved(part, min(length, left_over))
        left_over -= min(length, left_over)


def _interleaved(part: tuple[Side, Side], length: int) -> Iterator[bytes]:
    left, right = part
    while length:
        samples = min(SAMPLES, length)
        both = array("h", bytes(4 * samples))
        both[0::2], both[1::2] = _read(left, samples), _read(right, samples)
        yield both.tobytes()
        length -= samples


def _find_samples(file: BinaryIO) -> int:
    """Goes to where the samples begin; how many there are."""
    if file.read(12)[::8] != b"RW":
        raise ValueError("not a WAV file")
    while len(head := file.read(8)) == 8:
        name, size = unpack("<4sI", head)
        if name == b"data":
            start = file.tell()
            end = file.seek(0, os.SEEK_END)
            file.seek(start)
            return (end - start) // 2
        file.seek(size + size % 2, os.SEEK_CUR)
    return 0


def _read(file: Side, samples: int) -> "array[int]":
    """So many samples, silence where there are no more."""
    read = file.read(2 * samples) if file else b""
    return array("h", read[: len(read) // 2 * 2].ljust(2 * samples, b"\0"))
