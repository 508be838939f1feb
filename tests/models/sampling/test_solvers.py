from __future__ import annotations

import pytest
import torch
from torch import Tensor

from models.errors import InputError
from models.sampling.few_step import self_forcing_schedule
from models.sampling.schedules import multitalk_schedule
from models.sampling.solvers import (
    EulerSolver,
    RenoiseSolver,
    add_noise,
    draw_renoise,
    x0_from_velocity,
)

SHAPE = (16, 2, 3, 4)


def randn(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_the_true_velocity_leads_euler_to_the_clean_latent() -> None:
    x0, noise = randn(*SHAPE, seed=0), randn(*SHAPE, seed=1)
    solver = EulerSolver(schedule=multitalk_schedule(7, 5.0))
    latent = noise
    for index in range(7):
        latent, _ = solver.step(None, index, latent, noise - x0)
    torch.testing.assert_close(latent, x0, atol=1e-5, rtol=0)


def test_euler_stays_on_the_noise_level_of_its_schedule() -> None:
    x0, noise = randn(*SHAPE, seed=0), randn(*SHAPE, seed=1)
    solver = EulerSolver(schedule=multitalk_schedule(7, 5.0))
    latent, _ = solver.step(None, 0, noise, noise - x0)
    expected = add_noise(x0, noise, solver.schedule.sigmas[1])
    torch.testing.assert_close(latent, expected, atol=1e-6, rtol=0)


def test_noise_goes_from_none_to_all() -> None:
    x0, noise = randn(*SHAPE, seed=0), randn(*SHAPE, seed=1)
    assert torch.equal(add_noise(x0, noise, torch.tensor(0.0)), x0)
    assert torch.equal(add_noise(x0, noise, torch.tensor(1.0)), noise)


def test_x0_is_rounded_once_from_float64() -> None:
    latent, velocity = randn(*SHAPE, seed=0), randn(*SHAPE, seed=1)
    sigma = torch.tensor(0.8333333)
    exact = latent.double() - sigma.double() * velocity.double()
    x0 = x0_from_velocity(latent, velocity, sigma)
    assert torch.equal(x0, exact.float())
    assert not torch.equal(x0, latent - sigma * velocity)


def test_x0_has_the_latents_dtype() -> None:
    latent = randn(*SHAPE, seed=0).to(torch.bfloat16)
    assert x0_from_velocity(latent, latent, torch.tensor(0.5)).dtype == torch.bfloat16


def test_renoising_gives_the_next_level_and_at_last_the_clean_latent() -> None:
    schedule = self_forcing_schedule([1000, 750, 500], 5.0)
    x0, start, renoise = randn(*SHAPE, seed=0), randn(*SHAPE, seed=1), randn(2, *SHAPE, seed=2)
    solver = RenoiseSolver(schedule=schedule, noise=renoise)
    latent = start
    for index in range(3):
        velocity = (latent - x0) / schedule.sigmas[index]
        latent, _ = solver.step(None, index, latent, velocity)
        wanted = x0 if index == 2 else add_noise(x0, renoise[index], schedule.sigmas[index + 1])
        torch.testing.assert_close(latent, wanted, atol=1e-5, rtol=0)


def test_a_renoiser_refuses_noise_for_another_number_of_steps() -> None:
    schedule = self_forcing_schedule([1000, 750, 500], 5.0)
    with pytest.raises(InputError, match=r"need noise \[2, \*latent shape\], got \(3, 16"):
        RenoiseSolver(schedule=schedule, noise=randn(3, *SHAPE, seed=0))


def test_noise_comes_from_the_given_generator_alone() -> None:
    schedule = self_forcing_schedule([1000, 750, 500], 5.0)
    latent = torch.zeros(SHAPE)
    before = torch.get_rng_state()
    first = draw_renoise(schedule, latent, torch.Generator().manual_seed(3))
    second = draw_renoise(schedule, latent, torch.Generator().manual_seed(3))
    assert torch.equal(first, second)
    assert first.shape == (2, *SHAPE)
    assert torch.equal(before, torch.get_rng_state())
