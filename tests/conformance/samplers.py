"""Whole sampling runs of MultiTalk (Euler, CFG or APG) and AnyTalker (UniPC, DPM++)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import Tensor

from models.sampling.denoise import Denoised, Predict, denoise
from models.sampling.guidance import (
    ApgConfig,
    ApgState,
    TextAudioScales,
    TextAudioVelocities,
    apg_audio,
    apg_text_audio,
    cfg,
    cfg_text_audio,
)
from models.sampling.multistep import anytalker_solver
from models.sampling.schedules import Schedule, multitalk_schedule
from models.sampling.solvers import EulerSolver, Solver
from tests.conformance import anytalker, multitalk
from tests.conformance.case import Case, CaseError, Check, Json

StateT = TypeVar("StateT")
SolverStateT = TypeVar("SolverStateT")
Inputs = dict[str, Tensor]
Network = Callable[[Inputs], Tensor]

SAMPLERS = ("euler", "unipc", "dpm++")
SHARED = {"context", "clip_fea", "audio", "y"}


def matches(description: Json) -> bool:
    """Say whether the case is a sampling run of a transformer of its own."""
    config = description.get("config", {})
    return config.get("sampler") in SAMPLERS and "dit_config" in config


def run(case: Case) -> Iterator[Check]:
    """Sample the case's noise with the case's network and compare the whole way down."""
    config, dit_config, weights = case.config, case.config["dit_config"], case.weights()
    if config["sampler"] == "euler":
        dit = multitalk.dit_from(dit_config, weights)
        yield from multitalk_checks(case, lambda inputs: multitalk.velocity(dit, inputs))
    else:
        other = anytalker.dit_from(dit_config, weights)
        yield from anytalker_checks(case, lambda inputs: anytalker.velocity(other, inputs))


def multitalk_checks(case: Case, network: Network) -> Iterator[Check]:
    """Run MultiTalk's loop on any network that takes a case's inputs."""
    config = case.config
    schedule = multitalk_schedule(config["steps"], config["shift"])
    predict = _guided_by_text_and_audio(network, _conditioning(case), config)
    walk = _walk(case, predict, EulerSolver(schedule=schedule), ApgState())
    yield from case.check_outputs(_outputs(walk))


def anytalker_checks(case: Case, network: Network) -> Iterator[Check]:
    """Run AnyTalker's loop on any network that takes a case's inputs."""
    config, conditions = case.config, _conditioning(case)
    solver = anytalker_solver(config["sampler"], config["steps"], config["shift"])
    dropped = {
        **conditions,
        "context": conditions["context_null"],
        "audio": torch.zeros_like(conditions["audio"]),
    }

    def predict(latent: Tensor, timestep: Tensor, state: None) -> tuple[Tensor, None]:
        now = {"x": latent, "t": timestep[None]}
        conditional, unconditional = network({**conditions, **now}), network({**dropped, **now})
        return cfg(conditional, unconditional, config["guide_scale"]), state

    walk = _walk(case, predict, solver, None)
    yield from _table_checks(case, solver.schedule)
    yield from case.check_outputs(_outputs(walk))


def _conditioning(case: Case) -> Inputs:
    """Merge the case's inputs over those of the case its notes point to."""
    borrowed = {} if case.inputs.keys() >= SHARED else case.noted_file(".inputs.safetensors")
    conditions = {**borrowed, **case.inputs}
    missing = SHARED - conditions.keys()
    if missing:
        raise CaseError(f"{case.path.name}: no tensor is given for {sorted(missing)}")
    return conditions


def _walk(
    case: Case, predict: Predict[StateT], solver: Solver[SolverStateT], state: StateT
) -> list[Denoised[StateT]]:
    return list(denoise(predict, case.inputs["noise"], solver, state))


def _outputs(walk: list[Denoised[StateT]]) -> dict[str, Tensor]:
    return {
        "final_latent": walk[-1].latent,
        "trajectory": torch.stack([step.latent for step in walk]),
        "guided_velocity": torch.stack([step.velocity for step in walk]),
    }


def _table_checks(case: Case, schedule: Schedule) -> Iterator[Check]:
    """Compare the levels that a case states in its configuration."""
    computed = {"timesteps": schedule.timesteps, "sigmas": schedule.sigmas}
    stated = {name: torch.tensor(case.config[name]) for name in computed if name in case.config}
    yield from case.compare_all(computed, stated)


def _guided_by_text_and_audio(
    network: Network, conditions: Inputs, config: Json
) -> Predict[ApgState]:
    """Give MultiTalk's guided velocity: three passes, or two when the text scale is 1."""
    # One silent stream whoever is in the picture: the passes without audio take the 1-person path.
    silent = {**conditions, "audio": torch.zeros_like(conditions["audio"][:1])}
    negative = {"context": conditions["context_null"]}
    scales = TextAudioScales(config["text_guide_scale"], config["audio_guide_scale"])
    apg = _apg(config)

    def two_passes(latent: Tensor, timestep: Tensor, state: ApgState) -> tuple[Tensor, ApgState]:
        now = {"x": latent, "t": timestep[None]}
        full, without_audio = network({**conditions, **now}), network({**silent, **now})
        if apg:
            return apg_audio(full, without_audio, scales.audio, state, apg)
        return cfg(full, without_audio, scales.audio), state

    def three_passes(latent: Tensor, timestep: Tensor, state: ApgState) -> tuple[Tensor, ApgState]:
        now = {"x": latent, "t": timestep[None]}
        velocities = TextAudioVelocities(
            full=network({**conditions, **now}),
            without_text=network({**conditions, **negative, **now}),
            without_both=network({**silent, **negative, **now}),
        )
        if apg:
            return apg_text_audio(velocities, scales, state, apg)
        return cfg_text_audio(velocities, scales), state

    return two_passes if math.isclose(scales.text, 1.0) else three_passes


def _apg(config: Json) -> ApgConfig | None:
    if not config.get("apg"):
        return None
    return ApgConfig(
        momentum=config["apg_momentum"],
        norm_threshold=config["apg_norm_threshold"] or math.inf,
        eta=config["apg_eta"],
    )
