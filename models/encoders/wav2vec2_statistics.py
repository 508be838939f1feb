"""Causal statistics in place of the whole-clip ones, which a live voice cannot have.

The published path scales a clip three times over: loudness, zero mean and unit variance, then a
group norm over all time behind the first convolution. The last one takes out any gain and offset
put in before it, so all three together are: standardize each channel of the first convolution's
raw output, with a floor of eps times the waveform's variance under the square root. Only these
two sets of numbers are therefore tracked here, and the loudness step has no part in a stream.

Shape letters: n samples, p positions of the first convolution, C its channels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from models.encoders.waveform import SAMPLE_RATE_HZ
from models.errors import ConfigError

# Autocorrelation of speech at 16 kHz at lags of 0..9 samples, power 1, measured on two-person
# 16 kHz conversation recordings: what a channel hears before the speaker has said anything.
SPEECH_AUTOCORRELATION = (1.0, 0.96, 0.888, 0.792, 0.692, 0.588, 0.494, 0.41, 0.334, 0.268)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsConfig:
    """What counts towards the statistics, and how long it is remembered."""

    gate_dbfs: float  # RMS below which a video frame's audio is silence and does not count
    hangover_s: float  # pauses up to this long count as speech, as they do in a whole clip
    memory_s: float  # counted audio beyond this is forgotten exponentially
    prior_s: float  # weight of the prior, in seconds of counted audio
    prior_dbfs: float  # RMS level that the prior expects of speech

    def __post_init__(self) -> None:
        if not (self.memory_s > 0 and self.prior_s > 0 and self.hangover_s >= 0):
            raise ConfigError(
                f"memory_s={self.memory_s} and prior_s={self.prior_s} must be above 0 and "
                f"hangover_s={self.hangover_s} not below"
            )


class RunningStatistics(NamedTuple):
    """Means and powers of the counted audio so far, float64. A value: update() returns a new one.

    Powers are about zero; all but the channel tensors are 0-D.
    """

    counted_samples: Tensor  # weight behind the means, at most the memory
    quiet_samples: Tensor  # since the last frame above the gate
    wave_mean: Tensor
    wave_power: Tensor
    conv_mean: Tensor  # [C]
    conv_power: Tensor  # [C]


class ChannelScale(NamedTuple):
    """What to subtract from and multiply each channel of the first convolution by, float32 [C]."""

    mean: Tensor
    gain: Tensor


def no_statistics(channels: int, device: torch.device) -> RunningStatistics:
    """Give the statistics of a stream in which nobody has spoken yet."""
    zero = torch.zeros((), dtype=torch.float64, device=device)
    none = torch.zeros(channels, dtype=torch.float64, device=device)
    return RunningStatistics(zero, zero + math.inf, zero, zero, none, none)


def update(
    past: RunningStatistics, samples: Tensor, conv: Tensor, config: StatisticsConfig
) -> RunningStatistics:
    """Count one video frame's audio: samples [n] and the raw conv outputs [C, p] ending with it.

    Everything stays on the device: the gate is arithmetic, not a branch.
    """
    x, y = samples.double(), conv.double()
    wave_mean, wave_power = x.mean(), x.square().mean()
    is_loud = wave_power - wave_mean.square() >= 10.0 ** (config.gate_dbfs / 10.0)
    quiet = torch.where(is_loud, 0.0, past.quiet_samples + samples.shape[0])
    is_counted = quiet <= config.hangover_s * SAMPLE_RATE_HZ
    counted = past.counted_samples + torch.where(is_counted, float(samples.shape[0]), 0.0)
    counted = counted.clamp(max=config.memory_s * SAMPLE_RATE_HZ)
    rate = torch.where(is_counted, samples.shape[0] / counted.clamp(min=samples.shape[0]), 0.0)
    return RunningStatistics(
        counted,
        quiet,
        past.wave_mean.lerp(wave_mean, rate),
        past.wave_power.lerp(wave_power, rate),
        past.conv_mean.lerp(y.mean(dim=1), rate),
        past.conv_power.lerp(y.square().mean(dim=1), rate),
    )


def prior_variance(weight: Tensor) -> Tensor:
    """Give each channel's output variance [C] for speech of power 1, from conv weights [C, 1, k].

    For a filter w and the autocorrelation matrix R of its input the variance is w' R w.
    """
    taps = weight[:, 0].double()
    lags = torch.arange(taps.shape[1])
    r = torch.tensor(SPEECH_AUTOCORRELATION, dtype=torch.float64)
    distance = (lags[:, None] - lags).abs().clamp(max=len(SPEECH_AUTOCORRELATION) - 1)
    covariance = r[distance].to(taps.device)
    return torch.einsum("ci,ij,cj->c", taps, covariance, taps).clamp(min=0.0)


def channel_scale(
    statistics: RunningStatistics, prior: Tensor, eps: float, config: StatisticsConfig
) -> ChannelScale:
    """Turn statistics into one mean and gain per channel, given prior_variance() as prior [C].

    With nothing counted yet the prior decides alone, so that a room's noise before the first word
    is not blown up to the level of speech.
    """
    counted = statistics.counted_samples
    weight = config.prior_s * SAMPLE_RATE_HZ
    wave = (statistics.wave_power - statistics.wave_mean.square()).clamp(min=0.0)
    level = (weight * 10.0 ** (config.prior_dbfs / 10.0) + counted * wave) / (weight + counted)
    conv = (statistics.conv_power - statistics.conv_mean.square()).clamp(min=0.0)
    variance = (weight * prior * level + counted * conv) / (weight + counted)
    gain = (variance + eps * level).rsqrt()
    return ChannelScale(statistics.conv_mean.float(), gain.float())
