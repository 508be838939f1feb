"""One student of half its teacher's steps: squared errors of clean latents at the student's steps.

Shape letters: B batch, C latent channels, F latent frames, h and w latent size.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from models.studio.dit import StudioDiT
from training.runs.draw import Draw
from training.runs.ema import Ema
from training.runs.folder import RunFolder
from training.stages.distill.config import DistillConfig
from training.stages.distill.lesson import Pupil, lesson, paths, wide
from training.stages.distill.measures import Comparison
from training.stages.dit.behind import Left, clean_behind
from training.stages.dit.prediction import noised
from training.stages.dit.task import ADAM_NAMES, draw_noise, on_device
from training.stages.dit.windows import WindowSource
from training.stages.rollout.config import OwnPast
from training.stages.rollout.task import make_past


class DistillTask:
    """Teaches one student."""

    adam_names: tuple[str, ...] = ADAM_NAMES

    def __init__(
        self,
        config: DistillConfig,
        pupil: Pupil,
        source: WindowSource,
        comparison: Comparison,
        samples_per_step: int,
    ) -> None:
        self.config, self.pupil, self.source = config, pupil, source
        self.comparison = comparison
        self.network = pupil.network
        self.samples_per_step = samples_per_step
        self._maker: Ema[StudioDiT] | None = None
        self._steps = 0
        is_first = pupil.teacher_steps == config.teacher_steps
        self._audio_scale = config.audio_scale if is_first else 1.0

    def losses(self, draw: Draw) -> Mapping[str, Tensor]:
        """Draw a batch, a past and a step of the schedule; compare student and teacher."""
        window = on_device(self.source(draw), draw)
        clean = window.latents
        maker = self._averaged()
        is_kept = draw.numpy.random() < self.config.keep_share
        own = OwnPast(
            share=1.0,
            noise_share=1.0,
            noise_most=self.config.noise_most,
            decay=self.config.decay,
            sampling=self.config.sampling(self.pupil.steps),
        )
        if draw.numpy.random() < self.config.own_past:
            left = make_past(maker, window, own, draw)
        else:
            left = self._true_past(clean, draw)
        steps = self.pupil.teacher_steps if is_kept else self.pupil.steps
        table = paths(self.config, steps, self.pupil.teacher_steps).to(clean)
        shape = (clean.shape[0], clean.shape[2])
        chosen = torch.randint(steps, shape, generator=draw.torch, device=clean.device)
        path = table[chosen]  # [B, F, L]
        level = path[..., 0]
        noisy = noised(clean, level, draw_noise(clean, draw))
        teacher = self.pupil.teacher.to(clean.device)
        wanted = lesson(teacher, window, left, noisy, path, self._audio_scale)
        error = (clean_behind(self.network, window, left, noisy, level) - wanted).float()
        scale = 1 / wide(level).clamp(min=self.config.weight_floor).square()
        loss = (error.square() * scale * window.weight).mean()
        return {"loss": loss}

    def _true_past(self, clean: Tensor, draw: Draw) -> Left:
        shape = (clean.shape[0], clean.shape[2])
        level = torch.rand(shape, generator=draw.torch, device=clean.device)
        level = level * self.config.noise_most
        return Left(noised(clean, level, draw_noise(clean, draw)), level)

    def _averaged(self) -> StudioDiT:
        if self._maker is None:
            self._maker = Ema(self.network, self.config.decay)
        else:
            self._steps += 1
            self._maker.update(self.network, self._steps)
        return self._maker.network

    def measure(self, network: StudioDiT, folder: RunFolder, steps: int) -> Mapping[str, float]:
        """Compare whole clips with the first teacher's; write the weights that were compared."""
        return self.comparison.measure(self.pupil._replace(network=network), folder, steps)
