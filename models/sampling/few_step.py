"""Levels of few-step causal samplers: Self-Forcing's warped list and LiveTalk's.

A few-step model denoises a chunk in 2-4 passes and is trained at exactly those timesteps, so its
list is part of the model. *Warped*: the plain list (1000, 750, ...) indexes a shifted table.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models.errors import ConfigError
from models.sampling.schedules import TRAIN_STEPS, Schedule, shift_sigma


def sigma_table(size: int, shift: float) -> Tensor:
    """Give `size` shifted sigmas [size], float32, from 1 down; 0 itself is not in the table.

    Source: repository guandeh17/Self-Forcing, utils/scheduler.py (Apache-2.0).

    Raises:
        ConfigError: when the size or the shift is not positive.
    """
    if size < 1 or shift <= 0:
        raise ConfigError(f"a table needs a positive size and shift, got {size} and {shift}")
    return shift_sigma(torch.linspace(1, 0, size + 1)[:-1], shift)


def nearest_sigma(table: Tensor, timestep: Tensor) -> Tensor:
    """Look up the sigma of a timestep of any shape: the table's [S] entry nearest to it.

    Timestep 0 gives the table's smallest sigma, not 0: 0.00498 for 1000 entries and shift 5. So
    much noise does Self-Forcing mean when its clean-context pass runs at timestep 0.

    Source: repository guandeh17/Self-Forcing, utils/scheduler.py (Apache-2.0).
    """
    distance = (timestep.unsqueeze(-1) - table * TRAIN_STEPS).abs()  # [..., S]
    return table[distance.argmin(-1)]


def warped_timesteps(denoising_list: Sequence[int], shift: float) -> Tensor:
    """Turn a plain list such as (1000, 750, 500, 250) into the timesteps it stands for.

    A number n names entry 1000 - n of the shifted table; 0 stays 0.

    Source: repository guandeh17/Self-Forcing, pipeline/causal_inference.py (Apache-2.0).

    Raises:
        ConfigError: when a number is outside 0..1000 or the shift is not positive.
    """
    wrong = [n for n in denoising_list if not 0 <= n <= TRAIN_STEPS]
    if wrong:
        raise ConfigError(f"denoising steps must lie in 0..{TRAIN_STEPS}, got {wrong}")
    levels = torch.cat([sigma_table(TRAIN_STEPS, shift) * TRAIN_STEPS, torch.zeros(1)])
    return levels[TRAIN_STEPS - torch.tensor(denoising_list)]


def self_forcing_schedule(denoising_list: Sequence[int], shift: float) -> Schedule:
    """Give Self-Forcing's levels: warped timesteps, each with the table's nearest sigma, then 0.

    Raises:
        ConfigError: as `warped_timesteps`, and when the list is empty, does not fall, or names 0.
    """
    if not denoising_list or min(denoising_list) == 0:
        raise ConfigError(f"a denoising list needs steps above 0 only, got {list(denoising_list)}")
    timesteps = warped_timesteps(denoising_list, shift)
    sigmas = nearest_sigma(sigma_table(TRAIN_STEPS, shift), timesteps)
    return Schedule(timesteps=timesteps, sigmas=torch.cat([sigmas, torch.zeros(1)]))


def livetalk_schedule(steps: int, shift: float) -> Schedule:
    """Give LiveTalk's inference levels: even sigmas, shifted; timesteps rounded to bfloat16.

    The rounding is part of the model: 937.5, 833.3, 625 become 936, 832, 624, its training list,
    while the sigmas stay exact.

    Source: repository GAIR-NLP/LiveTalk (CC BY-NC-SA 4.0; the numbers only).

    Raises:
        ConfigError: when there is no step or the shift is not positive.
    """
    sigmas = sigma_table(steps, shift)
    timesteps = (sigmas * TRAIN_STEPS).to(torch.bfloat16).to(torch.float32)
    return Schedule(timesteps=timesteps, sigmas=torch.cat([sigmas, torch.zeros(1)]))


def livetalk_training_timesteps(steps: int, shift: float, *, has_clean_level: bool) -> Tensor:
    """Give the timesteps LiveTalk is distilled at: those of inference, unwarped.

    Distribution matching uses [steps]; regression on ODE pairs adds the clean level 0: [steps + 1].

    Raises:
        ConfigError: as `livetalk_schedule`.
    """
    timesteps = livetalk_schedule(steps, shift).timesteps
    return torch.cat([timesteps, torch.zeros(1)]) if has_clean_level else timesteps
