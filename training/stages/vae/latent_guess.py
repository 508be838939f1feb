"""Guesses latents from the reference picture's and from how the face moves.

What can be guessed from them is what the transformer, which is told no more, can learn to make. The
autoencoder is asked to put into its latents what is guessed easily, and little besides.

Shape letters: B batch, C latent channels, F latent frames, T = 4 F video frames, h and w latent
size, M motion channels.
Source of the aim, a latent space that a diffusion model finds easy: Leng et al., "REPA-E"
(arXiv 2504.10483); the guess itself is ours.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.studio.vae_blocks import ResBlock
from models.studio.vae_config import FRAMES_PER_LATENT, SPATIAL_STRIDE
from training.stages.motion import MOTION_CHANNELS
from training.stages.vae.crops import Batch

WIDTH = 96
MOTION_WIDTH = 48
PLACES = 4  # where a position lies from the mouth, now and in the reference picture


class LatentGuess(nn.Module):
    """A small convolutional network, each latent frame on its own."""

    def __init__(self, latent_channels: int) -> None:
        super().__init__()
        self.from_motion = nn.Linear(FRAMES_PER_LATENT * MOTION_CHANNELS, MOTION_WIDTH)
        self.enter = nn.Conv2d(latent_channels + MOTION_WIDTH + PLACES, WIDTH, 3, padding=1)
        self.blocks = nn.Sequential(ResBlock(WIDTH), ResBlock(WIDTH))
        self.out = nn.Conv2d(WIDTH, latent_channels, 1)
        for parameter in self.out.parameters():
            nn.init.zeros_(parameter)

    def forward(self, still: Tensor, batch: Batch) -> Tensor:
        """Guess latents [B, C, F, h, w].

        Args:
            still: [B, C, h, w] of the reference picture.
            batch: where and how the face moves.
        """
        b, _, height, width = still.shape
        told = batch.motion.reshape(b, -1, FRAMES_PER_LATENT * MOTION_CHANNELS)
        frames = told.shape[1]
        motion = self.from_motion(told).flatten(0, 1)[:, :, None, None]
        here = batch.mouth.reshape(b, frames, FRAMES_PER_LATENT, 2).mean(2)
        places = [here, batch.reference_mouth[:, None].expand(-1, frames, -1)]
        maps = [_away(place, batch.face_width, (height, width)) for place in places]
        seen = still[:, None].expand(-1, frames, -1, -1, -1).flatten(0, 1)
        parts = [seen, motion.expand(-1, -1, height, width), *maps]
        guess: Tensor = seen + self.out(self.blocks(self.enter(torch.cat(parts, dim=1))))
        return guess.reshape(b, frames, *still.shape[1:]).transpose(1, 2)


def _away(place: Tensor, face_width: Tensor, size: tuple[int, int]) -> Tensor:
    """Give positions as seen from places [B, F, 2], in face widths, bounded: [B * F, 2, h, w]."""
    height, width = size
    down = (torch.arange(height, device=place.device) + 0.5) * SPATIAL_STRIDE
    across = (torch.arange(width, device=place.device) + 0.5) * SPATIAL_STRIDE
    scale = face_width[:, None, None, None]
    x = (across[None, None, None, :] - place[..., 0, None, None]) / scale
    y = (down[None, None, :, None] - place[..., 1, None, None]) / scale
    shape = (*place.shape[:2], height, width)
    return torch.tanh(torch.stack([x.expand(shape), y.expand(shape)], dim=2)).flatten(0, 1)
