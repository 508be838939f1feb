"""Color, sharpness and flicker of pictures.

Pictures are [height, width, 3], sRGB, 8 bit. Color is CIELAB under D65.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.metrics.face_crop import FaceCrop

Floats = NDArray[np.float64]

THUMB_PX = 64  # longest side of what color and flicker are measured on
SHARP_PX = 128  # side of the face crop that sharpness is measured on, whatever the face's size
FACE_PART = 0.55  # of the landmark crop: skin, eyes and mouth, little hair and no background

_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_WHITE = _TO_XYZ.sum(1)
_LUMA = np.array([0.299, 0.587, 0.114])


class PictureLook(NamedTuple):
    """How a whole picture looks at one moment."""

    lab: Floats  # [3] mean color
    sharpness: float


def lab_of(rgb: NDArray[np.uint8]) -> Floats:
    """Convert sRGB [..., 3], 0..255, to CIELAB [..., 3].

    Source: IEC 61966-2-1 (sRGB) and CIE 15 (CIELAB), white D65.
    """
    scaled = rgb / 255
    linear = np.where(scaled <= 0.04045, scaled / 12.92, ((scaled + 0.055) / 1.055) ** 2.4)
    relative = linear @ _TO_XYZ.T / _WHITE
    bent = np.where(
        relative > (6 / 29) ** 3, np.cbrt(relative), relative * (29 / 6) ** 2 / 3 + 4 / 29
    )
    x, y, z = np.moveaxis(bent, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def sharpness_of(gray: Floats) -> float:
    """Give the root mean square of the Laplacian of a gray picture [height, width]."""
    inner = gray[1:-1, 1:-1]
    around = gray[:-2, 1:-1] + gray[2:, 1:-1] + gray[1:-1, :-2] + gray[1:-1, 2:]
    return float(np.sqrt(((around - 4 * inner) ** 2).mean()))


def picture_look(picture: Image.Image) -> PictureLook:
    """Measure a whole picture; sharpness at its own size."""
    gray = np.asarray(picture.convert("L"), np.float64)
    return PictureLook(mean_lab(picture), sharpness_of(gray))


def mean_lab(picture: Image.Image) -> Floats:
    """Give the mean color [3] of a picture."""
    mean: Floats = lab_of(np.asarray(thumbnail(picture))).mean((0, 1))
    return mean


def face_color_and_sharpness(picture: Image.Image, crop: FaceCrop) -> tuple[Floats, float]:
    """Measure the middle of a face: mean color [3] and sharpness at one fixed size."""
    inner = crop._replace(side_px=crop.side_px * FACE_PART)
    face = inner.cut(picture, SHARP_PX)[0] * 255
    color: Floats = lab_of(face.round().astype(np.uint8)).mean((0, 1))
    return color, sharpness_of(face.astype(np.float64) @ _LUMA)


def thumbnail(picture: Image.Image) -> Image.Image:
    """Shrink a picture to 64 pixels on its longest side, by averaging."""
    small = picture.copy()
    small.thumbnail((THUMB_PX, THUMB_PX), Image.Resampling.BOX)
    return small


class FlickerMeter:
    """Watches a video for brightness that goes up and down from frame to frame.

    Formula: at each place of a thumbnail the bend |y(t-1) - 2 y(t) + y(t+1)| / 2 of its brightness
    y, 0..255; the score is the mean over time of the median over places. Motion bends few places,
    flicker bends most of them.
    """

    def __init__(self) -> None:
        self._before: list[Floats] = []  # at most two thumbnails
        self._total = 0.0
        self._count = 0

    def add(self, picture: Image.Image) -> None:
        """Take the next frame."""
        new = np.asarray(thumbnail(picture), np.float64) @ _LUMA
        if len(self._before) == 2:
            first, middle = self._before
            self._total += float(np.median(np.abs(first - 2 * middle + new))) / 2
            self._count += 1
        self._before = [*self._before[-1:], new]

    @property
    def flicker(self) -> float | None:
        """Give the score so far, in 8-bit levels; None before the third frame."""
        return self._total / self._count if self._count else None
