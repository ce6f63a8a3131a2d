"""Loss, order and jitter, against the algorithms of RFC 3550 appendix A."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.media.quality import Reception

PTIME_US = 20_000


def receive(numbers: list[int], ssrc: int = 7) -> Reception:
    """A reception of packets of these sequence numbers, 20 ms apart, none of them late."""
    reception = Reception()
    for index, number in enumerate(numbers):
        take(reception, 172, number & 0xFFFF, index * 160, ssrc, index * PTIME_US)
    return reception


def take(reception: Reception, size: int, number: int, timestamp: int, ssrc: int, now_us: int) -> None:
    """One packet of audio, the short way where it is open."""
    if not reception.advance(size, number, timestamp, now_us):
        reception.update(size, number, timestamp, ssrc, now_us)


@pytest.mark.parametrize(
    ("numbers", "lost", "out_of_order"),
    [
        ([], 0, 0),
        ([5], 0, 0),
        ([5, 6, 7], 0, 0),
        ([5, 7, 8], 1, 0),
        ([5, 7, 6, 8], 0, 1),
        ([5, 5, 6], 0, 1),  # a duplicate does not make the loss negative
        ([5, 6, 6, 8], 0, 1),  # A.3: received counts duplicates, so this loss is hidden
        ([65534, 65535, 65536, 65537], 0, 0),
        ([65534, 65537], 2, 0),
        ([65535, 65536 + 9], 9, 0),
        ([10, 10 + 2999], 2998, 0),  # MAX_DROPOUT: the longest gap there can be
        ([200, 101, 201], 0, 1),  # MAX_MISORDER: the oldest late packet there can be
        ([0, 1, 65535, 2], 0, 1),  # before the first one, across the wrap
    ],
)
def test_loss_is_expected_less_received(numbers: list[int], lost: int, out_of_order: int) -> None:
    """RFC 3550 A.1 and A.3."""
    reception = receive(numbers)
    assert (reception.lost, reception.out_of_order, reception.packets) == (lost, out_of_order, len(numbers))


def test_one_packet_from_far_off_is_not_counted_as_a_loss() -> None:
    """RFC 3550 A.1: a jump is believed only once the next number follows it."""
    assert receive([5, 6, 30000, 7, 8]).lost == 0


def test_two_in_sequence_from_far_off_are_a_restarted_sender() -> None:
    """RFC 3550 A.1: RTP_SEQ_MOD + 1, bad_seq. What was lost before stays lost."""
    reception = receive([5, 7, 30000, 30001, 30003])
    assert (reception.lost, reception.out_of_order) == (2, 0)


def test_a_new_ssrc_starts_a_new_sequence() -> None:
    """RFC 3550 8.2; the counters of a leg go on over its sources."""
    reception = receive([5, 8])
    reception.update(172, 40000, 0, 8, 0)
    reception.update(172, 40002, 160, 8, PTIME_US)
    assert (reception.lost, reception.packets) == (3, 4)


def test_bytes_and_times_are_taken_from_the_packets() -> None:
    reception = Reception()
    reception.update(172, 1, 0, 7, 1_000_000)
    reception.update(92, 2, 160, 7, 1_020_500)
    assert (reception.bytes, reception.first_us, reception.last_us) == (264, 1_000_000, 1_020_500)


@pytest.mark.parametrize("late_us", [[0, 0, 0], [0, 4000] * 50, [0, 100, 900, 50, 7000, 20]])
def test_jitter_is_the_running_mean_of_transit_differences(late_us: list[int]) -> None:
    """RFC 3550 6.4.1: J = J + (|D| - J) / 16; A.8's integers are within a microsecond of it."""
    reception, jitter = Reception(), 0.0
    for index, late in enumerate(late_us):
        take(reception, 172, index, index * 160, 7, index * PTIME_US + late)
        if index:
            jitter += (abs(late - late_us[index - 1]) - jitter) / 16
    assert reception.jitter_us == pytest.approx(jitter, abs=1)


def test_packets_of_one_dtmf_event_do_not_count_as_jitter() -> None:
    """RFC 4733 2.5.1.2: they share the timestamp of the event's beginning, though sent 20 ms apart."""
    reception = Reception()
    for index, timestamp in enumerate([0, 160, 320, 320, 320, 320, 960]):
        reception.update(16, index, timestamp, 7, index * PTIME_US)
    assert reception.jitter_us == 0


@pytest.mark.parametrize("second", [0, 123_456_789])
def test_a_timestamp_that_wraps_or_begins_anew_is_not_jitter(second: int) -> None:
    """RFC 3550 5.1: 32 bits; a source may choose another offset when it starts again."""
    reception = Reception()
    for index, timestamp in enumerate([0xFFFFFFFF - 319, 0xFFFFFFFF - 159, second, second + 160]):
        take(reception, 172, index, timestamp, 7, index * PTIME_US)
    assert reception.jitter_us == 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from([172, 92]),
            st.sampled_from([-1, 0, 1, 1, 1, 1, 2, 500, 40000]),
            st.integers(0, 9000),
        )
    )
)
def test_the_short_way_for_the_next_packet_counts_as_the_long_one_does(
    packets: list[tuple[int, int, int]],
) -> None:
    """RFC 3550 A.1, A.3, A.8: `update` is the whole algorithm, with which `advance` has to agree."""
    short, long, number, size_sum = Reception(), Reception(), 0, 0
    for index, (size, step, late_us) in enumerate(packets):
        number = number + step & 0xFFFF
        take(short, size, number, index * 160, 7, index * PTIME_US + late_us)
        long.update(size, number, index * 160, 7, index * PTIME_US + late_us)
        size_sum += size
    for figure in ("packets", "bytes", "lost", "out_of_order", "jitter_us", "first_us", "last_us"):
        assert getattr(short, figure) == getattr(long, figure), figure
    assert (long.packets, long.bytes) == (len(packets), size_sum)
