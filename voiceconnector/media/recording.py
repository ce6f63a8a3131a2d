"""A leg's audio as a WAV file: 8,000 Hz, mono, 16-bit PCM, placed by time: its RTP timestamps (RFC 3550 5.1).

It begins when the file is made, so that both legs of a call have the same time. What is missing is silence; what
comes late is put in its place as long as that has not been written. The file is readable at any moment, should
the program be killed. A long hold is a hole in it, which reads as silence. Leaves out: other codecs, comfort
noise, clock drift.
"""

from struct import Struct

from voiceconnector.media import rtp
from voiceconnector.media.file import File, write_whole
from voiceconnector.media.g711 import EXPAND, FRAME_SAMPLES, SAMPLE_RATE, expand

LONGEST_DRIFT = 2 * SAMPLE_RATE
"""Samples by which timestamps and the time that has passed may differ. One further away is a clock that began anew,
or stood still on hold: there the time counts."""
KEPT_BACK = SAMPLE_RATE // 4
"""Samples not yet written, so that late packets find their place: as deep as jitter buffers get."""
LONGEST_FILLED = LONGEST_DRIFT
"""Samples of silence that are written as such. What is longer is passed over in the file, and takes no memory."""
MOST_BYTES = 1 << 30
"""Of audio in one file: more than 18 hours."""

_SAMPLE = 2
_HEADER = Struct("<4sI4s4sIHHIIHH4sI")


def header(data_size: int) -> bytes:
    """RIFF, "fmt " and the head of "data" for so many bytes of audio."""
    rate = SAMPLE_RATE * _SAMPLE
    sizes = 36 + data_size, b"WAVE", b"fmt ", 16, 1, 1, SAMPLE_RATE, rate, _SAMPLE, 8 * _SAMPLE, b"data", data_size
    return _HEADER.pack(b"RIFF", *sizes)


def _samples(time_us: int) -> int:
    return time_us * SAMPLE_RATE // 1_000_000


class Recording:
    """One WAV file being written. Raises OSError from `flush`; then it is to be closed."""

    def __init__(self, file: File, began_us: int) -> None:
        """Takes the file, an empty one, whose audio begins at that time.

        OSError when it can not be written; it is closed then.
        """
        self._file = file
        self._start = 0  # of what is pending, in bytes of audio from the file's beginning
        self._pending = bytearray()
        self._finished: list[tuple[int, bytearray]] = []  # so much before a long silence, and where it begins
        self._ssrc = self._timestamp = -1  # of the sample at the file's beginning
        self._began_us = began_us
        try:
            write_whole(file, header(0))
        except OSError:
            file.close()
            raise

    def take(self, packet: memoryview, now_us: int) -> None:
        """One RTP packet that has come in; anything but G.711 leaves a gap."""
        payload_type = packet[1] & rtp.PAYLOAD_TYPE
        bounds = rtp.payload_bounds(packet)
        if payload_type not in EXPAND or bounds is None:
            return
        _, _, timestamp, ssrc = rtp.FIXED_HEADER.unpack_from(packet)
        audio = expand(bytes(packet[slice(*bounds)]), payload_type)
        self._place(self._position(timestamp, ssrc, now_us), audio)

    def _position(self, timestamp: int, ssrc: int, now_us: int) -> int:
        """Where the packet belongs, in bytes of audio from the file's beginning."""
        end = (self._start + len(self._pending)) // _SAMPLE
        spoken = _samples(now_us - self._began_us) - FRAME_SAMPLES  # as the clock has it
        if ssrc == self._ssrc:
            at = end + (timestamp - self._timestamp - end + (1 << 31) & 0xFFFFFFFF) - (1 << 31)
            if abs(at - spoken) <= LONGEST_DRIFT:
                return at * _SAMPLE
        at = max(end, spoken)
        self._ssrc, self._timestamp = ssrc, timestamp - at & 0xFFFFFFFF
        return at * _SAMPLE

    def _place(self, position: int, audio: bytes) -> None:
        at = position - self._start
        if at < 0:
            return  # too late
        if at > len(self._pending) + LONGEST_FILLED * _SAMPLE:
            self._finished.append((self._start, self._pending))
            self._start, self._pending, at = position, bytearray(), 0
        pending = self._pending
        if at > len(pending):
            pending += bytes(at - len(pending))
        pending[at : at + len(audio)] = audio

    def flush(self, all_of_it: bool = False) -> None:
        """Writes what is not kept back for late packets, and has the header say so."""
        for start, audio in self._finished:
            self._write(start, audio)
        self._finished.clear()
        size = len(self._pending) - (0 if all_of_it else KEPT_BACK * _SAMPLE)
        if size > 0:
            self._write(self._start, memoryview(self._pending)[:size])
            del self._pending[:size]
            self._start += size
        if self._start >= MOST_BYTES:
            raise OSError("the recording has grown to its limit of 1 GiB")

    def _write(self, start: int, audio: bytearray | memoryview) -> None:
        size = min(len(audio), MOST_BYTES - start)
        if size > 0:
            self._file.seek(_HEADER.size + start)
            write_whole(self._file, memoryview(audio)[:size])
            self._file.seek(0)
            write_whole(self._file, header(start + size))

    def close(self) -> None:
        """Writes the rest and closes the file. OSError when that could not be written; it is closed all the same."""
        try:
            self.flush(all_of_it=True)
        finally:
            self._file.close()
