"""The denoising loop that every sampler shares.

What varies is passed in: `predict` runs the network with its guidance, a Solver moves the latent,
and `constrain` overwrites what is already known (motion latents of a clip, the reference frame of a
stream). The caller's state (APG's running directions, a KV cache, None) goes through as a value.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

from torch import Tensor

from models.sampling.solvers import Solver

StateT = TypeVar("StateT")
SolverStateT = TypeVar("SolverStateT")

Predict = Callable[[Tensor, Tensor, StateT], tuple[Tensor, StateT]]
"""(latent, timestep [] float32 on the CPU, state) -> (velocity like the latent, next state)."""

Constrain = Callable[[Tensor, int], Tensor]
"""(latent, level) -> latent, called at level 0 before the first step and at i + 1 after step i. The
latent is then at schedule.sigmas[level], so a known clean part is noised to that (`add_noise`)."""


class Denoised(NamedTuple, Generic[StateT]):
    """What one denoising step leaves behind."""

    latent: Tensor
    velocity: Tensor  # as guided, the one the solver used
    state: StateT


def denoise(
    predict: Predict[StateT],
    latent: Tensor,
    solver: Solver[SolverStateT],
    state: StateT,
    constrain: Constrain | None = None,
) -> Iterator[Denoised[StateT]]:
    """Walk a latent down the solver's schedule and yield it after each step."""
    solver_state = solver.begin()
    if constrain is not None:
        latent = constrain(latent, 0)
    for index, timestep in enumerate(solver.schedule.timesteps):
        velocity, state = predict(latent, timestep, state)
        latent, solver_state = solver.step(solver_state, index, latent, velocity)
        if constrain is not None:
            latent = constrain(latent, index + 1)
        yield Denoised(latent, velocity, state)


def sample(
    predict: Predict[StateT],
    latent: Tensor,
    solver: Solver[SolverStateT],
    state: StateT,
    constrain: Constrain | None = None,
) -> Denoised[StateT]:
    """Run `denoise` to its end and give the last step, whose latent is clean."""
    return deque(denoise(predict, latent, solver, state, constrain), maxlen=1).pop()
