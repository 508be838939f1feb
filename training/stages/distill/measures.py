"""Whole clips by a student beside the first teacher's, from the same noise and voices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from models.studio.dit import StudioDiT
from training.runs.folder import RunFolder
from training.stages.distill.config import DistillConfig
from training.stages.distill.lesson import Pupil, lesson, paths
from training.stages.dit.behind import Left, clean_behind
from training.stages.dit.examination import Examiner
from training.stages.dit.lip_r import follow
from training.stages.dit.prediction import noised
from training.stages.dit.rollouts import HeldOutRollouts, read_mouths, roll
from training.stages.dit.windows import Window

SEED = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Held-out clips, and the teacher that all students are compared with."""

    config: DistillConfig
    teacher: StudioDiT
    examiner: Examiner

    @torch.no_grad()
    def measure(self, pupil: Pupil, folder: RunFolder, trained_steps: int) -> Mapping[str, float]:
        """Measure a student, the first teacher, and the teacher hurried to as many steps.

        `r_*` are correlations of lip gaps; `error_*` squared distances to the first teacher's
        latents, relative to how far those are from the reference; `lesson_*` the same of a single
        step from true latents, against what the student's own teacher does in two.
        """
        device = next(pupil.network.parameters()).device
        teacher = self.teacher.to(device)
        held_out = next(iter(self.examiner.rollouts().values()))
        window = Window(*(part.to(device) for part in held_out.window))
        few = self.config.sampling(pupil.steps)
        wanted = roll(teacher, window, self.config.sampling(self.config.teacher_steps))
        made = {"student": roll(pupil.network, window, few), "hurried": roll(teacher, window, few)}
        moved = (wanted - window.reference).square().mean().clamp(min=1e-6)
        measures = {"r_teacher": _r(held_out, window, wanted), **self._lesson(pupil, window)}
        for name, latents in made.items():
            measures[f"r_{name}"] = _r(held_out, window, latents)
            measures[f"error_{name}"] = float((latents - wanted).square().mean() / moved)
        self.examiner.write(pupil.network, folder, trained_steps, measures)
        return measures

    def _lesson(self, pupil: Pupil, window: Window) -> Mapping[str, float]:
        """Ask student and teacher for every step of the student's schedule, in one step."""
        clean, teacher = window.latents, pupil.teacher.to(window.latents.device)
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(SEED)).to(clean)
        table = paths(self.config, pupil.steps, pupil.teacher_steps).to(clean)
        shape = (clean.shape[0], clean.shape[2])
        path = table[torch.arange(shape[0] * shape[1]).reshape(shape) % pupil.steps]
        level = path[..., 0]
        left = Left(clean, torch.zeros_like(level))
        noisy = noised(clean, level, noise)
        wanted = lesson(teacher, window, left, noisy, path, audio_scale=1.0)
        moved = (wanted - window.reference).square().mean().clamp(min=1e-6)
        return {
            f"lesson_{name}": float(
                (clean_behind(dit, window, left, noisy, level) - wanted).square().mean() / moved
            )
            for name, dit in (("student", pupil.network), ("hurried", teacher))
        }


def _r(held_out: HeldOutRollouts, window: Window, latents: torch.Tensor) -> float:
    true = window.gap.cpu().double().numpy()
    return follow(read_mouths(held_out.read_gap, latents, window), true).r
