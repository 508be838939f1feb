"""A turned square of a picture, cut out to a network's input size, and the way back.

Points are x, y in pixels of the picture; the middle of the top left pixel is (0.5, 0.5).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8]
"""[height, width, 3], sRGB."""
Points = NDArray[np.float64]

SLACK = 0.03  # of the side: so far a face may leave its crop before the crop follows
SLACK_RAD = 0.05
EXPANSION = 1.5  # of the tight box; Source: MediaPipe face_landmark_landmarks_to_roi.pbtxt


class FaceCrop(NamedTuple):
    """A square around a face, turned so that the eyes are level."""

    x: float  # center
    y: float
    side_px: float
    turn_rad: float  # clockwise on the screen: the angle of the line from eye to eye

    def to_picture(self, points: Points) -> Points:
        """Map points [..., 2] in units of the side, 0..1 inside the square, to pixels."""
        return (points - 0.5) * self.side_px @ self._axes + (self.x, self.y)

    @property
    def _axes(self) -> Points:
        cos, sin = np.cos(self.turn_rad), np.sin(self.turn_rad)
        return np.array([[cos, sin], [-sin, cos]])

    def cut(self, picture: Image.Image, size_px: int) -> NDArray[np.float32]:
        """Sample the square: [1, size, size, 3], 0..1; black outside of the picture."""
        step = self._axes * self.side_px / size_px  # rows: one crop pixel to the right, down
        origin = np.array([self.x, self.y]) - step.sum(0) * size_px / 2
        # Pillow maps the middles of output pixels by itself: x = a u + b v + c.
        rows = (step[0, 0], step[1, 0], origin[0], step[0, 1], step[1, 1], origin[1])
        crop = picture.transform(
            (size_px, size_px),
            Image.Transform.AFFINE,
            tuple(float(each) for each in rows),
            Image.Resampling.BILINEAR,
        )
        return np.asarray(crop, np.float32)[None] / np.float32(255)

    def settled(self, new: FaceCrop) -> FaceCrop:
        """Give the new square of a face, or this one again while it still fits.

        A landmark network answers a little differently for every crop. A crop that follows each of
        its answers never comes to rest, and a still face seems to tremble.
        """
        moved = np.hypot(new.x - self.x, new.y - self.y) / self.side_px
        grown = abs(new.side_px / self.side_px - 1)
        is_fit = max(moved, grown) < SLACK and abs(new.turn_rad - self.turn_rad) < SLACK_RAD
        return self if is_fit else new


def crop_around(points: Points, start: Points, end: Points) -> FaceCrop:
    """Put a square around face points [N, 2], level with the line from start [2] to end [2]."""
    run, fall = end - start
    low, high = points.min(0), points.max(0)
    x, y = (low + high) / 2
    side = float((high - low).max()) * EXPANSION
    return FaceCrop(float(x), float(y), side, float(np.arctan2(fall, run)))
