"""The transformer's training task: every latent frame has a noise level of its own.

Frames are denoised in one pass over the sequence under the stream's mask: each sees the sink and
the frames before it, noised as they happen to be. So the past that a frame learns from is never
clean for long, and copying it does not pay; and a frame is past and target at once.

Source: Diffusion Forcing (arXiv 2407.01392); flow matching, x_t = (1 - t) x0 + t noise.

Shape letters: B batch, P people, C latent channels, F latent frames, T = 4 F video frames, h and w
window size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.errors import ConfigError
from models.studio.config import Binding, StudioConfig
from models.studio.dit import FULL_NOISE, StudioDiT, StudioScene
from models.studio.vae_config import FRAMES_PER_LATENT
from models.studio.voices import Motion
from training.runs.draw import Draw
from training.runs.folder import RunFolder
from training.runs.loop import LoopConfig
from training.stages.dit.measures import HeldOutWindows, measure
from training.stages.dit.windows import ClipBank, Window, WindowConfig, draw_windows
from training.stages.dit.words import WordTable


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

    def __post_init__(self) -> None:
        if self.low_share + self.full_share > 1 or not 0 < self.weight_floor <= 1:
            raise ConfigError(f"shares above 1, or weight_floor outside 0..1: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DitLosses:
    """What counts how much, relative to the squared error of clean latents."""

    motion: float  # squared error of differences between latent frames


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


def led_by_silence(x: Tensor) -> Tensor:
    """Put the sink's four video frames, of which nothing is told, before x [B, P, T, ...]."""
    return torch.cat([torch.zeros_like(x[:, :, :FRAMES_PER_LATENT]), x], dim=2)


def scene_of(dit: StudioDiT, window: Window) -> StudioScene:
    """Encode what stays over a window."""
    faces = window.faces if dit.studio.binding is Binding.IDENTITY else None
    return dit.encode_scene(window.words, window.reference, window.people, faces)


def predict_clean(dit: StudioDiT, window: Window, noisy: Tensor, level: Tensor) -> Tensor:
    """Give the clean latents [B, C, F, h, w] that the transformer sees in noisy ones.

    Args:
        dit: the transformer.
        window: its conditions.
        noisy: [B, C, F, h, w].
        level: [B, F] in 0..1.
    """
    motion = Motion(led_by_silence(window.motion), led_by_silence(window.known))
    audio = dit.encode_audio(led_by_silence(window.features), motion)
    sequence = torch.cat([window.reference, noisy], dim=2)
    timestep = torch.cat([torch.zeros_like(level[:, :1]), level], dim=1) * FULL_NOISE
    made = dit(sequence, timestep, scene_of(dit, window), audio, stream=dit.as_stream())
    velocity: Tensor = made.velocity[:, :, 1:]
    return noisy - velocity * level.clamp(min=0.02)[:, None, :, None, None]


class DitTask:
    """Trains on windows of encoded clips."""

    adam_names: tuple[str, ...] = (
        "patch_embedding.",
        "head.head.",
        "text_encoder.words",
        "text_encoder.places",
        "text_encoder.queries",
        "audio_tokens.enter.",
        "face_encoder.trunk.0.",
    )

    def __init__(
        self,
        config: DitStageConfig,
        studio: StudioConfig,
        bank: ClipBank,
        words: WordTable,
        held_out: HeldOutWindows,
    ) -> None:
        self.config, self.bank, self.words, self.held_out = config, bank, words, held_out
        self.network = StudioDiT(studio)
        start_from_reference(self.network)
        self.samples_per_step = config.windows.batch

    def losses(self, draw: Draw) -> Mapping[str, Tensor]:
        """Draw a batch and noise, predict clean latents, compare."""
        drawn = draw_windows(self.bank, self.words, self.config.windows, draw)
        window = Window(*(part.to(draw.torch.device) for part in drawn))
        clean, noise_config = window.latents, self.config.noise
        level = draw_levels(noise_config, (clean.shape[0], clean.shape[2]), draw)
        noise = torch.randn(clean.shape, generator=draw.torch, device=clean.device)
        wide = level[:, None, :, None, None]
        noisy = (1 - wide) * clean + wide * noise
        error = (predict_clean(self.network, window, noisy, level) - clean).float()
        scale = 1 / wide.clamp(min=noise_config.weight_floor).square()
        pixels = (error.square() * scale * window.weight).mean()
        both = scale[:, :, 1:].minimum(scale[:, :, :-1])
        steps = (error[:, :, 1:] - error[:, :, :-1]).square() * both * window.weight[:, :, 1:]
        motion = steps.mean()
        return {
            "loss": pixels + self.config.losses.motion * motion,
            "clean": pixels,
            "motion": motion,
        }

    def measure(self, network: StudioDiT, folder: RunFolder, steps: int) -> Mapping[str, float]:
        """Measure on held-out people and voices."""
        return measure(network, self.held_out, predict_clean)
