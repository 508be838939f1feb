"""Cells: of a picture only the squares around its faces are rolled, side by side as one strip.

A bundle says how large they are; whoever makes one and whoever runs one cut them alike.

Shape letters: P people, H and W picture size, S side of a cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engines.manifest.parts import CellRule

Pixels = NDArray[np.uint8]
FaceBox = Sequence[float]  # left, top, right, bottom in pixels


class Square(NamedTuple):
    """Whole pixels of a picture around one face."""

    left: int
    top: int
    side: int

    @property
    def rows(self) -> slice:
        return slice(self.top, self.top + self.side)

    @property
    def columns(self) -> slice:
        return slice(self.left, self.left + self.side)


def squares_around(
    boxes: Sequence[FaceBox], width: int, height: int, rule: CellRule
) -> tuple[Square, ...]:
    """Give the square of every face; at the picture's border it is moved, not cut."""
    squares = []
    for left, top, right, bottom in boxes:
        side = min(max(round(rule.reach * max(right - left, bottom - top)), 1), width, height)
        across = min(max(round((left + right - side) / 2), 0), width - side)
        down = min(max(round((top + bottom - side) / 2), 0), height - side)
        squares.append(Square(across, down, side))
    return tuple(squares)


def cut_strip(picture: Pixels, squares: Sequence[Square], side: int) -> Pixels:
    """Bring every square of a picture [H, W, 3] to one size: [S, P * S, 3], left to right."""
    image = Image.fromarray(picture)
    cells = [
        image.resize(
            (side, side),
            Image.Resampling.BICUBIC,
            box=(each.left, each.top, each.left + each.side, each.top + each.side),
        )
        for each in squares
    ]
    return np.concatenate([np.asarray(cell) for cell in cells], axis=1)


def boxes_in_strip(
    boxes: Sequence[FaceBox], squares: Sequence[Square], side: int
) -> tuple[tuple[float, float, float, float], ...]:
    """Give the boxes of faces as they lie in the strip."""
    moved = []
    for person, (box, square) in enumerate(zip(boxes, squares, strict=True)):
        scale = side / square.side
        left, top, right, bottom = box
        ends = [(x - square.left) * scale for x in (left, right)]
        across = [min(max(x, 0.0), float(side)) + person * side for x in ends]
        down = [min(max((y - square.top) * scale, 0.0), float(side)) for y in (top, bottom)]
        moved.append((across[0], down[0], across[1], down[1]))
    return tuple(moved)
