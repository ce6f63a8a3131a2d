"""What a leg is heard to be: silent, out of tune with our clock, dialling. A whole call in virtual time."""

import pytest

from tests.media.line import Line
from tests.media.test_tones import coded, sound
from voiceconnector.media import rtp
from voiceconnector.media.g711 import PCMU, SILENCE
from voiceconnector.media.plan import Digits, Silence, Tone
from voiceconnector.media.quality import TICK_US


@pytest.fixture
def line() -> Line:
    return Line()


def test_silent_audio_is_told_after_five_seconds_and_that_it_is_over(line: Line) -> None:
    line.talk("phone a", Tone(440))
    line.talk("phone b", Silence())
    line.run(4)
    assert not line.told("SilentAudio")
    line.run(3)
    ((_, _, leg, seconds),) = line.told("SilentAudio")
    assert leg == "b"
    assert 5 <= seconds <= 5.6
    line.talk("phone b", Tone(440))
    line.run(2)
    ((_, _, leg, seconds),) = line.told("AudioHeard")
    assert (leg, round(seconds)) == ("b", 7)


def test_a_tone_of_minus_65_dbm0_is_silence_and_one_of_minus_50_is_not(line: Line) -> None:
    line.talk("phone a", Tone(440, -50.0))
    line.talk("phone b", Tone(440, -66.0))
    line.run(10)
    assert [event[2] for event in line.told("SilentAudio")] == ["b"]


def test_one_packet_of_a_sweep_is_looked_at_and_no_more(line: Line) -> None:
    """The others pass by the lane's plain words: what is heard costs no packet anything."""
    line.converse()
    line.run(5)
    looked_at = 0
    lane = line.legs["a"]._lane
    for _ in range(500):
        line.run(0.02)
        looked_at += not lane.plain
    assert looked_at <= 25


def test_digits_are_told_with_their_durations_and_pass_unchanged(line: Line) -> None:
    """RFC 4733: the other leg sends the same events, timestamps, sequence and durations."""
    passed: list[tuple[rtp.RtpPacket, rtp.RtpPacket]] = []
    came: list[bytes] = []

    def coming(data: bytes) -> bytes:
        if data[1] & 0x7F == 101:
            came.append(data)
        return data

    def going(data: bytes) -> bytes:
        if data[1] & 0x7F == 101:
            passed.append((rtp.parse(came.pop(0)), rtp.parse(data)))
        return data

    line.networks["phone a"].mangle, line.networks["b"].mangle = coming, going
    line.talk("phone a", Silence(100), Digits("12#", duration_ms=160, pause_ms=60), Silence(100))
    line.run(3)
    assert [event[2:] for event in line.told("DigitReceived")] == [("a", "1", 160), ("a", "2", 160), ("a", "#", 160)]
    assert len(passed) == 3 * (160 // 20 + 2)
    assert all(before == after for before, after in passed)
    assert not came


def test_a_digit_whose_end_is_lost_is_told_when_nothing_more_comes(line: Line) -> None:
    def endless(data: bytes) -> bytes:
        ends = data[1] & 0x7F == 101 and data[13] & 0x80
        return b"" if ends else data

    line.networks["phone a"].mangle = endless
    line.talk("phone a", Digits("7", duration_ms=200), Silence())
    line.run(2)
    assert [event[2:4] for event in line.told("DigitReceived")] == [("a", "7")]


def test_a_flood_of_digits_is_told_in_part(line: Line) -> None:
    source = line.ports["phone a"].rtp.address
    for number in range(200):
        packet = rtp.build(101, number, number * 1000, 5, b"\5\x8a\3\x20", True)
        line.send(packet, source, line.ports["a"].rtp.address)
    line.run(0.4)
    assert line.stats("a").packets == 200
    assert len(line.told("DigitReceived")) == 16


def test_a_wrong_payload_type_is_told_once(line: Line) -> None:
    source = line.ports["phone a"].rtp.address
    for number in range(3):
        line.send(rtp.build(18, number, 0, 5, b"x" * 20), source, line.ports["a"].rtp.address)
    line.run(1)
    assert line.told("WrongPayloadType") == [("WrongPayloadType", 1, "a", 18)]
    assert line.stats("a").wrong_payload_type == 3


@pytest.mark.parametrize("ppm", [-300, 300])
def test_a_clock_that_drifts_is_told_with_its_sign(line: Line, ppm: int) -> None:
    """The remote's timestamps advance faster than time, or slower; here by its packets' timestamps."""
    began_us = line.now_us

    def drifting(data: bytes) -> bytes:
        word, number, timestamp, ssrc = rtp.FIXED_HEADER.unpack_from(data)
        ahead = round((line.now_us - began_us) * ppm / 1_000_000 / TICK_US)
        return rtp.FIXED_HEADER.pack(word, number, timestamp + ahead & 0xFFFFFFFF, ssrc) + data[12:]

    line.converse()
    line.networks["phone a"].mangle = drifting
    line.networks["phone a"].jitter_us = 4_000
    line.run(180)
    ((_, _, leg, found),) = line.told("ClockDrift")
    assert leg == "a"
    assert found == pytest.approx(ppm, abs=30)
    assert line.stats("b").drift_ppm == 0


@pytest.mark.parametrize("listened", [True, False])
def test_tones_are_found_in_streams_that_are_listened_to(line: Line, listened: bool) -> None:
    """ITU-T Q.24, by packets of 20 ms: a hundred milliseconds of a 5, twice."""
    tone = coded(sound("5", 20))
    line.legs["a"].hearing.listen(listened)
    source = line.ports["phone a"].rtp.address
    for number in range(100):
        payload = tone if number % 50 < 5 else SILENCE[PCMU]
        line.run(0.02)
        line.send(rtp.build(0, number, number * 160, 5, payload), source, line.ports["a"].rtp.address)
    line.run(1)
    assert line.told("ToneDigit") == ([("ToneDigit", 1, "a", "5")] * 2 if listened else [])
    assert line.stats("b").sent_packets == 100


def test_listening_ends_and_begins_with_packets_passing_all_the_while(line: Line) -> None:
    line.converse()
    lane = line.legs["a"]._lane
    for listened in (True, False, True, False):
        line.legs["a"].hearing.listen(listened)
        line.replan("a")
        line.run(3.31)
        assert bool(lane.plain) != listened
    assert line.stats("b").sent_packets >= 13 * 50


def test_a_packet_without_audio_is_not_silence(line: Line) -> None:
    source = line.ports["phone a"].rtp.address
    for number in range(1000):
        line.send(rtp.build(0, number, number * 160, 5, b""), source, line.ports["a"].rtp.address)
        line.run(0.02)
    assert not line.told("SilentAudio")
    assert line.stats("a").packets == 1000
