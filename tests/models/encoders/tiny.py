"""Tiny random networks and voices, from seeds without touching the global generator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from models.encoders.wav2vec2 import Wav2Vec2NetworkConfig


def tiny_wav2vec2(**changes: Any) -> Wav2Vec2NetworkConfig:
    """Give a small network with the published convolution strides and kernels."""
    numbers: dict[str, Any] = {
        "channels": 32,
        "layers": 2,
        "heads": 4,
        "feedforward_channels": 48,
        "conv_channels": (16,) * 7,
        "conv_strides": (5, 2, 2, 2, 2, 2, 2),
        "conv_kernels": (10, 3, 3, 3, 3, 2, 2),
        "conv_norm": "group",
        "has_conv_bias": False,
        "position_kernel": 16,
        "position_groups": 4,
        "is_norm_first": False,
        "norm_eps": 1e-5,
        **changes,
    }
    return Wav2Vec2NetworkConfig(**numbers)


def seeded(build: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """Build a module and give every parameter, norms and biases too, a random value."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = build()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            width = parameter[0].numel() if parameter.ndim > 1 else 4
            parameter.normal_(0.0, width**-0.5, generator=generator)
            if parameter.ndim == 1:
                parameter.add_(0.5)
    return module


def voice(seconds: float, seed: int = 0) -> Tensor:
    """Make a track [n] of loud and quiet noise with slopes, in [-1, 1]."""
    generator = torch.Generator().manual_seed(seed)
    samples = int(seconds * 16_000)
    loudness = 0.02 + 0.1 * torch.sin(torch.arange(samples) / 3000.0).square()
    return (
        torch.randn(samples, generator=generator).cumsum(0).diff(prepend=torch.zeros(1)) * loudness
    )
