from __future__ import annotations

import torch
from torch import Tensor

from models.sampling.denoise import denoise, sample
from models.sampling.multistep import anytalker_solver
from models.sampling.schedules import multitalk_schedule
from models.sampling.solvers import EulerSolver, add_noise

SHAPE = (16, 4, 3, 4)


def randn(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def shrinking(latent: Tensor, timestep: Tensor, passes: int) -> tuple[Tensor, int]:
    return latent * (timestep / 1000), passes + 1


def test_the_network_is_given_the_schedules_timesteps_in_order() -> None:
    solver = EulerSolver(schedule=multitalk_schedule(4, 7.0))

    def record(latent: Tensor, timestep: Tensor, seen: list[float]) -> tuple[Tensor, list[float]]:
        return latent, [*seen, float(timestep)]

    nothing: list[float] = []
    end = sample(record, randn(*SHAPE, seed=0), solver, nothing)
    assert end.state == solver.schedule.timesteps.tolist()


def test_each_step_yields_its_latent_velocity_and_state() -> None:
    solver, start = EulerSolver(schedule=multitalk_schedule(3, 5.0)), randn(*SHAPE, seed=0)
    steps = list(denoise(shrinking, start, solver, 0))
    assert [step.state for step in steps] == [1, 2, 3]
    drops = -solver.schedule.sigmas.diff()
    torch.testing.assert_close(steps[0].latent, start - drops[0] * steps[0].velocity)
    torch.testing.assert_close(steps[2].latent, steps[1].latent - drops[2] * steps[2].velocity)


def test_sample_is_the_last_step() -> None:
    solver, start = anytalker_solver("unipc", 4, 5.0), randn(*SHAPE, seed=0)
    *_, last = denoise(shrinking, start, solver, 0)
    end = sample(shrinking, start, solver, 0)
    assert torch.equal(end.latent, last.latent)
    assert end.state == 4


def test_known_frames_are_at_the_right_noise_at_every_level_and_clean_at_the_end() -> None:
    solver = EulerSolver(schedule=multitalk_schedule(3, 5.0))
    known, noises = randn(16, 2, 3, 4, seed=1), randn(4, 16, 2, 3, 4, seed=2)
    seen = []

    def constrain(latent: Tensor, level: int) -> Tensor:
        noised = add_noise(known, noises[level], solver.schedule.sigmas[level])
        return torch.cat([noised, latent[:, 2:]], dim=1)

    def predict(latent: Tensor, timestep: Tensor, step: int) -> tuple[Tensor, int]:
        expected = add_noise(known, noises[step], timestep / 1000)
        torch.testing.assert_close(latent[:, :2], expected)
        seen.append(step)
        return latent, step + 1

    start = randn(*SHAPE, seed=0)
    end = sample(predict, start, solver, 0, constrain)
    assert seen == [0, 1, 2]
    assert torch.equal(end.latent[:, :2], known)


def test_two_interleaved_runs_of_one_solver_are_the_same_as_alone() -> None:
    solver = anytalker_solver("unipc", 5, 3.0)
    starts = [randn(*SHAPE, seed=0), randn(*SHAPE, seed=1)]
    alone = [sample(shrinking, start, solver, 0).latent for start in starts]
    runs = [denoise(shrinking, start, solver, 0) for start in starts]
    for _ in range(4):
        next(runs[1])
        next(runs[0])
    assert torch.equal(next(runs[0]).latent, alone[0])
    assert torch.equal(next(runs[1]).latent, alone[1])


def test_sampling_leaves_global_randomness_alone() -> None:
    before = torch.get_rng_state()
    sample(shrinking, randn(*SHAPE, seed=0), anytalker_solver("dpm++", 3, 5.0), 0)
    assert torch.equal(before, torch.get_rng_state())
