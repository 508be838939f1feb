"""What an independent face mesh sees of lips: the judge of every stage, never its teacher."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.metrics.face_reading import read_face
from training.metrics.face_watch import FaceWatcher, Watch

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]
LEAST_SEEN = 0.5  # of a clip's frames; below, nothing is said of its lips
MOST_LAG = 5  # frames to either side


class JudgedLips(NamedTuple):
    """How lips in a video agree with the truth."""

    r: float  # of mouth openings at lag 0; NaN when the face is seldom found or never moves
    lag_frames: int  # at which the correlation is highest; > 0: the video is late
    seen: float  # share of frames in which a face was found


def mouth_openings(video: Pixels, watcher: FaceWatcher) -> Floats:
    """Give the opening of the one mouth in a video [T, H, W, 3], NaN where no face is found."""
    openings, watch = np.full(len(video), np.nan), Watch()
    for frame, picture in enumerate(video):
        faces, watch = watcher.see(Image.fromarray(picture), watch)
        if faces:
            openings[frame] = read_face(faces[0]).mouth_opening
    return openings


def judge_lips(openings: Floats, lip_gap: Floats) -> JudgedLips:
    """Compare mouth openings [T], NaN where unknown, with a true lip gap [T] in any unit."""
    known = ~np.isnan(openings)
    seen = float(known.mean())
    if seen < LEAST_SEEN:
        return JudgedLips(float("nan"), 0, seen)
    filled = np.interp(np.arange(len(openings)), np.flatnonzero(known), openings[known])
    by_lag = {lag: _correlation(filled, lip_gap, lag) for lag in range(-MOST_LAG, MOST_LAG + 1)}
    best = max(by_lag, key=lambda lag: by_lag[lag] if np.isfinite(by_lag[lag]) else -2.0)
    return JudgedLips(by_lag[0], best, seen)


def mean_r(judged: Iterable[JudgedLips]) -> float:
    """Average correlations; a mouth that was not found, or never moved, counts as 0."""
    values = [each.r if np.isfinite(each.r) else 0.0 for each in judged]
    return float(np.mean(values)) if values else 0.0


def _correlation(late: Floats, truth: Floats, lag: int) -> float:
    count = len(late) - abs(lag)
    a = late[max(lag, 0) : max(lag, 0) + count]
    b = truth[max(-lag, 0) : max(-lag, 0) + count]
    if min(a.std(), b.std()) < 1e-6:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])
