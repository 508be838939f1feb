from __future__ import annotations

import numpy as np

from training.metrics.speech_activity import intervals, speaking_frames, speaking_windows


def test_short_pauses_are_bridged_and_clicks_dropped() -> None:
    probabilities = np.zeros(100, np.float32)
    probabilities[10:40] = 0.9
    probabilities[20:24] = 0.1  # 0.13 s
    probabilities[70:72] = 0.9  # 0.06 s
    assert np.flatnonzero(speaking_windows(probabilities)).tolist() == list(range(10, 40))


def test_long_pauses_stay() -> None:
    probabilities = np.full(100, 0.9, np.float32)
    probabilities[40:60] = 0.1
    assert speaking_windows(probabilities).sum() == 80


def test_windows_become_video_frames_and_silence_after_the_end() -> None:
    is_speech = np.zeros(50, bool)  # 1.6 s
    is_speech[25:] = True  # from 0.8 s
    frames = speaking_frames(is_speech, 50, 25.0)
    assert np.flatnonzero(frames).tolist() == list(range(20, 40))


def test_no_sound_is_no_speech() -> None:
    nothing = speaking_windows(np.zeros(0, np.float32))
    assert speaking_frames(nothing, 3, 25.0).tolist() == [False] * 3


def test_runs_become_intervals() -> None:
    flags = np.array([1, 1, 0, 0, 1], bool)
    assert intervals(flags, 2.0) == [(0.0, 1.0), (2.0, 2.5)]
    assert intervals(np.zeros(0, bool), 2.0) == []
