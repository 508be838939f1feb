"""Expressions bend pictures: brows and corners of mouths move, eyes and lips keep their places."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engines.architectures.cell_room import LEAST_SHOWN, MOST_SHOWN
from engines.architectures.face_bend import EXPRESSIONS, FaceBender
from engines.architectures.head_turn import HeadTurner
from engines.scene.boxes import Box

SIDE = 160
BOX = Box(45, 40, 115, 130)
EYES, MOUTH = ((60.0, 70.0), (100.0, 70.0)), (80.0, 110.0)
MARKS = (np.array([*EYES, MOUTH]) / SIDE).astype(np.float32)
# The person's left is on the viewer's right.
INNER_LEFT, OUTER_LEFT, CORNER_LEFT = (91.0, 55.5), (108.0, 55.5), (96.0, 110.0)
INNER_RIGHT, CORNER_RIGHT = (69.0, 55.5), (64.0, 110.0)


def dotted(*places: tuple[float, float]) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    light = sum(np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8) for x, y in places)
    return np.repeat((light * 200).astype(np.uint8)[..., None], 3, axis=2)


def moved(place: tuple[float, float], yaw: float = 0.0, **curves: float) -> NDArray[np.float64]:
    """Say by how much a dot at a place moves, to the right and down."""
    amounts = np.array([curves.get(name, 0.0) for name in EXPRESSIONS])
    shifts = FaceBender(MARKS, SIDE).shifts(amounts)
    turner = HeadTurner(BOX, SIDE, SIDE)
    return center(turner.turned(dotted(place), yaw, 0, 0, shifts)) - center(
        turner.turned(dotted(place), yaw, 0, 0)
    )


def center(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    weights = picture[..., 0].astype(float)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    middle: NDArray[np.float64] = (
        np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()
    )
    return middle


@pytest.mark.parametrize(
    ("curve", "place", "right", "down"),
    [
        ("browDownLeft", INNER_LEFT, -1, 1),
        ("browDownRight", INNER_RIGHT, 1, 1),
        ("browInnerUp", INNER_LEFT, 0, -1),
        ("browInnerUp", INNER_RIGHT, 0, -1),
        ("browOuterUpLeft", OUTER_LEFT, 0, -1),
        ("mouthSmileLeft", CORNER_LEFT, 1, -1),
        ("mouthSmileRight", CORNER_RIGHT, -1, -1),
        ("mouthFrownLeft", CORNER_LEFT, 0, 1),
    ],
)
@pytest.mark.parametrize("yaw", [0.0, 0.2])
def test_a_curve_moves_its_own_place(
    curve: str, place: tuple[float, float], right: int, down: int, yaw: float
) -> None:
    x, y = moved(place, yaw, **{curve: 1.0})
    assert 2 < y * down < 8
    assert x * right > 0.5 if right else abs(x) < 1
    less = moved(place, yaw, **{curve: 0.5})
    assert np.allclose(less, np.array([x, y]) / 2, atol=0.6), "half as far"
    assert moved(place, yaw, **{curve: -0.5})[1] * y < 0, "and back, when pictures show it already"


@pytest.mark.parametrize("curve", EXPRESSIONS)
def test_eyes_and_lips_keep_their_places(curve: str) -> None:
    for place in (*EYES, MOUTH):
        assert np.abs(moved(place, **{curve: 1.0})).max() < 1.5


def test_everything_at_once_folds_nothing() -> None:
    drawn = np.random.default_rng(0).uniform(LEAST_SHOWN, MOST_SHOWN, (200, len(EXPRESSIONS)))
    for amounts in drawn:
        shifts = FaceBender(MARKS, SIDE).shifts(amounts)
        rows, columns = np.mgrid[: len(shifts), : len(shifts)] * 4.0
        from_x, from_y = columns - shifts[..., 0], rows - shifts[..., 1]
        assert (np.diff(from_x, axis=1) > 0).all()
        assert (np.diff(from_y, axis=0) > 0).all()


def test_nothing_acted_is_the_same_picture() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (SIDE, SIDE, 3)).astype(np.uint8)
    picture = np.asarray(cv2.GaussianBlur(noise, (9, 9), 3), np.uint8)
    shifts = FaceBender(MARKS, SIDE).shifts(np.zeros(len(EXPRESSIONS)))
    made = HeadTurner(BOX, SIDE, SIDE).turned(picture, 0, 0, 0, shifts)
    assert (made == picture).all()


def test_marks_that_fall_together_are_no_harm() -> None:
    for place in (0.0, 0.5):
        marks = np.full((3, 2), place, np.float32)
        shifts = FaceBender(marks, SIDE).shifts(np.ones(len(EXPRESSIONS)))
        assert np.isfinite(shifts).all()
