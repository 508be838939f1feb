"""Log-mel spectra as two tensor operations that any runtime has: a strided convolution, a matrix.

Shape letters: B batch, n samples, J mel frames of 10 ms, M mels, K frequencies.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.studio.audio_config import HOP_SAMPLES, SAMPLE_RATE_HZ, AudioEncoderConfig

# Added to the power of a band, of samples in -1..1 under a window of unit sum of squares. Digital
# silence is log(FLOOR); room noise at -70 dB of full scale lies just above it.
FLOOR = 1e-7
LOG_SCALE = 5.0  # divides the logarithm, so that values lie in about 0..3


class LogMel(nn.Module):
    """Causal log-mel spectra: frame j hears samples up to (j + 1) * 160 and nothing later.

    Values are log(1 + power / FLOOR) / 5: silence is exactly 0, so zeros are the past of a stream
    that begins.
    """

    basis: Tensor  # [2 K, 1, window] windowed cosines, then sines
    bands: Tensor  # [M, K, 1] triangles of equal width in mel

    def __init__(self, config: AudioEncoderConfig) -> None:
        super().__init__()
        size = config.window_samples
        self.past_samples = size - HOP_SAMPLES
        time = np.arange(size)
        window = 0.5 - 0.5 * np.cos(2 * np.pi * (time + 0.5) / size)
        window /= np.sqrt(np.sum(window**2))
        bins = np.arange(int(np.ceil(config.highest_hz * size / SAMPLE_RATE_HZ)) + 1)
        angles = 2 * np.pi * np.outer(bins, time) / size
        basis = np.concatenate([np.cos(angles), np.sin(angles)]) * window
        bands = _triangles(config, bins * SAMPLE_RATE_HZ / size)
        # Buffers that follow from the config: no part of the weights.
        self.register_buffer("basis", _float32(basis)[:, None], persistent=False)
        self.register_buffer("bands", _float32(bands)[:, :, None], persistent=False)

    def forward(self, samples: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """Give log-mels [B, M, J] of samples [B, J * 160] and the next past [B, window - 160]."""
        heard = torch.cat([past, samples], dim=1)
        parts = F.conv1d(heard[:, None], self.basis, stride=HOP_SAMPLES)
        power = parts.square()
        count = self.bands.shape[1]
        mel = F.conv1d(power[:, :count] + power[:, count:], self.bands)
        return compressed(mel), heard[:, heard.shape[1] - self.past_samples :]


def compressed(power: Tensor) -> Tensor:
    """Turn powers of bands into log-mel values."""
    return torch.log(power * (1 / FLOOR) + 1) * (1 / LOG_SCALE)


def expanded(log_mel: Tensor) -> Tensor:
    """Turn log-mel values back into powers of bands."""
    return torch.expm1(log_mel * LOG_SCALE) * FLOOR


def _triangles(config: AudioEncoderConfig, frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make the mel matrix [M, K]; low bands narrower than a bin get at least the nearest bin.

    Source: mel scale of O'Shaughnessy, "Speech Communication", 1987: 2595 log10(1 + f / 700).
    """
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (config.lowest_hz, config.highest_hz))
    corners = 700 * (10 ** (np.linspace(low, high, config.mels + 2) / 2595) - 1)
    left, middle, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rise = (frequencies - left) / (middle - left)
    fall = (right - frequencies) / (right - middle)
    bands = np.maximum(np.minimum(rise, fall), 0)
    nearest = np.abs(frequencies - middle).argmin(axis=1)
    rows = np.arange(config.mels)
    bands[rows, nearest] = np.maximum(bands[rows, nearest], 0.5)
    return np.asarray(bands)


def _float32(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
