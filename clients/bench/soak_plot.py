"""One picture of a soak: every figure over time, its bounds, and what the slope says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from clients.bench.soak_samples import Sample, series, settling_s
from clients.bench.soak_trend import Trend

SIZE_INCHES = (14.0, 12.5)
DPI = 100
TITLE_COLUMNS = 150
SAME_PERSON = 0.45  # distances below are one person's (docs/judges.md)
COLUMNS = 3
SMOOTHED = 9  # looks, of the line over the dots
GOOD, BAD, DOT = "#1b6e3c", "#b3261e", "#8aa4c8"
LINES = ("#2563c9", "#c2500e", "#6b7280", "#8b5cf6", "#0f766e", "#a16207")
COLORS = {"red": "#c8372d", "green": "#2f8f4e", "blue": "#2f5fc8"}
PANELS = {
    "rss_mb": "server's memory, MB",
    "files": "server's file descriptors",
    "threads": "server's threads",
    "tasks": "server's tasks",
    "real_time_factor": "real-time factor of chunks",
    "mic_to_send_ms": "microphone to sending, ms",
    "bot_to_send_ms": "bot's push to sending, ms",
    "clear_ms": "interrupting, until confirmed, ms",
    "skew_ms": "pictures after sound, change, ms",
    "fps": "pictures a second at the worst viewer",
    "sharpness": "sharpness, gray levels",
    "identity": "identity, mean distance",
}


def draw(path: Path, samples: Sequence[Sample], trends: Sequence[Trend], title: str) -> None:
    """Write the PNG."""
    found, by_name = series(samples), {each.bound.name: each for each in trends}
    minutes = [each.at_s / 60 for each in samples]
    figure = Figure(figsize=SIZE_INCHES, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(fill(title, TITLE_COLUMNS), fontsize=12)
    places = figure.subplots(-(-(len(PANELS) + 3) // COLUMNS), COLUMNS).ravel()
    settled = settling_s(samples[-1].at_s) / 60
    for axes, (name, label) in zip(places, PANELS.items(), strict=False):
        _panel(axes, minutes, found[name], by_name.get(name))
        axes.set_title(label, fontsize=9, loc="left")
    rest = places[len(PANELS) :]
    _colors(rest[0], minutes, found, by_name)
    _drops(rest[1], minutes, samples)
    _faces(rest[2], minutes, samples)
    for axes in places:
        axes.axvspan(0, settled, color="#000000", alpha=0.05, lw=0)
        axes.tick_params(labelsize=8)
        axes.grid(visible=True, alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in rest:
        axes.set_xlabel("minutes", fontsize=8)
    figure.savefig(path)


def _panel(
    axes: Axes, minutes: Sequence[float], values: Sequence[float | None], judged: Trend | None
) -> None:
    known = [(t, v) for t, v in zip(minutes, values, strict=True) if v is not None]
    if not known:
        axes.text(0.5, 0.5, "nobody told", ha="center", transform=axes.transAxes, fontsize=9)
        return
    times, numbers = [t for t, _ in known], [v for _, v in known]
    axes.plot(times, numbers, ".", color=DOT, ms=3)
    axes.plot(times, _smoothed(numbers), color=LINES[0], lw=1.4)
    if judged is not None:
        _bounds(axes, times, judged)


def _bounds(axes: Axes, times: Sequence[float], judged: Trend) -> None:
    """Mark what is allowed, and say what was found."""
    color = BAD if judged.grows else GOOD
    sides = (1,) if judged.bound.side == "up" else (-1, 1)
    for side in sides:
        axes.axhline(judged.first + side * judged.allowed, color=BAD, lw=0.9, ls="--")
    said = f"changed {judged.change:+.2g}, allowed {judged.allowed:.2g}"
    axes.set_xlim(0, max(times) * 1.01)
    axes.annotate(
        said, (0.99, 1.01), xycoords="axes fraction", ha="right", va="bottom", color=color,
        fontsize=8,
    )  # fmt: skip


def _smoothed(values: Sequence[float]) -> list[float]:
    """Give the median around each value."""
    half = SMOOTHED // 2
    spans = [values[max(0, n - half) : n + half + 1] for n in range(len(values))]
    return [float(np.median(span)) for span in spans]


def _colors(
    axes: Axes,
    minutes: Sequence[float],
    found: Mapping[str, Sequence[float | None]],
    by_name: Mapping[str, Trend],
) -> None:
    for name, color in COLORS.items():
        known = [(t, v) for t, v in zip(minutes, found[name], strict=True) if v is not None]
        if known and name in by_name:
            first = by_name[name].first
            axes.plot([t for t, _ in known], [v - first for _, v in known], color=color, lw=1.2)
    for side in (-1, 1):
        if "red" in by_name:
            axes.axhline(side * by_name["red"].allowed, color=BAD, lw=0.9, ls="--")
    axes.set_title("mean color, change, levels", fontsize=9, loc="left")


def _faces(axes: Axes, minutes: Sequence[float], samples: Sequence[Sample]) -> None:
    """Draw each person's distance, smoothed, and where another person's begins."""
    known = [(t, each.identity) for t, each in zip(minutes, samples, strict=True) if each.identity]
    for person, apart in enumerate(zip(*(each for _, each in known), strict=True)):
        smooth, label = _smoothed(apart), f"person {person + 1}"
        axes.plot([t for t, _ in known], smooth, color=LINES[person % len(LINES)], label=label)
    if known:
        axes.axhline(SAME_PERSON, color=BAD, lw=0.9, ls="--")
        axes.set_ylim(0, SAME_PERSON * 1.2)
        axes.set_xlim(0, minutes[-1] * 1.01)
        axes.legend(fontsize=7, frameon=False, ncols=len(LINES))
    axes.set_title("identity of each; above the line it is another", fontsize=9, loc="left")


def _drops(axes: Axes, minutes: Sequence[float], samples: Sequence[Sample]) -> None:
    reasons = sorted({reason for each in samples for reason in each.dropped})
    for n, reason in enumerate(reasons):
        counts = np.cumsum([each.dropped.get(reason, 0) for each in samples])
        axes.plot(minutes, counts, color=LINES[n % len(LINES)], lw=1.4, label=reason)
    if reasons:
        axes.legend(fontsize=7, frameon=False)
    axes.set_title("frames dropped in all, by reason", fontsize=9, loc="left")
