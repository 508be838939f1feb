from __future__ import annotations

import numpy as np
import pytest

from tests.training.metrics.talking_tracks import FPS, syllables, turns
from training.metrics.motion import jitter, mouth_motion, mouth_speed

FRAMES = 400


def test_a_still_mouth_is_still() -> None:
    found = mouth_motion(np.full(FRAMES, 0.03), turns(FRAMES, 2)[:, 0], FPS)
    assert found == (0, 0)


def test_motion_is_put_where_the_speech_is() -> None:
    speaking = turns(FRAMES, 2)
    found = mouth_motion(syllables(FRAMES, speaking)[:, 0], speaking[:, 0], FPS)
    assert found.speech is not None
    assert found.silence is not None
    assert found.speech > 20
    assert found.silence < found.speech / 10


def test_speed_is_percent_of_face_height_per_second() -> None:
    opening = np.linspace(0, 0.1, 26)  # a tenth of the face within one second
    assert np.nanmean(mouth_speed(opening, FPS)) == pytest.approx(10)


def test_someone_who_never_speaks_has_no_motion_in_speech() -> None:
    found = mouth_motion(np.zeros(FRAMES), np.zeros(FRAMES, bool), FPS)
    assert found == (None, 0)


def test_a_face_in_steady_motion_does_not_jitter() -> None:
    center = np.stack([np.arange(50.0), 3 * np.arange(50.0)], axis=1)
    assert jitter(center, np.full(50, 100.0)) == pytest.approx(0)


def test_a_trembling_face_jitters_by_its_amplitude() -> None:
    center = np.zeros((50, 2))
    center[::2, 0] = 2.0
    assert jitter(center, np.full(50, 100.0)) == pytest.approx(2)


def test_a_face_never_seen_has_no_jitter() -> None:
    assert jitter(np.full((50, 2), np.nan), np.full(50, np.nan)) is None
