"""Who is who: faces of single frames become people in seats, from left to right.

Shape letters: T video frames, P people. NaN stands where a person was not seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from training.metrics.face_detections import LANDMARKS, FaceDetections
from training.metrics.face_reading import FaceLook, FaceReading
from training.metrics.interactivity import pair_in_order

MAX_GAP_FRAMES = 5  # shorter gaps are bridged in curves, longer ones stay missing

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceTracks:
    """Every person's face over a video; curves have short gaps bridged, the rest is as seen."""

    fps: float
    width_px: int
    height_px: int
    is_seen: NDArray[np.bool_]  # [T, P] before bridging
    mouth_opening: Floats  # [T, P] inner lips' gap over face height
    eye_opening: Floats  # [T, P]
    eye_span: Floats  # [T, P]
    face_height_px: Floats  # [T, P]
    center_px: Floats  # [T, P, 2]
    landmarks_px: NDArray[np.float32]  # [T, P, 106, 2] not bridged
    boxes_px: NDArray[np.float32]  # [T, P, 4] not bridged
    looks: tuple[dict[int, FaceLook], ...]  # per person, by frame

    @property
    def frames(self) -> int:
        return len(self.is_seen)

    @property
    def people(self) -> int:
        return len(self.looks)

    def detections(self) -> FaceDetections:
        """Give the faces as the interactivity scores take them; boxes enclose the meshes."""
        return FaceDetections(
            landmarks_px=np.nan_to_num(self.landmarks_px),
            has_landmarks=self.is_seen,
            boxes_px=np.nan_to_num(self.boxes_px),
            has_box=self.is_seen,
            fps=self.fps,
            width_px=self.width_px,
            height_px=self.height_px,
        )


def count_people(frames: Sequence[Sequence[FaceReading]]) -> int:
    """Give the number of faces that most of the frames with any face show; 0 when none does."""
    counts = Counter(len(faces) for faces in frames if faces)
    return max(counts, key=lambda number: (counts[number], number), default=0)


def seat(frames: Sequence[Sequence[FaceReading]], people: int) -> list[list[FaceReading | None]]:
    """Give each frame's face for each person from the left: T lists of P.

    The first frame with enough faces seats the largest of them. From there on, forward and
    backward, faces keep their order; with too many or too few, those nearest to where people were
    last seen count. When no frame ever shows enough faces, the frame with the most decides.

    Raises:
        InputError: when there is nobody to seat.
    """
    if people < 1:
        raise InputError(f"seats are for at least 1 person, got {people}")
    most = min(people, max((len(faces) for faces in frames), default=0))
    if most == 0:
        return [[None] * people for _ in frames]
    first = next(i for i, faces in enumerate(frames) if len(faces) >= most)
    largest = sorted(frames[first], key=lambda face: -face.height_px)[:most]
    start = np.array([face.center for face in _from_left(largest)])
    forward = _follow(frames[first:], start)
    backward = _follow(frames[first::-1], start)
    empty: list[FaceReading | None] = [None] * (people - most)
    return [row + empty for row in backward[:0:-1] + forward]


def _follow(
    frames: Sequence[Sequence[FaceReading]], start: Floats
) -> list[list[FaceReading | None]]:
    last = start.copy()  # [P, 2]
    rows = []
    for faces in frames:
        ordered = _from_left(faces)
        row: list[FaceReading | None] = [None] * len(last)
        centers = np.array([face.center for face in ordered]).reshape(-1, 2)
        for face, person in pair_in_order(centers, last) if ordered else ():
            row[person] = ordered[face]
            last[person] = centers[face]
        rows.append(row)
    return rows


def _from_left(faces: Sequence[FaceReading]) -> list[FaceReading]:
    return sorted(faces, key=lambda face: float(face.center[0]))


def build_tracks(
    frames: Sequence[Sequence[FaceReading]], people: int, fps: float, size_px: tuple[int, int]
) -> FaceTracks:
    """Seat people and line up what was measured of them; size is width, height.

    Raises:
        InputError: when there is no frame or nobody to seat.
    """
    if not frames:
        raise InputError("a video needs at least 1 frame to be judged, got 0")
    rows = seat(frames, people)

    def column(name: str, *shape: int) -> Floats:
        out = np.full((len(rows), people, *shape), np.nan)
        for t, row in enumerate(rows):
            for p, face in enumerate(row):
                if face is not None:
                    out[t, p] = getattr(face, name)
        return out

    return FaceTracks(
        fps=fps,
        width_px=size_px[0],
        height_px=size_px[1],
        is_seen=np.array([[face is not None for face in row] for row in rows]),
        mouth_opening=bridge_gaps(column("mouth_opening")),
        eye_opening=bridge_gaps(column("eye_opening")),
        eye_span=bridge_gaps(column("eye_span")),
        face_height_px=bridge_gaps(column("height_px")),
        center_px=bridge_gaps(column("center", 2)),
        landmarks_px=column("landmarks", LANDMARKS, 2).astype(np.float32),
        boxes_px=column("box", 4).astype(np.float32),
        looks=tuple(_looks([row[p] for row in rows]) for p in range(people)),
    )


def _looks(faces: Sequence[FaceReading | None]) -> dict[int, FaceLook]:
    looks = {}
    for t, face in enumerate(faces):
        if face is not None and face.look is not None:
            looks[t] = face.look
    return looks


def bridge_gaps(curves: Floats, longest: int = MAX_GAP_FRAMES) -> Floats:
    """Interpolate gaps of NaN of at most `longest` frames along the first axis [T, ...].

    Gaps at the ends are no gaps: nothing is known on one side of them.
    """
    flat = curves.reshape(len(curves), -1).copy()
    for curve in flat.T:
        known = np.flatnonzero(~np.isnan(curve))
        for before, after in pairwise(known):
            if 1 < after - before <= longest + 1:
                inside = np.arange(before + 1, after)
                curve[inside] = np.interp(inside, [before, after], curve[[before, after]])
    return flat.reshape(curves.shape)
