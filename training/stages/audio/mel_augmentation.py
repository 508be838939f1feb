"""Other voices, microphones and rooms out of the same log-mels: nothing is heard twice.

Powers of bands add where sounds are unrelated, so noise, gain and filters can be put on after the
spectra were computed. Shape letters: B batch, M mels, J mel frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from models.errors import ConfigError
from models.studio.log_mel import compressed, expanded
from training.studio.performance_data import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class MelAugmentation:
    """How far and how often sounds are changed."""

    warp: float  # frequencies are stretched by up to this share, as a throat of another length
    gain_db: tuple[float, float]  # of voice and noise together
    tilt_db: float  # most, per octave
    bump_db: float  # most, over an octave or so anywhere
    low_pass_chance: float  # cut at 2.5 to 7 kHz
    noise_chance: float
    noise_snr_db: tuple[float, float]
    noise_only_chance: float  # no voice at all: the target is a mouth at rest

    def __post_init__(self) -> None:
        chances = (self.low_pass_chance, self.noise_chance, self.noise_only_chance)
        if not all(0 <= chance <= 1 for chance in chances) or not 0 <= self.warp < 0.5:
            raise ConfigError(f"chances {chances} must be within 0..1, warp={self.warp} in 0..0.5")


class Changed:
    """A changed batch: its log-mels, and which of its examples hold no voice any more."""

    def __init__(self, mels: Tensor, is_noise_only: Tensor) -> None:
        self.mels, self.is_noise_only = mels, is_noise_only


def change(
    mels: Floats, noises: Floats, config: MelAugmentation, rng: np.random.Generator
) -> Changed:
    """Change log-mels [B, M, J] of voices, with log-mels of noise of the same shape at hand."""
    count, bands, _ = mels.shape
    voice = expanded(_warped(torch.from_numpy(mels), config.warp, rng))
    noise = expanded(torch.from_numpy(noises))
    is_noise_only = rng.random(count) < config.noise_only_chance
    is_noisy = is_noise_only | (rng.random(count) < config.noise_chance)
    snr_db = np.where(is_noise_only, 0.0, rng.uniform(*config.noise_snr_db, count))
    level = voice.mean((1, 2)).clamp_min(1e-6) / noise.mean((1, 2)).clamp_min(1e-6)
    # A stretch that is mostly silent has a low mean: what counts is the usual level of a voice.
    scale = level.clamp(1e-2, 1e3).numpy() * 10 ** (-snr_db / 10) * is_noisy
    is_voice = np.logical_not(is_noise_only)
    heard = voice * _column(is_voice) + noise * _column(scale)
    response_db = _filter_db(count, bands, config, rng) + rng.uniform(*config.gain_db, (count, 1))
    heard = heard * torch.from_numpy(10 ** (response_db / 10)).float()[:, :, None]
    return Changed(compressed(heard), torch.from_numpy(is_noise_only))


def _column(values: ArrayLike) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32))[:, None, None]


def _warped(mels: Tensor, most: float, rng: np.random.Generator) -> Tensor:
    """Stretch the frequency axis of each example; mel bands are spaced like octaves above 1 kHz.

    A factor in frequency is nearly a shift on the upper mel scale and a stretch on the lower.
    """
    count, bands, _ = mels.shape
    hz = 700 * (10 ** (np.linspace(78, 2787, bands) / 2595) - 1)  # band centers, 50 to 7600 Hz
    factor = 1 + rng.uniform(-most, most, (count, 1))
    mel_of = 2595 * np.log10(1 + hz * factor / 700)
    at = np.clip((mel_of - 78) / (2787 - 78) * (bands - 1), 0, bands - 1)
    low = np.floor(at).astype(np.int64)
    share = torch.from_numpy((at - low).astype(np.float32))[:, :, None]
    index = torch.from_numpy(low)[:, :, None].expand_as(mels)
    above = (index + 1).clamp_max(bands - 1)
    return mels.gather(1, index) * (1 - share) + mels.gather(1, above) * share


def _filter_db(count: int, bands: int, config: MelAugmentation, rng: np.random.Generator) -> Floats:
    """Draw the response of a microphone for each example, [B, M], in decibels."""
    octave = np.log2(np.maximum(700 * (10 ** (np.linspace(78, 2787, bands) / 2595) - 1), 60) / 1000)
    tilt = rng.uniform(-config.tilt_db, config.tilt_db, (count, 1)) * octave
    center, width = rng.uniform(-3, 2.5, (count, 1)), rng.uniform(0.4, 1.5, (count, 1))
    height = rng.uniform(-config.bump_db, config.bump_db, (count, 1))
    bump = height * np.exp(-(((octave - center) / width) ** 2))
    cut = np.where(
        rng.random((count, 1)) < config.low_pass_chance,
        np.log2(rng.uniform(2.5, 7.0, (count, 1))),
        9.0,
    )
    low_pass = -np.clip((octave - cut) * 90, 0, 60)
    return np.asarray(tilt + bump + low_pass, np.float32)
