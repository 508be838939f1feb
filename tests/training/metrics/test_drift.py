from __future__ import annotations

import numpy as np
import pytest

from training.metrics.drift import Series, every_second, relative_slope, slope_per_minute


@pytest.mark.parametrize("seconds", [30, 2000])
def test_a_planted_slope_is_recovered(seconds: int) -> None:
    times = np.arange(float(seconds))
    noise = np.random.default_rng(0).normal(0, 0.3, seconds)
    slope = slope_per_minute(Series(times, 50 + 4 * times / 60 + noise))
    assert slope == pytest.approx(4, abs=0.6)


def test_a_few_wrong_moments_do_not_tilt_the_slope() -> None:
    times = np.arange(60.0)
    values = times / 60
    values[50:58] = 90.0
    values[3] = np.nan
    assert slope_per_minute(Series(times, values)) == pytest.approx(1, abs=0.35)


def test_a_relative_slope_is_percent_of_the_median() -> None:
    times = np.arange(60.0)
    assert relative_slope(Series(times, 200 + 0 * times)) == 0
    assert relative_slope(Series(times, 100 + times / 6)) == pytest.approx(9.5, abs=0.1)


def test_too_few_moments_have_no_slope() -> None:
    assert slope_per_minute(Series(np.arange(3.0), np.arange(3.0))) is None
    assert relative_slope(Series(np.arange(9.0), np.full(9, np.nan))) is None


def test_seconds_average_what_is_known_of_them() -> None:
    curve = np.repeat([1.0, 3.0, np.nan, 5.0], 25)
    curve[:5] = np.nan
    series = every_second(curve[:-10], 25.0)
    assert series.times_s.tolist() == [0.5, 1.5, 2.5, 3.5]
    np.testing.assert_allclose(series.values, [1, 3, np.nan, 5])
