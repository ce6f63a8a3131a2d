"""Audio clocks that run at another speed than ours, seen through delay that varies."""

from random import Random

import pytest

from voiceconnector.media.drift import RESTART_US, WINDOW_US, WINDOWS, Drift

STEP_US = 500_000
START_US = 10_000_000


def watched(ppm: float, jitter_us: float = 0.0, seconds: float = 180, path_us: int = 0) -> Drift:
    """A clock so much faster than ours; the path gets longer by `path_us` half-way."""
    drift, chance = Drift(), Random(1)
    for elapsed_us in range(0, int(seconds * 1_000_000), STEP_US):
        longer = path_us if elapsed_us > seconds * 500_000 else 0
        transit_us = 7_000_000 + longer - elapsed_us * ppm / 1_000_000 + chance.uniform(0, jitter_us)
        drift.sample(int(transit_us), START_US + elapsed_us)
    return drift


@pytest.mark.parametrize("ppm", [-5000, -200, -100, 0, 50, 150, 1000])
def test_a_clock_s_speed_is_found(ppm: int) -> None:
    assert watched(ppm).ppm == pytest.approx(ppm, abs=1)


@pytest.mark.parametrize("ppm", [-300, 0, 300])
def test_jitter_hides_it_hardly(ppm: int) -> None:
    assert watched(ppm, jitter_us=20_000).ppm == pytest.approx(ppm, abs=60)


@pytest.mark.parametrize("path_us", [-40_000, 30_000, 200_000])
def test_a_path_that_becomes_longer_is_no_clock(path_us: int) -> None:
    drift = watched(0, jitter_us=2_000, path_us=path_us)
    assert drift.ppm is not None
    assert abs(drift.ppm) < 50


def test_nothing_is_said_before_two_minutes() -> None:
    assert watched(500, seconds=WINDOWS * WINDOW_US / 1_000_000 - 1).ppm is None


def test_a_stream_that_begins_anew_or_pauses_is_watched_anew() -> None:
    for transit_us, pause_us in ((7_000_000 + 2 * RESTART_US, 0), (7_000_000, 60_000_000)):
        drift = watched(500)
        drift.sample(transit_us, START_US + 181_000_000 + pause_us)
        assert drift.ppm is None
