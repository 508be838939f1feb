"""The transformer's training task: every latent frame has a noise level of its own.

Frames are denoised in one pass over the sequence under the stream's mask: each sees the sink and
the frames before it, noised as they happen to be. So the past that a frame learns from is never
clean for long, and copying it does not pay; and a frame is past and target at once.

Source: Diffusion Forcing (arXiv 2407.01392); flow matching, x_t = (1 - t) x0 + t noise.

Shape letters: B batch, C latent channels, F latent frames, h and w window size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.errors import ConfigError
from models.studio.config import Binding
from models.studio.dit import StudioDiT
from training.runs.draw import Draw
from training.runs.folder import RunFolder
from training.runs.loop import LoopConfig
from training.stages.dit.examination import Examiner
from training.stages.dit.prediction import noised, predict_clean
from training.stages.dit.seen_mouths import FRAMES as LOOKED_AT
from training.stages.dit.seen_mouths import SeenMouths
from training.stages.dit.windows import Window, WindowConfig, WindowSource

# First and last layers, tables and small matrices, which Muon is not for.
ADAM_NAMES = (
    "patch_embedding.",
    "head.head.",
    "text_encoder.words",
    "text_encoder.places",
    "text_encoder.queries",
    "audio_tokens.enter.",
    "movement.enter.",
    "movement.leave.",
    "face_encoder.trunk.0.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseConfig:
    """How noise levels of frames are drawn.

    Raises:
        ConfigError: when shares exceed 1.
    """

    low_share: float  # of frames that are nearly clean: mostly past to the others
    low_most: float  # their highest level
    full_share: float  # of frames that are pure noise: where sampling starts
    mean: float  # of the logit of the other levels
    deviation: float
    weight_floor: float  # errors of x0 are divided by the level squared, but by no less than this
    alone_share: float  # of batches whose frames see none before them, for streams without memory

    def __post_init__(self) -> None:
        if self.low_share + self.full_share > 1 or not 0 < self.weight_floor <= 1:
            raise ConfigError(f"shares above 1, or weight_floor outside 0..1: {self}")
        if not 0 <= self.alone_share <= 1:
            raise ConfigError(f"alone_share={self.alone_share} is outside 0..1")


@dataclass(frozen=True, slots=True, kw_only=True)
class DitLosses:
    """What counts how much, relative to the squared error of clean latents."""

    motion: float  # squared error of differences between latent frames
    seen: float  # mouths and eyes as the decoder shows them; needs its weights
    reading: float  # part of that: how mouths read, relative to absolute errors of pixels
    eyes: float  # share of examples whose eyes are shown in place of the mouth


@dataclass(frozen=True, slots=True, kw_only=True)
class DitStageConfig:
    """Everything that decides a run."""

    binding: Binding
    windows: WindowConfig
    noise: NoiseConfig
    losses: DitLosses
    loop: LoopConfig


def draw_levels(config: NoiseConfig, shape: tuple[int, int], draw: Draw) -> Tensor:
    """Draw noise levels [B, F] in 0..1."""
    device, generator = draw.torch.device, draw.torch

    def uniform() -> Tensor:
        return torch.rand(shape, generator=generator, device=device)

    normal = torch.randn(shape, generator=generator, device=device)
    level = torch.sigmoid(config.mean + config.deviation * normal)
    kind = uniform()
    level = torch.where(kind < config.low_share, uniform() * config.low_most, level)
    return torch.where(kind > 1 - config.full_share, torch.ones_like(level), level)


def start_from_reference(dit: StudioDiT) -> None:
    """Let an untrained transformer give the reference picture back, whatever it is told."""
    nn.init.zeros_(dit.head.head.weight)
    nn.init.zeros_(dit.head.head.bias)


class Denoising(nn.Module):
    """The losses of clean latents, weighed by noise level and by place."""

    def __init__(self, noise: NoiseConfig, losses: DitLosses) -> None:
        super().__init__()
        self.noise, self.weights = noise, losses

    def forward(self, error: Tensor, level: Tensor, place: Tensor) -> dict[str, Tensor]:
        """Weigh errors [B, C, F, h, w] at levels [B, F], place [B, 1, F, h, w]."""
        wide = level[:, None, :, None, None]
        scale = 1 / wide.clamp(min=self.noise.weight_floor).square()
        clean = (error.square() * scale * place).mean()
        both = scale[:, :, 1:].minimum(scale[:, :, :-1])
        steps = (error[:, :, 1:] - error[:, :, :-1]).square() * both * place[:, :, 1:]
        motion = steps.mean()
        return {"loss": clean + self.weights.motion * motion, "clean": clean, "motion": motion}


def on_device(window: Window, draw: Draw) -> Window:
    """Move a batch to where its step is computed."""
    return Window(*(part.to(draw.torch.device) for part in window))


def draw_noise(clean: Tensor, draw: Draw) -> Tensor:
    """Draw standard normal noise of a tensor's shape."""
    return torch.randn(clean.shape, generator=draw.torch, device=clean.device)


class DitTask:
    """Trains on windows of encoded clips."""

    adam_names: tuple[str, ...] = ADAM_NAMES

    def __init__(
        self,
        denoising: Denoising,
        network: StudioDiT,
        source: WindowSource,
        examiner: Examiner,
        samples_per_step: int,
        seen: SeenMouths | None = None,
    ) -> None:
        self.denoising, self.source, self.examiner = denoising, source, examiner
        self.network, self.seen = network, seen
        self.samples_per_step = samples_per_step

    def losses(self, draw: Draw) -> Mapping[str, Tensor]:
        """Draw a batch and noise, predict clean latents, compare."""
        window = on_device(self.source(draw), draw)
        clean = window.latents
        level = draw_levels(self.denoising.noise, (clean.shape[0], clean.shape[2]), draw)
        noisy = noised(clean, level, draw_noise(clean, draw))
        remembers = bool(draw.numpy.random() >= self.denoising.noise.alone_share)
        made = predict_clean(self.network, window, noisy, level, remembers=remembers).float()
        losses: dict[str, Tensor] = self.denoising(made - clean, level, window.weight)
        if self.seen is not None:
            first = int(draw.numpy.integers(clean.shape[2] - LOOKED_AT + 1))
            at_eyes = draw.numpy.random(len(clean)) < self.denoising.weights.eyes
            found = self.seen(made, window, first, torch.from_numpy(at_eyes).to(clean.device))
            losses |= found
            losses["loss"] = losses["loss"] + self.denoising.weights.seen * found["seen"]
        return losses

    def measure(self, network: StudioDiT, folder: RunFolder, steps: int) -> Mapping[str, float]:
        """Measure on held-out people and voices, and write the weights that were measured."""
        return self.examiner.examine(network, folder, steps)
