"""Batches for the autoencoder: crops around faces, a reference of the same place, what counts.

Shape letters: B batch, T video frames, S side of a crop in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.errors import ConfigError
from models.studio.vae_config import FRAMES_PER_LATENT, SPATIAL_STRIDE
from training.runs.draw import Draw
from training.stages.clip_pool import SamplePool, eye_centers, face_widths, mouth_centers
from training.stages.motion import MIRRORED_MOTION, MIRRORED_SIGNS, motion_of
from training.studio.shards.reader import Sample

MOUTH_SPREAD = 0.17  # standard deviation of a mouth's weight, of the face's width
EYE_SPREAD = 0.09


@dataclass(frozen=True, slots=True, kw_only=True)
class CropConfig:
    """What one batch is."""

    batch: int
    latent_frames: int  # of one example
    side_px: int
    aim: Literal["face", "mouth"]
    aim_share: float  # of crops that lie around what is aimed at; the others lie anywhere
    jitter: float  # how far it may be from the crop's center, of the side
    looks: int  # stretches that are looked at for one that is taken: the liveliest mouth
    floor_weight: float  # of a pixel that is neither mouth nor eye
    mouth_weight: float  # on top of it, in the middle of a mouth
    eye_weight: float

    def __post_init__(self) -> None:
        if self.side_px % SPATIAL_STRIDE or self.side_px < SPATIAL_STRIDE:
            raise ConfigError(f"side_px={self.side_px} is not a multiple of {SPATIAL_STRIDE}")
        if min(self.batch, self.latent_frames, self.looks) < 1:
            raise ConfigError(
                f"batch={self.batch}, latent_frames={self.latent_frames} and looks={self.looks} "
                "must be at least 1"
            )

    @property
    def frames(self) -> int:
        return self.latent_frames * FRAMES_PER_LATENT


class Batch(NamedTuple):
    """What the autoencoder learns from in one step."""

    video: Tensor  # [B, 3, T, S, S] in -1..1
    reference: Tensor  # [B, 3, S, S] in -1..1
    weight: Tensor  # [B, 1, T, S, S]
    mouth: Tensor  # [B, T, 2] in pixels of the crop; may lie outside
    lip_gap: Tensor  # [B, T] in millimeters
    is_face: Tensor  # [B] bool: the mouth is in the crop, always
    motion: Tensor  # [B, T, 56] curves, lip gap, head, of the face that `mouth` belongs to
    face_width: Tensor  # [B] in pixels
    reference_mouth: Tensor  # [B, 2] in pixels of the crop


def draw_batch(pool: SamplePool, config: CropConfig, draw: Draw) -> Batch:
    """Draw one batch with a step's generators."""
    return stack([_example(pool.draw(draw.numpy), config, draw.numpy) for _ in range(config.batch)])


def stack(examples: list[Batch]) -> Batch:
    """Put single examples together."""
    return Batch(*(torch.stack(parts) for parts in zip(*examples, strict=True)))


def _example(sample: Sample, config: CropConfig, rng: np.random.Generator) -> Batch:
    length = sample.video.shape[0]
    person = int(rng.integers(len(sample.labels["curves"])))
    span = _stretch(sample, person, config, rng)
    corner = _corner(sample, person, span, config, rng)
    example = cut(sample, person, span, int(rng.integers(length)), corner, config)
    return mirrored(example) if rng.random() < 0.5 else example


def _stretch(sample: Sample, person: int, config: CropConfig, rng: np.random.Generator) -> slice:
    """Choose frames: of some stretches the one in which the lips move most."""
    gap = sample.labels["lip_gap_mm"][person].astype(np.float32)
    firsts = rng.integers(len(gap) - config.frames + 1, size=config.looks)
    spans = [slice(int(first), int(first) + config.frames) for first in firsts]
    return max(spans, key=lambda span: float(gap[span].std()))


def _corner(
    sample: Sample, person: int, span: slice, config: CropConfig, rng: np.random.Generator
) -> tuple[int, int]:
    """Choose the upper left corner of a crop, across and down."""
    height, width = sample.video.shape[1:3]
    most = np.array([width, height]) - config.side_px
    if rng.random() >= config.aim_share:
        across, down = rng.integers(most + 1)
        return int(across), int(down)
    if config.aim == "mouth":
        center = mouth_centers(sample)[person, span].mean(0).astype(np.float64)
    else:
        box = sample.labels["face_box"][person, span.start].astype(np.float64)
        center = (box[:2] + box[2:]) / 2
    center = center + rng.uniform(-1, 1, 2) * config.jitter * config.side_px
    across, down = np.clip(np.round(center - config.side_px / 2), 0, most).astype(int)
    return int(across), int(down)


def cut(
    sample: Sample,
    person: int,
    span: slice,
    reference: int,
    corner: tuple[int, int],
    config: CropConfig,
) -> Batch:
    """Cut one example out of a clip: its tensors without a batch dimension."""
    across, down = corner
    side = config.side_px
    window = (slice(down, down + side), slice(across, across + side))
    offset = np.array(corner, np.float32)
    width = max(float(face_widths(sample)[person]), 1.0)
    mouths = mouth_centers(sample)[person] - offset
    mouth = mouths[span]
    eyes = eye_centers(sample)[person, span] - offset
    weight = np.full((len(mouth), side, side), config.floor_weight, np.float32)
    weight += config.mouth_weight * _bumps(mouth, width * MOUTH_SPREAD, side)
    for eye in range(eyes.shape[1]):
        weight += config.eye_weight * _bumps(eyes[:, eye], width * EYE_SPREAD, side)
    gap_mm = sample.labels["lip_gap_mm"][person, span].astype(np.float32)
    inside = np.logical_and(mouth >= 0, mouth < side).all()
    return Batch(
        as_pixels(sample.video[span][:, window[0], window[1]]).transpose(0, 1),
        as_pixels(sample.video[reference][window]),
        torch.from_numpy(weight)[None],
        torch.from_numpy(mouth),
        torch.from_numpy(gap_mm),
        torch.tensor(bool(inside)),
        torch.from_numpy(motion_of(sample)[person, span]),
        torch.tensor(width),
        torch.from_numpy(mouths[reference]),
    )


def as_pixels(pictures: NDArray[np.uint8]) -> Tensor:
    """Turn pictures [..., H, W, 3] of 8 bits into [..., 3, H, W] in -1..1."""
    channels_first = np.moveaxis(pictures, -1, -3)
    return torch.from_numpy(np.ascontiguousarray(channels_first)).float() / 127.5 - 1


def mirrored(example: Batch) -> Batch:
    """Flip one example left to right."""
    side = example.video.shape[-1]

    def across(points: Tensor) -> Tensor:
        return torch.stack([side - 1 - points[..., 0], points[..., 1]], dim=-1)

    return example._replace(
        video=example.video.flip(-1),
        reference=example.reference.flip(-1),
        weight=example.weight.flip(-1),
        mouth=across(example.mouth),
        motion=example.motion[..., MIRRORED_MOTION] * torch.tensor(MIRRORED_SIGNS),
        reference_mouth=across(example.reference_mouth),
    )


def _bumps(centers: NDArray[np.float32], spread: float, side: int) -> NDArray[np.float32]:
    """Draw a Gaussian bump [T, S, S] around every center [T, 2]."""
    at = np.arange(side, dtype=np.float32)
    across = np.exp(-0.5 * ((at - centers[:, :1]) / spread) ** 2)
    down = np.exp(-0.5 * ((at - centers[:, 1:]) / spread) ** 2)
    bumps: NDArray[np.float32] = down[:, :, None] * across[:, None, :]
    return bumps
