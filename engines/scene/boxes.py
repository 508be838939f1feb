"""Boxes of faces: who is where. People are numbered from 0, left to right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from engines.errors import InputError

MOST_OVERLAP = 0.7  # of the smaller box; two faces this close cannot be told apart


class Box(NamedTuple):
    """A rectangle in pixels; right and bottom are exclusive."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def area(self) -> float:
        return self.width * self.height

    @property
    def center_x(self) -> float:
        return (self.left + self.right) / 2

    def moved(self, scale: float, right: float, down: float) -> Box:
        """Scale about the picture's corner, then move."""
        return Box(
            self.left * scale + right,
            self.top * scale + down,
            self.right * scale + right,
            self.bottom * scale + down,
        )

    def cut(self, width: float, height: float) -> Box:
        """Keep what lies in a width x height picture."""
        return Box(
            max(self.left, 0.0),
            max(self.top, 0.0),
            min(self.right, float(width)),
            min(self.bottom, float(height)),
        )

    def __str__(self) -> str:
        return ",".join(f"{value:.0f}" for value in self)


def left_to_right(boxes: Sequence[Box]) -> tuple[Box, ...]:
    """Put boxes in the order of their centers."""
    return tuple(sorted(boxes, key=lambda box: (box.center_x, box.top)))


def parse_boxes(text: str) -> tuple[Box, ...]:
    """Read boxes as `left,top,right,bottom` in pixels, one a person, separated by spaces or `;`.

    Raises:
        InputError: when a box has not four numbers.
    """
    boxes = []
    for part in text.replace(";", " ").split():
        try:
            left, top, right, bottom = (float(number) for number in part.split(","))
        except ValueError as error:
            raise InputError(
                f"{part!r} is no box; write left,top,right,bottom in pixels"
            ) from error
        boxes.append(Box(left, top, right, bottom))
    return tuple(boxes)


def check_boxes(boxes: Sequence[Box], width: float, height: float) -> None:
    """Refuse boxes that cannot each be a face in a width x height picture.

    Raises:
        InputError: when one is empty or leaves the picture, or two lie on each other.
    """
    for person, box in enumerate(boxes):
        if not all(math.isfinite(value) for value in box):
            raise InputError(f"the box of person {person} is not finite: {box}")
        if box.width <= 0 or box.height <= 0:
            raise InputError(
                f"the box of person {person} is empty: {box}; give left < right and top < bottom"
            )
        if box.left < 0 or box.top < 0 or box.right > width or box.bottom > height:
            raise InputError(
                f"the box of person {person} leaves the picture: {box} in {width:.0f}x{height:.0f}"
            )
    for (one, a), (two, b) in combinations(enumerate(boxes), 2):
        if _overlap(a, b) > MOST_OVERLAP * min(a.area, b.area):
            raise InputError(
                f"the boxes of persons {one} and {two} lie on each other: {a} and {b}; "
                "give each face a box of its own"
            )


def _overlap(a: Box, b: Box) -> float:
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    return max(width, 0.0) * max(height, 0.0)
