from __future__ import annotations

import numpy as np
import pytest

from models.errors import InputError
from tests.training.metrics.synthetic_faces import FPS, blinking, faces
from training.metrics.published_interactivity import published_interactivity

FRAMES = 12


def test_steady_blinking_scores_its_strength() -> None:
    score = published_interactivity(faces(*blinking(FRAMES, [0.5, 1.5])))
    assert score.per_face == pytest.approx((0.5, 1.5), rel=1e-4)
    assert score.overall == pytest.approx(1.0, rel=1e-4)
    assert score.counted == (FRAMES - 1, FRAMES - 1)


def test_only_listening_counts() -> None:
    speaking = [[(0.0, 5 / FPS)], []]
    score = published_interactivity(faces(*blinking(FRAMES, [0.5, 1.5])), speaking)
    assert score.counted == (FRAMES - 6, FRAMES - 1)


def test_faces_larger_than_the_crop_are_scaled_down() -> None:
    landmarks, boxes = blinking(FRAMES, [1.0, 1.0])
    boxes[:, 0] = [0, 0, 448, 448]
    boxes[:, 1] = [200, 0, 648, 448]
    score = published_interactivity(faces(landmarks, boxes))
    assert score.overall == pytest.approx(0.5, rel=1e-4)


def test_detections_in_any_order_are_sorted_from_the_left() -> None:
    landmarks, boxes = blinking(FRAMES, [0.5, 1.5])
    score = published_interactivity(faces(landmarks[:, ::-1], boxes[:, ::-1]))
    assert score.per_face == pytest.approx((0.5, 1.5), rel=1e-4)


def test_a_third_small_box_is_ignored() -> None:
    landmarks, boxes = blinking(FRAMES, [0.5, 1.5])
    small = np.tile([5.0, 5, 25, 25], (FRAMES, 1, 1)) + 3.0 * (np.arange(FRAMES) % 2)[:, None, None]
    score = published_interactivity(faces(landmarks, np.concatenate([small, boxes], axis=1)))
    assert score.per_face == pytest.approx((0.5, 1.5), rel=1e-4)


def test_a_box_that_jumps_is_ignored() -> None:
    landmarks, boxes = blinking(FRAMES, [0.5, 1.5])
    boxes[5, 0] += 30
    score = published_interactivity(faces(landmarks, boxes))
    assert score.per_face == pytest.approx((0.5, 1.5), rel=1e-4)


def test_a_face_that_moves_for_good_is_frozen() -> None:
    landmarks, boxes = blinking(FRAMES, [0.5, 1.5])
    landmarks[4:, 1] += 60
    score = published_interactivity(faces(landmarks, boxes))
    assert score.per_face[1] == pytest.approx(1.5 * 3 / (FRAMES - 1), rel=1e-4)


@pytest.mark.parametrize("missing", [0, 5, FRAMES - 1])
def test_one_lost_face_spoils_the_score(missing: int) -> None:
    has_landmarks = np.ones((FRAMES, 2), dtype=bool)
    has_landmarks[missing, 1] = False
    score = published_interactivity(faces(*blinking(FRAMES, [0.5, 1.5]), has_landmarks))
    assert score == (None, (None, None), (0, 0))


def test_frames_before_the_first_face_do_no_harm() -> None:
    has_landmarks = np.ones((FRAMES, 2), dtype=bool)
    has_landmarks[:3] = False
    score = published_interactivity(faces(*blinking(FRAMES, [0.5, 1.5]), has_landmarks))
    assert score.counted == (FRAMES - 4, FRAMES - 4)


@pytest.mark.parametrize("people", [1, 3])
def test_other_numbers_of_people_have_no_score(people: int) -> None:
    assert published_interactivity(faces(*blinking(FRAMES, [1.0] * people))).overall is None


def test_intervals_for_three_people_are_refused() -> None:
    with pytest.raises(InputError, match="2 people need 2 lists"):
        published_interactivity(faces(*blinking(FRAMES, [1.0, 1.0])), [[], [], []])
