"""Sounds that are no speech: they must not move a mouth.

Every function gives float32 [n] at 16 kHz with a peak below 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import lfilter

from training.studio.performance_data import SAMPLE_RATE, Floats
from training.studio.speech.singing import breath_sound, draw_singer, sing
from training.studio.speech.waveform import add_at, levelled

COLORS = {"white": 0.0, "pink": 0.5, "brown": 1.0}  # amplitude falls with frequency to this power
BABBLERS = 6


def colored_noise(seconds: float, rng: np.random.Generator, color: str = "pink") -> Floats:
    """Make steady noise of a color: white, pink or brown."""
    count = round(seconds * SAMPLE_RATE)
    spectrum = np.fft.rfft(rng.normal(size=count))
    frequency = np.maximum(np.fft.rfftfreq(count, 1 / SAMPLE_RATE), 20.0)
    shaped = np.fft.irfft(spectrum / frequency ** COLORS[color], count)
    return levelled(shaped.astype(np.float32))


def claps(seconds: float, rng: np.random.Generator) -> Floats:
    """Clap hands: short bursts of noise, two to four a second."""
    return _repeated(seconds, rng, _clap, float(rng.uniform(0.25, 0.5)))


def knocks(seconds: float, rng: np.random.Generator) -> Floats:
    """Knock on wood, in groups."""
    return _repeated(seconds, rng, _knock, float(rng.uniform(0.18, 0.4)))


def typing(seconds: float, rng: np.random.Generator) -> Floats:
    """Type on a keyboard."""
    return _repeated(seconds, rng, _click, float(rng.uniform(0.09, 0.2))) * np.float32(0.4)


def melody(seconds: float, rng: np.random.Generator) -> Floats:
    """Play plucked notes of a chord with overtones, as a telephone on hold does."""
    track = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    base = float(rng.uniform(180, 320))
    beat = float(rng.uniform(0.18, 0.4))
    chord = (0, 4, 7, 12, 16)
    for start in np.arange(0, seconds, beat):
        note_hz = base * 2 ** (int(rng.choice(chord)) / 12)
        add_at(track, _pluck(note_hz, beat * 2.5), float(start))
    return levelled(track)


def hum(seconds: float, rng: np.random.Generator) -> Floats:
    """Hum like mains and a fan."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    mains = float(rng.choice([50, 60]))
    tones = sum(np.sin(2 * np.pi * mains * k * time) / k for k in (1, 2, 3, 5))
    return levelled((tones + colored_noise(seconds, rng, "brown") * 8).astype(np.float32))


def breathing(seconds: float, rng: np.random.Generator) -> Floats:
    """Breathe through the nose every three to four seconds."""
    track = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    time = float(rng.uniform(0, 1))
    while time < seconds:
        add_at(track, breath_sound(float(rng.uniform(0.5, 1.1)), rng), time)
        time += float(rng.uniform(2.8, 4.2))
    return track


def babble(seconds: float, rng: np.random.Generator) -> Floats:
    """Murmur like a room of people far away: several voices without words at once."""
    track = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    time = np.arange(len(track)) / SAMPLE_RATE
    for index in range(BABBLERS):
        singer = draw_singer(rng, "female" if index % 2 else "male")
        murmur = sing(singer, seconds, rng).samples[: len(track)]
        rate_hz, phase = rng.uniform(3.5, 5.5), rng.uniform(0, 2 * np.pi)
        syllables = np.maximum(np.sin(2 * np.pi * rate_hz * time + phase) + 0.3, 0)
        track += (np.pad(murmur, (0, len(track) - len(murmur))) * syllables).astype(np.float32)
    low_passed = lfilter([0.35], [1, -0.65], track)
    return levelled(np.asarray(low_passed, dtype=np.float32))


SOUNDS: dict[str, Callable[[float, np.random.Generator], Floats]] = {
    **{"claps": claps, "knocks": knocks, "typing": typing, "melody": melody, "hum": hum},
    **{"breathing": breathing, "babble": babble, "noise": colored_noise},
}


def _repeated(
    seconds: float,
    rng: np.random.Generator,
    strike: Callable[[np.random.Generator], Floats],
    period: float,
) -> Floats:
    """Strike in groups of two to six, with pauses of one to three seconds."""
    track = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    time = float(rng.uniform(0, 0.8))
    while time < seconds:
        for _ in range(int(rng.integers(2, 7))):
            add_at(track, strike(rng) * np.float32(rng.uniform(0.6, 1)), time)
            time += period * float(rng.uniform(0.85, 1.15))
        time += float(rng.uniform(1, 3))
    return (track / max(float(np.abs(track).max()), 1e-6) * 0.6).astype(np.float32)


def _decaying(seconds: float) -> tuple[Floats, Floats]:
    time = (np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE).astype(np.float32)
    return time, np.exp(-6 * time / seconds).astype(np.float32)


def _clap(rng: np.random.Generator) -> Floats:
    time, decay = _decaying(float(rng.uniform(0.03, 0.08)))
    return (rng.normal(size=len(time)) * decay * 0.3).astype(np.float32)


def _knock(rng: np.random.Generator) -> Floats:
    time, decay = _decaying(float(rng.uniform(0.06, 0.12)))
    body = sum(np.sin(2 * np.pi * rng.uniform(120, 500) * time) for _ in range(3))
    return np.asarray(body * decay * 0.3, dtype=np.float32)


def _click(rng: np.random.Generator) -> Floats:
    time, decay = _decaying(float(rng.uniform(0.008, 0.02)))
    return (rng.normal(size=len(time)) * decay * 0.3).astype(np.float32)


def _pluck(note_hz: float, seconds: float) -> Floats:
    time, decay = _decaying(seconds)
    overtones = sum(np.sin(2 * np.pi * note_hz * k * time) / k**1.5 for k in range(1, 6))
    return np.asarray(overtones * decay * 0.2, dtype=np.float32)
