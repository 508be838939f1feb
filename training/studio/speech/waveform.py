"""Sample rates, levels and places of voices."""

from __future__ import annotations

import math
import wave
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

from training.studio.performance_data import SAMPLE_RATE, Floats

SPOKEN_RMS = 0.08  # -22 dB of full scale: what every voice is brought to
PEAK = 0.95
FADE_SECONDS = 0.005


def at_sample_rate(samples: Floats, rate_hz: int) -> Floats:
    """Resample from `rate_hz` to the studio's 16 kHz."""
    if rate_hz == SAMPLE_RATE:
        return samples.astype(np.float32)
    divisor = math.gcd(rate_hz, SAMPLE_RATE)
    return np.asarray(
        resample_poly(samples, SAMPLE_RATE // divisor, rate_hz // divisor), dtype=np.float32
    )


def levelled(samples: Floats, rms: float = SPOKEN_RMS) -> Floats:
    """Scale to a root mean square over the audible part, without clipping; silence stays."""
    audible = samples[np.abs(samples) > 1e-3]
    if not len(audible):
        return samples
    gain = rms / float(np.sqrt(np.mean(audible.astype(np.float64) ** 2)))
    peak = float(np.abs(samples).max())
    return (samples * min(gain, PEAK / peak)).astype(np.float32)


def add_at(track: Floats, samples: Floats, start: float) -> None:
    """Add samples to a track, in place, from `start` seconds on; what lies beyond is cut off."""
    first = round(start * SAMPLE_RATE)
    skipped = max(-first, 0)
    piece = samples[skipped : max(len(track) - first, skipped)]
    track[first + skipped : first + skipped + len(piece)] += piece


def faded(samples: Floats, seconds: float = FADE_SECONDS) -> Floats:
    """Fade both ends, so that a cut does not click."""
    count = min(round(seconds * SAMPLE_RATE), len(samples) // 2)
    out = samples.copy()
    ramp = np.linspace(0, 1, count, endpoint=False, dtype=np.float32)
    out[:count] *= ramp
    out[len(out) - count :] *= ramp[::-1]
    return out


def read_wave(path: Path) -> tuple[Floats, int]:
    """Read a 16-bit mono WAV file: samples and their rate in Hz."""
    with wave.open(str(path)) as file:
        raw = file.readframes(file.getnframes())
        return (np.frombuffer(raw, "<i2") / 32768).astype(np.float32), file.getframerate()


def sixteen_bit(samples: Floats) -> bytes:
    """Give samples as little-endian 16-bit integers."""
    return (samples.clip(-1, 1) * 32767).astype("<i2").tobytes()
