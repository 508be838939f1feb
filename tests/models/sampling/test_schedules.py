from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from models.errors import ConfigError
from models.sampling.schedules import (
    Schedule,
    anytalker_dpmpp_schedule,
    anytalker_unipc_schedule,
    multitalk_schedule,
    shift_sigma,
)

Maker = Callable[[int, float], Schedule]
MAKERS: list[Maker] = [multitalk_schedule, anytalker_unipc_schedule, anytalker_dpmpp_schedule]


def odds(sigma: Tensor) -> Tensor:
    return sigma / (1 - sigma)


def test_the_shift_multiplies_the_odds_of_noise() -> None:
    sigma = torch.linspace(0.05, 0.95, 7, dtype=torch.float64)
    torch.testing.assert_close(odds(shift_sigma(sigma, 5.0)), 5 * odds(sigma))


def test_multitalk_ends_with_a_step_of_shifted_timestep_one() -> None:
    schedule = multitalk_schedule(40, 7.0)
    last = 1000 * 7 * 0.001 / (1 + 6 * 0.001)
    assert schedule.timesteps[-1].item() == pytest.approx(last, rel=1e-6)
    assert schedule.timesteps[0].item() == 1000


def test_multitalk_without_a_shift_is_an_even_grid() -> None:
    timesteps = multitalk_schedule(10, 1.0).timesteps
    torch.testing.assert_close(timesteps, torch.linspace(1000, 1, 10))


def test_multitalk_sigmas_are_its_timesteps() -> None:
    schedule = multitalk_schedule(8, 5.0)
    torch.testing.assert_close(schedule.sigmas[:-1] * 1000, schedule.timesteps)


def test_unipc_is_shifted_twice() -> None:
    first = anytalker_unipc_schedule(20, 3.0).sigmas[0].double()
    # 0.999 before any shift, then odds times 5, then times 3
    assert odds(first).item() == pytest.approx(999 * 5 * 3, rel=1e-2)
    assert first < 1


def test_dpmpp_starts_from_pure_noise() -> None:
    assert anytalker_dpmpp_schedule(20, 3.0).sigmas[0] == 1


@pytest.mark.parametrize("make", [anytalker_unipc_schedule, anytalker_dpmpp_schedule])
@pytest.mark.parametrize(("steps", "shift"), [(6, 5.0), (20, 3.0), (33, 1.7)])
def test_anytalker_truncates_timesteps_and_keeps_sigmas(
    make: Maker, steps: int, shift: float
) -> None:
    schedule = make(steps, shift)
    lost = schedule.sigmas[:-1].double() * 1000 - schedule.timesteps
    assert (schedule.timesteps == schedule.timesteps.round()).all()
    assert (lost > -1e-4).all()
    assert (lost < 1 + 1e-4).all()
    assert lost.max() > 0.5  # rounding loses at most a half


def test_truncation_comes_before_float32() -> None:
    schedule = anytalker_dpmpp_schedule(20, 3.0)
    assert schedule.sigmas[18] == 0.25  # a hair less in float64
    assert schedule.timesteps[18] == 249


@pytest.mark.parametrize("make", MAKERS)
def test_schedules_end_clean_and_are_float32(make: Maker) -> None:
    schedule = make(6, 5.0)
    assert schedule.steps == 6
    assert schedule.sigmas[-1] == 0
    assert schedule.sigmas.dtype == schedule.timesteps.dtype == torch.float32


@pytest.mark.parametrize("make", MAKERS)
def test_one_step_goes_from_noise_to_clean(make: Maker) -> None:
    assert make(1, 5.0).sigmas.tolist() == pytest.approx([1, 0], abs=1e-4)


@pytest.mark.parametrize("make", MAKERS)
def test_no_step_or_no_shift_is_refused(make: Maker) -> None:
    with pytest.raises(ConfigError, match="at least 1 step, got 0"):
        make(0, 5.0)
    with pytest.raises(ConfigError, match=r"must be positive, got -1\.0"):
        make(4, -1.0)


def test_a_schedule_must_have_one_sigma_more_than_timesteps() -> None:
    with pytest.raises(ConfigError, match=r"2 timesteps .* need 3 sigmas, got 2"):
        Schedule(timesteps=torch.tensor([2.0, 1.0]), sigmas=torch.tensor([1.0, 0.0]))


def test_a_schedule_must_fall() -> None:
    with pytest.raises(ConfigError, match="fall at every step"):
        Schedule(timesteps=torch.tensor([2.0, 1.0]), sigmas=torch.tensor([0.5, 0.5, 0.0]))
