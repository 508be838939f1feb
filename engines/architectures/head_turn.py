"""Turns heads in pictures: each pixel fetched from elsewhere, as if the face lay on half an egg.

A head that turns a little hardly changes its outline; what is on it moves, most in the middle and
nothing at the rim. That needs no network, and the cell is brought to its place in the picture by
the same resampling. Beyond a fifth of a radian noses and far cheeks begin to show that faces are no
eggs.

Source: small rotations of an ellipsoid in orthographic view, its depth taken as 1 - u^2 - v^2
instead of the root of that, so that the rim does not tear.

Shape letters: S side of a cell, s side of the square where it lies.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.architectures.face_bend import shifted
from engines.scene.boxes import Box

WIDTH, HEIGHT = 0.68, 0.76  # half a head, in widths and heights of its face box
ABOVE = 0.06  # how much higher than the box's middle the head's is, in heights of the box
NECK = 1.1  # how far below the middle a head pivots, in half heads
SWAY = 0.35  # of the turning: how far the whole head goes along, its surroundings softly with it
AROUND = 1.5  # how far that reaches, in half heads
NOD = 0.6  # of the egg's pitch: brows that come down further look angry

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
cv2.setNumThreads(1)  # its threads would wait for work where those of the networks work
NONE = np.empty(0, np.float32)  # a second map: ours holds both coordinates


class HeadTurner:
    """Turns one head, from cells of one size to squares of one size.

    Args:
        box: around the face, forehead to chin, in pixels of the square.
        square_side: s, of the square.
        cell_side: S, of a cell; one that is larger than its square is shrunk first.
    """

    def __init__(self, box: Box, square_side: int, cell_side: int) -> None:
        left, top, right, bottom = box
        self._side = square_side
        self._is_shrunk = cell_side > square_side
        self._scale = 1.0 if self._is_shrunk else cell_side / square_side
        half = np.array([WIDTH * (right - left), HEIGHT * (bottom - top)])
        middle = np.array([(left + right) / 2, (top + bottom) / 2 - ABOVE * (bottom - top)])
        reach = np.minimum(AROUND * half, np.minimum(middle, square_side - middle))
        reach = np.maximum(reach, half / 2)
        centers = np.arange(square_side) + 0.5
        places = np.stack(np.meshgrid(centers, centers), axis=-1)
        away = places - middle
        egg = np.clip(1 - ((away / half) ** 2).sum(-1), 0, None)
        soft = np.clip(1 - ((away / reach) ** 2).sum(-1), 0, None)
        soft = soft * soft * (3 - 2 * soft)
        from_neck = away - np.array([0, NECK * half[1]])
        self._half = half
        self._places = places.astype(np.float32)
        self._yawed = (egg + SWAY * soft).astype(np.float32)
        self._pitched = (NOD * egg + SWAY * soft).astype(np.float32)
        self._rolled = np.stack([-from_neck[..., 1] * soft, from_neck[..., 0] * soft], axis=-1)
        self._rolled = self._rolled.astype(np.float32)

    def turned(
        self,
        cell: Pixels,
        yaw: float,
        pitch: float,
        roll: float,
        shifts: Floats | None = None,
    ) -> Pixels:
        """Give the square [s, s, 3] of a cell, its face bent and its head turned.

        Args:
            cell: [S, S, 3], stays as it is.
            yaw: radians, > 0 to the viewer's right.
            pitch: radians, > 0 up.
            roll: radians, > 0 clockwise for the viewer.
            shifts: of places on the face, as `FaceBender` gives them.
        """
        if self._is_shrunk:
            size = (self._side, self._side)
            cell = np.asarray(cv2.resize(cell, size, interpolation=cv2.INTER_AREA), np.uint8)
        source = self.source(yaw, pitch, roll)
        if shifts is not None:
            source = shifted(source, shifts)
        source *= self._scale
        source -= 0.5  # from places in the picture to numbers of its pixels
        made = cv2.remap(cell, source, NONE, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(made, np.uint8)

    def source(self, yaw: float, pitch: float, roll: float) -> Floats:
        """Say where in the square each of its pixels' color comes from, [s, s, 2], from 0 to s."""
        rolled = self._rolled * np.float32(np.sin(roll))
        source = np.subtract(self._places, rolled, dtype=np.float32)
        source[..., 0] -= self._yawed * np.float32(np.sin(yaw) * self._half[0])
        source[..., 1] += self._pitched * np.float32(np.sin(pitch) * self._half[1])
        return source
