from __future__ import annotations

import numpy as np
import pytest

from models.errors import InputError
from tests.training.metrics.talking_tracks import FPS, SIZE_PX, reading, readings, tracks
from training.metrics.tracks import bridge_gaps, build_tracks, count_people, seat


def test_people_sit_from_the_left_whatever_the_order_of_faces() -> None:
    frames = [[reading(0.2, 400.0), reading(0.1, 100.0)] for _ in range(5)]
    found = build_tracks(frames, 2, FPS, SIZE_PX)
    assert found.mouth_opening.tolist() == [[0.1, 0.2]] * 5


def test_a_short_gap_is_bridged_and_still_counts_as_not_seen() -> None:
    opening = np.tile([0.1, 0.2], (40, 1))
    opening[10:15, 1] = np.nan
    found = tracks(opening)
    assert found.is_seen[:, 1].sum() == 35
    np.testing.assert_allclose(found.mouth_opening, np.tile([0.1, 0.2], (40, 1)))


def test_a_long_gap_stays_missing() -> None:
    opening = np.tile([0.1, 0.2], (40, 1))
    opening[10:16, 0] = np.nan
    found = tracks(opening)
    assert np.isnan(found.mouth_opening[:, 0]).tolist() == np.isnan(opening[:, 0]).tolist()


def test_the_one_face_left_keeps_its_own_seat() -> None:
    opening = np.tile([0.1, 0.2], (20, 1))
    opening[5:, 0] = np.nan
    found = tracks(opening)
    assert found.is_seen[10:].tolist() == [[False, True]] * 10


def test_frames_before_everybody_is_there_are_seated_backward() -> None:
    opening = np.tile([0.1, 0.2], (20, 1))
    opening[:8, 0] = np.nan
    found = tracks(opening)
    assert found.is_seen[:8].tolist() == [[False, True]] * 8


def test_people_who_never_come_are_never_seen() -> None:
    found = build_tracks(readings(np.full((6, 1), 0.1)), 2, FPS, SIZE_PX)
    assert found.is_seen.tolist() == [[True, False]] * 6


def test_a_video_without_faces_has_empty_seats() -> None:
    assert seat([[], []], 2) == [[None, None], [None, None]]


def test_the_usual_number_of_faces_is_the_number_of_people() -> None:
    one, two = [reading(0, 0)], [reading(0, 0), reading(0, 200)]
    assert count_people([two, two, one, [], two]) == 2
    assert count_people([[], []]) == 0


def test_gaps_at_the_ends_are_not_bridged() -> None:
    curve = np.array([np.nan, 1.0, np.nan, 3.0, np.nan])
    np.testing.assert_allclose(bridge_gaps(curve), [np.nan, 1, 2, 3, np.nan])


def test_no_frames_are_refused() -> None:
    with pytest.raises(InputError, match="at least 1 frame"):
        build_tracks([], 1, FPS, SIZE_PX)
