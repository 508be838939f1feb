"""A picture of any shape at a size of the bundle: scaled whole and padded, never stretched."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from engines.errors import InputError
from engines.manifest import Size
from engines.scene.boxes import Box
from engines.scene.picture import NEUTRAL

Padding = Literal["blur", "neutral"]
BLUR_SHARE = 0.06  # of the longer side: colors stay, shapes go


class Placed(NamedTuple):
    """A picture at its size."""

    pixels: NDArray[np.uint8]  # [size.height, size.width, 3], read-only
    boxes: tuple[Box, ...]


def nearest_size(sizes: Sequence[Size], width: int, height: int) -> Size:
    """Choose the size whose shape is nearest to the picture's; of equals, the largest."""

    def distance(size: Size) -> tuple[float, int]:
        shape = math.log(size.width / size.height) - math.log(width / height)
        return abs(shape), -size.width * size.height

    return min(sizes, key=distance)


def place(
    pixels: NDArray[np.uint8],
    boxes: Sequence[Box],
    size: Size,
    *,
    is_cropped: bool,
    padding: Padding = "blur",
) -> Placed:
    """Bring a picture to a size: whole with a padded border, or cropped around the faces.

    Raises:
        InputError: when cropping would cut a face.
    """
    height, width = pixels.shape[:2]
    scales = size.width / width, size.height / height
    scale = max(scales) if is_cropped else min(scales)
    scaled = round(width * scale), round(height * scale)
    image = Image.fromarray(pixels).resize(scaled, Image.Resampling.LANCZOS)
    right, down = (size.width - scaled[0]) / 2, (size.height - scaled[1]) / 2
    if is_cropped:
        right = _keeping([(b.left * scale, b.right * scale) for b in boxes], right, size.width)
        down = _keeping([(b.top * scale, b.bottom * scale) for b in boxes], down, size.height)
        right = min(max(right, size.width - scaled[0]), 0)
        down = min(max(down, size.height - scaled[1]), 0)
    canvas = _canvas(image, size, padding)
    offset = round(right), round(down)
    canvas.paste(image, offset)
    placed = np.array(canvas)
    placed.setflags(write=False)
    # Offsets are whole pixels: a face at the edge may be half a pixel beyond it.
    moved = (box.moved(scale, *offset).cut(size.width, size.height) for box in boxes)
    return Placed(placed, tuple(moved))


def _keeping(spans: Sequence[tuple[float, float]], offset: float, length: int) -> float:
    """Move a cropped picture so that every span stays within `length`."""
    if not spans:
        return offset
    first, last = min(low for low, _ in spans), max(high for _, high in spans)
    if last - first > length:
        raise InputError(
            "the faces are too far apart to crop the picture to this shape; place it whole instead"
        )
    return min(max(offset, -first), length - last)


def _canvas(image: Image.Image, size: Size, padding: Padding) -> Image.Image:
    wanted = size.width, size.height
    if padding == "neutral" or image.size == wanted:
        return Image.new("RGB", wanted, NEUTRAL)
    cover = max(size.width / image.width, size.height / image.height)
    grown = image.resize((math.ceil(image.width * cover), math.ceil(image.height * cover)))
    left, top = (grown.width - size.width) // 2, (grown.height - size.height) // 2
    cut = grown.crop((left, top, left + size.width, top + size.height))
    return cut.filter(ImageFilter.GaussianBlur(max(wanted) * BLUR_SHARE))
