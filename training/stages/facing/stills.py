"""Still pictures of single people and how far their heads are turned in them.

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
from torch import Tensor

from models.errors import ConfigError, InputError
from training.runs.draw import Draw
from training.stages.dolls import doll_looking
from training.stages.latents.encoded import clip_files, read_clip

KEPT_PX = 80  # a shifted or larger cut of it still has every pixel that is read
MOST_DOLL_YAW = 0.8


class Stills(NamedTuple):
    """Pictures with labels."""

    pictures: Tensor  # [N, 3, K, K] of 8 bits
    yaws: Tensor  # [N] radians, > 0 to the viewer's right


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
    pictures, yaws = [], []
    for path in (file for folder in folders for file in clip_files(folder)):
        clip = read_clip(path)
        if clip.people == 1:
            shown = torch.from_numpy(clip.pictures).permute(0, 3, 1, 2).float()
            pictures.append(F.interpolate(shown, (KEPT_PX, KEPT_PX), mode="area").byte())
            yaws.append(torch.from_numpy(clip.still_heads[:, 0, 0].astype(np.float32)))
    if not pictures:
        raise InputError(
            f"no clip of one person in {', '.join(map(str, folders))}; encode with --apart"
        )
    return Stills(torch.cat(pictures), torch.cat(yaws))


def doll_stills(count: int, seed: int) -> Stills:
    """Draw dolls that look here and there."""
    rng = np.random.default_rng(seed)
    yaws = rng.uniform(-MOST_DOLL_YAW, MOST_DOLL_YAW, count).astype(np.float32)
    drawn = np.stack([doll_looking(rng, KEPT_PX, float(yaw)) for yaw in yaws])
    return Stills(torch.from_numpy(drawn).permute(0, 3, 1, 2), torch.from_numpy(yaws))


def changed(pictures: Tensor, config: ChangeConfig, draw: Draw) -> Tensor:
    """Move, zoom and tint pictures [N, 3, K, K] in -1..1, each by itself."""
    count, device = len(pictures), pictures.device

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=draw.torch, device=device)

    moves = torch.zeros(count, 2, 3, device=device)
    moves[:, 0, 0] = moves[:, 1, 1] = 1 + config.zoom * normal(count)
    moves[:, :, 2] = 2 * config.shift * normal(count, 2)
    grid = F.affine_grid(moves, list(pictures.shape), align_corners=False)
    moved = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    gain, offset = 1 + config.light * normal(count, 3, 1, 1), config.tint * normal(count, 3, 1, 1)
    return moved * gain + offset
