from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engines.errors import InputError
from engines.scene.picture import decode_picture, read_picture

EXIF_ORIENTATION = 0x0112


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def halves(width: int = 100, height: int = 80) -> Image.Image:
    """Left red, right blue."""
    image = Image.new("RGB", (width, height), (255, 0, 0))
    image.paste((0, 0, 255), (width // 2, 0, width, height))
    return image


def huge_png(width: int, height: int) -> bytes:
    """A PNG whose header claims a size; there is no picture behind it."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def part(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", b"") + part(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_common_pictures_are_read(kind: str) -> None:
    picture = decode_picture(encoded(halves(), kind))
    assert picture.pixels.shape == (80, 100, 3)
    assert picture.size == (100, 80)
    assert picture.scale == 1
    assert picture.pixels[40, 10, 0] > 240
    assert picture.pixels[40, 90, 2] > 240


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_stands_upright_by_its_tag(kind: str) -> None:
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6  # the camera was turned: rotate clockwise
    picture = decode_picture(encoded(halves(), kind, exif=exif.tobytes()))
    assert picture.size == (80, 100)
    assert picture.pixels[10, 40, 0] > 240  # what was left is now above
    assert picture.pixels[90, 40, 2] > 240


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_shows_neutral_gray(mode: str) -> None:
    image = Image.new("RGBA", (70, 70), (255, 255, 255, 0)).convert(mode)
    data = encoded(image, transparency=0) if mode == "P" else encoded(image)
    assert (decode_picture(data).pixels == 128).all()


@pytest.mark.parametrize("size", [(20000, 5000), (8000, 6300), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="megapixels"):
        decode_picture(huge_png(*size))


def test_a_large_picture_is_made_smaller_and_says_by_how_much() -> None:
    picture = decode_picture(encoded(halves(4096, 1024), "JPEG"))
    assert picture.size == (2048, 512)
    assert picture.scale == 0.5


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "no JPEG, PNG or WebP"),
        (b"not a picture at all", "no JPEG, PNG or WebP"),
        (encoded(halves(), "GIF"), "no JPEG, PNG or WebP"),
        (encoded(halves(), "TIFF"), "no JPEG, PNG or WebP"),
        (encoded(halves(300, 300), "JPEG")[:2000], "is damaged"),
        (encoded(halves(300, 300))[:200], "is damaged"),
        (huge_png(100, 100), "is damaged"),
        (encoded(halves(63, 200)), "63x200 pixels; each side needs at least 64"),
        (encoded(Image.new("I;16", (80, 80))), "8 bits a color"),
    ],
)
def test_what_is_no_usable_picture_is_refused_in_a_sentence(data: bytes, named: str) -> None:
    with pytest.raises(InputError, match=named):
        decode_picture(data)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_moving_picture_is_refused(kind: str) -> None:
    frames = [halves(), Image.new("RGB", (100, 80))]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match="is animated; give a still picture"):
        decode_picture(data)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*none\.png"):
        read_picture(tmp_path / "none.png")


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(33 * 2**20)
    with pytest.raises(InputError, match="larger than 32 MiB"):
        read_picture(path)
    with pytest.raises(InputError, match="larger than 32 MiB"):
        decode_picture(bytes(33 * 2**20))


def test_pixels_are_eight_bit_whatever_the_mode() -> None:
    for mode in ("L", "1", "CMYK", "P"):
        kind = "JPEG" if mode == "CMYK" else "PNG"
        pixels = decode_picture(encoded(halves().convert(mode), kind)).pixels
        assert pixels.dtype == np.uint8
        assert pixels.shape == (80, 100, 3)
