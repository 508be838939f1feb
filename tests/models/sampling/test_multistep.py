from __future__ import annotations

from typing import Literal, TypeVar

import pytest
import torch
from torch import Tensor

from models.errors import ConfigError
from models.sampling.denoise import denoise
from models.sampling.multistep import DPMSolverPP, UniPCSolver, anytalker_solver
from models.sampling.schedules import Schedule, anytalker_dpmpp_schedule
from models.sampling.solvers import EulerSolver, Solver

StateT = TypeVar("StateT")
Kind = Literal["unipc", "dpm++"]
KINDS = ("unipc", "dpm++")
SHAPE = (16, 2, 3, 4)
DATA_STD = 0.5


def randn(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def spread(sigma: Tensor) -> Tensor:
    """Standard deviation at a level when the data are normal with DATA_STD."""
    return ((1 - sigma) ** 2 * DATA_STD**2 + sigma**2).sqrt()


def normal_velocity(latent: Tensor, sigma: Tensor) -> Tensor:
    """The exact velocity for normal data; its path scales with `spread`."""
    return latent * (sigma - (1 - sigma) * DATA_STD**2) / spread(sigma) ** 2


def error_on_the_way(solver: Solver[StateT], start: Tensor) -> float:
    """Distance from the exact path before the last step, which is of first order in all solvers."""
    sigmas = solver.schedule.sigmas

    def predict(latent: Tensor, timestep: Tensor, step: int) -> tuple[Tensor, int]:
        return normal_velocity(latent, sigmas[step]), step + 1

    *_, before_last, _ = denoise(predict, start, solver, 0)
    return float((before_last.latent - start * spread(sigmas[-2]) / spread(sigmas[0])).abs().max())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_true_velocity_leads_to_the_clean_latent(kind: Kind, steps: int) -> None:
    solver = anytalker_solver(kind, steps, 5.0)
    x0, latent, state = randn(*SHAPE, seed=0), randn(*SHAPE, seed=1), solver.begin()
    for index in range(steps):
        velocity = (latent - x0) / solver.schedule.sigmas[index]
        latent, state = solver.step(state, index, latent, velocity)
    torch.testing.assert_close(latent, x0, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_order_solver_beats_euler(kind: Kind) -> None:
    solver, start = anytalker_solver(kind, 12, 3.0), randn(*SHAPE, seed=2)
    euler = EulerSolver(schedule=solver.schedule)
    assert error_on_the_way(solver, start) < 0.25 * error_on_the_way(euler, start)


def test_dpmpp_follows_the_papers_formula() -> None:
    schedule = anytalker_dpmpp_schedule(6, 5.0)
    velocities, latent = randn(6, *SHAPE, seed=3), randn(*SHAPE, seed=4)
    solver = DPMSolverPP(schedule=schedule)
    state, ours, theirs = solver.begin(), latent, latent.double()
    sigmas = schedule.sigmas.double()
    log_snr = (1 - sigmas).log() - sigmas.log()
    x0s: list[Tensor] = []
    for i in range(6):
        ours, state = solver.step(state, i, ours, velocities[i])
        x0s.append(theirs - sigmas[i] * velocities[i])
        h = log_snr[i + 1] - log_snr[i]
        direction = x0s[i]
        if 0 < i < 5:
            ratio = (log_snr[i] - log_snr[i - 1]) / h
            direction = direction + (x0s[i] - x0s[i - 1]) / (2 * ratio)
        alpha = 1 - sigmas[i + 1]
        theirs = sigmas[i + 1] / sigmas[i] * theirs - alpha * torch.expm1(-h) * direction
        torch.testing.assert_close(ours, theirs.float(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_leaves_the_state_it_was_given(kind: Kind) -> None:
    solver = anytalker_solver(kind, 5, 5.0)
    latent, state = randn(*SHAPE, seed=0), solver.begin()
    for index in range(2):
        latent, state = solver.step(state, index, latent, randn(*SHAPE, seed=index + 5))
    velocity = randn(*SHAPE, seed=9)
    once, _ = solver.step(state, 2, latent, velocity)
    again, _ = solver.step(state, 2, latent, velocity)
    assert torch.equal(once, again)


@pytest.mark.parametrize("kind", KINDS)
def test_two_interleaved_streams_do_not_disturb_each_other(kind: Kind) -> None:
    solver = anytalker_solver(kind, 5, 5.0)
    velocities = [randn(5, *SHAPE, seed=1), randn(5, *SHAPE, seed=2)]
    starts = [randn(*SHAPE, seed=3), randn(*SHAPE, seed=4)]

    alone = []
    for start, mine in zip(starts, velocities, strict=True):
        latent, state = start, solver.begin()
        for index in range(5):
            latent, state = solver.step(state, index, latent, mine[index])
        alone.append(latent)

    latents, states = list(starts), [solver.begin(), solver.begin()]
    for index in range(5):
        for stream in (1, 0):
            latents[stream], states[stream] = solver.step(
                states[stream], index, latents[stream], velocities[stream][index]
            )
    assert torch.equal(latents[0], alone[0])
    assert torch.equal(latents[1], alone[1])


def test_unipc_refuses_to_start_at_pure_noise() -> None:
    with pytest.raises(ConfigError, match=r"first sigma below 1, got 1\.0"):
        UniPCSolver(schedule=anytalker_dpmpp_schedule(4, 5.0))


def test_repeated_timesteps_are_told_apart_by_their_place() -> None:
    sigmas = torch.tensor([0.9004, 0.9002, 0.9, 0.0])
    schedule = Schedule(timesteps=torch.full((3,), 900.0), sigmas=sigmas)
    x0, latent = randn(*SHAPE, seed=0), randn(*SHAPE, seed=1)
    solver = UniPCSolver(schedule=schedule)
    state = solver.begin()
    for index in range(3):
        latent, state = solver.step(state, index, latent, (latent - x0) / sigmas[index])
    torch.testing.assert_close(latent, x0, atol=1e-3, rtol=0)


def test_an_unknown_solver_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'unipc' and 'dpm\+\+', got 'heun'"):
        anytalker_solver("heun", 4, 5.0)  # type: ignore[arg-type]  # the point of the test
