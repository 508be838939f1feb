"""Normalized latents, which the diffusion transformer works in, and those of the VAE itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


class LatentScale(nn.Module):
    """Shift and scale each latent channel by statistics measured once for a VAE.

    The statistics are numbers of the config, not weights: absent from checkpoints, float32 whatever
    the dtype of the weights, and real even when the network is built on the meta device.
    """

    mean: Tensor  # [z, 1, 1, 1]
    std: Tensor  # [z, 1, 1, 1]

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.numbers = {"mean": tuple(mean), "std": tuple(std)}
        self._place(torch.device("cpu"))

    def _place(self, device: torch.device) -> None:
        for name, numbers in self.numbers.items():
            values = torch.tensor(numbers, dtype=torch.float32, device=device)
            self.register_buffer(name, values.reshape(-1, 1, 1, 1), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> LatentScale:
        # to(dtype) would round the numbers and to_empty() would lose them: follow the device alone.
        self._place(fn(self.mean).device)
        return self

    def normalize(self, z: Tensor) -> Tensor:
        """Give (z - mean) / std of z [B, z, F, h, w], in the dtype of z."""
        mean, std = self.mean.to(z.device), self.std.to(z.device)
        return ((z - mean) / std).to(z.dtype)

    def denormalize(self, latents: Tensor) -> Tensor:
        """Undo `normalize` for latents [B, z, F, h, w], in float32 or wider."""
        return latents * self.std.to(latents.device) + self.mean.to(latents.device)
