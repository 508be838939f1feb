from __future__ import annotations

import numpy as np
import pytest

from models.errors import InputError
from tests.training.metrics.synthetic_faces import FPS, SPACING_X, blinking, faces
from training.metrics.interactivity import interactivity, pair_in_order
from training.metrics.published_interactivity import published_interactivity

FRAMES = 12


def test_a_clean_video_scores_as_published() -> None:
    landmarks, boxes = blinking(FRAMES, [0.5, 1.5])
    wobble = np.random.default_rng(1).normal(0, 0.5, (FRAMES, 2, 2))
    boxes += np.tile(wobble, 2)
    speaking = [[(0.0, 4 / FPS)], [(5 / FPS, 1.0)]]
    clean = faces(landmarks, boxes)
    ours, theirs = interactivity(clean, 2, speaking), published_interactivity(clean, speaking)
    assert ours.counted == theirs.counted
    assert ours.overall == pytest.approx(theirs.overall, rel=1e-4)


@pytest.mark.parametrize("people", [1, 3, 5])
def test_any_number_of_people_is_scored(people: int) -> None:
    strengths = [0.25 * (p + 1) for p in range(people)]
    landmarks, boxes = blinking(FRAMES, strengths)
    for frame, rng in enumerate(np.random.default_rng(2).spawn(FRAMES)):
        landmarks[frame] = landmarks[frame, rng.permutation(people)]
        boxes[frame] = boxes[frame, rng.permutation(people)]
    score = interactivity(faces(landmarks, boxes), people)
    assert score.counted == (FRAMES - 1,) * people
    assert score.per_face == pytest.approx(tuple(strengths), rel=1e-4)


def test_a_face_that_moves_for_good_loses_one_pair_of_frames() -> None:
    landmarks, boxes = blinking(FRAMES, [0.5, 1.5])
    landmarks[4:, 1] += 60
    score = interactivity(faces(landmarks, boxes), 2)
    assert score.counted == (FRAMES - 1, FRAMES - 2)
    assert score.per_face == pytest.approx((0.5, 1.5), rel=1e-4)


def test_a_face_whose_box_moves_along_loses_none() -> None:
    landmarks, boxes = blinking(FRAMES, [0.5, 1.5])
    landmarks[4:, 1] += 60
    boxes[4:, 1] += 60
    score = interactivity(faces(landmarks, boxes), 2)
    assert score.counted == (FRAMES - 1, FRAMES - 1)
    assert score.per_face[1] == pytest.approx(1.5, rel=1e-4)


def test_one_wild_frame_is_not_counted_as_stillness() -> None:
    landmarks, boxes = blinking(FRAMES, [0.5, 1.5])
    landmarks[5, 0] += 40
    score = interactivity(faces(landmarks, boxes), 2)
    assert score.counted == (FRAMES - 3, FRAMES - 1)
    assert score.per_face[0] == pytest.approx(0.5, rel=1e-4)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_face_missing_in_one_frame_only_skips_that_frame(missing: int) -> None:
    landmarks, boxes = blinking(FRAMES, [0.5, 1.0, 1.5])
    has_landmarks = np.ones((FRAMES, 3), dtype=bool)
    has_landmarks[5, missing] = False
    score = interactivity(faces(landmarks, boxes, has_landmarks), 3)
    counted = [FRAMES - 1] * 3
    counted[missing] -= 2
    assert score.counted == tuple(counted)
    assert score.per_face == pytest.approx((0.5, 1.0, 1.5), rel=1e-4)


@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_box_leaves_the_other_faces_box_alone(missing: int) -> None:
    landmarks, boxes = blinking(FRAMES, [0.5, 1.5])
    has_box = np.ones((FRAMES, 2), dtype=bool)
    has_box[4:7, missing] = False
    score = interactivity(faces(landmarks, boxes, has_box=has_box), 2)
    assert score.counted == (FRAMES - 1, FRAMES - 1)
    assert score.overall == pytest.approx(1.0, rel=1e-4)


@pytest.mark.parametrize("visit", [0, 6])
def test_a_smaller_stranger_in_one_frame_takes_nobodys_seat(visit: int) -> None:
    landmarks, boxes = blinking(FRAMES, [0.5, 1.5])
    middle = landmarks[:, :1].mean(2, keepdims=True)
    stranger = middle + (landmarks[:, :1] - middle) / 2 + np.array([-0.4 * SPACING_X, -100])
    strange_box = boxes[:, :1] + np.tile([-0.4 * SPACING_X, -100], 2)
    is_there = np.zeros((FRAMES, 1), dtype=bool)
    is_there[visit] = True
    found = np.concatenate([np.ones((FRAMES, 2), dtype=bool), is_there], axis=1)
    crowd = faces(
        np.concatenate([landmarks, stranger], axis=1),
        np.concatenate([boxes, strange_box], axis=1),
        found,
        found,
    )
    score = interactivity(crowd, 2)
    assert score.counted == (FRAMES - 1, FRAMES - 1)
    assert score.per_face == pytest.approx((0.5, 1.5), rel=1e-4)


def test_one_wrong_box_does_not_rescale_the_video() -> None:
    landmarks, boxes = blinking(FRAMES, [1.0, 1.0])
    boxes[5, 1] = [0, 0, 480, 480]
    score = interactivity(faces(landmarks, boxes), 2)
    assert score.per_face[0] == pytest.approx(1.0, rel=1e-4)


def test_nobody_seen_is_no_score() -> None:
    landmarks, boxes = blinking(FRAMES, [1.0, 1.0])
    nobody = np.zeros((FRAMES, 2), dtype=bool)
    assert interactivity(faces(landmarks, boxes, nobody), 2).overall is None
    assert interactivity(faces(landmarks, boxes, has_box=nobody), 2).overall is None


def test_detections_are_left_as_they_were() -> None:
    clean = faces(*blinking(FRAMES, [1.0, 1.0]))
    for array in (clean.landmarks_px, clean.boxes_px):
        array.setflags(write=False)
    interactivity(clean, 2)
    published_interactivity(clean)


def test_pairs_never_cross_and_are_the_nearest() -> None:
    row = np.array([[0.0, 0], [100, 0], [200, 0]])
    assert pair_in_order(np.array([[90.0, 0], [190, 0]]), row) == [(0, 1), (1, 2)]
    assert pair_in_order(row, np.array([[110.0, 0]])) == [(1, 0)]
    assert pair_in_order(row[:0], row) == []


def test_nobody_to_score_is_refused() -> None:
    with pytest.raises(InputError, match="at least 1 person, got 0"):
        interactivity(faces(*blinking(FRAMES, [1.0])), 0)
