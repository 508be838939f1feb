from __future__ import annotations

import pytest
import torch

from models.errors import ConfigError
from models.sampling.few_step import (
    livetalk_schedule,
    livetalk_training_timesteps,
    nearest_sigma,
    self_forcing_schedule,
    sigma_table,
    warped_timesteps,
)
from models.sampling.schedules import shift_sigma

LIST = [1000, 750, 500, 250]


def test_a_warped_step_is_the_shifted_plain_one() -> None:
    plain = torch.tensor(LIST) / 1000
    torch.testing.assert_close(warped_timesteps(LIST, 8.0), 1000 * shift_sigma(plain, 8.0))


def test_a_warped_zero_stays_zero() -> None:
    assert warped_timesteps([500, 0], 5.0)[1] == 0


def test_the_table_falls_from_one_and_leaves_out_zero() -> None:
    table = sigma_table(1000, 5.0)
    assert table.shape == (1000,)
    assert table[0] == 1
    assert table[-1] > 0
    assert (table.diff() < 0).all()


def test_timestep_zero_means_the_smallest_noise_of_the_table() -> None:
    table = sigma_table(1000, 5.0)
    assert nearest_sigma(table, torch.tensor(0.0)) == table[-1]


def test_timesteps_per_frame_keep_their_shape() -> None:
    table = sigma_table(1000, 5.0)
    timesteps = torch.tensor([[1000.0, 0.0, 625.0], [0.0, 625.0, 1000.0]])
    sigmas = nearest_sigma(table, timesteps)
    assert sigmas.shape == (2, 3)
    torch.testing.assert_close(sigmas[1], sigmas[0, [1, 2, 0]])


def test_self_forcing_sigmas_belong_to_its_timesteps() -> None:
    schedule = self_forcing_schedule(LIST, 5.0)
    torch.testing.assert_close(schedule.sigmas[:-1] * 1000, schedule.timesteps)


def test_livetalk_rounds_what_the_network_is_told_but_not_the_sigmas() -> None:
    schedule = livetalk_schedule(4, 5.0)
    assert schedule.timesteps.tolist() == [1000, 936, 832, 624]
    exact = shift_sigma(torch.tensor([1, 0.75, 0.5, 0.25]), 5.0)
    torch.testing.assert_close(schedule.sigmas[:-1], exact)


def test_livetalk_is_trained_at_the_timesteps_it_runs_at() -> None:
    run = livetalk_schedule(3, 5.0).timesteps
    matching = livetalk_training_timesteps(3, 5.0, has_clean_level=False)
    regression = livetalk_training_timesteps(3, 5.0, has_clean_level=True)
    assert torch.equal(matching, run)
    assert torch.equal(regression, torch.cat([run, torch.zeros(1)]))


def test_steps_outside_the_training_range_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"0\.\.1000, got \[1001\]"):
        warped_timesteps([1001, 500], 5.0)


@pytest.mark.parametrize("denoising_list", [[], [500, 0]])
def test_a_list_without_steps_above_zero_is_refused(denoising_list: list[int]) -> None:
    with pytest.raises(ConfigError, match="steps above 0 only"):
        self_forcing_schedule(denoising_list, 5.0)


def test_a_list_that_does_not_fall_is_refused() -> None:
    with pytest.raises(ConfigError, match="fall at every step"):
        self_forcing_schedule([250, 500], 5.0)


def test_an_empty_table_is_refused() -> None:
    with pytest.raises(ConfigError, match="positive size and shift"):
        sigma_table(0, 5.0)
