"""Paint backgrounds: calm, out of focus, in a few matching colors.

Pictures are uint8 [H, W, 3], top row first.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from training.studio.stage.scene import Backdrop, BackdropKind

Pixels = NDArray[np.uint8]
Color = tuple[int, int, int]
Painter = Callable[[ImageDraw.ImageDraw, "Palette", int, int], None]


class Palette:
    """Colors around one hue, drawn from one generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.hue = float(rng.random())
        self.is_dark = bool(rng.random() < 0.4)

    def color(self, value: float, *, saturation: float = 0.25, spread: float = 0.06) -> Color:
        """Give a color of about a brightness 0..1, near the palette's hue."""
        hue = (self.hue + self.rng.normal(0, spread)) % 1
        bright = float(np.clip(value * self.rng.uniform(0.92, 1.08), 0.04, 0.97))
        red, green, blue = colorsys.hsv_to_rgb(hue, saturation * self.rng.uniform(0.6, 1.3), bright)
        return (int(red * 255), int(green * 255), int(blue * 255))

    @property
    def wall(self) -> Color:
        return self.color(0.32 if self.is_dark else 0.72, saturation=0.2)


def paint_backdrop(backdrop: Backdrop, width: int, height: int) -> Pixels:
    """Paint a backdrop; it is wider than any blur, so edges stay clean."""
    rng = np.random.default_rng((backdrop.seed, 0xBD))
    palette = Palette(rng)
    margin = height // 4
    image = Image.new("RGB", (width + 2 * margin, height + 2 * margin), palette.wall)
    _PAINTERS[backdrop.kind](ImageDraw.Draw(image), palette, *image.size)
    image = image.filter(ImageFilter.GaussianBlur(height * float(rng.uniform(0.014, 0.03))))
    pixels = np.asarray(image, np.float32)[margin : margin + height, margin : margin + width]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    slope, angle = rng.uniform(0.0, 0.16), rng.uniform(0, 2 * np.pi)
    shade = 1 + slope * (x * np.cos(angle) + y * np.sin(angle)) - 0.12 * (x * x + y * y) / 2
    grain = rng.normal(0, 1.2, (height, width, 1))
    return np.asarray(np.clip(pixels * shade[..., None] + grain, 0, 255), np.uint8)


def _plain(draw: ImageDraw.ImageDraw, palette: Palette, width: int, height: int) -> None:
    draw.rectangle([0, 0, width, height], fill=palette.wall)


def _studio(draw: ImageDraw.ImageDraw, palette: Palette, width: int, height: int) -> None:
    base = palette.color(0.3 if palette.is_dark else 0.55, saturation=0.3)
    x, y = palette.rng.uniform(0.3, 0.7) * width, 0.45 * height
    for step in range(40):
        reach = (1 - step / 40) * 0.9 * height
        glow = 0.75 + 0.9 * step / 40
        fill = tuple(min(int(c * glow), 245) for c in base)
        draw.ellipse([x - 1.4 * reach, y - reach, x + 1.4 * reach, y + reach], fill=fill)
        if step == 0:
            draw.rectangle([0, 0, width, height], fill=fill)


def _shelf(draw: ImageDraw.ImageDraw, palette: Palette, width: int, height: int) -> None:
    rng = palette.rng
    wood = palette.color(0.34, saturation=0.45)
    draw.rectangle([0, 0, width, height], fill=tuple(int(c * 0.55) for c in wood))
    pitch = height * rng.uniform(0.2, 0.28)
    y = -rng.uniform(0, 1) * pitch
    while y < height:
        x = -rng.uniform(0, 0.1) * height
        while x < width:
            thick = rng.uniform(0.02, 0.055) * height
            tall = pitch * rng.uniform(0.5, 0.82)
            fill = palette.color(rng.uniform(0.25, 0.75), saturation=0.38, spread=0.16)
            draw.rectangle([x, y + pitch - tall, x + thick, y + pitch], fill=fill)
            x += thick * (1 if rng.random() < 0.86 else rng.uniform(2, 6))
        draw.rectangle([0, y + pitch, width, y + pitch * 1.06], fill=wood)
        y += pitch * 1.06


