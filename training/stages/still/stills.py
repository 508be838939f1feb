"""Still pictures of single people, how far their heads are turned in them, and what they show.

Shape letters: N pictures, K side of a kept picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from models.errors import ConfigError, InputError
from models.studio.still_reader import EXPRESSIONS, MARKS, PLACES, WIDTH
from training.runs.draw import Draw
from training.stages.dolls import doll_looking
from training.stages.latents.encoded import EncodedClip, clip_files, read_clip

KEPT_PX = 80  # a shifted or larger cut of it still has every pixel that is read
MOST_DOLL_YAW = 0.8


class Stills(NamedTuple):
    """Pictures with labels."""

    pictures: Tensor  # [N, 3, K, K] of 8 bits
    labels: Tensor  # [N, 16] as `StillReader` gives them


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeConfig:
    """How pictures are changed, in standard deviations.

    Raises:
        ConfigError: when one is negative.
    """

    shift: float  # of the picture's side
    zoom: float
    light: float  # of each color's gain
    tint: float  # of each color's offset; pictures lie in -1..1

    def __post_init__(self) -> None:
        if min(self.shift, self.zoom, self.light, self.tint) < 0:
            raise ConfigError(f"changes are not negative: {self}")


def read_stills(folders: Sequence[Path]) -> Stills:
    """Read the still pictures of every clip of one person.

    Raises:
        InputError: when a folder holds no clips, or none of single people.
    """
    pictures, labels = [], []
    for path in (file for folder in folders for file in clip_files(folder)):
        clip = read_clip(path)
        if clip.people == 1:
            shown = torch.from_numpy(clip.pictures).permute(0, 3, 1, 2).float()
            pictures.append(F.interpolate(shown, (KEPT_PX, KEPT_PX), mode="area").byte())
            labels.append(torch.from_numpy(_labels(clip)))
    if not pictures:
        raise InputError(
            f"no clip of one person in {', '.join(map(str, folders))}; encode with --apart"
        )
    return Stills(torch.cat(pictures), torch.cat(labels))


def _labels(clip: EncodedClip) -> NDArray[np.float32]:
    """Give [R, 16] of a clip's still pictures."""
    at, side = clip.still_frames, clip.pictures.shape[1]
    eyes = clip.eyes[0, at].astype(np.float32)  # [R, 2, 2]
    is_crossed = eyes[:, 0, 0] > eyes[:, 1, 0]
    eyes = np.where(is_crossed[:, None, None], eyes[:, ::-1], eyes)
    marks = np.concatenate([eyes.reshape(-1, 4), clip.mouths[0, at]], axis=1) / side
    shown = clip.motion[0, at][:, list(EXPRESSIONS)]
    return np.concatenate([clip.still_heads[:, 0, :1], marks, shown], axis=1).astype(np.float32)


def doll_stills(count: int, seed: int) -> Stills:
    """Draw dolls that look here and there, without any expression."""
    rng = np.random.default_rng(seed)
    yaws = rng.uniform(-MOST_DOLL_YAW, MOST_DOLL_YAW, count).astype(np.float32)
    drawn = [doll_looking(rng, KEPT_PX, float(yaw)) for yaw in yaws]
    labels = np.zeros((count, WIDTH), np.float32)
    labels[:, 0] = yaws
    labels[:, PLACES] = np.stack([doll.marks for doll in drawn]).reshape(count, -1) / KEPT_PX
    pictures = np.stack([doll.picture for doll in drawn])
    return Stills(torch.from_numpy(pictures).permute(0, 3, 1, 2), torch.from_numpy(labels))


def changed(
    pictures: Tensor, labels: Tensor, config: ChangeConfig, draw: Draw
) -> tuple[Tensor, Tensor]:
    """Move, zoom and tint pictures [N, 3, K, K] in -1..1, each by itself, and their labels."""
    count, device = len(pictures), pictures.device

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=draw.torch, device=device)

    moves = torch.zeros(count, 2, 3, device=device)
    zoom, shift = 1 + config.zoom * normal(count), 2 * config.shift * normal(count, 2)
    moves[:, 0, 0] = moves[:, 1, 1] = zoom
    moves[:, :, 2] = shift
    grid = F.affine_grid(moves, list(pictures.shape), align_corners=False)
    moved = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    gain, offset = 1 + config.light * normal(count, 3, 1, 1), config.tint * normal(count, 3, 1, 1)
    places = labels[:, PLACES].reshape(count, MARKS, 2) * 2 - 1  # as grids count, -1 to 1
    places = ((places - shift[:, None]) / zoom[:, None, None] + 1) / 2
    told = torch.cat([labels[:, :1], places.flatten(1), labels[:, PLACES.stop :]], dim=1)
    return moved * gain + offset, told
