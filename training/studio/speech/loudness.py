"""Loudness and pitch of a voice over time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

from training.studio.performance_data import FPS, SAMPLE_RATE, Floats

WINDOW_SECONDS = 0.04
AUDIBLE = 1e-4  # root mean square below which a voice counts as silent
SPOKEN_PERCENTILE = 85

PITCH_LOW_HZ, PITCH_HIGH_HZ = 65.0, 400.0
PITCH_WINDOW = 640  # samples: 40 ms, two periods of the lowest pitch and some
VOICED = 0.45  # autocorrelation at the pitch period, of that at 0

FloatArray = NDArray[np.float64]


def rms_at(samples: Floats, seconds: FloatArray) -> FloatArray:
    """Give the root mean square around each time, over 40 ms; 0 beyond the ends."""
    size = int(WINDOW_SECONDS * SAMPLE_RATE)
    power = uniform_filter1d(samples.astype(np.float64) ** 2, size, mode="constant")
    level = np.sqrt(np.maximum(power, 0))
    grid = np.arange(len(level)) / SAMPLE_RATE
    return np.asarray(np.interp(seconds, grid, level, left=0, right=0))


def frame_rms(samples: Floats, frames: int) -> FloatArray:
    """Give the root mean square of each video frame's own 40 ms, [T]."""
    return rms_at(samples, (np.arange(frames) + 0.5) / FPS)


def speech_level(levels: FloatArray) -> float:
    """Give what a loud moment of this voice measures, from levels of which some may be silent."""
    spoken = levels[levels > AUDIBLE]
    return float(np.percentile(spoken, SPOKEN_PERCENTILE)) if len(spoken) else 1.0


def relative_loudness(samples: Floats, seconds: FloatArray) -> FloatArray:
    """Give how much wider the mouth opens at each time for being loud: 0.6 soft to 1.25 loud."""
    levels = rms_at(samples, seconds)
    ratio = np.clip(levels / speech_level(levels), 0, 1.6)
    gain: FloatArray = gaussian_filter1d(np.clip(0.72 + 0.45 * np.sqrt(ratio), 0.6, 1.25), 4.0)
    return gain


def pitch_hz(samples: Floats, frames: int) -> FloatArray:
    """Give the pitch at each video frame's center by autocorrelation, [T]; 0 where unvoiced."""
    centers = ((np.arange(frames) + 0.5) / FPS * SAMPLE_RATE).astype(int)
    padded = np.pad(samples.astype(np.float64), PITCH_WINDOW)
    index = centers[:, None] + np.arange(PITCH_WINDOW) + PITCH_WINDOW // 2
    windows = padded[np.minimum(index, len(padded) - 1)]
    windows = windows - windows.mean(1, keepdims=True)
    spectrum = np.abs(np.fft.rfft(windows, 2 * PITCH_WINDOW, axis=1)) ** 2
    correlation = np.fft.irfft(spectrum, axis=1)[:, :PITCH_WINDOW]
    shortest, longest = int(SAMPLE_RATE / PITCH_HIGH_HZ), int(SAMPLE_RATE / PITCH_LOW_HZ)
    band = correlation[:, shortest:longest]
    best = band.argmax(1)
    energy = correlation[:, 0]
    is_voiced = (band.max(1) > VOICED * energy) & (energy > PITCH_WINDOW * AUDIBLE**2)
    return np.where(is_voiced, SAMPLE_RATE / (best + shortest), 0.0)
