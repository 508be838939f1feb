"""Few-step flow matching over buffers: a clean chunk out of noise in two to four passes.

x_t = (1 - t) x0 + t noise, velocity = noise - x0, timestep = 1000 t. Steps are Euler steps along
the velocity, or re-noising: guess x0, then mix in fresh noise for the next step.

Source: flow matching (arXiv 2210.02747); re-noising between few steps, Self-Forcing
(arXiv 2506.08009).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

TRAIN_STEPS = 1000


class Step(NamedTuple):
    """What to do with a pass's velocity v: x <- x + along v, then x <- keep x + weight e."""

    timestep: float
    along: float
    keep: float
    weight: float  # of fresh noise e; 0 when none is needed


def plan(timesteps: tuple[float, ...], sampler: Literal["euler", "renoise"]) -> tuple[Step, ...]:
    """Plan a schedule of falling timesteps; the last step ends at the clean chunk."""
    steps = []
    for index, timestep in enumerate(timesteps):
        is_last = index + 1 == len(timesteps)
        sigma = timestep / TRAIN_STEPS
        after = 0.0 if is_last else timesteps[index + 1] / TRAIN_STEPS
        if sampler == "euler" or is_last:
            steps.append(Step(timestep, after - sigma, 1.0, 0.0))
        else:
            steps.append(Step(timestep, -sigma, 1 - after, after))
    return tuple(steps)


def noises_needed(steps: tuple[Step, ...], context_timestep: float) -> int:
    """Count the noise tensors of a chunk: the start, each re-noising, the context's."""
    return 1 + sum(step.weight > 0 for step in steps) + (context_timestep > 0)
