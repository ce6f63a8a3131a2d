"""DTMF events, against the layout and the rules of RFC 4733."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.media.dtmf import DIGITS, END, PAYLOAD, Collector, Digit, event_packets


def test_a_digit_of_100_ms_is_five_packets_that_grow_and_two_more_that_end_it() -> None:
    """RFC 4733 2.3, 2.5.1: event, E bit, volume, duration; marker on the first; the end three times."""
    assert [(packet.marker, packet.age, packet.payload.hex(" ")) for packet in event_packets("5", 100)] == [
        (True, 0, "05 0a 00 a0"),
        (False, 160, "05 0a 01 40"),
        (False, 320, "05 0a 01 e0"),
        (False, 480, "05 0a 02 80"),
        (False, 640, "05 8a 03 20"),
        (False, 800, "05 8a 03 20"),
        (False, 960, "05 8a 03 20"),
    ]


def test_volume_is_the_power_below_0_dbm0_and_duration_counts_timestamp_units() -> None:
    """RFC 4733 2.3.4 and 2.3.5: 220 ms at 8,000 Hz are 1,760 units, in network byte order."""
    assert [*event_packets("9", 220, volume_dbm0=-7)][-1].payload == bytes([9, 0x80 | 7, 1760 >> 8, 1760 & 0xFF])


def test_a_digit_shorter_than_a_packet_begins_and_ends_at_once() -> None:
    """RFC 4733 2.5.1.4: the final packet three times; only the first has the marker."""
    assert [(packet.marker, packet.payload.hex(" ")) for packet in event_packets("0", 10)] == [
        (True, "00 8a 00 50"),
        (False, "00 8a 00 50"),
        (False, "00 8a 00 50"),
    ]


@pytest.mark.parametrize(
    ("digit", "code"), [("0", 0), ("9", 9), ("*", 10), ("#", 11), ("A", 12), ("b", 13), ("C", 14), ("D", 15)]
)
def test_digits_have_the_event_codes_of_the_table(digit: str, code: int) -> None:
    """RFC 4733 table 3."""
    assert next(event_packets(digit, 50)).payload[0] == code


@pytest.mark.parametrize(("digit", "duration_ms"), [("x", 100), ("", 100), ("12", 100), ("1", 0), ("1", 8001)])
def test_what_can_not_be_sent_is_refused(digit: str, duration_ms: int) -> None:
    """RFC 4733 table 3, and 2.3.5: a duration of 16 bits."""
    with pytest.raises(ValueError, match="digit"):
        event_packets(digit, duration_ms)


def sent(digit: str, duration_ms: int, at: int = 0) -> list[tuple[bool, int, bytes]]:
    """Marker, timestamp and payload of each packet of a digit."""
    return [(packet.marker, at, packet.payload) for packet in event_packets(digit, duration_ms)]


def collected(packets: list[tuple[bool, int, bytes]]) -> list[Digit]:
    collector = Collector()
    return [digit for packet in packets for digit in collector.take(*packet)] + collector.flush()


def test_digits_are_collected_with_their_durations() -> None:
    packets = [packet for number, digit in enumerate(DIGITS) for packet in sent(digit, 60 + number, number * 4000)]
    assert collected(packets) == [Digit(digit, 60 + number) for number, digit in enumerate(DIGITS)]


def test_a_digit_counts_when_its_first_end_comes_and_once() -> None:
    """RFC 4733 2.5.1.4: the last packet is sent three times."""
    collector = Collector()
    told = [collector.take(*packet) for packet in sent("7", 100)]
    assert told == [[]] * 4 + [[Digit("7", 100)], [], []]


@pytest.mark.parametrize("lost", [{4, 5, 6}, {0}, {0, 1, 2}, {5, 6}, {0, 1, 2, 3, 4, 5}])
def test_lost_packets_of_a_digit_do_not_lose_it(lost: set[int]) -> None:
    """RFC 4733 2.5.1.2: every packet says which event it is, since when and for how long."""
    packets = [packet for number, packet in enumerate(sent("7", 100)) if number not in lost]
    (digit,) = collected(packets)
    assert digit == Digit("7", 80 if lost >= {4, 5, 6} else 100)


def test_the_same_digit_again_is_another_by_its_timestamp() -> None:
    assert collected(sent("5", 100) + sent("5", 100, 1600)) == [Digit("5", 100)] * 2
    without_ends = sent("5", 100)[:4] + sent("5", 100, 1600)
    assert collected(without_ends) == [Digit("5", 80), Digit("5", 100)]


def test_packets_out_of_order_or_doubled_do_not_change_a_digit() -> None:
    first, second = sent("1", 100), sent("2", 100, 4000)
    assert collected([first[0], first[2], first[1], *first[3:], second[0], first[6], *second[1:], second[6]]) == [
        Digit("1", 100), Digit("2", 100),
    ]  # fmt: skip


def test_a_digit_longer_than_a_segment_is_one() -> None:
    """RFC 4733 2.5.1.3: the next segment begins 0xFFFF later, without a marker."""
    segments = [
        (True, 1000, PAYLOAD.pack(5, 10, 160)),
        (False, 1000, PAYLOAD.pack(5, 10, 0xFFFF)),
        (False, 1000 + 0xFFFF, PAYLOAD.pack(5, 10, 160)),
        (False, 1000 + 0xFFFF, PAYLOAD.pack(5, END | 10, 8001)),
    ]
    assert collected(segments) == [Digit("5", (0xFFFF + 8001) // 8)]


def test_the_timestamp_may_wrap_between_digits() -> None:
    assert collected(sent("1", 100, 0xFFFFFF00) + sent("2", 100, 0x300)) == [Digit("1", 100), Digit("2", 100)]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 0xFFFFFFFF), st.binary(max_size=6)), max_size=30))
def test_any_packets_make_digits_or_none(packets: list[tuple[bool, int, bytes]]) -> None:
    assert all(digit.digit in DIGITS and digit.duration_ms >= 0 for digit in collected(packets))


@pytest.mark.parametrize("payload", [b"", b"\5\x0a\0", PAYLOAD.pack(16, 10, 160), PAYLOAD.pack(36, END, 160)])
def test_what_is_no_digit_is_left_alone(payload: bytes) -> None:
    """RFC 4733 table 3: events beyond 15 are others, as a flash or fax tones (RFC 4734)."""
    assert collected([(True, 0, payload)]) == []
