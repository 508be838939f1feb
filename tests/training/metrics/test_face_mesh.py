from __future__ import annotations

import numpy as np

from training.metrics.face_detector import merge_overlapping, overlap
from training.metrics.face_mesh import GRID, LIPS, PARTS, WINDOW, sample_window, window_frame
from training.metrics.face_reading import SCHEME_106

MIDDLES = (np.arange(WINDOW) + 0.5) / WINDOW


def test_a_window_over_a_ramp_samples_the_ramp() -> None:
    y, x = (np.mgrid[0:GRID, 0:GRID] + 0.5) / GRID
    frame = np.array([[0.5, 0.0, 0.3], [0.0, 0.25, 0.4]])
    window = sample_window(np.stack([x, y], -1).astype(np.float32), frame)
    assert window.shape == (1, WINDOW, WINDOW, 2)
    np.testing.assert_allclose(window[0, 3, :, 0], 0.3 + 0.5 * MIDDLES, atol=1e-5)
    np.testing.assert_allclose(window[0, :, 5, 1], 0.4 + 0.25 * MIDDLES, atol=1e-5)


def test_features_outside_of_the_crop_are_zero() -> None:
    frame = np.array([[1.0, 0.0, -0.5], [0.0, 1.0, 0.0]])
    window = sample_window(np.ones((GRID, GRID, 1), np.float32), frame)
    assert (window[0, :, :8] == 0).all()
    assert (window[0, 1:-1, 8:] == 1).all()


def test_a_part_fills_two_thirds_of_its_window_whichever_way_it_is_turned() -> None:
    rough = np.random.default_rng(0).uniform(0, 1, (468, 2)) * 0.1 + 0.5
    rough[61], rough[291] = [0.4, 0.5], [0.65, 0.65]
    frame = window_frame(rough, PARTS[0])
    inside = np.linalg.solve(frame[:, :2], (rough[LIPS] - frame[:, 2]).T).T
    np.testing.assert_allclose(inside.min(0), 1 / 6, atol=1e-9)
    np.testing.assert_allclose(inside.max(0), 5 / 6, atol=1e-9)


def test_candidates_of_one_face_become_one_and_two_faces_stay_two() -> None:
    rows = np.zeros((3, 16))
    rows[:, :4] = [[0, 0, 10, 10], [1, 0, 11, 10], [50, 0, 60, 10]]
    merged = merge_overlapping(rows, np.array([0.9, 0.6, 0.7]))
    assert [score for _, score in merged] == [0.9, 0.7]
    np.testing.assert_allclose(merged[0][0][:4], [0.4, 0, 10.4, 10])


def test_overlap_is_intersection_over_union() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 0, 30, 10]])
    np.testing.assert_allclose(overlap(boxes[0], boxes), [1, 1 / 3, 0])


def test_every_place_of_the_106_point_scheme_has_a_point_of_its_own_kind() -> None:
    assert SCHEME_106.shape == (106,)
    assert SCHEME_106[35] == 33  # outer corner of the left eye
    assert SCHEME_106[93] == 263  # outer corner of the right eye
