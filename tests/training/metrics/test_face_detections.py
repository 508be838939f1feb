from __future__ import annotations

import numpy as np
import pytest

from models.errors import InputError
from tests.training.metrics.synthetic_faces import blinking, faces
from training.metrics.face_detections import (
    EYE_AND_BROW_POINTS,
    FaceDetections,
    mean_motion,
    seconds_from_timecode,
    silent_frames,
    square_boxes,
)


def test_the_score_looks_at_22_different_points() -> None:
    assert len(set(EYE_AND_BROW_POINTS.tolist())) == 22


def test_a_box_becomes_square_around_its_center() -> None:
    square = square_boxes(np.array([100.0, 100, 120, 160]), 832, 480)
    assert square.tolist() == [80, 100, 140, 160]


@pytest.mark.parametrize(
    ("box", "square"),
    [
        ([0, 100, 20, 160], [0, 100, 60, 160]),
        ([812, 100, 832, 160], [772, 100, 832, 160]),
        ([100, 460, 160, 480], [100, 420, 160, 480]),
        ([0, 0, 900, 100], [0, 0, 832, 480]),
    ],
)
def test_a_square_box_is_shifted_into_the_picture(box: list[float], square: list[float]) -> None:
    assert square_boxes(np.array(box, dtype=float), 832, 480).tolist() == square


def test_speaking_intervals_include_both_ends() -> None:
    is_silent = silent_frames(6, 10.0, 2, [[(0.1, 0.3)], [(0.0, 0.0)]])
    assert is_silent[:, 0].tolist() == [True, False, False, False, True, True]
    assert is_silent[:, 1].tolist() == [False, True, True, True, True, True]


def test_everyone_listens_without_intervals() -> None:
    assert silent_frames(3, 25.0, 4, None).all()


def test_intervals_for_another_number_of_people_are_refused() -> None:
    with pytest.raises(InputError, match="3 people need 3 lists of intervals, got 2"):
        silent_frames(3, 25.0, 3, [[], []])


def test_the_overall_mean_pools_frames_not_faces() -> None:
    motion = np.array([[1.0, 4.0], [1.0, np.nan], [1.0, np.nan]])
    score = mean_motion(motion, np.ones((3, 2), dtype=bool))
    assert score.overall == pytest.approx(7 / 4)
    assert score[1:] == ((1.0, 4.0), (3, 1))


def test_a_face_never_counted_has_no_score() -> None:
    score = mean_motion(np.array([[1.0, 4.0]]), np.array([[True, False]]))
    assert score.per_face == (1.0, None)
    assert mean_motion(np.array([[1.0]]), np.array([[False]])).overall is None


@pytest.mark.parametrize(
    ("timecode", "seconds"), [("4.16", 4 + 16 / 30), ("4.1", 4 + 1 / 30), ("7", 7.0), ("0.0", 0.0)]
)
def test_a_timecode_is_seconds_and_frames(timecode: str, seconds: float) -> None:
    assert seconds_from_timecode(timecode, 30.0) == pytest.approx(seconds)


@pytest.mark.parametrize("timecode", ["4.30", "four", "-1.2", "1.2.3", ""])
def test_what_is_no_timecode_is_refused(timecode: str) -> None:
    with pytest.raises(InputError, match="timecode"):
        seconds_from_timecode(timecode, 30.0)


def test_detections_that_do_not_fit_together_are_refused() -> None:
    landmarks, boxes = blinking(4, [1.0, 1.0])
    with pytest.raises(InputError, match=r"landmarks must be .* got \(4, 2, 105, 2\)"):
        faces(landmarks[:, :, :105], boxes)
    with pytest.raises(InputError, match="with T = 4"):
        faces(landmarks, boxes[:3])
    good = faces(landmarks, boxes)
    with pytest.raises(InputError, match="must be positive"):
        FaceDetections(
            landmarks_px=good.landmarks_px,
            has_landmarks=good.has_landmarks,
            boxes_px=good.boxes_px,
            has_box=good.has_box,
            fps=0.0,
            width_px=832,
            height_px=480,
        )
