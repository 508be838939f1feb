"""Turns heads in pictures: a bent grid, as if the face were painted on half an egg.

A head that turns a little hardly changes its outline; what is on it moves, most in the middle and
nothing at the rim. That needs no network and resamples each pixel once. Beyond a fifth of a radian
noses and far cheeks begin to show that faces are no eggs.

Source: small rotations of an ellipsoid in orthographic view, its depth taken as 1 - u^2 - v^2
instead of the root of that, so that the rim does not tear.

Shape letters: N nodes of the grid each way, fewer around tiny faces.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engines.scene.boxes import Box

NODES = 8
WIDTH, HEIGHT = 0.68, 0.76  # half a head, in widths and heights of its face box
ABOVE = 0.06  # how much higher than the box's middle the head's is, in heights of the box
NECK = 1.1  # how far below the middle a head pivots, in half heads
SWAY = 0.35  # of the turning: how far the whole head goes along, its surroundings softly with it
AROUND = 1.5  # how far that reaches, in half heads
NOD = 0.6  # of the egg's pitch: brows that come down further look angry
LEAST_PX = 0.05  # less motion than this is not worth resampling

Floats = NDArray[np.float64]


class HeadTurner:
    """Turns one head in cells of one size.

    Args:
        box: around the face, forehead to chin, in pixels of the cell.
        side: of the cell.
    """

    def __init__(self, box: Box, side: int) -> None:
        left, top, right, bottom = box
        self._side = side
        self._half = np.array([WIDTH * (right - left), HEIGHT * (bottom - top)])
        self._middle = np.array([(left + right) / 2, (top + bottom) / 2 - ABOVE * (bottom - top)])
        reach = np.minimum(AROUND * self._half, np.minimum(self._middle, side - self._middle))
        reach = np.maximum(reach, self._half / 2)
        first = np.clip(np.floor(self._middle - reach), 0, side).astype(int)
        last = np.clip(np.ceil(self._middle + reach), 0, side).astype(int)
        self._columns = _nodes(first[0], last[0])
        self._rows = _nodes(first[1], last[1])
        self._places = np.stack(np.meshgrid(self._columns, self._rows), axis=-1).astype(np.float64)
        away = self._places - self._middle
        egg = np.clip(1 - ((away / self._half) ** 2).sum(-1), 0, None)
        self._egg = np.stack([egg, NOD * egg], axis=-1)
        soft = np.clip(1 - ((away / reach) ** 2).sum(-1), 0, None)
        self._soft = soft * soft * (3 - 2 * soft)
        self._from_neck = away - np.array([0, NECK * self._half[1]])

    def turned(self, cell: Image.Image, yaw: float, pitch: float, roll: float) -> Image.Image:
        """Give a cell in which the head is turned.

        Args:
            cell: [side, side], stays as it is.
            yaw: radians, > 0 to the viewer's right.
            pitch: radians, > 0 up.
            roll: radians, > 0 clockwise for the viewer.
        """
        source = self.source(yaw, pitch, roll)
        if np.abs(source - self._places).max() < LEAST_PX:
            return cell
        corners = np.concatenate(  # upper left, lower left, lower right, upper right
            [source[:-1, :-1], source[1:, :-1], source[1:, 1:], source[:-1, 1:]], axis=-1
        )
        left, top = self._columns[0], self._rows[0]
        columns, rows = self._columns - left, self._rows - top
        mesh = [
            ((columns[j], rows[i], columns[j + 1], rows[i + 1]), tuple(corners[i, j].tolist()))
            for i in range(len(rows) - 1)
            for j in range(len(columns) - 1)
        ]
        size, bicubic = (columns[-1], rows[-1]), Image.Resampling.BICUBIC
        given = cell.copy()
        given.paste(cell.transform(size, Image.Transform.MESH, mesh, bicubic), (left, top))
        return given

    def source(self, yaw: float, pitch: float, roll: float) -> Floats:
        """Say where in the cell each node's color comes from, [N, N, 2] pixels."""
        turn = np.array([np.sin(yaw), -np.sin(pitch)]) * self._half
        moved = turn * (self._egg + SWAY * self._soft[..., None])
        across = np.stack([-self._from_neck[..., 1], self._from_neck[..., 0]], axis=-1)
        moved += np.sin(roll) * across * self._soft[..., None]
        given: Floats = np.clip(self._places - moved, 0, self._side)
        return given


def _nodes(first: int, last: int) -> NDArray[np.int64]:
    """Spread nodes over a span, each a pixel from the next at least."""
    return np.unique(np.linspace(first, last, NODES).round().astype(np.int64))
