"""Two recordings made one, read again by the standard library's WAV reader."""

import io
import struct
import wave
from array import array

import pytest

from voiceconnector.records.stereo import SAMPLES, wav_file


def mono(*samples: int, told: int | None = None, extra: bytes = b"") -> io.BytesIO:
    """A recording; its header may tell of another number of bytes, as while it is being written."""
    data = array("h", samples).tobytes()
    size = len(data) if told is None else told
    chunks = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16) + extra + b"data" + struct.pack("<I", size)
    return io.BytesIO(b"RIFF" + struct.pack("<I", 4 + len(chunks) + size) + b"WAVE" + chunks + data)


Side = io.BytesIO | None


def heard(*sides: Side) -> list[tuple[int, int]]:
    parts = list(zip(sides[0::2], sides[1::2], strict=True))
    with wave.open(io.BytesIO(b"".join(wav_file(parts)))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)
        frames = file.readframes(file.getnframes())
    return list(struct.iter_unpack("<hh", frames))


def test_one_side_is_left_and_the_other_right() -> None:
    assert heard(mono(1, 2, 3), mono(-1, -2, -3)) == [(1, -1), (2, -2), (3, -3)]


def test_a_side_that_ends_earlier_or_is_not_there_is_silent() -> None:
    assert heard(mono(1), mono(7, 8)) == [(1, 7), (0, 8)]
    assert heard(None, mono(7, 8)) == [(0, 7), (0, 8)]
    assert heard(mono(), None) == []


def test_each_part_begins_at_the_same_time_on_both_sides() -> None:
    assert heard(mono(1), mono(7, 8), mono(2, 3), mono(9)) == [(1, 7), (0, 8), (2, 9), (3, 0)]


def test_of_a_recording_that_goes_on_all_that_is_there_is_heard() -> None:
    assert heard(mono(1, 2, 3, told=0), mono(4, 5, 6, told=2)) == [(1, 4), (2, 5), (3, 6)]


def test_other_chunks_before_the_samples_are_passed_over() -> None:
    assert heard(mono(1, extra=b"LIST" + struct.pack("<I", 3) + b"abc\0"), None) == [(1, 0)]


def test_a_long_recording_comes_in_pieces() -> None:
    count = SAMPLES * 2 + 10
    pieces = list(wav_file([(mono(*([5] * count)), mono(*([6] * count)))]))
    assert [len(piece) for piece in pieces] == [44, SAMPLES * 4, SAMPLES * 4, 40]


@pytest.mark.parametrize("data", [b"", b"RIFF", b"VCRTP 1\n" + bytes(50)])
def test_what_is_no_wav_file_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a WAV file"):
        list(wav_file([(io.BytesIO(data), None)]))
