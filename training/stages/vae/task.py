"""The autoencoder's training task: settings, learner, losses.

Shape letters: B batch, C latent channels, F latent frames, T = 4 F video frames, S side of a crop.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.errors import ConfigError
from models.studio.vae import StudioVAE
from models.studio.vae_config import FRAMES_PER_LATENT, SPATIAL_STRIDE, StudioVAEConfig
from training.runs.draw import Draw
from training.runs.folder import RunFolder
from training.runs.loop import LoopConfig
from training.stages.cells import CellConfig
from training.stages.clip_pool import SamplePool
from training.stages.vae.crops import Batch, CropConfig, draw_batch
from training.stages.vae.latent_guess import LatentGuess
from training.stages.vae.lip_reader import LipReader, mouth_windows, unlikeness
from training.stages.vae.measures import HeldOut, measure

GAP_MM = 8.0  # typical deviation of a talking mouth's lip gap: the read-out's unit
READ_CHANNELS = 16
READ_EVERY = 2  # video frames; neighbors look alike, and reading costs
SCALES = 3  # full, half and quarter size


@dataclass(frozen=True, slots=True, kw_only=True)
class VaeLosses:
    """What counts how much, relative to the absolute error of pixels."""

    gradient: float  # edges: differences of neighboring pixels
    coarse: float  # the same picture at lower scales
    motion: float  # differences between video frames
    seams: float  # how much more of that counts where one latent frame follows another
    read_out: float  # saying the lip gap from the latent alone, with a linear map
    reading: float  # mouths that look alike to a network that reads them
    guess: float  # latents that follow from the reference and from the face's motion
    noise: float  # largest standard deviation of noise on latents, which have power 1

    def __post_init__(self) -> None:
        if min(dataclasses.astuple(self)) < 0:
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
    close_ups: CropConfig
    close_up_share: float  # of steps that see close-ups; the others see crops
    learns: Literal["all", "decoder"]  # the decoder alone keeps latents that others learn from
    pool: PoolConfig
    losses: VaeLosses
    loop: LoopConfig
    cells: CellConfig | None = None  # None: pictures as they are rendered

    def __post_init__(self) -> None:
        if not 0 <= self.close_up_share <= 1:
            raise ConfigError(f"close_up_share={self.close_up_share} is a share: 0..1")

    @property
    def frames(self) -> int:
        """Count the video frames that a clip must have."""
        return max(self.crops.frames, self.close_ups.frames)


class VaeLearner(nn.Module):
    """The autoencoder with heads that only training needs."""

    def __init__(self, config: StudioVAEConfig) -> None:
        super().__init__()
        self.vae = StudioVAE(config)
        self.vae.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch has it
        self.read = nn.Conv2d(config.latent_channels, READ_CHANNELS, 3, padding=1)
        self.to_gap = nn.Linear(READ_CHANNELS, FRAMES_PER_LATENT)
        self.reader = LipReader()
        self.guess = LatentGuess(config.latent_channels)

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

    def reading_errors(self, video: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Compare mouths by how they read, and teach the reader on the true ones.

        Gives "reading", which moves the autoencoder alone, and "reader", which moves the reader.
        """
        mouth, motion = batch.mouth[:, ::READ_EVERY], batch.motion[:, ::READ_EVERY]
        true = mouth_windows(batch.video[:, :, ::READ_EVERY], mouth, batch.face_width)
        made = mouth_windows(video[:, :, ::READ_EVERY], mouth, batch.face_width)
        seen = self.reader(true)
        told = (seen.motion - motion.flatten(0, 1)).abs().mean(1)
        held = seen._replace(
            features=tuple(part.detach() for part in seen.features), motion=seen.motion.detach()
        )
        frames = mouth.shape[1]
        return {
            "reading": _of_faces(unlikeness(self.reader.frozen(made), held), batch, frames),
            "reader": _of_faces(told, batch, frames),
        }

    def guess_error(self, z: Tensor, batch: Batch) -> Tensor:
        """Compare latents z [B, C, F, h, w] with those guessed, most around mouths and eyes."""
        still = batch.reference[:, :, None].expand(-1, -1, FRAMES_PER_LATENT, -1, -1)
        guessed = self.guess(self.vae.encode_raw(still)[:, :, 0], batch)
        stride = SPATIAL_STRIDE
        weight = F.avg_pool3d(batch.weight, (FRAMES_PER_LATENT, stride, stride))
        error = ((z - guessed).abs() * weight).mean((1, 2, 3, 4)) / weight.mean((1, 2, 3, 4))
        return _of_faces(error, batch, 1)


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
        "reader.convs.0.",
        "reader.to_motion.",
        "guess.from_motion.",
        "guess.enter.",
        "guess.out.",
    )

    def __init__(self, config: VaeStageConfig, pool: SamplePool, held_out: HeldOut) -> None:
        self.config, self.pool, self.held_out = config, pool, held_out
        self.network = VaeLearner(config.vae)
        if config.learns == "decoder":
            self.network.vae.encoder.requires_grad_(False)
            self.network.read.requires_grad_(False)
            self.network.to_gap.requires_grad_(False)
            self.network.guess.requires_grad_(False)
        self.samples_per_step = config.crops.batch
        self._drawn = 0

    def losses(self, draw: Draw) -> Mapping[str, Tensor]:
        """Draw a batch, encode, disturb, decode, compare."""
        self._drawn += 1
        if self._drawn % self.config.pool.look_again_steps == 0:
            self.pool.look_again()
        is_close = draw.numpy.random() < self.config.close_up_share
        crops = self.config.close_ups if is_close else self.config.crops
        batch = draw_batch(self.pool, crops, draw)
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
            "pixels": weighted_error(error, batch.weight),
            "edges": edge_error(error, batch.weight),
            "coarse": coarse_error(error, batch.weight),
            "motion": motion_error(error, batch.weight, weights.seams),
            **learner.reading_errors(video, batch),
        }
        losses["loss"] = (
            losses["pixels"]
            + weights.gradient * losses["edges"]
            + weights.coarse * losses["coarse"]
            + weights.motion * losses["motion"]
            + weights.reading * losses["reading"]
            + losses["reader"]
        )
        if self.config.learns == "all":
            losses["read_out"] = gap_error(learner.read_gap(noisy, batch.mouth), batch)
            losses["guess"] = learner.guess_error(z, batch)
            losses["loss"] = (
                losses["loss"]
                + weights.read_out * losses["read_out"]
                + weights.guess * losses["guess"]
            )
        return losses

    def measure(self, network: VaeLearner, folder: RunFolder, steps: int) -> Mapping[str, float]:
        """Reconstruct held-out people; puts a contact sheet into the folder."""
        return measure(network.vae, self.held_out, Path(folder.path) / "sheet.png")


