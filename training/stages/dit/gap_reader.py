"""A linear read-out of the lip gap from latents around a mouth, fitted once on encoded clips.

It measures; nothing is trained with it. What it reads off true latents is the ceiling for what it
can read off made ones.

Shape letters: B batch, C latent channels, F latent frames, T = 4 F video frames.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from models.studio.vae_config import FRAMES_PER_LATENT, SPATIAL_STRIDE
from training.runs.draw import Draw
from training.stages.dit.windows import WindowSource

SQUARE = 3  # latent positions around a mouth, along each side
BATCHES = 40
RIDGE = 1e-2  # of the mean square of the inputs


class GapReader:
    """Reads four lip gaps, one for each video frame, off a latent frame."""

    def __init__(self, weights: Tensor) -> None:
        self._weights = weights  # [C * 9 + 1, 4]

    @classmethod
    def fit(cls, source: WindowSource, seed: int) -> GapReader:
        """Fit by ridge regression on batches of training clips, everybody's mouth."""
        inputs, targets = [], []
        for index in range(BATCHES):
            window = source(Draw(seed, 0, index, torch.device("cpu")))
            for person in range(window.gap.shape[1]):
                inputs.append(_around(window.latents, window.mouths[:, person]).flatten(0, 1))
                targets.append(window.gap[:, person].reshape(-1, FRAMES_PER_LATENT))
        x, y = torch.cat(inputs).double(), torch.cat(targets).double()
        gram = x.T @ x
        ridge = torch.eye(len(gram), dtype=gram.dtype) * gram.diagonal().mean() * RIDGE
        return cls(torch.linalg.solve(gram + ridge, x.T @ y).float())

    def __call__(self, latents: Tensor, mouths: Tensor) -> Tensor:
        """Read the gap [B, T] in 10 mm off latents [B, C, F, h, w]; mouths [B, P, >= T, 2].

        Of more mouths than frames, the last belong to the latents; the first person's are read.
        """
        frames = latents.shape[2] * FRAMES_PER_LATENT
        found = _around(latents, mouths[:, 0, -frames:])
        return (found @ self._weights.to(found)).flatten(1)


def _around(latents: Tensor, mouths: Tensor) -> Tensor:
    """Gather latents [B, C, F, h, w] around mouths [B, T, 2] in pixels: [B, F, C * 9 + 1]."""
    b, c, frames, height, width = latents.shape
    maps = latents.transpose(1, 2).flatten(0, 1)
    middle = mouths.reshape(b * frames, FRAMES_PER_LATENT, 2).mean(1) / SPATIAL_STRIDE
    offset = torch.arange(SQUARE, device=latents.device) - SQUARE // 2
    square = (b * frames, SQUARE, SQUARE)
    across = (middle[:, None, None, 0] + offset[None, None, :]).expand(square)
    down = (middle[:, None, None, 1] + offset[None, :, None]).expand(square)
    grid = torch.stack([across / width, down / height], dim=-1) * 2 - 1
    found = F.grid_sample(maps, grid.to(maps), align_corners=False, padding_mode="border")
    flat = found.reshape(b, frames, c * SQUARE**2)
    return torch.cat([flat, torch.ones_like(flat[..., :1])], dim=-1)
