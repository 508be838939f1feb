"""What an encoder makes of real recordings, of which nobody knows the curves.

A mouth should open with its own voice and stay shut in the others' turns.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion

from models.errors import InputError
from models.studio.audio_encoder import AudioEncoder
from training.metrics.video import read_sound
from training.stages.audio.lip_gap import GAP_UNIT_MM
from training.stages.audio.measures import LAGS, SHUT_MM, correlation, hear
from training.studio.performance_data import FPS, SAMPLE_RATE, Flags, Floats
from training.studio.speech.loudness import frame_rms, speech_level

SILENT = 0.03  # of a voice's usual level
PAUSE_FRAMES = 8  # a shorter pause still counts as speaking


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One person of a conversation."""

    seconds: float
    speaking_share: float
    loudness_r: float  # lip gap against the voice's level while speaking, at the best lag
    lag_frames: int  # of that; lips lead voices by half a frame or so
    speaking_gap_mm: float  # mean
    silent_gap_mm: float  # 95th percentile while this person is silent
    silent_open_share: float  # of the silent frames, open by 1.5 mm and more
    silent_motion: float  # of the lips, relative to that in speech

    def numbers(self) -> dict[str, float]:
        """Give field -> value."""
        return {field.name: float(getattr(self, field.name)) for field in dataclasses.fields(self)}


def listen_to(encoder: AudioEncoder, paths: Sequence[Path]) -> list[Heard]:
    """Measure each person's track.

    Raises:
        InputError: when a track has no speech, or cannot be read.
    """
    return [_heard(encoder, path) for path in paths]


def speaking(levels: NDArray[np.float64]) -> Flags:
    """Say in which frames, [T], a voice of these levels speaks, short pauses included."""
    loud = levels > SILENT * speech_level(levels)
    size = np.ones(2 * PAUSE_FRAMES + 1, np.bool_)
    return np.asarray(binary_erosion(binary_dilation(loud, size), size, border_value=1))


def _heard(encoder: AudioEncoder, path: Path) -> Heard:
    wave = read_sound(path)
    frames = len(wave) * FPS // SAMPLE_RATE
    wave = wave[: frames * SAMPLE_RATE // FPS]
    gap: Floats = hear(encoder, wave[None])[0, :, -1] * GAP_UNIT_MM
    levels = frame_rms(wave, frames)
    is_speaking = speaking(levels)
    if not is_speaking.any():
        raise InputError(f"nobody speaks in {path}")
    # Frames next to speech move rightly: lips come before a voice and shut after it.
    is_silent = ~np.asarray(binary_dilation(is_speaking, np.ones(2 * PAUSE_FRAMES + 1)))
    rs = {lag: _lagged_r(gap, levels, is_speaking, lag) for lag in LAGS}
    lag = max(rs, key=lambda each: rs[each])
    motion = np.abs(np.diff(gap, prepend=gap[0]))
    quiet = gap[is_silent] if is_silent.any() else np.full(1, np.nan)
    return Heard(
        seconds=frames / FPS,
        speaking_share=float(is_speaking.mean()),
        loudness_r=rs[lag],
        lag_frames=lag,
        speaking_gap_mm=float(gap[is_speaking].mean()),
        silent_gap_mm=float(np.percentile(quiet, 95)),
        silent_open_share=float((quiet > SHUT_MM).mean()),
        silent_motion=float(motion[is_silent].mean() / motion[is_speaking].mean())
        if is_silent.any()
        else float("nan"),
    )


def _lagged_r(gap: Floats, levels: NDArray[np.float64], is_speaking: Flags, lag: int) -> float:
    """Correlate the gap, `lag` frames later, with the cube root of the level while speaking."""
    heard = np.flatnonzero(is_speaking)
    heard = heard[(heard + lag >= 0) & (heard + lag < len(gap))]
    return correlation(np.cbrt(levels[heard]), gap[heard + lag])
