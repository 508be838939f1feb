"""Settings of distillation, and the schedules that it goes through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from models.errors import ConfigError
from models.studio.config import Binding
from training.runs.loop import LoopConfig
from training.stages.dit.sampling import SamplingConfig, even_timesteps
from training.stages.dit.windows import WindowConfig
from training.stages.multi.scenes import SceneConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillConfig:
    """Who is taught what.

    Raises:
        ConfigError: when the steps are not halved from one student to the next.
    """

    teacher_steps: int
    shift: float  # of the teacher's timesteps
    audio_scale: float  # CFG scale of the first teacher; its students need none
    counts: tuple[int, ...]  # steps of one student after the other
    sampler: Literal["euler", "renoise"]  # of the students
    context_timestep: float
    keep_share: float  # of steps that keep what the teacher does in as many steps as the teacher
    own_past: float  # share of steps behind contexts that the student made; others: noised truth
    noise_most: float  # on contexts of both kinds
    decay: float  # of the averaged student that makes contexts
    weight_floor: float  # errors are divided by the level squared, but by no less than this
    accepted: float  # a student is good enough with this share of the teacher's correlation of lips

    def __post_init__(self) -> None:
        steps = (self.teacher_steps, *self.counts)
        halves = all(more == 2 * fewer for more, fewer in zip(steps, self.counts, strict=False))
        if not self.counts or not halves or self.counts[-1] < 1:
            raise ConfigError(
                f"{steps} steps are not halved from each to the next; such as 8, then 4 and 2"
            )
        shares = (self.keep_share, self.own_past, self.noise_most, self.accepted)
        if min(shares) < 0 or max(shares) > 1 or not 0 < self.weight_floor <= 1:
            raise ConfigError(f"shares and levels must be within 0..1: {self}")

    def timesteps(self, steps: int) -> tuple[float, ...]:
        """Give a student's timesteps: every second of those of twice as many steps."""
        return even_timesteps(self.teacher_steps, self.shift)[:: self.teacher_steps // steps]

    def sampling(self, steps: int) -> SamplingConfig:
        """Give how the teacher, or a student of so many steps, makes chunks."""
        is_teacher = steps == self.teacher_steps
        return SamplingConfig(
            sampler="euler" if is_teacher else self.sampler,
            timesteps=self.timesteps(steps),
            context_timestep=self.context_timestep,
            audio_scale=self.audio_scale if is_teacher else 1.0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillStageConfig:
    """Everything that decides a run."""

    binding: Binding
    distill: DistillConfig
    scenes: SceneConfig
    windows: WindowConfig
    loop: LoopConfig
