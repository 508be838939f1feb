"""Made-up detections: faces that sit still, blink with known strength, and go wrong on request."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.metrics.face_detections import EYE_AND_BROW_POINTS, LANDMARKS, FaceDetections

FPS = 25.0
WIDTH_PX, HEIGHT_PX = 832, 480
SIDE_PX = 120.0
FIRST_X, SPACING_X, MIDDLE_Y = 110.0, 200.0, 240.0

Array = NDArray[np.float64]


def seat_x(person: int) -> float:
    """Middle of a person's face, in pixels from the left."""
    return FIRST_X + SPACING_X * person


def faces(
    landmarks: Array,
    boxes: Array,
    has_landmarks: NDArray[np.bool_] | None = None,
    has_box: NDArray[np.bool_] | None = None,
) -> FaceDetections:
    """Wrap landmarks [T, P, 106, 2] and boxes [T, M, 4]; everything is found unless said."""
    return FaceDetections(
        landmarks_px=landmarks.astype(np.float32),
        has_landmarks=np.ones(landmarks.shape[:2], bool)
        if has_landmarks is None
        else has_landmarks,
        boxes_px=boxes.astype(np.float32),
        has_box=np.ones(boxes.shape[:2], bool) if has_box is None else has_box,
        fps=FPS,
        width_px=WIDTH_PX,
        height_px=HEIGHT_PX,
    )


def blinking(frames: int, strengths: list[float]) -> tuple[Array, Array]:
    """Give landmarks [T, P, 106, 2] and boxes [T, P, 4] of people whose eyes go up and down.

    Person p's brow and eye points move by strengths[p] pixels from each frame to the next.
    """
    shape = np.random.default_rng(0).uniform(-0.4, 0.4, (LANDMARKS, 2)) * SIDE_PX
    shape -= shape.mean(0)
    people = len(strengths)
    middles = np.array([[seat_x(p), MIDDLE_Y] for p in range(people)])
    landmarks = np.tile(shape, (frames, people, 1, 1)) + middles[:, None]
    down = np.arange(frames) % 2  # [T]
    for p, strength in enumerate(strengths):
        landmarks[:, p, EYE_AND_BROW_POINTS, 1] += strength * down[:, None]
    half = np.full(2, SIDE_PX / 2)
    box = np.concatenate([middles - half, middles + half], axis=1)
    return landmarks, np.tile(box, (frames, 1, 1))
