"""Small plots as SVG text: lines over steps, and stacked bars. Colors come from the page's CSS."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 440, 220
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 12, 40
MOST_TICKS = 5
NICE = (1.0, 2.0, 5.0)  # distances of ticks, times a power of ten
ROUNDING = 0.01  # of a tick: no whole tick more for a hair
BAR_SHARE = 0.6  # of the room that a step has


@dataclass(frozen=True, slots=True)
class Series:
    """One line or one layer of bars; None where nobody told."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """What a plot shows."""

    title: str
    steps: Sequence[str]  # what stands below each
    series: Sequence[Series]
    bound: float | None = None
    is_stacked: bool = False
    bend: int | None = None  # the step that is marked


def svg(plot: Plot) -> str:
    """Draw a plot; every point says its value when pointed at, and to a screen reader."""
    tick = _tick(_highest(plot))
    top = tick * max(1, math.ceil(_highest(plot) / tick - ROUNDING))
    body = [*_grid(tick, top), *_steps(plot)]
    body += _bars(plot, top) if plot.is_stacked else _lines(plot, top)
    if plot.bound is not None:
        y = _y(plot.bound, top)
        body.append(f'<line class="bound" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(plot.title)}">'
        f"{''.join(body)}</svg>"
    )


def legend(plot: Plot) -> str:
    """Name the series, and the bound."""
    names = [
        f'<li><i class="c{n}"></i>{escape(series.name)}</li>'
        for n, series in enumerate(plot.series)
    ]
    if plot.bound is not None:
        names.append(f'<li><i class="dash"></i>bound {plot.bound:g}</li>')
    return f"<ul>{''.join(names)}</ul>"


def _highest(plot: Plot) -> float:
    columns = zip(*(series.values for series in plot.series), strict=True)
    join = sum if plot.is_stacked else max
    return max([*(join([v or 0.0 for v in column]) for column in columns), plot.bound or 0.0])


def _tick(highest: float) -> float:
    """Give the smallest round distance with which a few ticks reach the top."""
    if highest <= 0:
        return 1.0
    unit = 10.0 ** (math.floor(math.log10(highest)) - 1)
    distances = [unit * scale * step for scale in (1, 10) for step in NICE]
    return next(each for each in distances if highest / each <= MOST_TICKS + ROUNDING)


def _x(plot: Plot, n: int) -> float:
    room = (WIDTH - LEFT - RIGHT) / len(plot.steps)
    return round(LEFT + room * (n + 0.5), 1)


def _y(value: float, top: float) -> float:
    return round(HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM), 1)


def _grid(tick: float, top: float) -> list[str]:
    drawn = []
    for n in range(round(top / tick) + 1):
        value = n * tick
        y = _y(value, top)
        drawn.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        drawn.append(f'<text class="tick" x="{LEFT - 6}" y="{y + 4}">{value:.6g}</text>')
    return drawn


def _steps(plot: Plot) -> list[str]:
    room = (WIDTH - LEFT - RIGHT) / len(plot.steps)
    drawn = []
    if plot.bend is not None:
        x = round(_x(plot, plot.bend) - room / 2, 1)
        height = HEIGHT - TOP - BOTTOM
        drawn.append(
            f'<rect class="bend" x="{x}" y="{TOP}" width="{room:.1f}" height="{height}">'
            "<title>it bends here</title></rect>"
        )
    drawn += [
        f'<text class="step" x="{_x(plot, n)}" y="{HEIGHT - BOTTOM + 16}">{escape(step)}</text>'
        for n, step in enumerate(plot.steps)
    ]
    middle = (LEFT + WIDTH - RIGHT) / 2
    drawn.append(f'<text class="step" x="{middle}" y="{HEIGHT - 6}">viewers, step by step</text>')
    return drawn


def _lines(plot: Plot, top: float) -> list[str]:
    drawn = []
    for n, series in enumerate(plot.series):
        points = [(i, v) for i, v in enumerate(series.values) if v is not None]
        path = " ".join(f"{_x(plot, i)},{_y(v, top)}" for i, v in points)
        drawn.append(f'<polyline class="line c{n}" points="{path}"/>')
        drawn += [
            f'<circle class="c{n}" cx="{_x(plot, i)}" cy="{_y(v, top)}" r="3.5">'
            f"<title>{escape(series.name)}, {escape(plot.steps[i])} viewers: {v:.3g}</title>"
            "</circle>"
            for i, v in points
        ]
    return drawn


def _bars(plot: Plot, top: float) -> list[str]:
    width = (WIDTH - LEFT - RIGHT) / len(plot.steps) * BAR_SHARE
    drawn = []
    for i, step in enumerate(plot.steps):
        below = 0.0
        for n, series in enumerate(plot.series):
            value = series.values[i] or 0.0
            y, height = _y(below + value, top), _y(below, top) - _y(below + value, top)
            below += value
            drawn.append(
                f'<rect class="c{n}" x="{_x(plot, i) - width / 2:.1f}" y="{y}" '
                f'width="{width:.1f}" height="{max(height, 0):.1f}">'
                f"<title>{escape(series.name)}, {escape(step)} viewers: {value:.2f}</title></rect>"
            )
    return drawn
