"""What happens to a voice before any network sees it, exactly as each published system does it.

Shape letters: n samples at 16 kHz, T video frames. Everything here is one person's mono track.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from pyloudnorm import Meter
from torch import Tensor

from models.errors import ConfigError, InputError

SAMPLE_RATE_HZ = 16_000
METER_BLOCK_SAMPLES = 6_400  # BS.1770 gates on 400 ms blocks; a shorter clip cannot be metered
MOST_LOUDNESS_LUFS = 100.0  # MultiTalk leaves a clip alone beyond this; digital silence is -inf
VARIANCE_FLOOR = 1e-7  # inside the square root, as transformers' Wav2Vec2FeatureExtractor has it
MOST_PEAK = 16.0  # full scale is 1; unscaled PCM16 is far above, and huge values end in NaN


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioRecipe:
    """How one system turns a voice into one feature per video frame.

    Source: MeiGen-AI/MultiTalk, generate_multitalk.py (Apache-2.0); HKUST-C4G/AnyTalker,
    wan/modules/wav2vec.py (Apache-2.0).
    """

    fps: int
    rounding: Literal["floor", "ceil"]  # of a last, incomplete video frame
    loudness_lufs: float | None  # BS.1770 target before the zero mean and unit variance, or none

    def __post_init__(self) -> None:
        if not 1 <= self.fps <= 50:
            raise ConfigError(f"fps must be from 1 to 50 (wav2vec2 gives 50 Hz), got {self.fps}")


def multitalk_audio() -> AudioRecipe:
    """Give MultiTalk's recipe: 25 fps, -23 LUFS, an incomplete last frame dropped."""
    return AudioRecipe(fps=25, rounding="floor", loudness_lufs=-23.0)


def anytalker_audio(fps: int = 24) -> AudioRecipe:
    """Give AnyTalker's recipe: 24 fps unless told, no loudness step, a last frame begun counts.

    Upstream separates the vocals first (Kim_Vocal_2); that is not done here.
    """
    return AudioRecipe(fps=fps, rounding="ceil", loudness_lufs=None)


def check_waveform(samples: Tensor) -> None:
    """Refuse what is no mono track; an empty one passes, since a live push may bring nothing.

    Raises:
        InputError: when samples are not 1-D, not float32, not finite, or far above full scale.
    """
    if samples.ndim != 1:
        shape = tuple(samples.shape)
        raise InputError(f"waveform: expected mono [n], got {shape}; average or pick a channel")
    if samples.dtype != torch.float32:
        raise InputError(
            f"waveform: expected float32 in [-1, 1], got {samples.dtype}; divide PCM16 by 32768"
        )
    if samples.numel() == 0:
        return
    peak = float(samples.abs().amax())  # NaN if any sample is, infinite if any sample is
    if not math.isfinite(peak):
        raise InputError("waveform: expected finite samples, got NaN or infinity")
    if peak > MOST_PEAK:
        raise InputError(
            f"waveform: expected samples in [-1, 1], got a peak of {peak:g}; divide PCM16 by 32768"
        )


def frame_count(samples: int, recipe: AudioRecipe) -> int:
    """Count the video frames that the published code makes of `samples` samples.

    The floating-point order is upstream's, since it decides: 29 whole frames at 25 fps come out
    as 28, because 18560 / 16000 * 25 is a hair below 29.
    """
    frames = samples / SAMPLE_RATE_HZ * recipe.fps
    return math.floor(frames) if recipe.rounding == "floor" else math.ceil(frames)


def pad_to_frames(samples: Tensor, frames: int, recipe: AudioRecipe) -> Tensor:
    """Append silence to samples [n] until they make `frames` frames, as AnyTalker does.

    The padding is a whole number of 16000 // fps samples for each missing frame. At 24 fps that
    is 666 instead of 666.67, so a very long padding can come out one frame short, as it does
    upstream.
    """
    missing = max(0, frames - frame_count(samples.shape[0], recipe))
    return F.pad(samples, (0, missing * (SAMPLE_RATE_HZ // recipe.fps)))


def normalize_loudness(samples: Tensor, target_lufs: float) -> Tensor:
    """Bring samples [n] to an integrated loudness (ITU-R BS.1770) and return them as float32.

    A clip that cannot be metered (shorter than 400 ms, or silent) is returned as it is. Samples
    may leave [-1, 1]; nothing clips them.
    """
    if samples.shape[0] < METER_BLOCK_SAMPLES:
        return samples
    loudness = float(Meter(SAMPLE_RATE_HZ).integrated_loudness(samples.cpu().numpy()))
    if not abs(loudness) <= MOST_LOUDNESS_LUFS:
        return samples
    gain: float = 10.0 ** ((target_lufs - loudness) / 20.0)
    return samples * gain


def standardize(samples: Tensor) -> Tensor:
    """Give samples [n] zero mean and unit variance; silence stays silence."""
    wide = samples.double()  # a minute is a million terms: float32 sums would cost digits
    centered = wide - wide.mean()
    scaled = centered / (centered.square().mean() + VARIANCE_FLOOR).sqrt()
    return scaled.to(samples.dtype)


def prepare_waveform(samples: Tensor, recipe: AudioRecipe) -> Tensor:
    """Turn a whole recording, samples [n] in [-1, 1], into wav2vec2's input [n].

    Raises:
        InputError: when samples are no mono float32 track or are empty.
    """
    check_waveform(samples)
    if samples.numel() == 0:
        raise InputError("waveform: expected samples, got an empty track")
    if recipe.loudness_lufs is not None:
        samples = normalize_loudness(samples, recipe.loudness_lufs)
    return standardize(samples)
