"""Decoded clips kept in memory for a while, so that training does not wait for the video decoder.

A clip gives several stretches before another takes its place. Which clip a step sees follows from
the step's generator and from the steps before it in this sitting.

Shape letters: T video frames, H, W picture size, P people from left to right, K landmarks.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.errors import ConfigError, InputError
from training.stages.cells import CellConfig, cell_of
from training.studio.shards.reader import Clip, Clips, Sample

# Places in the labels' landmarks, of training.studio.people.regions.landmarks.
UPPER_LIP, LOWER_LIP = 0, 1
EYE_CORNERS = ((3, 4), (8, 9))  # of the left and the right eye


class SamplePool(Protocol):
    """Where a stage's clips come from."""

    def draw(self, rng: np.random.Generator) -> Sample:
        """Give one whole clip."""
        ...

    def look_again(self) -> None:
        """Find clips that were made since."""
        ...


class ClipPool:
    """Owns some decoded clips of one or several shard folders."""

    def __init__(
        self, folders: Sequence[Path], clips: int, reuse: int, cells: CellConfig | None = None
    ) -> None:
        """Index the folders' shards.

        Args:
            folders: of shards; what is added to them later is found by `look_again`.
            clips: how many decoded clips are kept.
            reuse: how many draws a clip serves on average.
            cells: cut clips around a face of theirs; None keeps whole pictures.

        Raises:
            InputError: when a folder holds no shard.
            ConfigError: when a number is below 1.
        """
        if clips < 1 or reuse < 1:
            raise ConfigError(f"clips={clips} and reuse={reuse} must be at least 1")
        self._folders, self._size, self._reuse, self._cells = tuple(folders), clips, reuse, cells
        self._held: list[Sample] = []
        self._all = self._index()

    def _index(self) -> list[Clip]:
        return [clip for folder in self._folders for clip in Clips(folder).clips]

    @property
    def known(self) -> int:
        """Count the clips on disk."""
        return len(self._all)

    def look_again(self) -> None:
        """Find clips that were rendered since."""
        self._all = self._index()

    def draw(self, rng: np.random.Generator) -> Sample:
        """Give one whole clip."""
        if len(self._held) < self._size:
            self._held.append(self._load(rng))
            return self._held[-1]
        place = int(rng.integers(self._size))
        if rng.random() < 1 / self._reuse:
            self._held[place] = self._load(rng)
        return self._held[place]

    def _load(self, rng: np.random.Generator) -> Sample:
        clip = self._all[int(rng.integers(len(self._all)))]
        sample = clip.read(0, clip.describe()["frames"])
        if self._cells is None:
            return sample
        return cell_of(sample, int(rng.integers(len(sample.voices))), self._cells, rng)


def mouth_centers(sample: Sample) -> NDArray[np.float32]:
    """Give the middle of every mouth [P, T, 2] in pixels."""
    lips = sample.labels["landmarks"][:, :, [UPPER_LIP, LOWER_LIP]]
    return np.asarray(lips.mean(2), np.float32)


def eye_centers(sample: Sample) -> NDArray[np.float32]:
    """Give the middle of every eye [P, T, 2 eyes, 2] in pixels."""
    marks = sample.labels["landmarks"]
    eyes = [marks[:, :, list(corners)].mean(2) for corners in EYE_CORNERS]
    return np.asarray(np.stack(eyes, axis=2), np.float32)


def face_widths(sample: Sample) -> NDArray[np.float32]:
    """Give the width of every face box [P] in pixels, the median over the clip."""
    boxes = sample.labels["face_box"].astype(np.float32)
    return np.asarray(np.median(boxes[..., 2] - boxes[..., 0], axis=1), np.float32)


def check_long_enough(pool: SamplePool, frames: int) -> None:
    """Refuse stretches that are longer than the clips.

    Raises:
        InputError: naming both lengths.
    """
    shortest = pool.draw(np.random.default_rng(0)).video.shape[0]
    if shortest < frames:
        raise InputError(
            f"stretches of {frames} frames were asked for, a clip has {shortest}; render longer "
            "clips or ask for shorter stretches"
        )
