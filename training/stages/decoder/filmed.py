"""Batches for the decoder: what the transformer is told, and the video that it should become.

Shape letters: B batch, T = 4 F video frames, F latent frames, H, W picture size, h and w latent
size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.errors import ConfigError, InputError
from models.studio.vae_config import FRAMES_PER_LATENT, SPATIAL_STRIDE
from models.studio.vae_movement import Told
from training.runs.draw import Draw
from training.stages.dit.windows import (
    Window,
    WindowConfig,
    choose_moment,
    stacked,
    told_by,
    window_at,
)
from training.stages.dit.words import WordTable
from training.stages.latents.encoded import EncodedClip, clip_files, read_clip, read_film
from training.stages.vae.crops import as_pixels

MOUTH_SPREAD, EYE_SPREAD = 0.17, 0.12  # of the weights around mouths and eyes, of a face's width
BROWS_UP = 0.06  # the eyes' weight lies so much higher, so that brows are in it


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelWeights:
    """How much a pixel counts.

    Raises:
        ConfigError: when a weight is negative.
    """

    floor: float  # of one that is neither mouth nor eye
    mouth: float  # on top of it, in the middle of a mouth
    eyes: float

    def __post_init__(self) -> None:
        if min(self.floor, self.mouth, self.eyes) < 0:
            raise ConfigError(f"weights are not negative: {self}")


class Filmed(NamedTuple):
    """What the decoder learns from in one step."""

    window: Window
    video: Tensor  # [B, 3, T, H, W] in -1..1
    eyes: Tensor  # [B, T, 2, 2] pixels of both eyes
    weight: Tensor  # [B, 1, T, H, W]


class FilmedBank:
    """Encoded clips of one person with their films; clips stay in memory, films on disk."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Find the clips.

        Raises:
            InputError: when a folder holds none.
        """
        self._files = [file for folder in folders for file in clip_files(folder)]
        self._read: dict[Path, EncodedClip] = {}

    def __len__(self) -> int:
        return len(self._files)

    def clip(self, index: int) -> EncodedClip:
        """Give a clip.

        Raises:
            InputError: when it shows several people, or cannot be read.
        """
        path = self._files[index]
        if path not in self._read:
            clip = read_clip(path)
            if clip.people != 1:
                raise InputError(
                    f"{path} shows {clip.people} people; encode with --apart, a clip for each"
                )
            self._read[path] = clip
        return self._read[path]

    def film(self, index: int, first: int, frames: int) -> NDArray[np.uint8]:
        """Give video frames [frames, H, W, 3] of a clip."""
        return read_film(self._files[index], first, frames)


class FilmedSource:
    """Draws batches of a bank."""

    def __init__(
        self, bank: FilmedBank, words: WordTable, windows: WindowConfig, weights: PixelWeights
    ) -> None:
        self.bank, self.words, self.windows, self.weights = bank, words, windows, weights

    def draw(self, draw: Draw) -> Filmed:
        """Draw one batch with a step's generators."""
        rng = draw.numpy
        count = self.windows.batch
        return together(
            [self._example(int(rng.integers(len(self.bank))), rng) for _ in range(count)]
        )

    def clips(self, count: int, seed: int) -> Filmed:
        """Cut one window of some clips evenly chosen, the same ones every time."""
        rng = np.random.default_rng(seed)
        number = min(count, len(self.bank))
        return together([self._example(i * len(self.bank) // number, rng) for i in range(number)])

    def _example(self, index: int, rng: np.random.Generator) -> Filmed:
        clip, config = self.bank.clip(index), self.windows
        first, still = choose_moment(clip, config, rng)
        side = max(clip.latents.shape[2:])
        window = window_at(clip, self.words, config, side, (first, still), rng)
        span = slice(first * FRAMES_PER_LATENT, first * FRAMES_PER_LATENT + config.frames)
        film = as_pixels(self.bank.film(index, span.start, config.frames)).transpose(0, 1)
        eyes = torch.from_numpy(clip.eyes[0, span])
        width = float(clip.face_widths[0])
        weight = self._weight(window.mouths[0], eyes, width, film.shape[-2:])
        return Filmed(window, film, eyes, weight)

    def _weight(self, mouth: Tensor, eyes: Tensor, width: float, size: Sequence[int]) -> Tensor:
        """Weigh pixels [1, T, H, W] by how near a mouth [T, 2] or eyes [T, 2, 2] are."""
        floor, up = self.weights.floor, torch.tensor([0.0, BROWS_UP * width])
        weight = floor + self.weights.mouth * _bump(mouth, width * MOUTH_SPREAD, size)
        for eye in (eyes - up).unbind(1):
            weight = weight + self.weights.eyes * _bump(eye, width * EYE_SPREAD, size)
        return weight[None]


def together(examples: Sequence[Filmed]) -> Filmed:
    """Make a batch of examples of one size."""
    windows, *others = zip(*examples, strict=True)
    return Filmed(stacked(list(windows)), *(torch.stack(list(parts)) for parts in others))


def on_device(batch: Filmed, device: torch.device) -> Filmed:
    """Move a batch to where its step is computed."""
    window = Window(*(part.to(device) for part in batch.window))
    return Filmed(window, *(part.to(device) for part in batch[1:]))


def told_of(window: Window, latents: Tensor) -> Told:
    """Give what is told of a window of one person, whose all of latents [B, ..., h, w] is."""
    people = latents.new_ones(len(latents), 1, *latents.shape[3:])
    return told_by(window)._replace(people=people)


def cropped(batch: Filmed, side: int, rng: np.random.Generator) -> tuple[Filmed, slice, slice]:
    """Cut a batch to `side` latent positions around its faces, and say which rows and columns.

    The window inside is left whole but for its picture and its places in pixels, for the
    transformer makes whole cells.
    """
    height, width = batch.window.latents.shape[3:]
    rows, columns = (_span(size, min(side, size), rng) for size in (height, width))
    across, down = (
        slice(s.start * SPATIAL_STRIDE, s.stop * SPATIAL_STRIDE) for s in (columns, rows)
    )
    corner = torch.tensor([across.start, down.start], dtype=torch.float32)
    window = batch.window._replace(
        picture=batch.window.picture[..., down, across],
        mouths=batch.window.mouths - corner.to(batch.window.mouths),
    )
    cut = Filmed(
        window,
        batch.video[..., down, across],
        batch.eyes - corner.to(batch.eyes),
        batch.weight[..., down, across],
    )
    return cut, rows, columns


def _span(size: int, side: int, rng: np.random.Generator) -> slice:
    """Choose a span near the middle: faces are in the middle of their cells."""
    spare = size - side
    first = int(np.clip(round(spare / 2 + rng.uniform(-1, 1) * (spare / 2)), 0, spare))
    return slice(first, first + side)


def _bump(centers: Tensor, spread: float, size: Sequence[int]) -> Tensor:
    """Draw a Gaussian bump [T, H, W] around every center [T, 2]."""
    down, across = (
        torch.exp(-0.5 * ((torch.arange(length) - centers[:, axis, None]) / spread) ** 2)
        for axis, length in ((1, size[0]), (0, size[1]))
    )
    return down[:, :, None] * across[:, None, :]
