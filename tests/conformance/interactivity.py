"""Golden interactivity scores from landmarks and boxes, for AnyTalker's published metric."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.conformance.case import Case, CaseError, Check, Json
from training.metrics.face_detections import (
    FaceDetections,
    InteractivityScore,
    SpeakingIntervals,
)
from training.metrics.published_interactivity import published_interactivity

SIDES = ("left", "right")
UNDEFINED = -1.0  # what the published program prints for a video it cannot score


def matches(description: Json) -> bool:
    """Say whether the case lists scenarios of detected faces."""
    return {"video_meta", "cases", "eye_brow_indices_106"} <= description.keys()


def run(case: Case) -> Iterator[Check]:
    """Score every scenario of the case: overall and for each face."""
    for name, scenario in case.description["cases"].items():
        faces = _faces(case, scenario["file"])
        score = published_interactivity(faces, _speaking(scenario["speaker_intervals"]))
        yield from _checks(case, name, score, scenario["expected"])


def _faces(case: Case, file: str) -> FaceDetections:
    path = case.path.parent / file
    if not path.is_file():
        raise CaseError(f"{case.path.name} needs {path}, which is not there")
    video = case.description["video_meta"]
    with np.load(path, allow_pickle=False) as arrays:
        return FaceDetections(
            landmarks_px=arrays["landmarks"],
            has_landmarks=arrays["landmarks_valid"].astype(np.bool_),
            boxes_px=arrays["bboxes"],
            has_box=arrays["bboxes_valid"].astype(np.bool_),
            fps=video["fps"],
            width_px=video["width"],
            height_px=video["height"],
        )


def _speaking(intervals: Json | None) -> SpeakingIntervals | None:
    if intervals is None:
        return None
    return [[(start, end) for start, end in intervals.get(side, [])] for side in SIDES]


def _checks(case: Case, name: str, score: InteractivityScore, expected: Json) -> Iterator[Check]:
    atol = case.atol
    computed = {"overall": UNDEFINED if score.overall is None else score.overall}
    faces = zip(SIDES, score.per_face, strict=True)
    computed |= {side: value for side, value in faces if value is not None}
    wanted = {"overall": expected["overall"], **expected["per_face"]}
    for key in wanted | computed:
        got, value = computed.get(key, np.nan), wanted.get(key, np.nan)
        difference = abs(got - value)
        note = "" if key in wanted and key in computed else f"got {got}, expected {value}"
        is_ok = bool(difference <= atol)
        yield Check(f"{name}.{key}", float(difference), f"{atol:.1e}", is_ok, note)
