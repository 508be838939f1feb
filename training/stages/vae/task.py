"""The autoencoder's training task: settings, learner, losses.

Shape letters: B batch, C latent channels, F latent frames, T = 4 F video frames, S side of a crop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.errors import ConfigError
from models.studio.vae import StudioVAE
from models.studio.vae_config import FRAMES_PER_LATENT, SPATIAL_STRIDE, StudioVAEConfig
from training.runs.draw import Draw
from training.runs.folder import RunFolder
from training.runs.loop import LoopConfig
from training.stages.clip_pool import SamplePool
from training.stages.vae.crops import Batch, CropConfig, draw_batch
from training.stages.vae.measures import HeldOut, measure

GAP_MM = 8.0  # typical deviation of a talking mouth's lip gap: the read-out's unit
READ_CHANNELS = 16
SCALES = 3  # full, half and quarter size


@dataclass(frozen=True, slots=True, kw_only=True)
class VaeLosses:
    """What counts how much, relative to the absolute error of pixels."""

    gradient: float  # edges: differences of neighboring pixels
    coarse: float  # the same picture at lower scales
    motion: float  # differences between video frames
    read_out: float  # saying the lip gap from the latent alone, with a linear map
    noise: float  # largest standard deviation of noise on latents, which have power 1

    def __post_init__(self) -> None:
        if min(self.gradient, self.coarse, self.motion, self.read_out, self.noise) < 0:
            raise ConfigError(f"negative weight or noise in {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolConfig:
    """How many decoded clips are kept, and how long."""

    clips: int
    reuse: int
    look_again_steps: int  # after so many steps, clips rendered since are found


@dataclass(frozen=True, slots=True, kw_only=True)
class VaeStageConfig:
    """Everything that decides a run."""

    vae: StudioVAEConfig
    crops: CropConfig
    pool: PoolConfig
    losses: VaeLosses
    loop: LoopConfig


class VaeLearner(nn.Module):
    """The autoencoder with a head that only training needs."""

    def __init__(self, config: StudioVAEConfig) -> None:
        super().__init__()
        self.vae = StudioVAE(config)
        self.vae.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch has it
        self.read = nn.Conv2d(config.latent_channels, READ_CHANNELS, 3, padding=1)
        self.to_gap = nn.Linear(READ_CHANNELS, FRAMES_PER_LATENT)

    def read_gap(self, z: Tensor, mouth: Tensor) -> Tensor:
        """Read the lip gap [B, T] off latents z [B, C, F, h, w] where the mouths are.

        Args:
            z: latents.
            mouth: [B, T, 2] in pixels; the mean of a latent frame's four is looked at.
        """
        b, _, frames, height, width = z.shape
        maps = self.read(z.transpose(1, 2).flatten(0, 1))  # [B * F, r, h, w]
        at = mouth.reshape(b * frames, FRAMES_PER_LATENT, 2).mean(1)
        size = torch.tensor([width, height], device=at.device) * SPATIAL_STRIDE
        grid = ((at + 0.5) / size * 2 - 1)[:, None, None]
        found = F.grid_sample(maps.float(), grid, align_corners=False)[:, :, 0, 0]
        gaps: Tensor = self.to_gap(found)
        return gaps.reshape(b, frames * FRAMES_PER_LATENT)


class VaeTask:
    """Trains on crops of rendered clips."""

    adam_names: tuple[str, ...] = (
        "vae.encoder.trunk.0.",
        "vae.encoder.out.",
        "vae.reference_encoder.quarter.0.",
        "vae.decoder.enter.",
        "vae.decoder.flow.",
        "vae.decoder.out.",
        "to_gap.",
        "read.",
    )

    def __init__(self, config: VaeStageConfig, pool: SamplePool, held_out: HeldOut) -> None:
        self.config, self.pool, self.held_out = config, pool, held_out
        self.network = VaeLearner(config.vae)
        self.samples_per_step = config.crops.batch
        self._drawn = 0

    def losses(self, draw: Draw) -> Mapping[str, Tensor]:
        """Draw a batch, encode, disturb, decode, compare."""
        self._drawn += 1
        if self._drawn % self.config.pool.look_again_steps == 0:
            self.pool.look_again()
        batch = draw_batch(self.pool, self.config.crops, draw)
        device = draw.torch.device
        batch = Batch(*(part.to(device) for part in batch))
        learner, weights = self.network, self.config.losses
        z = learner.vae.encode_raw(batch.video)
        strength = torch.rand(len(z), 1, 1, 1, 1, generator=draw.torch, device=device)
        noise = torch.randn(z.shape, generator=draw.torch, device=device)
        noisy = z + noise * strength * weights.noise
        video = learner.vae.decode_raw(noisy, learner.vae.look(batch.reference)).video.float()
        error = video - batch.video
        losses = {
            "pixels": _weighted(error, batch.weight),
            "edges": edge_error(error, batch.weight),
            "coarse": coarse_error(error, batch.weight),
            "motion": _weighted(error[:, :, 1:] - error[:, :, :-1], batch.weight[:, :, 1:]),
            "read_out": gap_error(learner.read_gap(noisy, batch.mouth), batch),
        }
        losses["loss"] = (
            losses["pixels"]
            + weights.gradient * losses["edges"]
            + weights.coarse * losses["coarse"]
            + weights.motion * losses["motion"]
            + weights.read_out * losses["read_out"]
        )
        return losses

    def measure(self, network: VaeLearner, folder: RunFolder, steps: int) -> Mapping[str, float]:
        """Reconstruct held-out people; puts a contact sheet into the folder."""
        return measure(network.vae, self.held_out, Path(folder.path) / "sheet.png")


def _weighted(error: Tensor, weight: Tensor) -> Tensor:
    return (error.abs() * weight).mean()


def edge_error(error: Tensor, weight: Tensor) -> Tensor:
    """Weigh errors of differences between neighboring pixels; error [B, 3, T, S, S]."""
    across = (error[..., 1:] - error[..., :-1]).abs() * weight[..., 1:]
    down = (error[..., 1:, :] - error[..., :-1, :]).abs() * weight[..., 1:, :]
    return across.mean() + down.mean()


def coarse_error(error: Tensor, weight: Tensor) -> Tensor:
    """Weigh errors at half and quarter size; error [B, 3, T, S, S], weight [B, 1, T, S, S]."""
    total = error.new_zeros(())
    for _ in range(SCALES - 1):
        error = F.avg_pool3d(error, (1, 2, 2))
        weight = F.avg_pool3d(weight, (1, 2, 2))
        total = total + _weighted(error, weight) + edge_error(error, weight)
    return total


def gap_error(read: Tensor, batch: Batch) -> Tensor:
    """Give the absolute error of the lip gap [B, T], for crops that hold the mouth."""
    error = (read - batch.lip_gap / GAP_MM).abs().mean(1)
    return (error * batch.is_face).sum() / batch.is_face.sum().clamp(min=1)
