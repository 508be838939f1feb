"""How a latent moves from one noise level to the next, given the network's velocity.

Velocity here is noise - x0, so x0 = x - sigma * velocity and a step to a lower sigma SUBTRACTS.
(MultiTalk negates the network's output and adds it; that is the same step.) Latents have any shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from models.errors import InputError
from models.sampling.schedules import Schedule

StateT = TypeVar("StateT")


class Solver(Protocol[StateT]):
    """One way down a schedule. What a run remembers is a value, so that runs never meet in here."""

    @property
    def schedule(self) -> Schedule: ...

    def begin(self) -> StateT:
        """Give the state of a run that has made no step."""
        ...

    def step(
        self, state: StateT, index: int, latent: Tensor, velocity: Tensor
    ) -> tuple[Tensor, StateT]:
        """Take the latent from sigmas[index] to sigmas[index + 1]; `state` stays as it was."""
        ...


def add_noise(x0: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    """Noise a clean latent to a level: (1 - sigma) x0 + sigma noise; sigma broadcasts to x0."""
    return (1 - sigma) * x0 + sigma * noise


def x0_from_velocity(latent: Tensor, velocity: Tensor, sigma: Tensor) -> Tensor:
    """Give the clean latent the network sees: latent - sigma * velocity, in the latent's dtype.

    Computed in float64, as the published few-step models do.

    Source: repository guandeh17/Self-Forcing, utils/wan_wrapper.py (Apache-2.0).
    """
    return (latent.double() - sigma.double() * velocity.double()).to(latent.dtype)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EulerSolver:
    """First-order steps along the velocity: MultiTalk's sampler.

    Source: repository MeiGen-AI/MultiTalk, wan/multitalk.py (Apache-2.0).
    """

    schedule: Schedule

    def begin(self) -> None:
        return None

    def step(
        self, state: None, index: int, latent: Tensor, velocity: Tensor
    ) -> tuple[Tensor, None]:
        drop = self.schedule.sigmas[index] - self.schedule.sigmas[index + 1]
        return latent - velocity * drop, state


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RenoiseSolver:
    """Jump to the clean latent, then noise it anew to the next level: the few-step causal sampler.

    One solver serves one chunk, because it holds that chunk's noise. The caller draws that with its
    own generator (`draw_renoise`): nothing here is random.

    Raises:
        InputError: when the noise does not hold one latent for each level but the last.

    Source: repository guandeh17/Self-Forcing, pipeline/causal_inference.py (Apache-2.0).
    """

    schedule: Schedule
    noise: Tensor  # [N-1, *latent shape]

    def __post_init__(self) -> None:
        wanted = self.schedule.steps - 1
        if len(self.noise) != wanted:
            raise InputError(
                f"{self.schedule.steps} steps need noise [{wanted}, *latent shape], "
                f"got {tuple(self.noise.shape)}: draw one latent for each step but the last"
            )

    def begin(self) -> None:
        return None

    def step(
        self, state: None, index: int, latent: Tensor, velocity: Tensor
    ) -> tuple[Tensor, None]:
        x0 = x0_from_velocity(latent, velocity, self.schedule.sigmas[index])
        if index == self.schedule.steps - 1:
            return x0, state
        next_sigma = self.schedule.sigmas[index + 1]
        return add_noise(x0, self.noise[index].to(x0.dtype), next_sigma), state


def draw_renoise(schedule: Schedule, latent: Tensor, generator: torch.Generator) -> Tensor:
    """Draw what a RenoiseSolver needs for one chunk: [N-1, *latent shape], like the latent.

    Drawn on the generator's device and then moved: a CPU generator gives one stream everywhere.
    """
    shape = (schedule.steps - 1, *latent.shape)
    noise = torch.randn(shape, generator=generator, device=generator.device)
    return noise.to(device=latent.device, dtype=latent.dtype)
