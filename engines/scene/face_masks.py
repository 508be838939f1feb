"""How much of each token belongs to each face, and where faces may move: AnyTalker's masks.

Shape letters: P people, H and W picture size, h and w size of a grid over the picture.
Source: AnyTalker (arXiv 2511.23475), repository HKUST-C4G/AnyTalker.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.manifest import RegionRule
from engines.scene.boxes import Box
from engines.scene.resampling import bilinear
from engines.scene.scene import Scene

Planes = NDArray[np.float32]


def square_box(box: Box, width: int, height: int) -> Box:
    """Make a face's box square by its longer side; at the picture's border it is moved, not cut."""
    side = min(max(box.width, box.height), width, height)
    left = min(max((box.left + box.right - side) / 2, 0), width - side)
    top = min(max((box.top + box.bottom - side) / 2, 0), height - side)
    return Box(left, top, left + side, top + side)


def face_planes(scene: Scene, rule: RegionRule) -> Planes:
    """Give [P, H, W], 1 in each face's square, grown by the rule about its center; they overlap."""
    width, height = scene.size.width, scene.size.height
    planes = np.zeros((len(scene.boxes), height, width), np.float32)
    for plane, box in zip(planes, scene.boxes, strict=True):
        square = square_box(box, width, height)
        rows = _grown(int(square.top), int(square.bottom), 1 + (rule.above + rule.below), height)
        columns = _grown(int(square.left), int(square.right), 1 + 2 * rule.sideways, width)
        plane[rows, columns] = 1
    return planes


def _grown(first: int, stop: int, scale: float, size: int) -> slice:
    """Scale the pixels first..stop - 1 about their center, cut to [0, size); published rounding."""
    last = stop - 1
    center, half = (first + last) / 2, int((last - first + 1) * scale) / 2
    return slice(max(int(center - half), 0), min(int(center + half), size - 1) + 1)


def face_shares(planes: Planes, h: int, w: int) -> Planes:
    """Give [P, h, w] in 0..1 of planes [P, H, W]; a token on the border belongs in part."""
    return bilinear(planes, h, w)


def moving_mask(planes: Planes, h: int, w: int) -> Planes:
    """Give [h, w]: where anybody's face may be, several people summed."""
    mask: Planes = bilinear(planes.sum(0, keepdims=True), h, w)[0]
    return mask
