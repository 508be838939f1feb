"""Draw what the judges saw: mouths over sound, who speaks and who moves, drift.

Three PNG files; long videos are drawn whole, so their details merge.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.metrics.drift import every_second
from training.metrics.motion import mouth_speed
from training.metrics.quality import Heard, Quality, look_series
from training.metrics.speech_activity import intervals
from training.metrics.tracks import FaceTracks
from training.metrics.video import Samples
from training.metrics.voices import Voices
from training.studio.performance_data import SAMPLE_RATE

WIDTH_IN, ROW_IN = 14.0, 1.9
DPI = 110
ENVELOPE_HZ = 50
MOUTH_COLOR, SOUND_COLOR, SPEECH_COLOR, WRONG_COLOR = "#b3261e", "#9aa5b1", "#d8e8d0", "#e09f3e"
PERCENT = 100


def draw(
    folder: Path, quality: Quality, tracks: FaceTracks, voices: Voices, heard: tuple[Heard, ...]
) -> list[Path]:
    """Write mouths.png, timeline.png and drift.png into a folder, made when missing."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        "mouths.png": _mouths(tracks, voices, heard),
        "timeline.png": _timeline(quality, tracks, heard),
        "drift.png": _drift(quality, tracks),
    }
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=DPI, bbox_inches="tight")
    return [folder / name for name in figures]


def _rows(count: int, height: float = ROW_IN) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(WIDTH_IN, height * count + 0.6), layout="constrained")
    grid = figure.subplots(count, 1, sharex=True, squeeze=False)
    return figure, list(grid[:, 0])


def _mouths(tracks: FaceTracks, voices: Voices, heard: tuple[Heard, ...]) -> Figure:
    figure, rows = _rows(tracks.people)
    times = np.arange(tracks.frames) / tracks.fps
    for seat, row in enumerate(rows):
        opening = PERCENT * tracks.mouth_opening[:, seat]
        top = max(1.0, float(np.nanmax(opening, initial=0.0)))
        _shade(row, heard[seat].is_speaking, tracks.fps)
        envelope = _envelope(voices.of(seat))
        row.fill_between(
            np.arange(len(envelope)) / ENVELOPE_HZ, top * envelope, color=SOUND_COLOR, lw=0
        )
        row.plot(times, opening, color=MOUTH_COLOR, lw=1)
        row.set_ylabel(f"person {seat}\nopening, %")
        row.set_xlim(0, tracks.frames / tracks.fps)
    rows[0].set_title("Mouth opening (red) over loudness (gray); green: speech detected")
    rows[-1].set_xlabel("seconds")
    return figure


def _timeline(quality: Quality, tracks: FaceTracks, heard: tuple[Heard, ...]) -> Figure:
    figure, rows = _rows(2)
    speed = np.stack(
        [
            every_second(s, tracks.fps).values
            for s in mouth_speed(tracks.mouth_opening, tracks.fps).T
        ]
    )
    for seat, each in enumerate(heard):
        bars = [(a, b - a) for a, b in intervals(each.is_speaking, tracks.fps)]
        rows[0].broken_barh(bars, (seat - 0.4, 0.35), color="#4f7942")
        if np.isfinite(speed[seat]).any():
            rows[1].step(np.arange(speed.shape[1]), speed[seat], where="post", label=f"{seat}")
    for window in quality.timeline:
        if window.seat is not None:
            start, end = (f / tracks.fps for f in (window.start_frame, window.end_frame))
            color = MOUTH_COLOR if window.seat == window.voice else WRONG_COLOR
            middle = (start + end) / 2
            rows[0].broken_barh([(middle - 0.25, 0.5)], (window.seat + 0.05, 0.35), color=color)
    rows[0].set_yticks(range(tracks.people), [f"person {seat}" for seat in range(tracks.people)])
    rows[0].invert_yaxis()
    rows[0].set_title("Speaks (green); mouth moves most, right (red) or wrong (orange)")
    rows[1].set_ylabel("mouth speed, %/s")
    rows[1].legend(loc="upper right", title="person")
    rows[1].set_xlabel("seconds")
    return figure


def _drift(quality: Quality, tracks: FaceTracks) -> Figure:
    figure, rows = _rows(4)
    for seat, person in enumerate(quality.people):
        looks = tracks.looks[seat]
        if person.identity is not None:
            rows[0].plot(*person.identity.over_time, marker=".", label=f"{seat}")
        for row, values in (
            (rows[1], {t: float(look.lab[0]) for t, look in looks.items()}),
            (rows[2], {t: look.sharpness for t, look in looks.items()}),
        ):
            row.plot(*look_series(values, tracks.fps), marker=".")
        rows[3].plot(*every_second(tracks.face_height_px[:, seat], tracks.fps), marker=".")
    names = ("identity distance", "face lightness", "face sharpness", "face height, px")
    for row, name in zip(rows, names, strict=True):
        row.set_ylabel(name)
    if rows[0].lines:
        rows[0].legend(loc="upper right", title="person")
    rows[0].set_title("Drift")
    rows[-1].set_xlabel("seconds")
    return figure


def _shade(row: Axes, flags: NDArray[np.bool_], fps: float) -> None:
    for start, end in intervals(flags, fps):
        row.axvspan(start, end, color=SPEECH_COLOR, lw=0, zorder=0)


def _envelope(samples: Samples) -> NDArray[np.float64]:
    """Give loudness 0..1, fifty times a second."""
    hop = SAMPLE_RATE // ENVELOPE_HZ
    count = len(samples) // hop
    power = (samples[: count * hop].astype(np.float64).reshape(count, hop) ** 2).mean(1)
    level = np.sqrt(power)
    loudest = float(level.max(initial=0.0))
    envelope: NDArray[np.float64] = level / loudest if loudest else level
    return envelope
