"""Correlations of mouth openings, clip by clip and person by person.

Shape letters: B clips, P people, T video frames.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_LAG = 5  # video frames to either side
STILL = 0.02  # deviation, in 10 mm, below which a mouth says nothing
Floats = NDArray[np.float64]


class FollowedVoices(NamedTuple):
    """How mouths follow voices, over all clips in which somebody speaks."""

    r: float  # mean correlation at lag 0; a mouth that never moves counts as 0
    lag_frames: int  # at which the mean correlation is highest; > 0: the mouth is late
    binding: float  # share of mouths that follow their own voice better than any other's


def follow(read: Floats, true: Floats) -> FollowedVoices:
    """Compare mouths [B, P, T] with the true openings [B, P, T] of the voices they belong to."""
    by_lag = {lag: _mean_r(read, true, lag) for lag in range(-MOST_LAG, MOST_LAG + 1)}
    return FollowedVoices(by_lag[0], max(by_lag, key=lambda lag: by_lag[lag]), _binding(read, true))


def correlation(late: Floats, truth: Floats, lag: int = 0) -> float:
    """Give Pearson's r of two tracks [T], the first being `lag` frames late; 0 when one is flat."""
    count = len(late) - abs(lag)
    a = late[max(lag, 0) : max(lag, 0) + count]
    b = truth[max(-lag, 0) : max(-lag, 0) + count]
    if min(a.std(), b.std()) < 1e-6:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def _mean_r(read: Floats, true: Floats, lag: int) -> float:
    found = [
        correlation(mouth, voice, lag)
        for mouths, voices in zip(read, true, strict=True)
        for mouth, voice in zip(mouths, voices, strict=True)
        if voice.std() >= STILL
    ]
    return float(np.mean(found)) if found else 0.0


def _binding(read: Floats, true: Floats) -> float:
    """Ask of every person who speaks whose voice the mouth follows; 1 for one person."""
    hits = []
    for mouths, voices in zip(read, true, strict=True):
        for person, mouth in enumerate(mouths):
            if voices[person].std() >= STILL:
                scores = [correlation(mouth, voice) for voice in voices]
                hits.append(float(int(np.argmax(scores)) == person))
    return float(np.mean(hits)) if hits else 1.0
