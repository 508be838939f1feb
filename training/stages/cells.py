"""A clip cut to the square around one face, as a stream with cells rolls it.

A bundle with cells makes pictures of the squares around faces alone, each brought to one size and
all of them side by side as one strip; the rest is the scene's own picture. So a transformer meets
faces of one size, in the middle of their cells. The square here stands still like a stream's,
which follows from the one picture that a scene has.

Shape letters: P people, T video frames, S side of a cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.errors import ConfigError, InputError
from models.studio.vae_config import SPATIAL_STRIDE
from training.stages.motion import MIRRORED_MOTION, MIRRORED_SIGNS
from training.studio.performance_data import ARKIT
from training.studio.shards.reader import Sample

# Labeled boxes reach over the forehead and below the chin; boxes that a detector finds in the same
# pictures are so much shorter, and lie so much lower, in heights of the labeled box.
DETECTED_SHARE, DETECTED_DROP = 0.8, 0.03
SIDES = {"left", "right"}
TOKEN_PX = 2 * SPATIAL_STRIDE
REACH = 1.6  # as our bundles have it; another one asks for other weights
MIRRORED_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class CellConfig:
    """How faces are cut.

    Raises:
        ConfigError: when a number is out of its range.
    """

    side_px: int
    reach: float  # side of the square, in the longer side of a detected face's box
    jitter: float  # how far a square may be off, in shares of its side: detectors are, too
    mirrored_share: float  # of clips that are flipped left to right

    def __post_init__(self) -> None:
        if self.side_px < 1 or self.reach < 1 or not 0 <= self.jitter < 0.5:
            raise ConfigError(
                f"side_px={self.side_px} and reach={self.reach} must be at least 1, and "
                f"jitter={self.jitter} in 0..0.5"
            )


def cells_of_side(side_px: int, jitter: float) -> CellConfig:
    """Give the cells of our bundles; with jitter, half of the clips are mirrored.

    Raises:
        InputError: when a cell is no whole number of tokens.
    """
    if side_px % TOKEN_PX or side_px < TOKEN_PX:
        raise InputError(f"a cell of {side_px} pixels is no multiple of {TOKEN_PX}, a token's side")
    share = MIRRORED_SHARE if jitter else 0.0
    return CellConfig(side_px=side_px, reach=REACH, jitter=jitter, mirrored_share=share)


class Square(NamedTuple):
    """A square in pixels; right and bottom are exclusive."""

    left: float
    top: float
    right: float
    bottom: float


def square_around(
    box: NDArray[np.float64], reach: float, size: tuple[int, int], off: NDArray[np.float64]
) -> Square:
    """Give the square around a face; at the picture's border it is moved, not cut.

    Args:
        box: left, top, right, bottom of the face, as a detector finds it.
        reach: side of the square in the box's longer side.
        size: width and height of the picture.
        off: across, down and larger, in shares of the square's side.
    """
    width, height = size
    side = max(box[2] - box[0], box[3] - box[1]) * reach * (1 + off[2])
    side = min(side, width, height)
    left = (box[0] + box[2] - side) / 2 + off[0] * side
    top = (box[1] + box[3] - side) / 2 + off[1] * side
    left, top = min(max(left, 0), width - side), min(max(top, 0), height - side)
    return Square(float(left), float(top), float(left + side), float(top + side))


def cell_of(
    sample: Sample, person: int, config: CellConfig, rng: np.random.Generator | None = None
) -> Sample:
    """Cut one person's cell out of a clip; without a generator exactly, and never mirrored."""
    height, width = sample.video.shape[1:3]
    off = np.zeros(3)
    if rng is not None:
        off = rng.uniform(-config.jitter, config.jitter, 3)
    square = square_around(_detected(sample, person), config.reach, (width, height), off)
    scale = config.side_px / (square.right - square.left)
    corner = np.array([square.left, square.top], np.float32)
    one = slice(person, person + 1)
    labels: dict[str, NDArray[Any]] = {
        name: array[one] for name, array in sample.labels.items() if name != "mask"
    }
    marks = labels["landmarks"].astype(np.float32) + 0.5  # of pixels, whose middles are whole
    labels["landmarks"] = (marks - corner) * scale - 0.5
    boxes = labels["face_box"].astype(np.float32)
    labels["face_box"] = (boxes - np.tile(corner, 2)) * scale
    labels.pop("visible_box", None)
    cut = sample._replace(
        video=np.stack([_resized(frame, square, config.side_px) for frame in sample.video]),
        voices=sample.voices[one],
        labels=labels,
    )
    is_mirrored = rng is not None and rng.random() < config.mirrored_share
    return mirrored(cut) if is_mirrored and not _names_a_side(sample) else cut


def cells_of(
    sample: Sample, config: CellConfig, rng: np.random.Generator | None = None
) -> list[Sample]:
    """Cut everybody's cell out of a clip, left to right."""
    return [cell_of(sample, person, config, rng) for person in range(len(sample.voices))]


def mirrored(sample: Sample) -> Sample:
    """Flip a clip left to right, its labels with it."""
    width = sample.video.shape[2]
    labels = dict(sample.labels)
    flip, offset = np.array([-1, 1], np.float32), np.array([width - 1, 0], np.float32)
    labels["landmarks"] = labels["landmarks"] * flip + offset
    boxes = labels["face_box"]
    edges = [width - boxes[..., 2], boxes[..., 1], width - boxes[..., 0], boxes[..., 3]]
    labels["face_box"] = np.stack(edges, axis=-1)
    labels["curves"] = labels["curves"][..., MIRRORED_MOTION[: len(ARKIT)]]
    signs = MIRRORED_SIGNS[-3:]
    labels["head_rad"] = labels["head_rad"] * signs
    return sample._replace(video=np.ascontiguousarray(sample.video[:, :, ::-1]), labels=labels)


def _detected(sample: Sample, person: int) -> NDArray[np.float64]:
    """Give the middle box of a person over the clip, as a detector would draw it."""
    boxes = sample.labels["face_box"][person].astype(np.float64)
    left, top, right, bottom = np.median(boxes, axis=0)
    height = bottom - top
    middle = (top + bottom) / 2 + DETECTED_DROP * height
    half = DETECTED_SHARE * height / 2
    return np.array([left, middle - half, right, middle + half])


def _resized(frame: NDArray[np.uint8], square: Square, side: int) -> NDArray[np.uint8]:
    image = Image.fromarray(frame)
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC, box=square))


def _names_a_side(sample: Sample) -> bool:
    segments = sample.description.get("prompt", {}).get("segments") or []
    said = " ".join([sample.prompt, *(segment["text"] for segment in segments)])
    return bool(SIDES & set(said.lower().replace(",", " ").replace(".", " ").split()))
