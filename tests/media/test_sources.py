"""What streams send of their own, packet by packet."""

import struct

import pytest

from voiceconnector.media import g711, rtp
from voiceconnector.media.g711 import PCMA, PCMU, Clip
from voiceconnector.media.plan import Digits, Play, Silence, Source, Tone
from voiceconnector.media.rtp import RtpPacket
from voiceconnector.media.sources import Player

SSRC, SEQUENCE_NUMBER, TIMESTAMP = 0xCAFE, 0xFFFE, 0xFFFFFF00


def load(path: str) -> Clip:
    """Two files: 45 ms of a rising ramp, and none."""
    if path != "ramp.wav":
        raise FileNotFoundError(2, "No such file or directory", path)
    data = bytes(range(180, 240)) * 6
    header = struct.pack("<HHIIHH", 7, 1, 8000, 8000, 1, 8)
    return Clip(b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + header + b"data" + struct.pack("<I", len(data)) + data)


def player(*sources: Source, audio: int = PCMU, event: int | None = 101) -> Player:
    made = Player(load, SSRC, SEQUENCE_NUMBER, TIMESTAMP)
    made.play(sources, audio, event)
    return made


def ticks(made: Player, count: int) -> list[RtpPacket | None]:
    packets = [made.tick() for _ in range(count)]
    return [rtp.parse(packet) if packet else None for packet in packets]


def test_packets_of_one_stream_count_on_and_wrap() -> None:
    """RFC 3550 5.1: one SSRC, sequence number plus one, timestamp plus 160; RFC 3551 4.1: marker first."""
    packets = ticks(player(Silence()), 4)
    assert packets == [
        RtpPacket(0, True, 0xFFFE, 0xFFFFFF00, SSRC, b"\xff" * 160),
        RtpPacket(0, False, 0xFFFF, 0xFFFFFFA0, SSRC, b"\xff" * 160),
        RtpPacket(0, False, 0x0000, 0x00000040, SSRC, b"\xff" * 160),
        RtpPacket(0, False, 0x0001, 0x000000E0, SSRC, b"\xff" * 160),
    ]


@pytest.mark.parametrize("audio", [PCMU, PCMA])
def test_a_tone_goes_on_for_ever_in_the_law_that_was_negotiated(audio: int) -> None:
    made = player(Tone(440), audio=audio)
    packets = [packet for packet in ticks(made, 120) if packet]
    assert {packet.payload_type for packet in packets} == {audio}
    assert b"".join(packet.payload for packet in packets[:50]) == b"".join(g711.tone(440, audio))
    assert packets[100:] == [packet._replace(sequence_number=packet.sequence_number + 50,
                             timestamp=packet.timestamp + 8000) for packet in packets[50:70]]  # fmt: skip
    assert not made.done
    assert made.take_finished() == []


def test_a_file_is_played_once_to_its_end_and_that_is_told() -> None:
    made = player(Play("ramp.wav"))
    packets = ticks(made, 4)
    assert [packet.payload if packet else None for packet in packets] == [
        (bytes(range(180, 240)) * 3)[:160],
        (bytes(range(180, 240)) * 6)[160:320],
        (bytes(range(180, 240)) * 6)[320:] + b"\xff" * 120,
        None,
    ]
    assert made.done
    assert made.take_finished() == [(Play("ramp.wav"), "")]
    assert made.take_finished() == []


def test_a_looped_file_begins_again() -> None:
    packets = ticks(player(Play("ramp.wav", loop=True)), 8)
    assert [packet.payload for packet in packets[:3] if packet] == [packet.payload for packet in packets[3:6] if packet]


def test_digits_are_events_with_the_timestamp_of_their_beginning_and_pauses_between() -> None:
    """RFC 4733 2.5.1.2: the timestamp does not move during an event, and has moved on at the next."""
    made = player(Digits("1#", duration_ms=40, pause_ms=40))
    packets = ticks(made, 13)
    assert [(p.timestamp, p.marker, p.payload.hex()) if p else None for p in packets] == [
        (0xFFFFFF00, True, "010a00a0"),
        (0xFFFFFF00, False, "018a0140"),
        (0xFFFFFF00, False, "018a0140"),
        (0xFFFFFF00, False, "018a0140"),
        None,
        None,
        (0x000002C0, True, "0b0a00a0"),
        (0x000002C0, False, "0b8a0140"),
        (0x000002C0, False, "0b8a0140"),
        (0x000002C0, False, "0b8a0140"),
        None,
        None,
        None,
    ]
    assert [p.sequence_number for p in packets if p] == [0xFFFE, 0xFFFF, 0, 1, 2, 3, 4, 5]
    assert {p.payload_type for p in packets if p} == {101}
    assert made.take_finished() == [(Digits("1#", duration_ms=40, pause_ms=40), "")]


def test_sources_follow_each_other_without_a_gap() -> None:
    """RFC 3550 5.1: one clock; the marker tells of an event's beginning, or of audio after silence."""
    made = player(Silence(40), Digits("5", duration_ms=20, pause_ms=0), Silence(20), Silence(0))
    packets = [packet for packet in ticks(made, 8) if packet]
    assert [packet.payload_type for packet in packets] == [0, 0, 101, 101, 101, 0]
    assert [packet.marker for packet in packets] == [True, False, True, False, False, False]
    assert packets[-1].timestamp == (TIMESTAMP + 5 * 160) & 0xFFFFFFFF
    assert [type(source) for source, _ in made.take_finished()] == [Silence, Digits, Silence, Silence]


@pytest.mark.parametrize(
    ("source", "event", "problem"),
    [
        (Play("missing.wav"), 101, "No such file"),
        (Digits("12"), None, "telephone-event"),
        (Digits("1x"), 101, "'x' is not a DTMF digit"),
    ],
)
def test_a_source_that_can_not_be_played_is_told_and_the_next_one_follows(
    source: Source, event: int | None, problem: str
) -> None:
    made = player(source, Silence(20), event=event)
    packets = [packet for packet in ticks(made, 20) if packet]
    assert packets[-1].payload == b"\xff" * 160
    assert problem in made.take_finished()[0][1]


def test_what_is_played_next_goes_on_in_the_same_stream_after_the_time_that_passed() -> None:
    """RFC 3550 5.1: the timestamp counts on when nothing is sent."""
    made = player(Silence(20))
    ticks(made, 2)
    made.play((Silence(20),), PCMA, None, idle_samples=800)
    assert ticks(made, 1) == [RtpPacket(8, True, 0xFFFF, (TIMESTAMP + 2 * 160 + 800) & 0xFFFFFFFF, SSRC, b"\xd5" * 160)]
