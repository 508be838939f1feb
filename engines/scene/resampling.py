"""Pictures and masks at another size, to the digit as the networks' training code made them.

Image libraries smooth before they shrink; published preprocessing does not. Each axis is one matrix
of at most four weights a row.

Shape letters: C channels, H, W size before, h, w size after.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Planes = NDArray[np.float32]
CUBIC_SHARPNESS = -0.75  # a of the cubic convolution, as torch and OpenCV have it


def bilinear(planes: NDArray[Any], height: int, width: int) -> Planes:
    """Resize [C, H, W] to [C, h, w] between the two nearest pixels of each axis."""
    return _apply(planes, _linear(planes.shape[1], height), _linear(planes.shape[2], width))


def bicubic(planes: NDArray[Any], height: int, width: int) -> Planes:
    """Resize [C, H, W] to [C, h, w] by four pixels of each axis; values may overshoot.

    Source: cubic convolution (Keys, IEEE Transactions on ASSP 29(6), 1981).
    """
    return _apply(planes, _cubic(planes.shape[1], height), _cubic(planes.shape[2], width))


def _apply(planes: NDArray[Any], rows: NDArray[Any], columns: NDArray[Any]) -> Planes:
    resized: Planes = (rows @ planes.astype(np.float64) @ columns.T).astype(np.float32)
    return resized


def _linear(before: int, after: int) -> NDArray[np.float64]:
    """Weights [after, before]; what lies beyond the first pixel's center is the first pixel."""
    place = np.maximum((np.arange(after) + 0.5) * before / after - 0.5, 0)
    first = np.floor(place).astype(int)
    matrix = np.zeros((after, before))
    for offset, weight in ((0, 1 - (place - first)), (1, place - first)):
        np.add.at(matrix, (np.arange(after), np.minimum(first + offset, before - 1)), weight)
    return matrix


def _cubic(before: int, after: int) -> NDArray[np.float64]:
    """Weights [after, before]; pixels beyond the border are those at it."""
    place = (np.arange(after) + 0.5) * before / after - 0.5
    first = np.floor(place).astype(int)
    matrix = np.zeros((after, before))
    for offset in (-1, 0, 1, 2):
        weight = _cubic_weight(np.abs(place - (first + offset)))
        np.add.at(matrix, (np.arange(after), np.clip(first + offset, 0, before - 1)), weight)
    return matrix


def _cubic_weight(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    a, x = CUBIC_SHARPNESS, distance
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = a * (((x - 5) * x + 8) * x - 4)
    weight: NDArray[np.float64] = np.where(x <= 1, near, far)
    return weight
