"""Heads turn by bending the picture: what is on them moves, their rim and the rest stay."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from engines.architectures.head_turn import HeadTurner
from engines.scene.boxes import Box

SIDE = 160
BOX = Box(45, 40, 115, 130)


@pytest.fixture
def cell() -> NDArray[np.uint8]:
    """Give a gray cell with a red nose and green marks at its edges."""
    pixels = np.full((SIDE, SIDE, 3), 128, np.uint8)
    pixels[74:86, 74:86] = (255, 0, 0)
    pixels[:4], pixels[-4:], pixels[:, :4], pixels[:, -4:] = ((0, 255, 0),) * 4
    return pixels


def nose(picture: NDArray[np.uint8]) -> tuple[float, float]:
    pixels = picture.astype(float)
    redness = pixels[..., 0] - pixels[..., 1]
    rows, columns = np.mgrid[:SIDE, :SIDE]
    weight = redness.clip(20, None) - 20
    return float((weight * columns).sum() / weight.sum()), float(
        (weight * rows).sum() / weight.sum()
    )


def test_a_head_that_does_not_turn_is_the_same_picture(cell: NDArray[np.uint8]) -> None:
    assert (HeadTurner(BOX, SIDE, SIDE).turned(cell, 0.0, 0.0, 0.0) == cell).all()


@pytest.mark.parametrize("cell_side", [SIDE // 2, SIDE, 2 * SIDE])
def test_cells_of_any_size_come_to_their_square_as_resized(cell_side: int) -> None:
    rows, columns = np.mgrid[:cell_side, :cell_side] / cell_side
    waves = [np.sin(9 * rows), np.cos(7 * columns), np.sin(5 * (rows + columns))]
    smooth = (np.stack(waves, -1) * 100 + 128).astype(np.uint8)
    wanted = Image.fromarray(smooth).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    made = HeadTurner(BOX, SIDE, cell_side).turned(smooth, 0.0, 0.0, 0.0)
    assert np.abs(made.astype(int) - np.asarray(wanted)).max() <= 2


@pytest.mark.parametrize(
    ("yaw", "pitch", "sideways", "down"), [(0.15, 0, 1, 0), (-0.15, 0, -1, 0), (0, 0.15, 0, -1)]
)
def test_the_middle_moves_where_the_head_turns(
    cell: NDArray[np.uint8], yaw: float, pitch: float, sideways: int, down: int
) -> None:
    before, after = nose(cell), nose(HeadTurner(BOX, SIDE, SIDE).turned(cell, yaw, pitch, 0.0))
    moved = np.array(after) - np.array(before)
    wanted = np.array([sideways, down])
    assert 4 < float(moved @ wanted) < 16, moved
    assert abs(float(moved @ wanted[::-1])) < 1, "and nowhere else"


def test_heads_roll_around_their_necks(cell: NDArray[np.uint8]) -> None:
    (before, _), (after, _) = nose(cell), nose(HeadTurner(BOX, SIDE, SIDE).turned(cell, 0, 0, 0.1))
    assert after > before + 3, "clockwise: what is above the neck goes to the right"


FACES_ANYWHERE = [BOX, Box(0, 0, 60, 70), Box(90, 80, 160, 160), Box(70, 70, 71, 71)]


@pytest.mark.parametrize("box", FACES_ANYWHERE)
def test_nothing_black_comes_in(cell: NDArray[np.uint8], box: Box) -> None:
    turned = HeadTurner(box, SIDE, SIDE).turned(cell, 0.25, -0.2, 0.2)
    assert turned.shape == (SIDE, SIDE, 3)
    assert turned.max(-1).min() > 100


def test_the_cells_edges_stay_around_a_face_in_the_middle(cell: NDArray[np.uint8]) -> None:
    turned = HeadTurner(BOX, SIDE, SIDE).turned(cell, 0.25, -0.2, 0.2).astype(int)
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        assert np.abs(turned[edge] - cell[edge]).max() <= 2
