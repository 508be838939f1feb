"""What a bundle's manifest has to say of how these weights are sampled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.runs.folder import write_json
from training.stages.distill.config import DistillConfig

SAMPLING = "sampling.json"


def chosen_steps(config: DistillConfig, measured: Mapping[int, Mapping[str, float]]) -> int:
    """Give the fewest steps that keep enough of the teacher's lips; the teacher's when none do.

    A student stands on the one before it, so the first that fails ends the search.
    """
    chosen = config.teacher_steps
    for steps in config.counts:
        found = measured[steps]
        if found["r_student"] < config.accepted * found["r_teacher"]:
            break
        chosen = steps
    return chosen


def write_sampling(path: Path, config: DistillConfig, steps: int) -> None:
    """Write the manifest's part `sampling` for weights of so many steps, the default first.

    A student keeps what its teacher does in twice as many steps, when the settings had it do so.
    """
    counts: Sequence[int] = (steps,)
    if steps < config.teacher_steps and config.keep_share > 0:
        counts = (steps, 2 * steps)
    sampling = config.sampling(steps)
    described: Mapping[str, Any] = {
        "sampler": sampling.sampler,
        "schedules": [list(config.timesteps(count)) for count in counts],
        "context_timestep": config.context_timestep,
    }
    write_json(path, described)
