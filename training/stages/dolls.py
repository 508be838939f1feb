"""Clips of dolls: disks with eyes and a mouth, drawn in milliseconds, labeled like real clips.

They stand in for rendered people where a stage is only to show that it learns: no meshes, no
graphics, no video files.

Shape letters: T video frames, H, W picture size.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.studio.performance_data import ARKIT, FPS, SAMPLE_RATE
from training.studio.shards.reader import Sample

MARKS = 14  # landmarks of a studio clip: lips 0 and 1, eye corners 3, 4, 8, 9
GAP_MM_PX = 2.0  # a doll's millimeter
SYLLABLES_HZ = 3.0
DEPTH = 0.6  # of a face before the axis that a head turns on, in its radius
EYE_X, EYE_Y, MOUTH_Y = 0.35, 0.25, 0.45  # from the middle of a face, in its radius
Picture = NDArray[np.float32]


class Doll(NamedTuple):
    """One picture of a doll."""

    picture: NDArray[np.uint8]  # [H, W, 3]
    marks: Picture  # [3, 2] pixels: left and right eye, as the viewer sees them, and mouth


class DollPool:
    """Draws a fresh doll for every clip; stands in for a pool of decoded clips."""

    def __init__(self, frames: int, size: int) -> None:
        self._frames, self._size = frames, size

    def draw(self, rng: np.random.Generator) -> Sample:
        """Give one whole clip."""
        return doll_clip(rng, self._frames, self._size)

    def look_again(self) -> None:
        """Nothing is on disk."""


def doll_clip(rng: np.random.Generator, frames: int, size: int) -> Sample:
    """Draw one talking doll on a plain background."""
    skin, lips, back = (rng.uniform(40, 230, 3).astype(np.float32) for _ in range(3))
    radius = size * rng.uniform(0.28, 0.36)
    start = size / 2 + rng.uniform(-0.05, 0.05, 2) * size
    sway = np.sin(np.arange(frames) / FPS * 2 * np.pi * rng.uniform(0.2, 0.5)) * size * 0.03
    centers = np.stack([start[0] + sway, np.full(frames, start[1])], axis=1)
    voice = _voice(rng, frames)
    gap_px = voice * radius * 0.35
    video = np.stack(
        [
            _draw(size, center, radius, gap, (skin, lips, back))
            for center, gap in zip(centers, gap_px, strict=True)
        ]
    )
    curves = np.zeros((1, frames, len(ARKIT)), np.float16)
    curves[0, :, ARKIT.index("jawOpen")] = voice
    labels: dict[str, NDArray[Any]] = {
        "curves": curves,
        "head_rad": np.zeros((1, frames, 3), np.float32),
        "lip_gap_mm": (gap_px / GAP_MM_PX)[None].astype(np.float32),
        "is_speaking": (voice > 0.05)[None],
        "landmarks": _marks(centers, radius)[None],
        "face_box": _boxes(centers, radius)[None],
    }
    tone = np.sin(np.arange(frames * SAMPLE_RATE // FPS) * 2 * np.pi * 150 / SAMPLE_RATE)
    loud = np.repeat(voice, SAMPLE_RATE // FPS)
    return Sample(
        key="doll",
        start_frame=0,
        video=video,
        voices=(tone * loud * 0.3).astype(np.float32)[None],
        labels=labels,
        prompt="a doll talking",
        description={"frames": frames},
    )


def doll_looking(rng: np.random.Generator, size: int, yaw: float) -> Doll:
    """Draw one doll whose eyes and mouth are where a head turned by `yaw` has them."""
    skin, lips, back = (rng.uniform(40, 230, 3).astype(np.float32) for _ in range(3))
    radius = size * rng.uniform(0.28, 0.36)
    center = size / 2 + rng.uniform(-0.05, 0.05, 2) * size
    gap = rng.uniform(0, 0.2) * radius
    picture = _draw(size, center, radius, gap, (skin, lips, back), yaw)
    aside = DEPTH * np.sin(yaw)
    marks = [(aside - EYE_X, -EYE_Y), (aside + EYE_X, -EYE_Y), (aside, MOUTH_Y)]
    return Doll(picture, np.asarray(center + 0.5 + radius * np.array(marks), np.float32))


def _voice(rng: np.random.Generator, frames: int) -> Picture:
    """Give how loud, and how open, each frame is, 0..1: syllables in words."""
    seconds = np.arange(frames) / FPS
    syllables = np.sin(seconds * 2 * np.pi * SYLLABLES_HZ * rng.uniform(0.7, 1.3))
    words = np.sin(seconds * 2 * np.pi * 0.5 + rng.uniform(0, 6)) > -0.5
    return np.asarray(np.clip(syllables, 0, 1) * words, np.float32)


def _draw(
    size: int,
    center: NDArray[np.float64],
    radius: float,
    gap: float,
    colors: tuple[Picture, ...],
    yaw: float = 0.0,
) -> NDArray[np.uint8]:
    skin, lips, back = colors
    aside = radius * DEPTH * np.sin(yaw)
    down, across = np.mgrid[:size, :size].astype(np.float32)
    picture = np.broadcast_to(back, (size, size, 3)).copy()

    def ellipse(dx: float, dy: float, rx: float, ry: float, color: Picture) -> None:
        inside = ((across - center[0] - dx) / rx) ** 2 + ((down - center[1] - dy) / ry) ** 2 < 1
        picture[inside] = color

    ellipse(0, 0, radius * 0.8, radius, skin)
    for side in (-1, 1):
        eye = aside + side * radius * EYE_X
        ellipse(eye, -radius * EYE_Y, radius * 0.15, radius * 0.1, lips * 0 + 240)
        ellipse(eye, -radius * EYE_Y, radius * 0.06, radius * 0.06, lips * 0 + 20)
    ellipse(aside, radius * MOUTH_Y, radius * 0.4, radius * 0.1 + gap / 2, lips)
    if gap > 1:
        ellipse(aside, radius * MOUTH_Y, radius * 0.3, gap / 2, lips * 0 + 15)
    return picture.round().astype(np.uint8)


def _marks(centers: NDArray[np.float64], radius: float) -> Picture:
    marks = np.repeat(centers[:, None], MARKS, axis=1)
    marks[:, (0, 1), 1] += radius * MOUTH_Y
    for corner, offset in ((3, 0.45), (4, 0.25), (8, -0.45), (9, -0.25)):
        marks[:, corner] += np.array([offset, -0.25]) * radius
    return np.asarray(marks, np.float32)


def _boxes(centers: NDArray[np.float64], radius: float) -> NDArray[np.int16]:
    half = np.array([radius * 0.8, radius])
    return np.concatenate([centers - half, centers + half], axis=1).astype(np.int16)
