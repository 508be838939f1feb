"""Phones to mouth curves: coarticulation by dominance functions, closures that do close.

Shape letters: N steps at `STEP_HZ`, T video frames at `FPS`.

Source: Cohen and Massaro, "Modeling Coarticulation in Synthetic Visual Speech", 1993, eq. 1-4:
each phone pulls toward its shape with a dominance that falls off exponentially with distance in
time, and the mouth is the dominance-weighted mean of all shapes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from training.studio.acting.viseme_shapes import DOMINANCE_SECONDS, VISEMES
from training.studio.performance_data import ARKIT, FPS, Floats, Phone
from training.studio.speech.loudness import relative_loudness
from training.studio.speech.phones import BILABIALS, DIPHTHONGS, SILENCE

STEP_HZ = 100
VISUAL_LEAD = 0.02  # lips are seen to move this long before they are heard
SMOOTHING_STEPS = 1.2  # Gaussian, 12 ms
REACH = 0.4  # beyond this distance in seconds a phone's pull is below 1 in 1000
PLATEAU = 0.6  # a phone pulls with full strength over this share of its length
DIPHTHONG_SPLIT = 0.55  # where a diphthong's second vowel begins
SHORTEST_PHONE = 0.03
REST_PULL = 1e-3  # the mouth's own wish to rest, felt where no phone is near

CLOSURE_SECONDS = 0.024
CLOSURE_SHARPNESS = 1.7  # bilabials let go this much faster than others
SILENCE_EDGE = 0.06  # the jaw may still move this long into a silence
SILENCE_SHORTEST = 0.15

JAW = ARKIT.index("jawOpen")
CLOSE = ARKIT.index("mouthClose")
LIP_OPENERS = [
    ARKIT.index(name)
    for name in (
        *("mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight"),
        *("mouthStretchLeft", "mouthStretchRight", "mouthFunnel", "tongueOut"),
    )
]

FloatArray = NDArray[np.float64]


def mouth_curves(
    phones: Sequence[Phone], samples: Floats, frames: int, strength: float = 1.0
) -> Floats:
    """Give the curves [T, 52] of a mouth that says `phones`, louder where `samples` are louder.

    `phones` cover the clip (see `phones.filled`); `samples` are the voice heard with them. Frame k
    shows the mouth at its center, (k + 0.5) / FPS. `strength` is how clearly the speaker
    articulates; closures do not depend on it. The mouth rests in silences longer than 0.15 s.
    """
    parts = _monophthongs(phones)
    steps = round(frames * STEP_HZ / FPS) + 1
    heard = np.arange(steps) / STEP_HZ + VISUAL_LEAD
    curves = _coarticulated(parts, heard)
    gain = strength * relative_loudness(samples, heard)
    closed = _closure_share(parts, heard)
    curves *= (gain + (1 - gain) * closed)[:, None]
    curves = _with_closures(curves, closed)
    curves = gaussian_filter1d(curves, SMOOTHING_STEPS, axis=0)
    curves *= _awake(parts, heard)[:, None]
    shown = (np.arange(frames) + 0.5) / FPS
    grid = np.arange(steps) / STEP_HZ
    sampled = np.stack([np.interp(shown, grid, curve) for curve in curves.T], axis=1)
    for frame in closed_frames(parts, frames):
        sampled[frame] = _with_closures(sampled[frame : frame + 1], np.ones(1))[0]
    return sampled.clip(0, 1).astype(np.float32)


def closed_frames(phones: Sequence[Phone], frames: int) -> list[int]:
    """List the frames in which the lips are shut for a P, B or M: at least one for each.

    These are the frames shown within the middle of the phone, and always the nearest to it.
    """
    shut: set[int] = set()
    for phone in phones:
        if phone.symbol not in BILABIALS:
            continue
        middle = (phone.start + phone.end) / 2 - VISUAL_LEAD
        margin = (phone.end - phone.start) * 0.3
        first = int(np.ceil((middle - margin) * FPS - 0.5))
        last = int(np.floor((middle + margin) * FPS - 0.5))
        shut.update(range(first, last + 1))
        shut.add(int(np.floor(middle * FPS)))
    return sorted(frame for frame in shut if 0 <= frame < frames)


def lip_opening(curves: Floats) -> Floats:
    """Give how far jaw and lips are apart, [T], in units of jawOpen: 0 is shut."""
    return np.asarray(np.maximum(curves[:, JAW] - curves[:, CLOSE], 0))


def _monophthongs(phones: Sequence[Phone]) -> list[Phone]:
    out: list[Phone] = []
    for phone in phones:
        pair = DIPHTHONGS.get(phone.symbol)
        if pair is None:
            out.append(phone)
            continue
        middle = phone.start + (phone.end - phone.start) * DIPHTHONG_SPLIT
        out.append(Phone(start=phone.start, end=middle, symbol=pair[0]))
        out.append(Phone(start=middle, end=phone.end, symbol=pair[1]))
    return out


def _coarticulated(phones: Sequence[Phone], heard: FloatArray) -> FloatArray:
    weighted = np.zeros((len(heard), len(ARKIT)))
    total = np.full((len(heard), len(ARKIT)), REST_PULL)
    for phone in phones:
        viseme = VISEMES[phone.symbol]
        near, distance = _near(phone, heard, PLATEAU)
        if phone.symbol in BILABIALS:
            distance = distance * CLOSURE_SHARPNESS
        pull = viseme.dominance * np.exp(-distance[:, None] / DOMINANCE_SECONDS)
        weighted[near] += pull * viseme.shape
        total[near] += pull
    mean: FloatArray = weighted / total
    return mean


def _closure_share(phones: Sequence[Phone], heard: FloatArray) -> FloatArray:
    """Give [N] how much of the mouth belongs to bilabials, 0..1."""
    share = np.zeros(len(heard))
    total = np.full(len(heard), REST_PULL)
    for phone in phones:
        near, distance = _near(phone, heard, 0.7)
        pull = VISEMES[phone.symbol].dominance * np.exp(-distance / CLOSURE_SECONDS)
        total[near] += pull
        if phone.symbol in BILABIALS:
            share[near] += pull
    clipped: FloatArray = np.clip(share / total * 1.25, 0, 1)
    return clipped


def _near(phone: Phone, heard: FloatArray, plateau: float) -> tuple[slice, FloatArray]:
    """Give the steps that a phone can reach and their distance in seconds from its plateau."""
    first = int(np.searchsorted(heard, phone.start - REACH))
    last = int(np.searchsorted(heard, phone.end + REACH))
    half = max(phone.end - phone.start, SHORTEST_PHONE) / 2 * plateau
    offset = np.abs(heard[first:last] - (phone.start + phone.end) / 2)
    return slice(first, last), np.maximum(offset - half, 0)


def _with_closures(curves: FloatArray, closed: FloatArray) -> FloatArray:
    """Let mouthClose cancel the jaw, and rest what parts the lips, where `closed` [N] is 1."""
    out = curves.copy()
    out[:, LIP_OPENERS] *= (1 - closed)[:, None]
    out[:, CLOSE] = curves[:, CLOSE] * (1 - closed) + curves[:, JAW] * closed
    return out


def _awake(phones: Sequence[Phone], heard: FloatArray) -> FloatArray:
    """Give [N] 1 near speech and 0 inside long silences, with soft edges."""
    awake = np.ones(len(heard))
    for phone in phones:
        if phone.symbol != SILENCE or phone.end - phone.start < SILENCE_SHORTEST:
            continue
        start = phone.start + SILENCE_EDGE if phone.start > 0 else -1.0
        end = phone.end - SILENCE_EDGE if phone.end < heard[-1] - VISUAL_LEAD else heard[-1] + 1
        awake[(heard >= start) & (heard <= end)] = 0
    soft: FloatArray = gaussian_filter1d(awake, 2.0)
    return soft
