"""Latent frames predicted in one pass, each behind a past of its own that is given, not predicted.

The sequence holds every frame twice: as the stream left it, and noisy. A noisy frame sees the sink
and the left frames before it, which is what the cache of a stream holds at that place; so one pass
gives what F passes of a stream would give.

Source: teacher forcing with two copies, CausVid (arXiv 2412.07772).

Shape letters: B batch, C latent channels, F latent frames, h and w latent size.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from models.studio.dit import FULL_NOISE, SMALLEST_NOISE, StudioDiT
from models.studio.motion import Motion
from models.wan.attention import Concatenated
from models.wan.dit import StreamView
from models.wan.masks import BlockCausal, token_mask
from models.wan.rope import Grid
from training.stages.dit.prediction import led_by_silence, scene_of
from training.stages.dit.windows import Window


class Left(NamedTuple):
    """Frames as later ones see them."""

    latents: Tensor  # [B, C, F, h, w], noised by their level
    level: Tensor  # [B, F] in 0..1


def velocity_behind(
    dit: StudioDiT, window: Window, left: Left, noisy: Tensor, level: Tensor
) -> Tensor:
    """Give the velocity [B, C, F, h, w] of every noisy frame behind the frames left before it.

    Args:
        dit: the transformer.
        window: its conditions.
        left: the stream's frames; the last one is seen by none.
        noisy: [B, C, F, h, w].
        level: [B, F] in 0..1.
    """
    frames = noisy.shape[2]
    sequence = torch.cat([window.reference, left.latents, noisy], dim=2)
    timestep = torch.cat([torch.zeros_like(level[:, :1]), left.level, level], dim=1) * FULL_NOISE
    motion = Motion(_twice(window.motion), _twice(window.known))
    audio = dit.encode_audio(_twice(window.features), motion)
    scene = scene_of(dit, window)
    joined = torch.cat([sequence, scene.reference.expand_as(sequence)], dim=1)
    grid = Grid(1 + 2 * frames, joined.shape[3] // 2, joined.shape[4] // 2)
    positions = [*range(1 + frames), *range(1, 1 + frames)]
    rotation = dit.rotation(positions, grid, noisy.device)
    mask = token_mask(copies_mask(dit.as_stream(), frames), grid.tokens_per_frame)
    view = StreamView(
        rotation,
        [None] * len(dit.blocks),
        mask.to(noisy.device),
        Concatenated(),
        dit.cfg.timestep_dtype,
    )
    conditions = dit.conditions(scene, audio.layers, audio.movement, grid.frames)
    return dit.predict(joined, timestep, conditions, view).velocity[:, :, 1 + frames :]


def clean_behind(
    dit: StudioDiT, window: Window, left: Left, noisy: Tensor, level: Tensor
) -> Tensor:
    """Do the same and give clean latents."""
    velocity = velocity_behind(dit, window, left, noisy, level)
    return noisy - velocity * level.clamp(min=SMALLEST_NOISE)[:, None, :, None, None]


def copies_mask(stream: BlockCausal, frames: int) -> Tensor:
    """Give who sees whom [1 + 2 F, 1 + 2 F]: the sink, the left frames, the noisy ones."""
    whole = stream.teacher_forcing_mask(1 + frames)
    kept = [place for place in range(2 * (1 + frames)) if place != 1 + frames]  # one sink is enough
    return whole[kept][:, kept]


def _twice(x: Tensor) -> Tensor:
    """Repeat what is told of a window [B, P, T, ...] for both copies, the silent sink in front."""
    return torch.cat([led_by_silence(x), x], dim=2)
