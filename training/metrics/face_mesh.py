"""478 points of one face: MediaPipe's attention mesh, refined at the lips, eyes and irises.

The file has three operators of MediaPipe's own that no public runtime knows. So it is cut in two:
the trunk gives a rough mesh and features, this module samples the features around lips and eyes,
and the heads refine the points there.

Point numbers are those of MediaPipe's canonical face model; "left" is the viewer's.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.metrics.face_crop import FaceCrop, crop_around
from training.metrics.judge_models import FACE_MESH, model_path
from training.metrics.litert_network import load_part

Points = NDArray[np.float64]
Floats = NDArray[np.float32]

SIDE_PX = 192
POINTS = 478
MESH_POINTS = 468
MIN_PRESENCE = 0.5
GRID = 48  # the trunk's features are [48, 48, 32] over the crop
WINDOW = 16  # a head sees [16, 16, 32] of them
WINDOW_EXPANSION = 1.5
HEAD_UNITS = 64  # heads answer in 0..64 over their window

# Tensor numbers of face_landmark_with_attention.tflite of mediapipe 0.10.21 (hash in judge_models).
_PICTURE, _MESH, _FEATURES, _PRESENCE = 0, 186, 35, 710
_WINDOWS = (199, 200, 201)  # lips, left eye, right eye
_LIPS, _LEFT_EYE, _LEFT_IRIS, _RIGHT_EYE, _RIGHT_IRIS = 697, 700, 703, 704, 707

# Facts from mediapipe/modules/face_landmark/tensors_to_face_landmarks_with_attention.pbtxt.
# fmt: off
LIPS = np.array([
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269,
    270, 409, 78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13,
    312, 311, 310, 415, 76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306, 184, 74, 73,
    72, 11, 302, 303, 304, 408, 62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292, 183,
    42, 41, 38, 12, 268, 271, 272, 407,
])
LEFT_EYE = np.array([
    33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173, 130, 25,
    110, 24, 23, 22, 26, 112, 243, 247, 30, 29, 27, 28, 56, 190, 226, 31, 228, 229,
    230, 231, 232, 233, 244, 113, 225, 224, 223, 222, 221, 189, 35, 124, 46, 53, 52, 65,
    143, 111, 117, 118, 119, 120, 121, 128, 245, 156, 70, 63, 105, 66, 107, 55, 193,
])
RIGHT_EYE = np.array([
    263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398, 359, 255,
    339, 254, 253, 252, 256, 341, 463, 467, 260, 259, 257, 258, 286, 414, 446, 261, 448, 449,
    450, 451, 452, 453, 464, 342, 445, 444, 443, 442, 441, 413, 265, 353, 276, 283, 282, 295,
    372, 340, 346, 347, 348, 349, 350, 357, 465, 383, 300, 293, 334, 296, 336, 285, 417,
])
# fmt: on
LEFT_IRIS, RIGHT_IRIS = np.arange(468, 473), np.arange(473, 478)
EYE_CORNERS = (33, 263)  # outer corners: a long line is a steady level


class Part(NamedTuple):
    """A region that a head refines, and the two points that say which way is level."""

    points: NDArray[np.int64]
    level: tuple[int, int]


PARTS = (Part(LIPS, (61, 291)), Part(LEFT_EYE, (33, 133)), Part(RIGHT_EYE, (362, 263)))


class MeshedFace(NamedTuple):
    """One face's points and how sure the network is that it is a face."""

    points: Points  # [478, 2] pixels of the picture
    depth: Points  # [468] of the mesh, pixels, smaller is nearer; comparable within one face
    presence: float  # 0..1
    seen_in: FaceCrop

    @property
    def crop(self) -> FaceCrop:
        """Give the square to look in at the next video frame."""
        start, end = EYE_CORNERS
        around = crop_around(self.points[:MESH_POINTS], self.points[start], self.points[end])
        return self.seen_in.settled(around)


