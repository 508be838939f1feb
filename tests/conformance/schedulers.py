"""AnyTalker's solvers alone: recorded velocities in, trajectories out, no network."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from models.sampling.denoise import denoise
from models.sampling.multistep import MultistepState, anytalker_solver
from models.sampling.solvers import Solver
from tests.conformance.case import Case, Check, Json


def matches(description: Json) -> bool:
    """Say whether the case gives velocities to solvers and names no weights."""
    inputs = description.get("inputs", {})
    return {"start", "model_outputs"} <= inputs.keys() and not description.get("weights")


def run(case: Case) -> Iterator[Check]:
    """Walk both solvers down the recorded velocities."""
    steps, shift = int(case.config["steps"]), float(case.config["shift"])
    computed = {
        "unipc_trajectory": _trajectory(case, anytalker_solver("unipc", steps, shift)),
        "dpmpp_trajectory": _trajectory(case, anytalker_solver("dpm++", steps, shift)),
    }
    yield from case.check_outputs(computed)


def _trajectory(case: Case, solver: Solver[MultistepState]) -> Tensor:
    recorded = case.inputs["model_outputs"]

    def predict(latent: Tensor, timestep: Tensor, step: int) -> tuple[Tensor, int]:
        return recorded[step], step + 1

    walk = denoise(predict, case.inputs["start"], solver, 0)
    return torch.stack([step.latent for step in walk])
