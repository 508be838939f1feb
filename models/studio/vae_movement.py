"""How the autoencoder's decoder is told what faces do: speech as heard, expressions as acted.

Latents of 16 pixels carry a mouth, and lose lids and brows; and a transformer with one denoising
step gives the mean of what may be. So what is known of a face's motion also reaches the decoder
itself, as a scale and a shift of what its blocks see, for each video frame and in each person's
place. Heads are not told: where they are is for the latents to say.

Source: feature-wise linear modulation (arXiv 1709.07871).

Shape letters: B batch, P people, F latent frames, T = 4 F video frames, h and w latent size.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.studio.config import MotionGroup
from models.studio.motion import TOLD_WIDTH, Motion, MotionLayout
from models.studio.vae_config import FRAMES_PER_LATENT, StudioVAEConfig


class Told(NamedTuple):
    """What is known of a chunk's faces, and where they are."""

    motion: Motion  # values [B, P, T, 56], known [B, P, T, 3]
    # [B, P, h, w]: how much of each latent position is whose, 0..1; or 1 x 1, the same everywhere.
    people: Tensor

    def of_latents(self, span: slice) -> Told:
        """Give what is told of some latent frames."""
        frames = slice(span.start * FRAMES_PER_LATENT, span.stop * FRAMES_PER_LATENT)
        values, known = self.motion
        return Told(Motion(values[:, :, frames], known[:, :, frames]), self.people)


class Modulation(NamedTuple):
    """Scale and shift, side by side as channels, of every block at each of the decoder's scales."""

    sixteenth: tuple[Tensor, ...]  # [B * F, 2 c16, h, w], or 1 x 1 where it is the same everywhere
    eighth: tuple[Tensor, ...]  # [B * T, 2 c8, 2 h, 2 w], likewise
    quarter: tuple[Tensor, ...]  # [B * T, 2 c4, 4 h, 4 w], likewise


class DecoderMovement(nn.Module):
    """Told motion to scales and shifts; starts out changing nothing."""

    told_groups: Tensor

    def __init__(self, cfg: StudioVAEConfig) -> None:
        super().__init__()
        widths, inner = cfg.decoder, cfg.movement_dim
        self.layout = MotionLayout()
        self.deep_blocks, self.fine_blocks = cfg.deep_blocks, cfg.fine_blocks
        self.frame_blocks = cfg.frame_blocks
        groups = [float(group is not MotionGroup.HEAD) for group in MotionGroup]
        self.register_buffer("told_groups", torch.tensor(groups), persistent=False)
        self.enter = nn.Linear(TOLD_WIDTH, inner)
        self.middle = nn.Linear(inner, inner)
        self.gather = nn.Linear(FRAMES_PER_LATENT * inner, inner)
        self.to_sixteenth = nn.Linear(inner, 2 * widths.sixteenth * cfg.deep_blocks)
        self.to_eighth = nn.Linear(inner, 2 * widths.eighth * cfg.frame_blocks)
        self.to_quarter = nn.Linear(inner, 2 * widths.quarter * cfg.fine_blocks)
        for last in (self.to_sixteenth, self.to_eighth, self.to_quarter):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, told: Told) -> Modulation:
        """Give every block's scales and shifts."""
        motion, people = told
        layout = self.layout(Motion(motion.values, motion.known * self.told_groups))
        frame = F.silu(self.enter(layout))
        frame = frame + F.silu(self.middle(frame))  # [B, P, T, inner]
        b, p, _, inner = frame.shape
        gathered = self.gather(frame.reshape(b, p, -1, FRAMES_PER_LATENT * inner))
        latent = F.silu(gathered)
        return Modulation(
            _placed(self.to_sixteenth(latent), people, self.deep_blocks, 1),
            _placed(self.to_eighth(frame), people, self.frame_blocks, 2),
            _placed(self.to_quarter(frame), people, self.fine_blocks, 4),
        )


def _placed(values: Tensor, people: Tensor, blocks: int, factor: int) -> tuple[Tensor, ...]:
    """Put values [B, P, T, c] where people [B, P, h, w] are, `factor` times larger.

    Gives [B * T, c / blocks, factor * h, factor * w] for each block; 1 x 1 stays so.
    """
    b, count, times, channels = values.shape
    is_grown = factor > 1 and people.shape[2:] != (1, 1)
    grown = F.interpolate(people, scale_factor=factor, mode="nearest") if is_grown else people
    by_channel = values.permute(0, 2, 3, 1).reshape(b, times * channels, count)
    placed = by_channel @ grown.flatten(2).to(values.dtype)
    return placed.reshape(b * times, channels, *grown.shape[2:]).chunk(blocks, dim=1)
