from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from engines.sampling import plan


def walk(sampler: Literal["euler", "renoise"], timesteps: tuple[float, ...]) -> list[float]:
    """Follow the exact velocity from noise to a clean value of 3; give x after each step."""
    clean, noise = 3.0, -1.5
    x, seen, current = noise, [], noise
    for step in plan(timesteps, sampler):
        sigma = step.timestep / 1000
        assert x == pytest.approx((1 - sigma) * clean + sigma * current)
        x += step.along * (current - clean)
        if step.weight:
            current = 0.25  # fresh noise
            x = step.keep * x + step.weight * current
        seen.append(x)
    return seen


@pytest.mark.parametrize("sampler", ["euler", "renoise"])
@pytest.mark.parametrize("timesteps", [(1000.0,), (1000.0, 500.0), (1000.0, 937.5, 833.3, 625.0)])
def test_an_exact_velocity_leads_to_the_clean_value(
    sampler: Literal["euler", "renoise"], timesteps: tuple[float, ...]
) -> None:
    assert walk(sampler, timesteps)[-1] == pytest.approx(3.0)


def test_euler_draws_no_fresh_noise_and_renoise_one_between_steps() -> None:
    timesteps = (1000.0, 600.0, 300.0)
    assert [step.weight for step in plan(timesteps, "euler")] == [0, 0, 0]
    assert [step.weight for step in plan(timesteps, "renoise")] == [0.6, 0.3, 0]
    assert np.isclose(plan(timesteps, "renoise")[0].keep, 0.4)
