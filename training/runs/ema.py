"""An exponential moving average of a network's weights: what is measured and shipped."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

from models.errors import ConfigError

Network = TypeVar("Network", bound=nn.Module)


class Ema(Generic[Network]):
    """Owns `network`, a copy in evaluation mode that follows the trained one slowly."""

    def __init__(self, network: Network, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ConfigError(f"EMA decay must be in 0..1, got {decay}")
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, network: Network, step: int) -> None:
        """Move toward the network's weights after optimizer step `step`, counted from 1.

        The first steps follow faster, so that the start is forgotten.
        """
        decay = min(self.decay, (1 + step) / (10 + step))
        for mine, theirs in zip(self.network.parameters(), network.parameters(), strict=True):
            mine.lerp_(theirs.to(mine.dtype), 1 - decay)
        for kept, new in zip(self.network.buffers(), network.buffers(), strict=True):
            kept.copy_(new)
