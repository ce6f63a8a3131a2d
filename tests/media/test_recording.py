"""Recordings: what a leg's audio looks like as a WAV file, read with the standard library's `wave`."""

import io
import tracemalloc
import wave

import pytest

from voiceconnector.media import rtp
from voiceconnector.media.g711 import EXPAND, PCMA, PCMU, expand, tone
from voiceconnector.media.recording import LONGEST_DRIFT, MOST_BYTES, Recording

FRAME_US = 20_000
TONES = {PCMU: tone(440, PCMU), PCMA: tone(440, PCMA)}


class Disk(io.BytesIO):
    """A file that is still there when it has been closed, on a disk of so many bytes."""

    def __init__(self, room: int = 1 << 30) -> None:
        super().__init__()
        self.room = room
        self.content = b""

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]
        room = self.room - self.tell()
        if room <= 0:
            raise OSError(28, "No space left on device")
        return super().write(bytes(data)[:room])

    def close(self) -> None:
        self.content = self.getvalue()
        super().close()


def frame(number: int, payload_type: int = PCMU, ssrc: int = 1, start: int = 0) -> memoryview:
    payload = TONES[payload_type][number % 50]
    return memoryview(rtp.build(payload_type, number, start + number * 160, ssrc, payload))


def audio(file: Disk) -> bytes:
    """The samples, once the file has said that it is what it should be."""
    with wave.open(io.BytesIO(file.content or file.getvalue())) as wav:
        assert (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (1, 2, 8000)
        samples: bytes = wav.readframes(wav.getnframes())
        return samples


def plain(*numbers: int, payload_type: int = PCMU) -> bytes:
    """What the frames of these numbers sound like; -1 for 20 ms of silence."""
    frames = [expand(TONES[payload_type][n % 50], payload_type) if n >= 0 else bytes(320) for n in numbers]
    return b"".join(frames)


def recorded(*packets: tuple[memoryview, int]) -> bytes:
    file = Disk()
    recording = Recording(file, -FRAME_US)
    for packet, frame_time in packets:
        recording.take(packet, frame_time * FRAME_US)
    recording.close()
    return audio(file)


@pytest.mark.parametrize("payload_type", [PCMU, PCMA])
def test_both_laws_are_decoded(payload_type: int) -> None:
    packets = [(frame(n, payload_type), n) for n in range(20)]
    assert recorded(*packets) == plain(*range(20), payload_type=payload_type)


def test_what_was_lost_is_silence() -> None:
    packets = [(frame(n), n) for n in (0, 1, 4, 5)]
    assert recorded(*packets) == plain(0, 1, -1, -1, 4, 5)


def test_late_and_doubled_packets_find_their_place() -> None:
    order = [0, 3, 1, 2, 2, 4, 6, 5]
    assert recorded(*[(frame(n), at) for at, n in enumerate(order)]) == plain(*range(7))


def test_a_packet_too_late_for_the_file_is_left_out() -> None:
    file = Disk()
    recording = Recording(file, -FRAME_US)
    for number in [*range(10), *range(11, 50)]:
        recording.take(frame(number), number * FRAME_US)
    recording.flush()
    recording.take(frame(10), 50 * FRAME_US)
    recording.close()
    assert audio(file) == plain(*range(10), -1, *range(11, 50))


def test_timestamps_wrap() -> None:
    """RFC 3550 5.1: 32 bits, from a random start."""
    start = (1 << 32) - 3 * 160
    assert recorded(*[(frame(n, start=start), n) for n in range(8)]) == plain(*range(8))


def test_events_are_silence_of_their_length() -> None:
    event = memoryview(rtp.build(101, 1, 160, 1, bytes.fromhex("050a00a0")))
    assert recorded((frame(0), 0), (event, 1), (frame(2), 2)) == plain(0, -1, 2)


def test_another_source_goes_on_after_the_time_that_has_passed() -> None:
    packets = [(frame(0), 0), (frame(1), 1), (frame(2, ssrc=9, start=77777), 12), (frame(3, ssrc=9, start=77777), 13)]
    assert recorded(*packets) == plain(0, 1, *[-1] * 10, 2, 3)


def test_a_leap_of_the_timestamp_is_a_clock_that_began_anew() -> None:
    leap = 100 * LONGEST_DRIFT
    packets = [(frame(0), 0), (frame(1, start=leap), 1), (frame(2, start=leap), 2), (frame(3), 3)]
    assert recorded(*packets) == plain(0, 1, 2, 3)


def test_leaping_timestamps_make_no_more_audio_than_time_has_passed() -> None:
    """Each packet leaps by just what a gap may be: memory and disk are not for the remote to fill."""
    file = Disk()
    recording = Recording(file, -FRAME_US)
    for number in range(500):
        recording.take(frame(number, start=number * LONGEST_DRIFT), number * FRAME_US)
    recording.close()
    assert len(audio(file)) <= 2 * (2 * LONGEST_DRIFT + 500 * 160 * 2)


def test_audio_is_where_the_clock_was_when_it_was_spoken() -> None:
    """So that two recordings that began together stay together: after a late start, and after a long hold."""
    held = [(frame(n), n) for n in (100, 101, 6_000, 6_001)]
    assert recorded(*held) == plain(*[-1] * 100, 100, 101, *[-1] * 5_898, 6_000, 6_001)
    stopped = [(frame(0), 0), (frame(1), 1), (frame(2), 500), (frame(3), 501)]
    assert recorded(*stopped) == plain(0, 1, *[-1] * 498, 2, 3), "its timestamps stood still meanwhile"


def test_an_hour_on_hold_takes_no_memory_and_both_legs_stay_together() -> None:
    """57.6 MB of silence would have to be made at once while packets wait."""
    hour = 180_000
    one, other = Disk(), Disk()
    legs = [Recording(file, -FRAME_US) for file in (one, other)]
    for number in range(2):
        for leg in legs:
            leg.take(frame(number), number * FRAME_US)
    tracemalloc.start()
    for number in (hour, hour + 2, hour + 1):
        legs[0].take(frame(number), number * FRAME_US)
    legs[1].take(frame(hour + 1), (hour + 1) * FRAME_US)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000
    for leg in legs:
        leg.close()
    heard, heard_too = audio(one), audio(other)
    start = (hour - 2) * 320
    assert heard[:640] == heard_too[:640] == plain(0, 1)
    assert not any(heard[640 : 640 + start])
    assert heard[640 + start :] == plain(hour, hour + 1, hour + 2)
    assert heard_too[640 + start :] == plain(-1, hour + 1)


def test_a_recording_on_hold_beyond_its_limit_ends_with_what_was_said_before() -> None:
    file = Disk()
    recording = Recording(file, -FRAME_US)
    recording.take(frame(0), 0)
    late = MOST_BYTES // 320 + 1
    recording.take(frame(late), late * FRAME_US)
    with pytest.raises(OSError, match="limit of 1 GiB"):
        recording.flush()
    assert audio(file) == plain(0)


def test_the_file_is_whole_at_any_moment() -> None:
    """The program may be killed."""
    file = Disk()
    recording = Recording(file, -FRAME_US)
    assert audio(file) == b""
    for number in range(100):
        recording.take(frame(number), number * FRAME_US)
        if number % 25 == 24:
            recording.flush()
            heard = audio(file)
            assert heard == plain(*range(100))[: len(heard)]
            assert len(heard) >= 2 * (number - 12) * 160
    recording.close()
    assert audio(file) == plain(*range(100))


def test_a_disk_that_fills_up_is_an_error_and_the_file_stays_readable() -> None:
    file = Disk(room=10_000)
    recording = Recording(file, -FRAME_US)
    for number in range(100):
        recording.take(frame(number), number * FRAME_US)
    with pytest.raises(OSError, match="only 9956 of"):
        recording.flush()
    with pytest.raises(OSError, match="only 9956 of"):
        recording.close()
    assert file.closed


def test_what_is_neither_law_is_passed_over() -> None:
    assert set(EXPAND) == {PCMU, PCMA}
    noise = memoryview(rtp.build(13, 1, 160, 1, b"\x40"))
    assert recorded((noise, 0)) == b""
