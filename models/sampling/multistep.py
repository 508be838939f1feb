"""UniPC and DPM++ as AnyTalker runs them: diffusers' arithmetic on our schedules.

diffusers' schedulers mutate themselves and build their own sigmas. Here each run has its own
scheduler, which is copied before every step, and its table is ours (decision record 0004).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Literal, Protocol

from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from torch import Tensor

from models.errors import ConfigError
from models.sampling.schedules import (
    Schedule,
    anytalker_dpmpp_schedule,
    anytalker_unipc_schedule,
)
from models.sampling.solvers import Solver

SOLVER_ORDER = 2


class MultistepState(Protocol):
    """What of a diffusers scheduler is used. It holds the table and the last x0 predictions."""

    sigmas: Tensor
    timesteps: Tensor
    num_inference_steps: int

    def set_begin_index(self, begin_index: int) -> None: ...

    def step(
        self, model_output: Tensor, timestep: Tensor, sample: Tensor, *, return_dict: bool
    ) -> tuple[Tensor]: ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UniPCSolver:
    """UniPC of order 2 on x0 predictions with B2(h) = e^h - 1: AnyTalker's default.

    Each step first corrects the latent it is given with the new velocity, then predicts the next.

    Raises:
        ConfigError: when the first sigma is 1: its log signal-to-noise ratio is infinite and enters
            the corrector's linear solve, which is finite only where the pivoting is kind.

    Source: Zhao et al., arXiv 2302.04867; huggingface/diffusers (Apache-2.0).
    """

    schedule: Schedule

    def __post_init__(self) -> None:
        highest = float(self.schedule.sigmas[0])
        if highest >= 1:
            raise ConfigError(
                f"UniPC needs a first sigma below 1, got {highest}: use anytalker_unipc_schedule()"
            )

    def begin(self) -> MultistepState:
        scheduler: MultistepState = UniPCMultistepScheduler(
            solver_order=SOLVER_ORDER,
            solver_type="bh2",
            predict_x0=True,
            lower_order_final=True,
            prediction_type="flow_prediction",
            use_flow_sigmas=True,
        )
        return _with_table(scheduler, self.schedule)

    def step(
        self, state: MultistepState, index: int, latent: Tensor, velocity: Tensor
    ) -> tuple[Tensor, MultistepState]:
        return _step(state, index, latent, velocity)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DPMSolverPP:
    """DPM-Solver++(2M), midpoint form: AnyTalker's other solver. A first sigma of 1 is fine.

    Source: Lu et al., arXiv 2211.01095; huggingface/diffusers (Apache-2.0).
    """

    schedule: Schedule

    def begin(self) -> MultistepState:
        scheduler: MultistepState = DPMSolverMultistepScheduler(
            solver_order=SOLVER_ORDER,
            solver_type="midpoint",
            algorithm_type="dpmsolver++",
            lower_order_final=True,
            final_sigmas_type="zero",
            prediction_type="flow_prediction",
            use_flow_sigmas=True,
        )
        return _with_table(scheduler, self.schedule)

    def step(
        self, state: MultistepState, index: int, latent: Tensor, velocity: Tensor
    ) -> tuple[Tensor, MultistepState]:
        return _step(state, index, latent, velocity)


def anytalker_solver(
    kind: Literal["unipc", "dpm++"], steps: int, shift: float
) -> Solver[MultistepState]:
    """Build one of AnyTalker's two solvers on its own table.

    Raises:
        ConfigError: when there is no step, the shift is not positive or the kind is another.
    """
    if kind == "unipc":
        return UniPCSolver(schedule=anytalker_unipc_schedule(steps, shift))
    if kind == "dpm++":
        return DPMSolverPP(schedule=anytalker_dpmpp_schedule(steps, shift))
    raise ConfigError(f"AnyTalker's solvers are 'unipc' and 'dpm++', got {kind!r}")


def _with_table(scheduler: MultistepState, schedule: Schedule) -> MultistepState:
    # Not set_timesteps(): DPM++'s takes no sigmas and spreads its own below 0.999.
    scheduler.sigmas = schedule.sigmas
    scheduler.timesteps = schedule.timesteps
    scheduler.num_inference_steps = schedule.steps
    scheduler.set_begin_index(0)  # by count: truncated timesteps may repeat, so cannot be looked up
    return scheduler


def _step(
    state: MultistepState, index: int, latent: Tensor, velocity: Tensor
) -> tuple[Tensor, MultistepState]:
    # 1 ms and three latents, beside a network pass; it makes the state a value.
    following = copy.deepcopy(state)
    timestep = following.timesteps[index]
    (stepped,) = following.step(velocity, timestep, latent, return_dict=False)
    return stepped, following
