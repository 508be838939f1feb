"""Heads turn by bending the picture: what is on them moves, their rim and the rest stay."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from engines.architectures.head_turn import HeadTurner
from engines.scene.boxes import Box

SIDE = 160
BOX = Box(45, 40, 115, 130)


@pytest.fixture
def cell() -> Image.Image:
    """Give a gray cell with a red nose and green marks at its edges."""
    pixels = np.full((SIDE, SIDE, 3), 128, np.uint8)
    pixels[74:86, 74:86] = (255, 0, 0)
    pixels[:4], pixels[-4:], pixels[:, :4], pixels[:, -4:] = ((0, 255, 0),) * 4
    return Image.fromarray(pixels)


def nose(picture: Image.Image) -> tuple[float, float]:
    pixels = np.asarray(picture).astype(float)
    redness = pixels[..., 0] - pixels[..., 1]
    rows, columns = np.mgrid[:SIDE, :SIDE]
    weight = redness.clip(20, None) - 20
    return float((weight * columns).sum() / weight.sum()), float(
        (weight * rows).sum() / weight.sum()
    )


def test_a_head_that_does_not_turn_is_the_same_picture(cell: Image.Image) -> None:
    assert HeadTurner(BOX, SIDE).turned(cell, 0.0, 0.0, 0.0) is cell


@pytest.mark.parametrize(
    ("yaw", "pitch", "sideways", "down"), [(0.15, 0, 1, 0), (-0.15, 0, -1, 0), (0, 0.15, 0, -1)]
)
def test_the_middle_moves_where_the_head_turns(
    cell: Image.Image, yaw: float, pitch: float, sideways: int, down: int
) -> None:
    before, after = nose(cell), nose(HeadTurner(BOX, SIDE).turned(cell, yaw, pitch, 0.0))
    moved = np.array(after) - np.array(before)
    wanted = np.array([sideways, down])
    assert 4 < float(moved @ wanted) < 16, moved
    assert abs(float(moved @ wanted[::-1])) < 1, "and nowhere else"


def test_heads_roll_around_their_necks(cell: Image.Image) -> None:
    (before, _), (after, _) = nose(cell), nose(HeadTurner(BOX, SIDE).turned(cell, 0, 0, 0.1))
    assert after > before + 3, "clockwise: what is above the neck goes to the right"


FACES_ANYWHERE = [BOX, Box(0, 0, 60, 70), Box(90, 80, 160, 160), Box(70, 70, 71, 71)]


@pytest.mark.parametrize("box", FACES_ANYWHERE)
def test_nothing_black_comes_in(cell: Image.Image, box: Box) -> None:
    turned = np.asarray(HeadTurner(box, SIDE).turned(cell, 0.25, -0.2, 0.2))
    assert turned.shape == (SIDE, SIDE, 3)
    assert turned.max(-1).min() > 100


def test_the_cells_edges_stay_around_a_face_in_the_middle(cell: Image.Image) -> None:
    turned = np.asarray(HeadTurner(BOX, SIDE).turned(cell, 0.25, -0.2, 0.2)).astype(int)
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        assert np.abs(turned[edge] - np.asarray(cell)[edge]).max() <= 2
