"""The E-model against what ITU-T publishes of it."""

import pytest

from voiceconnector.media import mos


def test_the_defaults_rate_what_the_recommendation_says() -> None:
    """G.107 7.7: with all parameters at their defaults, R = 93.2 and MOS = 4.41."""
    assert mos.rating(0, 0) == pytest.approx(93.2062, abs=0.001)
    assert mos.opinion(93.2) == pytest.approx(4.41, abs=0.005)


@pytest.mark.parametrize(
    ("rating", "opinion"),
    [(0, 1.0), (50, 2.58), (60, 3.10), (70, 3.60), (80, 4.03), (90, 4.34), (100, 4.5), (120, 4.5)],
)
def test_a_rating_is_an_opinion(rating: float, opinion: float) -> None:
    """G.107 table B.1; it rounds up at 80, where the formula gives 4.024."""
    assert mos.opinion(rating) == pytest.approx(opinion, abs=0.007)


@pytest.mark.parametrize(
    ("bpl", "loss", "impairment"),
    [(25.1, 0.01, 3.64), (25.1, 0.02, 7.01), (25.1, 0.05, 15.78), (4.3, 0.01, 17.92), (4.3, 0.03, 39.04)],
)
def test_loss_impairs_as_much_as_the_codec_lets_it(bpl: float, loss: float, impairment: float) -> None:
    """G.107 equation 7-29 with Ie = 0, BurstR = 1, and Bpl of G.113 table I.4: 95 Ppl / (Ppl + Bpl)."""
    assert mos.rating(0, 0) - mos.rating(0, loss, bpl) == pytest.approx(impairment, abs=0.01)


def test_delay_without_echo_only_hurts_beyond_100_ms() -> None:
    """G.107 equations 7-27, 7-28: at 200 ms, where X = 1, Idd is 25 (2^(1/6) - 3 (1 + 3^-6)^(1/6) + 2) = 3.04."""
    assert mos._too_long(100) == 0
    assert mos._too_long(200) == pytest.approx(3.04, abs=0.01)
    assert mos._too_long(400) == pytest.approx(24.07, abs=0.05)


@pytest.mark.parametrize(("delay_ms", "lowest", "highest"), [(150, 89, 91), (250, 77, 82), (400, 60, 64)])
def test_long_delays_leave_the_categories_of_satisfaction(delay_ms: float, lowest: float, highest: float) -> None:
    """G.114 figure 1, a curve of G.107 at its default echo loss: 150 ms still is about 90, 400 ms about 60."""
    assert lowest < mos.rating(delay_ms, 0) < highest


def test_the_scale_is_the_service_s() -> None:
    """Guide p. 26: 1.0 to 4.4."""
    assert mos.mos(0, 0) == 4.4
    assert mos.mos(0, 1) == pytest.approx(1.08, abs=0.1)
    assert mos.mos(3000, 1) == 1.0


@pytest.mark.parametrize(
    ("rtt_us", "jitter_us", "delay_ms"), [(0, 0, 60), (100_000, 0, 110), (0, 20_000, 60), (0, 50_000, 120)]
)
def test_the_delay_is_half_the_round_trip_a_packet_and_the_jitter_buffer(
    rtt_us: int, jitter_us: int, delay_ms: float
) -> None:
    assert mos.mouth_to_ear_ms(rtt_us, jitter_us, 40) == delay_ms


def test_more_loss_or_delay_never_sounds_better() -> None:
    for delay in range(0, 1000, 10):
        assert mos.mos(delay + 10, 0) <= mos.mos(delay, 0)
    for loss in range(100):
        assert mos.mos(60, (loss + 1) / 100) <= mos.mos(60, loss / 100)
