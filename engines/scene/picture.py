"""A stranger's picture, decoded without trusting it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from engines.errors import InputError

FORMATS = ("JPEG", "PNG", "WEBP")
MOST_BYTES = 32 * 2**20
MOST_PIXELS = 50_000_000
LEAST_SIDE_PX = 64
LARGEST_SIDE_PX = 2048  # larger than any size a model works at
NEUTRAL = (128, 128, 128)
EIGHT_BIT_MODES = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr"}


class Picture(NamedTuple):
    """Pixels, upright, perhaps smaller than the file's."""

    pixels: NDArray[np.uint8]  # [H, W, 3]
    scale: float  # pixels here for a pixel of the file

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.pixels.shape[1], self.pixels.shape[0]


def read_picture(path: Path, least_side_px: int = LEAST_SIDE_PX) -> Picture:
    """Read a picture from a file.

    Raises:
        InputError: as `decode_picture`, and when the file cannot be read.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path} is larger than {MOST_BYTES // 2**20} MiB; make it smaller")
        return decode_picture(path.read_bytes(), str(path), least_side_px)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def decode_picture(
    data: bytes, name: str = "the picture", least_side_px: int = LEAST_SIDE_PX
) -> Picture:
    """Decode JPEG, PNG or WebP: upright by its EXIF tag, transparency over gray.

    Width and height are checked in the header, before anything is decoded.

    Raises:
        InputError: when it is no such picture, animated, damaged, too large or too small.
    """
    if len(data) > MOST_BYTES:
        raise InputError(f"{name} is larger than {MOST_BYTES // 2**20} MiB; make it smaller")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_header(image, name, least_side_px)
            return _decode(image)
    except UnidentifiedImageError as error:
        raise InputError(f"{name} is no JPEG, PNG or WebP picture") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{name} has far more than {MOST_PIXELS // 10**6} megapixels") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name} is damaged: {error}") from error


def _check_header(image: Image.Image, name: str, least_side_px: int) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise InputError(
            f"{name} has {width}x{height} pixels, more than {MOST_PIXELS // 10**6} megapixels; "
            "make it smaller"
        )
    if min(width, height) < least_side_px:
        raise InputError(
            f"{name} has {width}x{height} pixels; each side needs at least {least_side_px}"
        )
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise InputError(f"{name} is animated; give a still picture")
    if image.mode not in EIGHT_BIT_MODES:
        raise InputError(f"{name} has pixels of kind {image.mode}; save it with 8 bits a color")


def _decode(image: Image.Image) -> Picture:
    longest = max(image.size)
    image.draft("RGB", (LARGEST_SIDE_PX, LARGEST_SIDE_PX))  # a JPEG decodes smaller for less
    upright = ImageOps.exif_transpose(image)
    if upright.mode in {"RGBA", "LA", "La", "PA", "RGBa"} or "transparency" in upright.info:
        layer = upright.convert("RGBA")
        upright = Image.new("RGB", layer.size, NEUTRAL)
        upright.paste(layer, mask=layer.getchannel("A"))
    upright = upright.convert("RGB")
    upright.thumbnail((LARGEST_SIDE_PX, LARGEST_SIDE_PX), Image.Resampling.LANCZOS)
    return Picture(np.asarray(upright), max(upright.size) / longest)
