from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.errors import InputError
from engines.manifest import Size
from engines.scene.boxes import Box
from engines.scene.placement import nearest_size, place

WIDE = Size(people=2, width=448, height=256)
SQUARE = Size(people=2, width=256, height=256)
LARGE = Size(people=2, width=512, height=512)


def checker(width: int, height: int) -> NDArray[np.uint8]:
    """A white square of 20 pixels in the middle of black."""
    pixels = np.zeros((height, width, 3), np.uint8)
    y, x = height // 2, width // 2
    pixels[y - 10 : y + 10, x - 10 : x + 10] = 255
    return pixels


def middle(width: int, height: int) -> Box:
    return Box(width / 2 - 10, height / 2 - 10, width / 2 + 10, height / 2 + 10)


def test_the_size_of_the_nearest_shape_is_taken_and_of_equals_the_largest() -> None:
    sizes = (SQUARE, WIDE, LARGE)
    assert nearest_size(sizes, 1920, 1080) == WIDE
    assert nearest_size(sizes, 1000, 1100) == LARGE
    assert nearest_size(sizes, 100, 4000) == LARGE


@pytest.mark.parametrize("size", [(640, 360), (300, 600), (100, 100), (1000, 200)])
@pytest.mark.parametrize("is_cropped", [False, True])
def test_nothing_is_stretched_and_boxes_follow(size: tuple[int, int], is_cropped: bool) -> None:
    placed = place(checker(*size), [middle(*size)], WIDE, is_cropped=is_cropped)
    assert placed.pixels.shape == (256, 448, 3)
    rows, columns = (placed.pixels[..., 0] > 127).nonzero()
    found = Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert found.width == pytest.approx(found.height, abs=2)
    assert tuple(placed.boxes[0]) == pytest.approx(tuple(found), abs=1.6)


def test_a_whole_picture_is_padded_with_its_own_blurred_colors_or_gray() -> None:
    red = np.zeros((256, 100, 3), np.uint8)
    red[..., 0] = 200
    blurred = place(red, [], WIDE, is_cropped=False).pixels
    assert (blurred[:, 0] == (200, 0, 0)).all()
    gray = place(red, [], WIDE, is_cropped=False, padding="neutral").pixels
    assert (gray[:, 0] == 128).all()
    assert (gray[:, 224] == (200, 0, 0)).all()


def test_cropping_keeps_faces_at_the_edge() -> None:
    box = Box(5, 5, 25, 25)
    placed = place(checker(256, 512), [box], WIDE, is_cropped=True)
    assert placed.boxes[0].top >= 0
    assert placed.boxes[0].left >= 0
    wide = place(checker(1000, 100), [Box(970, 5, 990, 25)], SQUARE, is_cropped=True)
    assert wide.boxes[0].right <= 256


def test_cropping_never_cuts_a_face() -> None:
    with pytest.raises(InputError, match="too far apart to crop"):
        place(
            checker(1000, 100), [Box(0, 0, 20, 20), Box(900, 0, 920, 20)], SQUARE, is_cropped=True
        )