class FaceMesh:
    """Finds the points of the face inside a crop.

    Source: arXiv 2006.10962; google-ai-edge/mediapipe, mediapipe/util/tflite/operations and
    mediapipe/modules/face_landmark (Apache-2.0).
    """

    def __init__(self, assets: Path | None = None) -> None:
        model = model_path(FACE_MESH, assets).read_bytes()
        self._trunk = load_part(model, [_PICTURE], [_MESH, _FEATURES, _PRESENCE])
        heads = [_LIPS, _LEFT_EYE, _LEFT_IRIS, _RIGHT_EYE, _RIGHT_IRIS]
        self._heads = load_part(model, _WINDOWS, heads)

    def find(self, picture: Image.Image, crop: FaceCrop) -> MeshedFace:
        """Find the points of the face in the crop; blocks for about three milliseconds."""
        mesh, features, presence = self._trunk.run(crop.cut(picture, SIDE_PX))
        solid = mesh.astype(np.float64).reshape(MESH_POINTS, 3) / SIDE_PX  # 0..1 in the crop
        rough = solid[:, :2]
        frames = [window_frame(rough, part) for part in PARTS]
        windows = [sample_window(features[0], frame) for frame in frames]
        lips, left_eye, left_iris, right_eye, right_iris = self._heads.run(*windows)
        points = np.empty((POINTS, 2))
        points[:MESH_POINTS] = rough
        for where, refined, frame in (
            (LIPS, lips, frames[0]),
            (LEFT_EYE, left_eye, frames[1]),
            (LEFT_IRIS, left_iris, frames[1]),
            (RIGHT_EYE, right_eye, frames[2]),
            (RIGHT_IRIS, right_iris, frames[2]),
        ):
            points[where] = _affine(frame, refined[0].astype(np.float64) / HEAD_UNITS)
        certainty = 1 / (1 + np.exp(-float(presence.reshape(()))))
        depth = solid[:, 2] * crop.side_px
        return MeshedFace(crop.to_picture(points), depth, certainty, crop)


def window_frame(rough: Points, part: Part) -> Points:
    """Give the turned box around a part as [2, 3]: maps (0..1, 0..1, 1) in it to 0..1 in the crop.

    Unlike a face's crop it is not square.
    """
    run, fall = rough[part.level[1]] - rough[part.level[0]]
    angle = np.arctan2(fall, run)
    cos, sin = np.cos(angle), np.sin(angle)
    axes = np.array([[cos, sin], [-sin, cos]])  # rows: to the right, down, inside the window
    leveled = rough[part.points] @ axes.T
    low, high = leveled.min(0), leveled.max(0)
    sides = (high - low) * WINDOW_EXPANSION
    center = (low + high) / 2 @ axes
    spans = axes.T * sides  # columns: the window's two sides
    return np.column_stack([spans, center - spans.sum(1) / 2])


def sample_window(features: Floats, frame: Points) -> Floats:
    """Sample features [48, 48, C] bilinearly in a window [2, 3]: [1, 16, 16, C], 0 outside."""
    middles = (np.arange(WINDOW) + 0.5) / WINDOW
    across, down = np.meshgrid(middles, middles)
    place = _affine(frame, np.stack([across, down], -1)) * GRID - 0.5  # [16, 16, 2]
    is_inside = ((place >= 0) & (place <= GRID - 1)).all(-1, keepdims=True)
    place = place.clip(0, GRID - 1)
    corner = np.minimum(place.astype(np.int64), GRID - 2)
    right, lower = np.moveaxis((place - corner).astype(np.float32), -1, 0)[..., None]
    x, y = corner[..., 0], corner[..., 1]
    upper_row = features[y, x] * (1 - right) + features[y, x + 1] * right
    lower_row = features[y + 1, x] * (1 - right) + features[y + 1, x + 1] * right
    sampled = upper_row * (1 - lower) + lower_row * lower
    window: Floats = (sampled * is_inside).astype(np.float32)[None]
    return window


def _affine(frame: Points, points: Points) -> Points:
    return points @ frame[:, :2].T + frame[:, 2]
