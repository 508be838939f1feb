"""Shows expressions by bending the picture: brows, corners of the mouth, cheeks.

What is acted of a face moves a few places on it, each with its surroundings softly along. Lips,
lids and teeth are the networks' own; what these hardly show, a brow that comes down or a mouth that
smiles, is a shift of a few pixels, and needs no network.

Source: sums of Gaussian shifts, as morphs of faces by marks are made (Ruprecht and Mueller, "Image
warping with scattered data interpolation", IEEE CG&A 15(2), 1995); sizes are ours, by eye.

Shape letters: E expressions, s side of a square, g side of the grid on which shifts are known.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# Curves by their names in Apple's ARKit; left is the person's left, the viewer's right.
EXPRESSIONS = (
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthFrownLeft",
    "mouthFrownRight",
)
GRAIN = 4  # pixels between places of the grid; shifts change slowly
SMALLEST = 0.85  # of the way from eyes to mouth: eyes are no closer, but where heads look aside

# How far a place moves when its curve is 1, outwards and up, in the distance of the eyes.
DOWN_INNER, DOWN_OUTER = (-0.06, -0.15), (0.0, -0.06)
UP_INNER, UP_OUTER = (0.0, 0.13), (0.0, 0.12)
SMILE, CHEEK = (0.11, 0.11), (0.0, 0.06)
FROWN = (0.02, -0.09)
BROW_REACH, CORNER_REACH, CHEEK_REACH = (0.20, 0.16), (0.24, 0.20), (0.30, 0.20)

Floats = NDArray[np.float32]


class FaceBender:
    """Shifts of one face's places, for squares of one size.

    Args:
        marks: [3, 2], the eye on the viewer's left, the other eye, the mouth; 0..1 of the square.
        side: s, of the square.
    """

    def __init__(self, marks: Floats, side: int) -> None:
        self._places = _grid(side)
        left, right, mouth = marks.astype(np.float64) * side
        across, between = right - left, (left + right) / 2
        apart = max(float(np.linalg.norm(across)), 1.0)
        down = mouth - between
        reach = max(float(np.linalg.norm(down)), 1.0)
        self._across, self._down = across / apart, down / reach
        self._unit = max(apart, SMALLEST * reach)
        shifts = {name: np.zeros_like(self._places) for name in EXPRESSIONS}
        # The person's left is on the viewer's right.
        for name, eye, outwards in (("Right", left, -1.0), ("Left", right, 1.0)):
            sideways = outwards * self._across
            brow = eye - 0.36 * self._unit * self._down
            inner, outer = brow - 0.22 * apart * sideways, brow + 0.2 * apart * sideways
            corner = mouth + 0.4 * apart * sideways
            cheek = eye + 0.55 * self._unit * self._down + 0.05 * self._unit * sideways
            for curve, place, shift, around in (
                (f"browDown{name}", inner, DOWN_INNER, BROW_REACH),
                (f"browDown{name}", outer, DOWN_OUTER, BROW_REACH),
                ("browInnerUp", inner, UP_INNER, BROW_REACH),
                (f"browOuterUp{name}", outer, UP_OUTER, BROW_REACH),
                (f"mouthSmile{name}", corner, SMILE, CORNER_REACH),
                (f"mouthSmile{name}", cheek, CHEEK, CHEEK_REACH),
                (f"mouthFrown{name}", corner, FROWN, CORNER_REACH),
            ):
                move = self._unit * (shift[0] * sideways - shift[1] * self._down)
                shifts[curve] += self._near(place, around)[..., None] * move
        self._shifts = np.stack([shifts[name] for name in EXPRESSIONS]).astype(np.float32)

    def shifts(self, expressions: NDArray[np.floating]) -> Floats:
        """Say by how far places move, [g, g, 2] in pixels of the square, for expressions [E]."""
        moved: Floats = np.tensordot(expressions.astype(np.float32), self._shifts, axes=1)
        return moved

    def _near(self, place: NDArray[np.float64], reach: tuple[float, float]) -> NDArray[np.float64]:
        """Give [g, g], 1 at a place and less around it; reach across and down, in units."""
        away = (self._places - place) / self._unit
        across, down = away @ self._across, away @ self._down
        return np.asarray(np.exp(-((across / reach[0]) ** 2 + (down / reach[1]) ** 2) / 2))


def shifted(source: Floats, shifts: Floats) -> Floats:
    """Give [s, s, 2], where colors come from when the picture there was bent before.

    Args:
        source: [s, s, 2], where in the square each pixel's color comes from.
        shifts: [g, g, 2] as `FaceBender.shifts` gives them.
    """
    at = source / np.float32(GRAIN) - np.float32(0.5)
    moved = cv2.remap(shifts, at, _NONE, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.subtract(source, moved, dtype=np.float32)


def _grid(side: int) -> NDArray[np.float64]:
    """Give the middles [g, g, 2] of a square's grid, in pixels."""
    middles = (np.arange(-(-side // GRAIN)) + 0.5) * GRAIN
    return np.stack(np.meshgrid(middles, middles), axis=-1)


_NONE = np.empty(0, np.float32)  # a second map: ours holds both coordinates
