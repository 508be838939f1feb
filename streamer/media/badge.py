"""The mark that says a picture is made by a machine, burned into every frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Corner = Literal["top-left", "top-right", "bottom-left", "bottom-right"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BadgeConfig:
    """How the mark looks. Sizes are parts of the picture's shorter side."""

    text: str = "AI"
    corner: Corner = "top-left"
    height: float = 0.09
    margin: float = 0.03
    opacity: float = 0.75

    def __post_init__(self) -> None:
        if not self.text.strip() or len(self.text) > 32:
            raise ValueError(f"the badge's text must have 1 to 32 characters, got {self.text!r}")
        if not 0.03 <= self.height <= 0.5 or not 0 <= self.margin <= 0.25:
            raise ValueError(
                "the badge's height must be 0.03 to 0.5 and its margin 0 to 0.25 of the picture's "
                f"shorter side, got {self.height} and {self.margin}"
            )
        if not 0.3 <= self.opacity <= 1:
            raise ValueError(f"the badge's opacity must be 0.3 to 1, got {self.opacity}")


class Badge:
    """A mark for pictures of one size, drawn once."""

    def __init__(self, width: int, height: int, config: BadgeConfig | None = None) -> None:
        self.config = config or BadgeConfig()
        side = min(width, height)
        tall = max(12, round(self.config.height * side))
        mark = _drawn(self.config.text, tall)
        if mark.shape[1] > width or mark.shape[0] > height:
            raise ValueError(
                f"a badge of {mark.shape[1]}x{mark.shape[0]} pixels does not fit in a picture of "
                f"{width}x{height}; make it smaller or its text shorter"
            )
        gap = round(self.config.margin * side)
        self._rows = _span(self.config.corner.startswith("top"), mark.shape[0], height, gap)
        self._columns = _span(self.config.corner.endswith("left"), mark.shape[1], width, gap)
        weight = round(self.config.opacity * 256)
        self._keep = np.uint16(256 - weight)
        self._add = mark.astype(np.uint16) * np.uint16(weight)  # [h, w, 3], of 256

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom in pixels."""
        return self._columns.start, self._rows.start, self._columns.stop, self._rows.stop

    def burn(self, frames: NDArray[np.uint8]) -> None:
        """Draw into frames [..., H, W, 3] in place; they must belong to the caller."""
        region = frames[..., self._rows, self._columns, :]
        region[...] = ((region.astype(np.uint16) * self._keep + self._add) >> 8).astype(np.uint8)


def _span(is_first: bool, size: int, whole: int, gap: int) -> slice:
    start = min(gap, whole - size) if is_first else max(0, whole - size - gap)
    return slice(start, start + size)


def _drawn(text: str, tall: int) -> NDArray[np.uint8]:
    """Draw bright letters on a dark ground, [tall, w, 3]."""
    font = ImageFont.load_default(size=round(tall * 0.72))
    left, top, right, bottom = font.getbbox(text)
    wide = round(right - left + tall * 0.5)
    mark = Image.new("RGB", (wide, tall), (16, 16, 20))
    at = ((wide - (right - left)) / 2 - left, (tall - (bottom - top)) / 2 - top)
    ImageDraw.Draw(mark).text(at, text, font=font, fill=(255, 255, 255))
    return np.asarray(mark)