def weighted_error(error: Tensor, weight: Tensor) -> Tensor:
    """Average absolute errors [B, 3, T, S, S] by weight [B, 1, T, S, S]."""
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
        total = total + weighted_error(error, weight) + edge_error(error, weight)
    return total


def motion_error(error: Tensor, weight: Tensor, seams: float) -> Tensor:
    """Weigh errors of differences between video frames; error [B, 3, T, S, S]."""
    steps = error[:, :, 1:] - error[:, :, :-1]
    is_seam = torch.arange(1, error.shape[2], device=error.device) % FRAMES_PER_LATENT == 0
    more = torch.where(is_seam, seams, 1.0)[:, None, None]
    return weighted_error(steps, weight[:, :, 1:] * more)


def gap_error(read: Tensor, batch: Batch) -> Tensor:
    """Give the absolute error of the lip gap [B, T], for crops that hold the mouth."""
    return _of_faces((read - batch.lip_gap / GAP_MM).abs().mean(1), batch, 1)


def _of_faces(error: Tensor, batch: Batch, frames: int) -> Tensor:
    """Average errors [B * frames] over the crops that hold the mouth."""
    each = error.reshape(-1, frames).mean(1)
    return (each * batch.is_face).sum() / batch.is_face.sum().clamp(min=1)
