"""The training loop: steps until the budget is used up, with checkpoints, logs and measurements."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from models.errors import ConfigError, ModelError
from training.runs.checkpoint import Progress, load_checkpoint, save_checkpoint, start
from training.runs.draw import Draw
from training.runs.ema import Ema
from training.runs.folder import RunFolder
from training.runs.optimizer import Muon, OptimizerConfig
from training.runs.processes import Processes
from training.runs.schedule import Budget, Schedule

logger = logging.getLogger(__name__)

Network = TypeVar("Network", bound=nn.Module)


class DivergedError(ModelError):
    """A loss is no longer finite; the last checkpoint stands."""


class Task(Protocol[Network]):
    """What a stage trains. The loop owns optimizer, EMA, clock and files; the stage the rest."""

    network: Network  # every parameter that requires a gradient is trained
    adam_names: tuple[str, ...]  # prefixes of parameters for Adam rather than Muon
    samples_per_step: int  # of one process

    def losses(self, draw: Draw) -> Mapping[str, Tensor]:
        """Compute one batch's losses; "loss" is minimized, the others are logged."""
        ...

    def measure(self, network: Network, folder: RunFolder, steps: int) -> Mapping[str, float]:
        """Measure the averaged weights on held-out data; may put pictures into the folder."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopConfig:
    """How a stage trains, whatever it trains."""

    seed: int
    optimizer: OptimizerConfig
    schedule: Schedule
    ema_decay: float
    log_every_steps: int
    measure_every_minutes: float  # of training
    save_every_minutes: float
    is_bfloat16: bool  # autocast of the losses

    def __post_init__(self) -> None:
        if (
            self.log_every_steps < 1
            or min(self.measure_every_minutes, self.save_every_minutes) <= 0
        ):
            raise ConfigError(
                f"log_every_steps={self.log_every_steps} must be at least 1 and "
                f"measure_every_minutes={self.measure_every_minutes} and "
                f"save_every_minutes={self.save_every_minutes} above 0"
            )


class Runner:
    """What `train` is given beside the task: files, settings, processes, clock."""

    def __init__(
        self,
        folder: RunFolder,
        config: LoopConfig,
        budget: Budget,
        processes: Processes,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self.config, self.budget = folder, config, budget
        self.processes, self.now = processes, now


def train(task: Task[Network], runner: Runner) -> Ema[Network]:
    """Train until the budget is used up, from the folder's checkpoint on if there is one.

    Gives the averaged weights. Blocks for as long as the budget says.

    Raises:
        CheckpointError: when the folder's checkpoint is damaged or of another network.
        DivergedError: when the loss is not finite.
    """
    sitting = _Sitting(task, runner)
    used = sitting.used()
    while used < 1:
        sitting.step(used)
        used = sitting.used()
        sitting.look_after(is_last=used >= 1)
    return sitting.ema


class _Sitting(Generic[Network]):
    """One call of `train`: from where the run stands to the end of the budget."""

    def __init__(self, task: Task[Network], runner: Runner) -> None:
        self.task, self.runner, self.config = task, runner, runner.config
        network = task.network.to(runner.processes.device).train()
        self.network = network
        self.optimizer = Muon(network.named_parameters(), self.config.optimizer, task.adam_names)
        self.ema = Ema(network, self.config.ema_decay)
        self.progress = self._resumed()
        runner.processes.same_weights(network)
        self.first_step = self.progress.steps
        self.saved_at = self.measured_at = self.progress.seconds
        self.sums: dict[str, Tensor | float] = {}
        self.summed = 0

    def _resumed(self) -> Progress:
        path = self.runner.folder.checkpoint
        if not path.exists():
            return start()
        progress = load_checkpoint(path, self.network, self.ema.network, self.optimizer)
        logger.info("resumed at step %d, %.1f min", progress.steps, progress.seconds / 60)
        return progress

    def used(self) -> float:
        """Give the used share of the budget, the same in every process."""
        share = self.runner.budget.used(self.progress.steps, self.progress.seconds)
        return self.runner.processes.agreed(share)

    def step(self, used: float) -> None:
        """Train on one batch."""
        began = self.runner.now()
        processes, progress = self.runner.processes, self.progress
        draw = Draw(self.config.seed, processes.rank, progress.steps, processes.device)
        kind = processes.device.type
        with torch.autocast(kind, torch.bfloat16, enabled=self.config.is_bfloat16):
            losses = self.task.losses(draw)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(losses["loss"])
        processes.mean_gradients(self.network)
        rate = self.config.schedule.rate(progress.steps - self.first_step, used)
        self.optimizer.scale_rates(rate)
        self.optimizer.step()
        self.ema.update(self.network, progress.steps + 1)
        self._add({**losses, "rate": rate})
        self.progress = replace(
            progress,
            steps=progress.steps + 1,
            samples=progress.samples + self.task.samples_per_step * processes.count,
            seconds=progress.seconds + self.runner.now() - began,
        )

    def look_after(self, *, is_last: bool) -> None:
        """Log, measure and save when it is time."""
        progress, minutes = self.progress, self.progress.seconds / 60
        if is_last or progress.steps % self.config.log_every_steps == 0:
            self._log_losses()
        if not self.runner.processes.is_first:
            return
        if is_last or minutes - self.measured_at / 60 >= self.config.measure_every_minutes:
            self.measured_at = progress.seconds
            self._measure()
        if is_last or minutes - self.saved_at / 60 >= self.config.save_every_minutes:
            self.saved_at = progress.seconds
            path = self.runner.folder.checkpoint
            save_checkpoint(path, progress, self.network, self.ema.network, self.optimizer)

    def _add(self, losses: Mapping[str, Tensor | float]) -> None:
        """Sum losses for the log without waiting for the device."""
        for name, value in losses.items():
            number = value.detach() if isinstance(value, Tensor) else value
            self.sums[name] = self.sums.get(name, 0.0) + number
        self.summed += 1

    def _log_losses(self) -> None:
        means = {name: float(value) / self.summed for name, value in self.sums.items()}
        self.sums, self.summed = {}, 0
        if not math.isfinite(means["loss"]):
            raise DivergedError(
                f"the loss is {means['loss']} at step {self.progress.steps}; resume from the last "
                "checkpoint with lower learning rates"
            )
        if self.runner.processes.is_first:
            self.runner.folder.log("loss", {**self._position(), **means})

    def _measure(self) -> None:
        with torch.no_grad():
            measures = self.task.measure(self.ema.network, self.runner.folder, self.progress.steps)
        self.runner.folder.log("measure", {**self._position(), **measures})
        self.runner.folder.draw()
        shown = ", ".join(f"{name} {value:.4g}" for name, value in measures.items())
        minutes = self.progress.seconds / 60
        logger.info("step %d, %.1f min: %s", self.progress.steps, minutes, shown)

    def _position(self) -> dict[str, float]:
        return {
            "steps": self.progress.steps,
            "samples": self.progress.samples,
            "seconds": self.progress.seconds,
        }
