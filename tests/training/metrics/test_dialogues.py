from __future__ import annotations

import numpy as np
import pytest

from training.metrics.dialogues import Person, Shown, calmest, summary


def person(r: float | None, lag: float | None, same: float | None = 1.0) -> Person:
    return Person(r, lag, None, None, same, 2.0)


def test_the_picture_is_taken_where_everybodys_mouth_is_shut() -> None:
    wide = np.array([0.0, 8.0, 8.0, 1.0, 8.0])
    small = np.array([2.0, 0.0, 2.0, 0.2, 2.0])
    awake = np.zeros((2, 5))
    assert calmest([wide, small], awake) == 3
    blinking = awake.copy()
    blinking[1, 3] = 0.9
    assert calmest([wide, small], blinking) == 0, "and where nobody blinks"
    assert calmest([wide, small], np.ones((2, 5))) == 3, "unless somebody sleeps"


def test_a_summary_leaves_out_what_nobody_could_measure() -> None:
    films = [
        Shown((person(0.9, 0), person(None, None)), 9, 10, 0.5, None),
        Shown((person(0.5, 2), person(float("nan"), 1, 0.5)), 1, 10, None, 0.2),
    ]
    found = summary(films)
    assert found.lip_r == pytest.approx(0.7)
    assert found.lag_within_one == pytest.approx(2 / 3)
    assert found.binding == pytest.approx(0.5)
    assert found.same_person == pytest.approx(3.5 / 4)
    assert (found.interactivity, found.published) == (0.5, 0.2)
    assert found.bilabials is None
    assert summary([Shown((person(None, None, None),), 0, 0, None, None)]).binding is None
