"""What detectors found of the faces in a video, and when their owners speak.

Shape letters: T video frames, K landmark faces of a frame, M boxes of a frame, P people. Nothing
here depends on a detector: any model with the 106-point landmark scheme will do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError

FloatArray = NDArray[np.floating]
BoolArray = NDArray[np.bool_]
SpeakingIntervals = Sequence[Sequence[tuple[float, float]]]
"""For each person, from the left, closed intervals of their speech in seconds."""

LANDMARKS = 106
BROWS = (43, 48, 49, 51, 50, 102, 103, 104, 105, 101)
EYES = (35, 41, 42, 39, 37, 36, 89, 95, 96, 93, 91, 90)
EYE_AND_BROW_POINTS = np.array(BROWS + EYES)  # 22 of the 106-point scheme


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FaceDetections:
    """The faces of one video, in pixels, in any order within a frame; slots without one are marked.

    Raises:
        InputError: when the arrays' shapes do not agree or the frame rate or size is not positive.
    """

    landmarks_px: FloatArray  # [T, K, 106, 2] x, y
    has_landmarks: BoolArray  # [T, K]
    boxes_px: FloatArray  # [T, M, 4] x1, y1, x2, y2, as detected, not squared
    has_box: BoolArray  # [T, M]
    fps: float
    width_px: int
    height_px: int

    def __post_init__(self) -> None:
        faces, boxes = self.has_landmarks.shape, self.has_box.shape
        if len(faces) != 2 or not faces[0] or self.landmarks_px.shape != (*faces, LANDMARKS, 2):
            raise InputError(
                f"landmarks must be [T, K, {LANDMARKS}, 2] beside a mask [T, K], T at least 1, "
                f"got {self.landmarks_px.shape} and {faces}"
            )
        if len(boxes) != 2 or boxes[0] != faces[0] or self.boxes_px.shape != (*boxes, 4):
            raise InputError(
                f"boxes must be [T, M, 4] beside a mask [T, M] with T = {faces[0]}, "
                f"got {self.boxes_px.shape} and {boxes}"
            )
        if min(self.fps, self.width_px, self.height_px) <= 0:
            raise InputError(
                "fps and picture size must be positive, "
                f"got {self.fps} fps, {self.width_px}x{self.height_px}"
            )

    @property
    def frames(self) -> int:
        return len(self.has_box)


class InteractivityScore(NamedTuple):
    """How much listeners' brows and eyes move, in pixels of a 224-pixel face crop per frame."""

    overall: float | None  # over all counted pairs of frames of all faces; None when there is none
    per_face: tuple[float | None, ...]  # from the left; None for a face that was never counted
    counted: tuple[int, ...]  # pairs of frames behind each of per_face


def square_boxes(boxes_px: FloatArray, width_px: int, height_px: int) -> NDArray[np.float64]:
    """Widen boxes [..., 4] to their longer side around their center, shifted into the picture."""
    corners = boxes_px.astype(np.float64)
    low, high = corners[..., :2], corners[..., 2:]
    side = (high - low).max(-1, keepdims=True)
    limit = np.array([width_px, height_px], dtype=np.float64)
    center, half = (low + high) / 2, side / 2
    low, high = center - half, center + half
    is_under = low < 0
    low, high = np.where(is_under, 0, low), np.where(is_under, side, high)
    is_over = high > limit
    low, high = np.where(is_over, limit - side, low), np.where(is_over, limit, high)
    return np.concatenate([low, high], axis=-1).clip(0, np.tile(limit, 2))


def silent_frames(
    frames: int, fps: float, people: int, speaking: SpeakingIntervals | None
) -> BoolArray:
    """Say when each person listens: [T, P]. Video frame k is at k / fps; None means always.

    Raises:
        InputError: when intervals are given for another number of people.
    """
    is_silent = np.ones((frames, people), dtype=np.bool_)
    if speaking is None:
        return is_silent
    if len(speaking) != people:
        raise InputError(f"{people} people need {people} lists of intervals, got {len(speaking)}")
    time = np.arange(frames) / fps
    for person, intervals in enumerate(speaking):
        for start, end in intervals:
            is_silent[(start <= time) & (time <= end), person] = False
    return is_silent


def mean_motion(motion: NDArray[np.float64], is_silent: BoolArray) -> InteractivityScore:
    """Average motion [T, P] over silent frames; NaN marks a frame where none could be measured."""
    is_counted = is_silent & ~np.isnan(motion)
    totals = np.where(is_counted, motion, 0).sum(0)
    counts = is_counted.sum(0)
    return InteractivityScore(
        overall=float(totals.sum() / counts.sum()) if counts.any() else None,
        per_face=tuple(float(t / n) if n else None for t, n in zip(totals, counts, strict=True)),
        counted=tuple(int(n) for n in counts),
    )


def seconds_from_timecode(timecode: str, fps: float) -> float:
    """Read `seconds.frames`, such as "4.16": 4 s and 16 frames of an editor running at `fps`.

    AnyTalker's published speaking intervals look like this: no fraction of theirs exceeds .29. Read
    as decimals they are up to 0.7 s off. A string, because 4.1 (frame 1) and 4.10 are one float.

    Raises:
        InputError: when the text is no such timecode or counts more frames than a second has.
    """
    seconds, _, frames = timecode.partition(".")
    if not seconds.isdecimal() or (frames and not frames.isdecimal()):
        raise InputError(f"a timecode is seconds.frames, such as '4.16', got {timecode!r}")
    if int(frames or 0) >= fps:
        raise InputError(f"timecode {timecode!r} counts {frames} frames in a second of {fps}")
    return int(seconds) + int(frames or 0) / fps
