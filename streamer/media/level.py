"""A voice without its direct current, brought slowly to one loudness; noise never pumps."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from streamer.media.mixing import soft_limit
from streamer.media.types import SAMPLE_RATE, Samples

DC_TIME = 0.5  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelConfig:
    """Where to and how far. Levels are RMS in dB of full scale."""

    is_on: bool = True
    target_db: float = -22.0
    most_gain_db: float = 18.0
    least_gain_db: float = -15.0
    up_db: float = 4.0  # a second
    down_db: float = 20.0  # a second
    most_floor_db: float = -50.0  # a quiet room must not be made louder than this

    def __post_init__(self) -> None:
        if not self.least_gain_db <= 0 <= self.most_gain_db:
            raise ValueError(
                f"the gain must be able to be 0 dB, got {self.least_gain_db} to {self.most_gain_db}"
            )
        if self.up_db <= 0 or self.down_db <= 0:
            raise ValueError(f"gain must be able to move, got {self.up_db} and {self.down_db} dB/s")


class DcRemoval:
    """Takes the mean away, as it changes over half a second."""

    def __init__(self) -> None:
        self._mean = 0.0

    def process(self, samples: Samples) -> Samples:
        """Give samples [n] without it."""
        if not len(samples):
            return samples
        share = 1 - math.exp(-len(samples) / (DC_TIME * SAMPLE_RATE))
        before = self._mean
        self._mean += share * (float(samples.mean()) - before)
        slope = np.linspace(before, self._mean, len(samples), dtype=np.float32)
        return np.asarray(samples - slope, np.float32)


class LevelControl:
    """Brings speech to one loudness. The gain moves only while somebody speaks."""

    def __init__(self, config: LevelConfig | None = None) -> None:
        self.config = config or LevelConfig()
        self.gain_db = 0.0
        self._speech = 0.0  # power, smoothed over speech
        self._weight = 0.0  # how much speech that is, up to 1

    def process(self, samples: Samples, is_speech: bool, floor_db: float) -> Samples:
        """Give samples [n] at the new level, never beyond full scale.

        Args:
            samples: of one voice at 16 kHz.
            is_speech: whether somebody speaks in them.
            floor_db: how loud the noise is when nobody speaks.
        """
        if not self.config.is_on:
            return np.clip(samples, -1.0, 1.0)
        before = self.gain_db
        if is_speech and len(samples):
            self._learn(samples)
            self._move(len(samples) / SAMPLE_RATE, floor_db)
        if before == self.gain_db == 0:
            return soft_limit(samples)
        gain = 10 ** (np.linspace(before, self.gain_db, len(samples)) / 20)
        return soft_limit((samples * gain).astype(np.float32))

    def _learn(self, samples: Samples) -> None:
        share = min(1.0, len(samples) / (1.5 * SAMPLE_RATE))
        self._weight += share * (1 - self._weight)
        power = float(np.mean(np.square(samples, dtype=np.float64)))
        self._speech += share * (power - self._speech)

    def _move(self, seconds: float, floor_db: float) -> None:
        config = self.config
        speech_db = 10 * math.log10(max(self._speech / self._weight, 1e-8))
        most = min(config.most_gain_db, max(0.0, config.most_floor_db - floor_db))
        wanted = min(most, max(config.least_gain_db, config.target_db - speech_db))
        step = wanted - self.gain_db
        self.gain_db += min(config.up_db * seconds, max(-config.down_db * seconds, step))
