"""Shorter or longer speech at the same pitch: one period of the voice cut out or repeated.

Source: waveform-similarity overlap-add (Verhelst and Roelands, ICASSP 1993), one step of it.
"""

from __future__ import annotations

import numpy as np

from streamer.media.types import WIRE_RATE, Samples

LEAST_LAG = WIRE_RATE // 400  # 2.5 ms: the period of a voice at 400 Hz
MOST_LAG = WIRE_RATE // 60  # 16.7 ms: at 60 Hz
OVERLAP = WIRE_RATE // 100  # 10 ms, over which one stretch becomes the other
NEEDED = MOST_LAG + OVERLAP  # samples to work on
COARSE = 4  # the search is done at a quarter of the rate first
SILENCE = 1e-3  # RMS (-60 dB); below it any cut is inaudible
TINY = 1e-9


def likeness(first: Samples, second: Samples) -> float:
    """Normalized correlation of two stretches, -1 to 1."""
    norm = float(np.sqrt(np.dot(first, first) * np.dot(second, second)))
    return float(np.dot(first, second)) / (norm + TINY)


def best_lag(samples: Samples) -> tuple[int, float]:
    """Find the lag at which samples [>= NEEDED] look most like their own first 10 ms.

    Returns the lag in samples, LEAST_LAG to MOST_LAG, and the likeness there.
    """
    coarse = samples[: NEEDED // COARSE * COARSE].reshape(-1, COARSE).mean(axis=1)
    size = OVERLAP // COARSE
    head = coarse[:size]
    low, high = LEAST_LAG // COARSE, MOST_LAG // COARSE
    area = coarse[low : high + size]
    products = np.correlate(area, head, "valid")
    sums = np.concatenate([[0.0], np.cumsum(np.square(area, dtype=np.float64))])
    energy = sums[size:] - sums[:-size]
    guess = (int(np.argmax(products / np.sqrt(energy[: len(products)] + TINY))) + low) * COARSE
    fine = range(max(LEAST_LAG, guess - COARSE), min(MOST_LAG, guess + COARSE) + 1)
    scores = [likeness(samples[:OVERLAP], samples[lag : lag + OVERLAP]) for lag in fine]
    best = int(np.argmax(scores))
    return fine[best], scores[best]


def crossfade(leaving: Samples, coming: Samples) -> Samples:
    """Go from one stretch [n] to the other [n], linearly."""
    rise = (np.arange(len(coming), dtype=np.float32) + 0.5) / max(1, len(coming))
    return np.asarray(leaving * (1 - rise) + coming * rise, np.float32)


def shorten(samples: Samples, least_likeness: float = 0.7) -> Samples:
    """Cut one period out of samples [>= NEEDED]; give them back whole where it would be heard."""
    lag, score = _lag(samples)
    if score < least_likeness:
        return samples
    seam = crossfade(samples[:OVERLAP], samples[lag : lag + OVERLAP])
    return np.concatenate([seam, samples[lag + OVERLAP :]])


def lengthen(samples: Samples, least_likeness: float = 0.7) -> Samples:
    """Repeat one period of samples [>= NEEDED]; give them back whole where it would be heard."""
    lag, score = _lag(samples)
    if score < least_likeness:
        return samples
    seam = crossfade(samples[lag : lag + OVERLAP], samples[:OVERLAP])
    return np.concatenate([samples[:lag], seam, samples[OVERLAP:]])


def _lag(samples: Samples) -> tuple[int, float]:
    stretch = samples[:NEEDED]
    if float(np.sqrt(np.mean(np.square(stretch)))) < SILENCE:
        return MOST_LAG, 1.0
    return best_lag(samples)
