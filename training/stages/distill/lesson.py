"""What a teacher does in several steps, as the one velocity that does the same in one.

From a noisy frame the teacher goes on in its own Euler steps, down to where the student's next step
begins (Euler) or to the clean frame (re-noising). The straight line between the two is the lesson.

Source: progressive distillation (Salimans and Ho, arXiv 2202.00512); to the clean end, regression
on ODE trajectories (CausVid, arXiv 2412.07772, section 4.3).

Shape letters: B batch, C latent channels, F latent frames, n steps of the student, L levels of a
path, h and w latent size.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from models.sampling.guidance import cfg
from models.studio.dit import FULL_NOISE, StudioDiT
from training.stages.distill.config import DistillConfig
from training.stages.dit.behind import Left, velocity_behind
from training.stages.dit.windows import Window


class Pupil(NamedTuple):
    """Who is taught by whom."""

    network: StudioDiT  # begins as a copy of the teacher
    teacher: StudioDiT
    steps: int
    teacher_steps: int


def paths(config: DistillConfig, steps: int, teacher_steps: int) -> Tensor:
    """Give the levels [n, L] that the teacher visits for each of the student's steps.

    Paths to the clean end differ in length; short ones stand still at 0.
    """
    levels = [each / FULL_NOISE for each in (*config.timesteps(teacher_steps), 0.0)]
    per_step = teacher_steps // steps
    if config.sampler == "euler" or steps == teacher_steps:
        rows = [levels[first : first + per_step + 1] for first in range(0, teacher_steps, per_step)]
    else:
        rows = [levels[first:] + [0.0] * first for first in range(0, teacher_steps, per_step)]
    return torch.tensor(rows)


@torch.no_grad()
def lesson(
    teacher: StudioDiT, window: Window, left: Left, noisy: Tensor, path: Tensor, audio_scale: float
) -> Tensor:
    """Give the clean latents [B, C, F, h, w] toward which the student's one step must lead.

    Args:
        teacher: the frozen transformer.
        window: conditions of both.
        left: the past, the same for both.
        noisy: [B, C, F, h, w] at the path's first level.
        path: [B, F, L] levels of every frame.
        audio_scale: CFG scale of the teacher's voices.
    """
    x = noisy
    for level, after in zip(path.unbind(-1)[:-1], path.unbind(-1)[1:], strict=True):
        x = x + wide(after - level) * _velocity(teacher, window, left, x, level, audio_scale)
    first, last = wide(path[..., 0]), wide(path[..., -1])
    return noisy - first * (x - noisy) / (last - first)


def _velocity(
    teacher: StudioDiT, window: Window, left: Left, x: Tensor, level: Tensor, audio_scale: float
) -> Tensor:
    velocity = velocity_behind(teacher, window, left, x, level)
    if audio_scale == 1:
        return velocity
    unheard = velocity_behind(teacher, unheard_by(window), left, x, level)
    return cfg(velocity, unheard, audio_scale)


def unheard_by(window: Window) -> Window:
    """Give the same window with nothing to hear, and nothing told of motion."""
    nothing = torch.zeros_like
    return window._replace(
        features=nothing(window.features),
        motion=nothing(window.motion),
        known=nothing(window.known),
    )


def wide(level: Tensor) -> Tensor:
    """Lay levels [B, F] out against latents [B, C, F, h, w]."""
    return level[:, None, :, None, None]
