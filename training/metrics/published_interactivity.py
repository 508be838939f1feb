"""AnyTalker's interactivity metric exactly as published, to compare with published scores.

For our own judgments take `training.metrics.interactivity`, which repairs what is wrong here: a
face that moves for good is frozen for the rest of the video, and one lost face spoils the score.

Source: AnyTalker (arXiv 2511.23475), repository HKUST-C4G/AnyTalker,
benchmark/calculate_interactivity.py (Apache-2.0).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.metrics.face_detections import (
    EYE_AND_BROW_POINTS,
    FaceDetections,
    FloatArray,
    InteractivityScore,
    SpeakingIntervals,
    mean_motion,
    silent_frames,
    square_boxes,
)

PEOPLE = 2  # the published metric knows a left and a right face
CROP_PX = 224
OUTLIER = 10.0  # pixels of the video for a box center, of the crop for landmarks
SMOOTHING = 0.7  # weight of a new box center


def published_interactivity(
    faces: FaceDetections, speaking: SpeakingIntervals | None = None
) -> InteractivityScore:
    """Measure listeners' motion with the published formula, for two people.

    `overall` is None where the published program prints -1: from the first face on, some frame did
    not show exactly two, or no frame counted.

    Raises:
        InputError: when speaking intervals are not given for two people.
    """
    is_silent = silent_frames(faces.frames, faces.fps, PEOPLE, speaking)
    nothing = np.full((faces.frames, PEOPLE), np.nan)
    counts = faces.has_landmarks.sum(1)
    if not counts.any() or (counts[(counts > 0).argmax() :] != PEOPLE).any():
        return mean_motion(nothing, is_silent)
    boxes = [_boxes(faces, t) for t in range(faces.frames)]
    sides = [int(box[2] - box[0]) for pair in boxes if len(pair) == PEOPLE for box in pair]
    crop_px = max([CROP_PX, *sides])
    motion = np.stack([_motion(faces, boxes, i, crop_px) for i in range(PEOPLE)], axis=1)
    return mean_motion(motion, is_silent)


def _boxes(faces: FaceDetections, frame: int) -> list[FloatArray]:
    """Give the frame's two largest boxes [4], squared, from the left."""
    found = faces.boxes_px[frame][faces.has_box[frame]]
    area = (found[:, 2] - found[:, 0]) * (found[:, 3] - found[:, 1])
    largest = found[np.argsort(-area, kind="stable")[:PEOPLE]]
    ordered = largest[np.argsort(largest[:, 0], kind="stable")]
    return list(square_boxes(ordered, faces.width_px, faces.height_px))


def _landmarks(faces: FaceDetections, frame: int, side: int) -> FloatArray | None:
    found = faces.landmarks_px[frame][faces.has_landmarks[frame]]
    if not len(found):
        return None
    rank = np.argsort(found[:, :, 0].mean(1), kind="stable")
    landmarks: FloatArray = found[rank[side]]
    return landmarks


def _motion(
    faces: FaceDetections, boxes: list[list[FloatArray]], side: int, crop_px: int
) -> NDArray[np.float64]:
    """Give one side's motion in every frame [T], NaN where there is nothing to compare with."""
    motion = np.full(faces.frames, np.nan)
    center: FloatArray | None = None
    stable: FloatArray | None = None
    for frame in range(faces.frames):
        landmarks = _landmarks(faces, frame, side)
        if landmarks is None:
            continue
        # By rank: when the left box is missing, the right one is tried for the left face, and then
        # normally thrown out as too far away.
        if side < len(boxes[frame]):
            center = _next_center(center, boxes[frame][side])
        if center is None:
            continue
        origin = (center - crop_px / 2).astype(landmarks.dtype)
        points: FloatArray = (landmarks - origin) * landmarks.dtype.type(CROP_PX / crop_px)
        if stable is not None:
            if np.linalg.norm(points - stable, axis=-1).mean() > OUTLIER:
                points = stable
            moved = points[EYE_AND_BROW_POINTS] - stable[EYE_AND_BROW_POINTS]
            motion[frame] = np.linalg.norm(moved, axis=-1).mean()
        stable = points
    return motion


def _next_center(center: FloatArray | None, box: FloatArray) -> FloatArray:
    new: FloatArray = (box[:2] + box[2:]) / 2
    if center is None:
        return new
    if np.linalg.norm(new - center) > OUTLIER:
        return center
    return SMOOTHING * new + (1 - SMOOTHING) * center
