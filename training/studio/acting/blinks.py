"""When people blink: by themselves, at the ends of what they say, and with large shifts of gaze.

Rates: Bentivoglio et al., "Analysis of blink rate patterns in normal subjects", 1997: 17 a minute
at rest, 26 in conversation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.studio.performance_data import FPS, Flags

REST_HZ, TALKING_HZ = 17 / 60, 26 / 60
SHAPE = np.array([0.45, 1.0, 0.9, 0.6, 0.3, 0.1])  # lids shut in 60 ms and open in 160 ms
REFRACTORY_FRAMES = 10
REGULARITY = 3.0  # shape of the gamma distribution of intervals; 1 would be a Poisson process
PHRASE_END_CHANCE = 0.35
GAZE_SHIFT_CHANCE = 0.4
DOUBLE_CHANCE = 0.08

FloatArray = NDArray[np.float64]


def blink_curve(
    is_speaking: Flags, gaze_shifts: Sequence[int], rng: np.random.Generator
) -> FloatArray:
    """Give [T] how far the lids are shut, 0..1.

    `gaze_shifts` are the frames of large shifts. A blink that speech or gaze brings stands in for
    one that would have come by itself, so the rates hold.
    """
    frames = len(is_speaking)
    onsets = _onsets(is_speaking, sorted(gaze_shifts), rng)
    curve = np.zeros(frames + len(SHAPE) + REFRACTORY_FRAMES)
    for onset in onsets:
        depth = rng.uniform(0.88, 1.0)
        _add(curve, onset, depth)
        if rng.random() < DOUBLE_CHANCE:
            _add(curve, onset + 8, depth)
    return curve[:frames]


def _onsets(is_speaking: Flags, shifts: Sequence[int], rng: np.random.Generator) -> list[int]:
    falls = np.flatnonzero(is_speaking[:-1] & ~is_speaking[1:]) + 1
    invited = {int(frame): PHRASE_END_CHANCE for frame in falls}
    invited.update(dict.fromkeys(shifts, GAZE_SHIFT_CHANCE))
    onsets: list[int] = []
    last = -int(rng.uniform(0, FPS / REST_HZ))
    due = _interval(rng)
    waited = -float(last) * REST_HZ / FPS  # in units of the mean interval
    for frame in range(len(is_speaking)):
        waited += (TALKING_HZ if is_speaking[frame] else REST_HZ) / FPS
        is_invited = frame in invited and rng.random() < invited[frame]
        if frame - last >= REFRACTORY_FRAMES and (waited >= due or is_invited):
            onsets.append(frame)
            last, due, waited = frame, _interval(rng), 0.0
    return onsets


def _interval(rng: np.random.Generator) -> float:
    return float(rng.gamma(REGULARITY, 1 / REGULARITY))


def _add(curve: FloatArray, onset: int, depth: float) -> None:
    part = curve[onset : onset + len(SHAPE)]
    np.maximum(part, SHAPE[: len(part)] * depth, out=part)