def _window(draw: ImageDraw.ImageDraw, palette: Palette, width: int, height: int) -> None:
    rng = palette.rng
    outside = (196, 214, 232) if rng.random() < 0.7 else (232, 206, 176)
    frame = palette.color(0.88, saturation=0.06)
    count = max(2, round(width / height * 1.6))
    start = rng.uniform(-0.3, 0.1)
    for index in range(count):
        left = (index + start) / (count - 1) * width
        right = left + 0.62 / (count - 1) * width
        draw.rectangle([left, -5, right, 0.72 * height], fill=frame)
        draw.rectangle([left + 8, -5, right - 8, 0.69 * height], fill=outside)
        for bush in range(7):
            x = rng.uniform(left, right)
            size = rng.uniform(0.06, 0.14) * height
            y = 0.66 * height - rng.uniform(0, 0.12) * height * (bush % 2)
            draw.ellipse([x - size, y - size, x + size, y + size], fill=(120, 146, 118))
        draw.rectangle([left, 0.69 * height, right, 0.74 * height], fill=frame)
        draw.rectangle([right, 0, right + 0.38 / (count - 1) * width, height], fill=palette.wall)
        middle = (left + right) / 2
        draw.rectangle([middle - 3, 0, middle + 3, 0.7 * height], fill=frame)
    draw.rectangle([0, 0.74 * height, width, height], fill=palette.wall)


def _wall(draw: ImageDraw.ImageDraw, palette: Palette, width: int, height: int) -> None:
    rng = palette.rng
    x = rng.uniform(0, 0.25) * height
    while x < width:
        wide = rng.uniform(0.2, 0.42) * height
        y = rng.uniform(0.12, 0.35) * height
        tall = wide * rng.uniform(0.7, 1.3)
        draw.rectangle([x, y, x + wide, y + tall], fill=palette.color(0.85, saturation=0.05))
        edge = wide * 0.1
        box = [x + edge, y + edge, x + wide - edge, y + tall - edge]
        draw.rectangle(box, fill=palette.color(0.5, saturation=0.35, spread=0.12))
        half = (box[1] + box[3]) / 2
        draw.rectangle([box[0], half, box[2], box[3]], fill=palette.color(0.35, saturation=0.35))
        x += wide + rng.uniform(0.15, 0.7) * height
    _plant(draw, palette, rng.uniform(0, width), height)


def _plant(draw: ImageDraw.ImageDraw, palette: Palette, x: float, height: int) -> None:
    rng = palette.rng
    for _ in range(26):
        angle = rng.normal(0, 0.7)
        reach = rng.uniform(0.15, 0.45) * height
        tip_x, tip_y = x + reach * np.sin(angle), 0.95 * height - reach * np.cos(angle)
        size = rng.uniform(0.02, 0.045) * height
        green = (int(rng.uniform(38, 78)), int(rng.uniform(80, 128)), int(rng.uniform(44, 74)))
        draw.line([x, height, tip_x, tip_y], fill=green, width=max(2, height // 90))
        draw.ellipse(
            [tip_x - size, tip_y - size * 0.7, tip_x + size, tip_y + size * 0.7], fill=green
        )


def _curtain(draw: ImageDraw.ImageDraw, palette: Palette, width: int, height: int) -> None:
    base = palette.color(0.45, saturation=0.35)
    period = height * palette.rng.uniform(0.06, 0.14)
    phase = palette.rng.uniform(0, 6)
    for x in range(width):
        fold = 0.85 + 0.15 * np.sin(x / period + phase) + 0.08 * np.sin(2.7 * x / period)
        draw.line([x, 0, x, height], fill=tuple(int(c * fold) for c in base))


def _lights(draw: ImageDraw.ImageDraw, palette: Palette, width: int, height: int) -> None:
    rng = palette.rng
    draw.rectangle([0, 0, width, height], fill=palette.color(0.16, saturation=0.4))
    for _ in range(int(14 * width / height)):
        x, y = rng.uniform(0, width), rng.uniform(0, 0.75) * height
        size = rng.uniform(0.02, 0.06) * height
        warm = palette.color(rng.uniform(0.4, 0.8), saturation=0.45, spread=0.1)
        draw.ellipse([x - size, y - size, x + size, y + size], fill=warm)


def _panels(draw: ImageDraw.ImageDraw, palette: Palette, width: int, height: int) -> None:
    step = height * palette.rng.uniform(0.16, 0.3)
    x = -palette.rng.uniform(0, step)
    wall = palette.wall
    while x < width:
        tone = palette.rng.uniform(0.9, 1.06)
        draw.rectangle([x, 0, x + step, height], fill=tuple(min(int(c * tone), 250) for c in wall))
        draw.rectangle([x, 0, x + 3, height], fill=tuple(int(c * 0.6) for c in wall))
        x += step


_PAINTERS: Mapping[BackdropKind, Painter] = {
    "plain": _plain,
    "studio": _studio,
    "shelf": _shelf,
    "window": _window,
    "wall": _wall,
    "curtain": _curtain,
    "lights": _lights,
    "panels": _panels,
}
