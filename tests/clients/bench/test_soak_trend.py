"""Does it grow: robust slopes, bounds, and the sentence."""

from __future__ import annotations

import numpy as np
import pytest

from clients.bench.soak_trend import Bound, Trend, settled, slope, trend, verdict

UP = Bound(name="memory", unit="MB", most=10.0, share=0.1, side="up")
BOTH = Bound(name="skew", unit="ms", most=5.0, share=0.0, side="both")
TIMES = [float(n) for n in range(0, 600, 5)]


def judged(bound: Bound, values: list[float]) -> Trend:
    found = trend(bound, TIMES, values)
    assert found is not None
    return found


def noise(seed: int = 1) -> list[float]:
    return [float(each) for each in np.random.default_rng(seed).normal(0, 3, len(TIMES))]


def test_a_slope_is_not_tilted_by_a_quarter_of_wild_values() -> None:
    values = [0.5 * at for at in TIMES]
    for n in range(0, len(values), 4):
        values[n] += 1000.0
    assert slope(TIMES, values) == pytest.approx(0.5, rel=0.05)
    assert slope(TIMES[:3], values[:3]) is None
    assert slope([1.0] * 9, [2.0] * 9) is None  # all at one moment


def test_hours_of_looks_are_thinned_and_keep_their_slope() -> None:
    times = [float(n) for n in range(20_000)]
    assert slope(times, [0.01 * at for at in times]) == pytest.approx(0.01)


def test_a_leak_is_found_under_noise_and_noise_is_none() -> None:
    leak = [100 + at / 600 * 30 + wild for at, wild in zip(TIMES, noise(), strict=True)]
    found = judged(UP, leak)
    assert found.grows
    assert found.change == pytest.approx(30, abs=3)
    assert found.allowed == pytest.approx(10, abs=1)
    assert not judged(UP, [100 + wild for wild in noise()]).grows


def test_what_falls_is_no_growth_but_drift_where_drift_counts() -> None:
    falling = [100 - at / 10 for at in TIMES]
    assert not judged(UP, falling).grows
    assert judged(BOTH, falling).grows
    assert judged(BOTH, [-each for each in falling]).grows


def test_a_share_of_a_large_figure_is_nothing() -> None:
    values = [1000 + at / 600 * 50 for at in TIMES]
    assert not judged(UP, values).grows


def test_one_jump_in_the_last_minute_is_no_slope_and_no_growth() -> None:
    values = [100.0] * (len(TIMES) - 6) + [200.0] * 6
    assert not judged(UP, values).grows


def test_what_comes_before_it_has_settled_does_not_count() -> None:
    times, values = settled([0.0, 10.0, 20.0, 30.0], [9.0, None, 3.0, 4.0], 10.0)
    assert (times, values) == ([20.0, 30.0], [3.0, 4.0])


def test_the_verdict_names_what_grows() -> None:
    calm, leak = judged(UP, [100.0] * len(TIMES)), judged(UP, [100 + at / 10 for at in TIMES])
    assert verdict([calm]) == "Nothing grows: all of 1 figures stay within their bounds."
    said = verdict([calm, leak])
    assert said.startswith("1 of 2 figures grows: memory from 1")
    assert said.endswith("MB (allowed 10.5).")
    assert verdict([]).startswith("Nothing was measured")
