"""Find the faces of a picture: BlazeFace, full range.

Shape letters: N faces. The network sees the picture letterboxed into a square of 192 pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.metrics.face_crop import FaceCrop, crop_around
from training.metrics.judge_models import FACE_DETECTOR, model_path
from training.metrics.litert_network import load_network

SIDE_PX = 192
STRIDE_PX = 4
MIN_SCORE = 0.6
MAX_OVERLAP = 0.3  # intersection over union of two boxes of one face

Points = NDArray[np.float64]


class DetectedFace(NamedTuple):
    """One face, in pixels of the picture."""

    box: Points  # [4] x1, y1, x2, y2
    keypoints: Points  # [6, 2] eyes (the viewer's left first), nose, mouth, ears
    score: float

    @property
    def crop(self) -> FaceCrop:
        """Give the square for the landmark network."""
        return crop_around(self.box.reshape(2, 2), self.keypoints[0], self.keypoints[1])


class FaceDetector:
    """Finds faces from a twentieth of the picture's side up.

    Source: arXiv 1907.05047; decoding as in google-ai-edge/mediapipe
    mediapipe/modules/face_detection/face_detection.pbtxt (Apache-2.0).
    """

    def __init__(self, assets: Path | None = None) -> None:
        self._network = load_network(model_path(FACE_DETECTOR, assets))
        self._anchors = _anchors()

    def find(self, picture: Image.Image) -> list[DetectedFace]:
        """Give every face, the surest first; blocks for some milliseconds."""
        side = max(picture.size)
        scale = SIDE_PX / side
        left, top = ((side - each) * scale / 2 for each in picture.size)
        size = [max(1, round(each * scale)) for each in picture.size]
        canvas = Image.new("RGB", (SIDE_PX, SIDE_PX))
        # Averaging, not sampling: a small face in a large picture keeps its features.
        canvas.paste(
            picture.resize((size[0], size[1]), Image.Resampling.BILINEAR), (round(left), round(top))
        )
        raw, logits = self._network.run(np.asarray(canvas, np.float32)[None] / 127.5 - 1)
        scores = 1 / (1 + np.exp(-np.clip(logits[0, :, 0].astype(np.float64), -80, 80)))
        chosen = np.flatnonzero(scores >= MIN_SCORE)
        points = raw[0, chosen].astype(np.float64).reshape(-1, 8, 2)  # center, size, 6 keypoints
        points[:, [0, 2, 3, 4, 5, 6, 7]] += self._anchors[chosen, None]
        half = points[:, 1] / 2
        boxes = np.concatenate(
            [points[:, 0] - half, points[:, 0] + half, points[:, 2:].reshape(-1, 12)], 1
        )
        faces = merge_overlapping(boxes, scores[chosen])
        offset = np.array([round(left), round(top)])
        return [_face(row, score, offset, scale) for row, score in faces]


def _face(row: Points, score: float, offset: Points, scale: float) -> DetectedFace:
    points = (row.reshape(8, 2) - offset) / scale
    return DetectedFace(points[:2].reshape(4), points[2:], score)


def _anchors() -> Points:
    """Give the middle of each cell of the network's grid [2304, 2] in its pixels."""
    middles = (np.arange(SIDE_PX // STRIDE_PX) + 0.5) * STRIDE_PX
    return np.stack(np.meshgrid(middles, middles), -1).reshape(-1, 2)


def merge_overlapping(rows: Points, scores: Points) -> list[tuple[Points, float]]:
    """Average each face's candidates, weighted by score, the surest face first.

    Args:
        rows: [N, 16] of which the first four are a box x1, y1, x2, y2.
        scores: [N].
    """
    merged = []
    order = np.argsort(-scores, kind="stable")
    while len(order):
        is_same = overlap(rows[order[0], :4], rows[order, :4]) > MAX_OVERLAP
        is_same[0] = True  # a box without area overlaps nothing, itself included
        same, order = order[is_same], order[~is_same]
        weights = scores[same] / scores[same].sum()
        merged.append((weights @ rows[same], float(scores[same[0]])))
    return merged


def overlap(box: Points, boxes: Points) -> Points:
    """Give the intersection over union of a box [4] with each of boxes [N, 4]: [N]."""
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[2:], boxes[:, 2:])
    shared = (high - low).clip(0).prod(1)
    area = (box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(1) - shared
    share: Points = np.divide(shared, area, out=np.zeros_like(shared), where=area > 0)
    return share
