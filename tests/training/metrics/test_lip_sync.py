from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import InputError
from tests.training.metrics.talking_tracks import FPS, syllables, turns
from training.metrics.lip_sync import correlation, lip_closure, lip_sync
from training.studio.performance_data import Phone

FRAMES = 300
CURVE = syllables(FRAMES, turns(FRAMES, 1))[:, 0]


def delayed(curve: NDArray[np.float64], frames: int) -> NDArray[np.float64]:
    return np.roll(curve, frames)


def test_a_mouth_that_follows_its_voice_scores_one_without_lag() -> None:
    found = lip_sync(CURVE, 3 * CURVE + 1)
    assert found.r == pytest.approx(1)
    assert found.lag_frames == 0


@pytest.mark.parametrize("shift", [3, -3, 8])
def test_a_voice_shifted_in_time_is_found_as_its_lag(shift: int) -> None:
    found = lip_sync(CURVE, delayed(CURVE, shift))
    assert found.lag_frames == shift
    assert found.r is not None
    assert found.r > 0.99


def test_a_lag_is_found_through_noise_and_missing_frames() -> None:
    rng = np.random.default_rng(1)
    mouth = CURVE + rng.normal(0, 0.02, FRAMES)
    mouth[40:70] = np.nan
    found = lip_sync(mouth, delayed(CURVE, 3))
    assert found.lag_frames == 3


def test_an_unrelated_voice_scores_low() -> None:
    other = syllables(FRAMES, turns(FRAMES, 1), seed=9)[:, 0]
    found = lip_sync(CURVE, other)
    assert found.r is not None
    assert found.r < 0.5


@pytest.mark.parametrize("mouth", [np.zeros(FRAMES), np.full(FRAMES, 0.1), np.full(FRAMES, np.nan)])
def test_a_still_or_unseen_mouth_has_no_correlation(
    mouth: NDArray[np.float64],
) -> None:
    assert lip_sync(mouth, CURVE) == (None, None)


def test_silence_has_no_correlation() -> None:
    assert correlation(CURVE, np.zeros(FRAMES)) is None


def test_curves_of_different_length_are_refused() -> None:
    with pytest.raises(InputError, match=r"\(300,\) and \(299,\)"):
        lip_sync(CURVE, CURVE[1:])


def sounds(symbol: str, starts: list[int]) -> list[Phone]:
    return [Phone(start=s / FPS, end=(s + 2) / FPS, symbol=symbol) for s in starts]


def test_lips_that_meet_at_each_bilabial_close_always() -> None:
    mouth = np.full(FRAMES, 0.1)
    at = list(range(20, 280, 20))
    for start in at:
        mouth[start : start + 2] = 0
    phones = sounds("P", at) + sounds("AA", [start + 9 for start in at])
    assert lip_closure(mouth, phones, FPS) == (1.0, 0.0, len(at))


def test_lips_that_stay_open_never_close() -> None:
    mouth = np.full(FRAMES, 0.1)
    mouth[30:60] = 0
    found = lip_closure(mouth, sounds("M", [10, 90, 150]), FPS)
    assert found.rate == 0


def test_a_still_mouth_neither_opens_nor_closes() -> None:
    assert lip_closure(np.full(FRAMES, 0.1), sounds("M", [10, 90]), FPS) == (None, None, 0)


def test_bilabials_of_an_unseen_mouth_are_not_counted() -> None:
    mouth = CURVE.copy()
    mouth[100:150] = np.nan
    found = lip_closure(mouth, sounds("B", [20, 120]), FPS)
    assert found.sounds == 1
