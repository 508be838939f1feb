"""Which noise levels a sampler visits: the tables of MultiTalk and AnyTalker.

Two scales, never mixed: *sigma* in [0, 1] is the share of noise, x = (1 - sigma) x0 + sigma noise,
and *timestep* in [0, 1000] is what the network is told. Usually timestep = 1000 sigma, but
AnyTalker truncates it to an integer and LiveTalk rounds it to bfloat16 while their solvers keep the
exact sigma, so a schedule holds both. N counts denoising steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.errors import ConfigError

TRAIN_STEPS = 1000  # timestep = TRAIN_STEPS * sigma in every published flow-matching model here
ANYTALKER_BASE_SHIFT = 5.0  # baked into AnyTalker's UniPC before the shift that is asked for


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Schedule:
    """The levels of one denoising run, noisiest first, float32 on the CPU.

    Zero-dimensional CPU values mix with latents on any device without a synchronization.
    """

    timesteps: Tensor  # [N], what the network is given at each step
    sigmas: Tensor  # [N+1], where step i goes from sigmas[i] to sigmas[i+1]

    def __post_init__(self) -> None:
        steps, levels = len(self.timesteps), len(self.sigmas)
        if steps < 1 or levels != steps + 1:
            raise ConfigError(
                f"{steps} timesteps (at least 1) need {steps + 1} sigmas, got {levels}"
            )
        if bool((self.sigmas.diff() >= 0).any()):
            raise ConfigError(f"sigmas must fall at every step, got {self.sigmas.tolist()}")

    @property
    def steps(self) -> int:
        return len(self.timesteps)


def shift_sigma(sigma: Tensor, shift: float) -> Tensor:
    """Move sigma of any shape towards 1 by the timestep shift: s u / (1 + (s - 1) u).

    Source: Esser et al., arXiv 2403.03206, section 5.3.2.
    """
    return shift * sigma / (1 + (shift - 1) * sigma)


def multitalk_schedule(steps: int, shift: float) -> Schedule:
    """Give MultiTalk's Euler levels; timesteps stay fractional.

    The unshifted grid ends at timestep 1, not at 1000 / N, so the last step is tiny.

    Source: repository MeiGen-AI/MultiTalk, wan/multitalk.py (Apache-2.0).

    Raises:
        ConfigError: when there is no step or the shift is not positive.
    """
    _check(steps, shift)
    # numpy's linspace: torch's differs in the last bit, and the published tables are numpy's.
    grid = np.append(np.linspace(TRAIN_STEPS, 1, steps, dtype=np.float32), np.float32(0))
    timesteps = TRAIN_STEPS * shift_sigma(torch.from_numpy(grid) / TRAIN_STEPS, shift)  # [N+1]
    return Schedule(timesteps=timesteps[:-1], sigmas=timesteps / TRAIN_STEPS)


def anytalker_unipc_schedule(steps: int, shift: float) -> Schedule:
    """Give AnyTalker's UniPC levels: shifted twice, timesteps truncated to integers.

    The solver is built with shift 5 and the levels are then spread below ITS highest sigma and
    shifted by the value asked for, so the first sigma is a little under 1.

    Source: repository HKUST-C4G/AnyTalker, wan/utils/fm_solvers_unipc.py (Apache-2.0).

    Raises:
        ConfigError: when there is no step or the shift is not positive.
    """
    _check(steps, shift)
    highest = torch.tensor(1 - 1 / TRAIN_STEPS, dtype=torch.float32)
    top = float(shift_sigma(highest, ANYTALKER_BASE_SHIFT))
    return _truncated(np.linspace(top, 0, steps + 1)[:-1], shift)


def anytalker_dpmpp_schedule(steps: int, shift: float) -> Schedule:
    """Give AnyTalker's DPM++ levels: shifted once from 1, timesteps truncated to integers.

    Source: repository HKUST-C4G/AnyTalker, wan/utils/fm_solvers.py (Apache-2.0).

    Raises:
        ConfigError: when there is no step or the shift is not positive.
    """
    _check(steps, shift)
    return _truncated(np.linspace(1, 0, steps + 1)[:-1], shift)


def _truncated(grid: NDArray[np.float64], shift: float) -> Schedule:
    # float64 up to the truncation: sigma 0.25 sits just below timestep 250 and is told as 249.
    sigmas = shift_sigma(torch.from_numpy(grid), shift)
    timesteps = (sigmas * TRAIN_STEPS).to(torch.int64).to(torch.float32)
    return Schedule(timesteps=timesteps, sigmas=torch.cat([sigmas, sigmas.new_zeros(1)]).float())


def _check(steps: int, shift: float) -> None:
    if steps < 1:
        raise ConfigError(f"a schedule needs at least 1 step, got {steps}")
    if shift <= 0:
        raise ConfigError(f"the timestep shift must be positive, got {shift}")
