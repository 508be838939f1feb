"""Training behind contexts that the model made itself.

A batch's clips are rolled as a stream, in a few steps and without gradients, by averaged weights.
Then every frame of the truth is denoised behind the made frames before it: what the model will see
at run time, with what it should have answered. A frame that has gone astray thus has the truth
as its next target, and the stream learns to come back.

Motion of the head and expressions is told in these steps wherever the settings know it: a made head
that turns in its own way would otherwise be pulled to where the true one was.

Source: self-forcing (arXiv 2506.08009) and causal-forcing with regression in place of a critic;
contexts by diffusion forcing otherwise (training/stages/dit/task.py).

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
from training.stages.dit.behind import Left, clean_behind
from training.stages.dit.examination import Examiner
from training.stages.dit.prediction import noised, scene_of
from training.stages.dit.rollouts import told_of
from training.stages.dit.sampling import Noise, SamplingConfig, generate
from training.stages.dit.task import (
    ADAM_NAMES,
    Denoising,
    DitTask,
    draw_levels,
    draw_noise,
    on_device,
)
from training.stages.dit.windows import Window
from training.stages.rollout.config import OwnPast
from training.stages.rollout.drift import DriftWatch


class RolloutTask:
    """Trains behind own contexts in a share of the steps, and as before in the others."""

    adam_names: tuple[str, ...] = ADAM_NAMES

    def __init__(self, plain: DitTask, own_past: OwnPast, drift: DriftWatch) -> None:
        """Take the task of the stage before: its network, its clips and its examiner."""
        self.plain, self.own_past, self.drift = plain, own_past, drift
        self.network = plain.network
        self.samples_per_step = plain.samples_per_step
        self._maker: Ema[StudioDiT] | None = None
        self._steps = 0

    @property
    def denoising(self) -> Denoising:
        return self.plain.denoising

    @property
    def examiner(self) -> Examiner:
        return self.plain.examiner

    def losses(self, draw: Draw) -> Mapping[str, Tensor]:
        """Draw a batch; make contexts when it is time to."""
        maker, share = self._averaged(), self.own_past.share
        # The log averages over all steps: what only a share of them has is divided by that share.
        if draw.numpy.random() >= share:
            loss = self.plain.losses(draw)["loss"]
            return {"loss": loss, "plain": loss.detach() / (1 - share)}
        window = on_device(self.plain.source(draw), draw)
        clean = window.latents
        left = make_past(maker, window, self.own_past, draw)
        level = draw_levels(self.denoising.noise, (clean.shape[0], clean.shape[2]), draw)
        noisy = noised(clean, level, draw_noise(clean, draw))
        error = (clean_behind(self.network, window, left, noisy, level) - clean).float()
        losses: Mapping[str, Tensor] = self.denoising(error, level, window.weight)
        return {"loss": losses["loss"], "behind_own": losses["loss"].detach() / share}

    def _averaged(self) -> StudioDiT:
        """Follow the trained weights; a resumed run starts from the weights it resumed with."""
        if self._maker is None:
            self._maker = Ema(self.network, self.own_past.decay)
        else:
            self._steps += 1
            self._maker.update(self.network, self._steps)
        return self._maker.network

    def measure(self, network: StudioDiT, folder: RunFolder, steps: int) -> Mapping[str, float]:
        """Measure as the stages before, and how far long streams drift."""
        measures = self.look(network, folder)
        self.examiner.write(network, folder, steps, measures)
        return measures

    def look(self, network: StudioDiT, folder: RunFolder) -> Mapping[str, float]:
        """Measure a network; the course of its streams is drawn into the folder."""
        return {**self.examiner.look(network), **self.drift.measure(network, folder)}


def make_past(dit: StudioDiT, window: Window, config: OwnPast, draw: Draw) -> Left:
    """Roll a window's clips as a stream and noise some of the frames, for others to be behind."""
    sampling: SamplingConfig = config.sampling
    made = generate(dit, scene_of(dit, window), told_of(window), sampling, _noise_of(draw))
    shape, device = (made.shape[0], made.shape[2]), made.device
    chance = torch.rand(shape, generator=draw.torch, device=device)
    level = torch.rand(shape, generator=draw.torch, device=device) * config.noise_most
    level = torch.where(chance < config.noise_share, level, torch.zeros_like(level))
    return Left(noised(made, level, draw_noise(made, draw)), level)


def _noise_of(draw: Draw) -> Noise:
    """Let a stream draw from a step's generator."""

    def noise(shape: torch.Size) -> Tensor:
        return torch.randn(shape, generator=draw.torch, device=draw.torch.device)

    return noise
