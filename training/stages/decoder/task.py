"""The decoder's training task: the transformer's latents, and what is told of faces, to pixels.

The autoencoder's own stage shows the decoder true latents. In a stream it meets those of a
transformer with one or two steps: means of what may be, without what a voice leaves open. Here it
meets these, and is told what the transformer was told, so that it shows what latents leave out.

The transformer may learn along (`joint`): then what is wrong in the pixels of a film reaches it
through the decoder. Its own stages compare with decoded true latents, and where the decoder shows
no mouth, of beards and turned heads, they ask for none.

Shape letters: B batch, C latent channels, F latent frames, T = 4 F video frames, h and w latent
size, H, W picture size.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from models.errors import ConfigError
from models.studio.dit import StudioDiT
from models.studio.vae import StudioVAE
from training.runs.draw import Draw
from training.runs.folder import RunFolder
from training.runs.loop import LoopConfig
from training.stages.decoder.filmed import (
    BROWS_UP,
    Filmed,
    FilmedSource,
    PixelWeights,
    cropped,
    on_device,
    told_of,
)
from training.stages.decoder.measures import measure
from training.stages.dit.prediction import noised, predict_clean
from training.stages.dit.task import ADAM_NAMES as DIT_ADAM_NAMES
from training.stages.dit.windows import EXPRESSION, Window, WindowConfig
from training.stages.motion import LIP_GAP
from training.stages.vae.lip_reader import LipReader, Reading, mouth_windows, unlikeness
from training.stages.vae.task import coarse_error, edge_error, motion_error, weighted_error

READ_EVERY = 2  # video frames; neighbors look alike, and reading costs
BESIDE, NEARER = 0.02, 0.15  # how the reader's windows vary: of a face's width, of their own
HALF_WAY = 0.5  # noise that the second of two steps begins with
SEED = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderLosses:
    """What counts how much, relative to the absolute error of pixels.

    Raises:
        ConfigError: when a weight is negative.
    """

    gradient: float  # edges: differences of neighboring pixels
    coarse: float  # the same picture at lower scales
    motion: float  # differences between video frames
    seams: float  # how much more of that counts where one latent frame follows another
    mouths: float  # mouths that look alike to a network that reads them
    gaps: float  # lips as far apart as in truth, to that network; in 10 mm
    eyes: float  # eyes and brows, likewise

    def __post_init__(self) -> None:
        if min(dataclasses.astuple(self)) < 0:
            raise ConfigError(f"negative weight in {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class JointConfig:
    """How the transformer learns along.

    Raises:
        ConfigError: when a weight is negative, or a share outside 0..1.
    """

    latents: float  # squared error of its latents, relative to the absolute error of pixels
    second_share: float  # of examples that begin half way, as the second of two steps does

    def __post_init__(self) -> None:
        if self.latents < 0 or not 0 <= self.second_share <= 1:
            raise ConfigError(f"negative weight, or a share outside 0..1, in {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderStageConfig:
    """Everything that decides a run.

    Raises:
        ConfigError: when a share is outside 0..1.
    """

    windows: WindowConfig
    crop: int  # latent positions along each side of what is decoded
    movement_dim: int  # inner width of what tells the decoder, where it is not told yet
    weights: PixelWeights
    true_share: float  # of examples whose latents are the encoder's
    true_noise: float  # largest deviation of noise on those
    untold_share: float  # of examples of which nothing is told
    losses: DecoderLosses
    loop: LoopConfig
    joint: JointConfig | None = None  # None: the transformer stays as it is

    def __post_init__(self) -> None:
        if not 0 <= self.true_share <= 1 or not 0 <= self.untold_share <= 1:
            raise ConfigError(f"true_share and untold_share are shares: {self}")


class DecoderLearner(nn.Module):
    """The autoencoder, of which the decoder learns, and a reader of eyes that only training has.

    The transformer is part of it when it learns along, else None.
    """

    def __init__(self, vae: StudioVAE, dit: StudioDiT | None) -> None:
        super().__init__()
        self.vae, self.dit = vae, dit
        self.vae.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch has it
        self.eyes = LipReader()


class Shown(NamedTuple):
    """A batch as the decoder shows it, cut to what was decoded."""

    truth: Filmed
    video: Tensor  # [B, 3, T, H, W]


class DecoderTask:
    """Trains on windows of encoded clips, and their films."""

    adam_names: tuple[str, ...] = (
        "vae.reference_encoder.quarter.0.",
        "vae.decoder.enter.",
        "vae.decoder.flow.",
        "vae.decoder.out.",
        "vae.decoder.movement.enter.",
        "eyes.convs.0.",
        "eyes.to_motion.",
        *(f"dit.{name}" for name in DIT_ADAM_NAMES),
    )

    def __init__(
        self,
        config: DecoderStageConfig,
        vae: StudioVAE,
        dit: StudioDiT,
        reader: LipReader,
        source: FilmedSource,
        held_out: Filmed,
    ) -> None:
        """Take what is trained and what stays.

        Args:
            config: of the run.
            vae: its decoder and reference encoder learn.
            dit: makes latents; learns along if the settings say so.
            reader: of mouths; frozen.
            source: of the train split.
            held_out: a batch of the test split.
        """
        self.config, self.reader = config, reader
        self.source, self.held_out = source, held_out
        self.dit = dit.train(config.joint is not None).requires_grad_(config.joint is not None)
        self.network = DecoderLearner(
            vae.train().requires_grad_(True), dit if config.joint else None
        )
        vae.encoder.requires_grad_(False)
        reader.eval().requires_grad_(False)
        self.samples_per_step = config.windows.batch

    def losses(self, draw: Draw) -> Mapping[str, Tensor]:
        """Draw a batch, make its latents, decode, compare."""
        device = draw.torch.device
        self._to(device)
        batch = on_device(self.source.draw(draw), device)
        latents, off = self._latents(batch.window, draw)
        is_told = _chance(len(latents), 1 - self.config.untold_share, draw)
        shown = self._show(batch, latents, is_told, draw.numpy)
        truth, weights = shown.truth, self.config.losses
        error = shown.video - truth.video
        losses = {
            "pixels": weighted_error(error, truth.weight),
            "edges": edge_error(error, truth.weight),
            "coarse": coarse_error(error, truth.weight),
            "motion": motion_error(error, truth.weight, weights.seams),
            **self._misread_mouths(shown, draw),
            **self._misread_eyes(shown),
        }
        losses["loss"] = (
            losses["pixels"]
            + weights.gradient * losses["edges"]
            + weights.coarse * losses["coarse"]
            + weights.motion * losses["motion"]
            + weights.mouths * losses["mouths"]
            + weights.gaps * losses["gaps"]
            + weights.eyes * losses["eyes"]
            + losses["reader"]
        )
        if self.config.joint is not None:
            losses["latents"] = off
            losses["loss"] = losses["loss"] + self.config.joint.latents * off
        return losses

    def measure(
        self, network: DecoderLearner, folder: RunFolder, steps: int
    ) -> Mapping[str, float]:
        """Show held-out people; puts a contact sheet into the folder."""
        device = next(network.parameters()).device
        self._to(device)
        batch = on_device(self.held_out, device)
        dit = self._dit(network)
        latents = made_latents(dit, batch.window, torch.Generator(device).manual_seed(SEED))
        return measure(network.vae, batch, latents, Path(folder.path) / "sheet.png")

    def _to(self, device: torch.device) -> None:
        self.dit.to(device)
        self.reader.to(device)

    def _dit(self, network: DecoderLearner) -> StudioDiT:
        return self.dit if network.dit is None else network.dit

    def _latents(self, window: Window, draw: Draw) -> tuple[Tensor, Tensor]:
        """Give latents [B, C, F, h, w]: the transformer's, or true ones with some noise.

        And the transformer's squared error, weighed by place.
        """
        shape, device = window.latents.shape, draw.torch.device
        joint = self.config.joint
        if joint is None:
            made = made_latents(self._dit(self.network), window, draw.torch)
        else:
            is_second = _chance(shape[0], joint.second_share, draw)
            made = _latents_from(self._dit(self.network), window, draw.torch, is_second)
        off = ((made - window.latents).square() * window.weight).mean()
        strength = torch.rand(shape[0], 1, 1, 1, 1, generator=draw.torch, device=device)
        noise = torch.randn(shape, generator=draw.torch, device=device)
        true = window.latents + noise * strength * self.config.true_noise
        is_true = _chance(shape[0], self.config.true_share, draw)
        return torch.where(is_true[:, None, None, None, None], true, made), off

    def _show(
        self, batch: Filmed, latents: Tensor, is_told: Tensor, rng: np.random.Generator
    ) -> Shown:
        truth, rows, columns = cropped(batch, self.config.crop, rng)
        cut = latents[..., rows, columns]
        told = told_of(batch.window, cut)
        told = told._replace(people=told.people * is_told[:, None, None, None])
        vae = self.network.vae
        looked = vae.look(truth.window.picture)
        return Shown(truth, vae.decode(cut, looked, told=told).video.float())

    def _misread_mouths(self, shown: Shown, draw: Draw) -> dict[str, Tensor]:
        """Compare how mouths read to a network that learned it from true ones.

        It looks a little beside and from nearer or further every time, the same way at both: what
        only fools it from one place is no mouth.
        """
        window = shown.truth.window
        device, generator = draw.torch.device, draw.torch
        width = window.face_widths[:, 0]
        beside = torch.randn(len(width), 1, 2, generator=generator, device=device)
        mouths = window.mouths[:, 0, ::READ_EVERY] + BESIDE * width[:, None, None] * beside
        nearer = torch.rand(len(width), generator=generator, device=device)
        width = width * (1 + NEARER * (2 * nearer - 1))
        true = mouth_windows(shown.truth.video[:, :, ::READ_EVERY], mouths, width)
        made = mouth_windows(shown.video[:, :, ::READ_EVERY], mouths, width)
        with torch.no_grad():
            wanted = self.reader(true)
        seen = self.reader(made)
        return {
            "mouths": unlikeness(seen, wanted).mean(),
            "gaps": (seen.motion[:, LIP_GAP] - wanted.motion[:, LIP_GAP]).abs().mean(),
        }

    def _misread_eyes(self, shown: Shown) -> dict[str, Tensor]:
        """Compare eyes likewise, and teach their reader on true ones."""
        truth = shown.truth
        width = truth.window.face_widths[:, 0]
        up = torch.stack([torch.zeros_like(width), BROWS_UP * width], dim=-1)[:, None]
        middles = truth.eyes[:, ::READ_EVERY].mean(2) - up
        true = mouth_windows(truth.video[:, :, ::READ_EVERY], middles, width)
        made = mouth_windows(shown.video[:, :, ::READ_EVERY], middles, width)
        seen = self.network.eyes(true)
        motion = truth.window.motion[:, 0, ::READ_EVERY].flatten(0, 1)[:, EXPRESSION]
        told = (seen.motion[:, EXPRESSION] - motion).abs().mean()
        held = Reading(tuple(part.detach() for part in seen.features), seen.motion.detach())
        return {"eyes": unlikeness(self.network.eyes.frozen(made), held).mean(), "reader": told}


@torch.no_grad()
def made_latents(dit: StudioDiT, window: Window, generator: torch.Generator) -> Tensor:
    """Give what the transformer makes of noise in one step, each latent frame by itself.

    As in a stream without memory, all frames of an example begin with the same noise.
    """
    is_second = torch.zeros(len(window.latents), dtype=torch.bool, device=window.latents.device)
    return _latents_from(dit, window, generator, is_second)


def _latents_from(
    dit: StudioDiT, window: Window, generator: torch.Generator, is_second: Tensor
) -> Tensor:
    """Give what the transformer makes of noise, or, where `is_second` [B], of half of it."""
    shape, device = window.latents.shape, window.latents.device
    noise = torch.randn((*shape[:2], 1, *shape[3:]), generator=generator, device=device)
    level = torch.where(is_second, HALF_WAY, 1.0)[:, None].expand(shape[0], shape[2])
    noisy = noised(window.latents, level, noise.expand(shape))
    return predict_clean(dit, window, noisy, level, remembers=False).float()


def _chance(count: int, share: float, draw: Draw) -> Tensor:
    return torch.rand(count, generator=draw.torch, device=draw.torch.device) < share
