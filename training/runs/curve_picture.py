"""Draws numbers over training steps: one small chart for each, on a sheet."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from PIL import Image, ImageDraw

Series = list[tuple[float, float]]  # (step, value)

COLUMNS = 4
WIDTH, HEIGHT = 260, 150
MARGIN = 18
MOST_POINTS = 400
INK, GRID, LINE = (40, 40, 40), (225, 225, 225), (30, 90, 200)


def draw_curves(series: Mapping[str, Series], path: Path) -> None:
    """Write a PNG of all series, each on axes of its own; values that are not finite are left out.

    Long series are averaged in groups, so that a noisy loss shows its course.
    """
    rows = math.ceil(len(series) / COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * WIDTH, rows * HEIGHT), "white")
    pen = ImageDraw.Draw(sheet)
    for index, (name, points) in enumerate(sorted(series.items())):
        left, top = index % COLUMNS * WIDTH, index // COLUMNS * HEIGHT
        _draw_one(pen, name, thinned(points), (left, top))
    unfinished = path.with_name(path.name + ".unfinished")
    sheet.save(unfinished, "png")
    unfinished.replace(path)


def thinned(points: Series) -> Series:
    """Leave out what is not finite and average groups of neighbors down to a few hundred points."""
    finite = [point for point in points if math.isfinite(point[1])]
    size = math.ceil(len(finite) / MOST_POINTS) or 1
    groups = [finite[first : first + size] for first in range(0, len(finite), size)]
    return [(group[-1][0], sum(v for _, v in group) / len(group)) for group in groups]


def _draw_one(pen: ImageDraw.ImageDraw, name: str, points: Series, corner: tuple[int, int]) -> None:
    left, top = corner[0] + MARGIN, corner[1] + MARGIN
    right, bottom = corner[0] + WIDTH - MARGIN, corner[1] + HEIGHT - MARGIN
    pen.rectangle((left, top, right, bottom), outline=GRID)
    last = f" {points[-1][1]:.4g}" if points else " (nothing finite)"
    pen.text((left, corner[1] + 3), name + last, fill=INK)
    if not points:
        return
    steps, values = [s for s, _ in points], [v for _, v in points]
    low, high = min(values), max(values)
    wide, tall = max(steps[-1] - steps[0], 1e-9), max(high - low, 1e-12)
    dots = [
        (
            left + (step - steps[0]) / wide * (right - left),
            bottom - (value - low) / tall * (bottom - top),
        )
        for step, value in points
    ]
    pen.text((left, bottom + 3), f"{low:.4g} .. {high:.4g}, step {steps[-1]:.0f}", fill=INK)
    if len(dots) > 1:
        pen.line(dots, fill=LINE, width=2)
    else:
        x, y = dots[0]
        pen.ellipse((x - 2, y - 2, x + 2, y + 2), fill=LINE)
