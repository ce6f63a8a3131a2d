"""DTMF events, against the layout and the rules of RFC 4733."""

import pytest

from voiceconnector.media.dtmf import event_packets


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
