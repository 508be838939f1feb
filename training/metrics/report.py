"""The judges' report: JSON for programs, a table for people.

The keys of the JSON are documented in docs/judges.md. What could not be measured is null, never
NaN: NaN is no JSON.
"""

from __future__ import annotations

import math
from typing import TypeAlias

from rich.console import Group
from rich.table import Table

from training.metrics.binding import Binding
from training.metrics.fidelity import Likeness
from training.metrics.quality import IdentityScore, PersonQuality, Quality

Json: TypeAlias = "dict[str, Json] | list[Json] | str | float | int | bool | None"

DIGITS = 4


def report(quality: Quality) -> dict[str, Json]:
    """Give the whole report as JSON values."""
    published = quality.published
    out: dict[str, Json] = {
        "frames": quality.frames,
        "fps": _number(quality.fps),
        "audio": {"source": quality.audio_source, "mixed": quality.is_mixed},
        "people": [_person(seat, each) for seat, each in enumerate(quality.people)],
        "binding": {
            "windows": quality.binding.windows,
            "accuracy": _number(quality.binding.accuracy),
            "confusion": [list(row) for row in quality.binding.confusion],
        },
        "sync_matrix": [[_number(r) for r in row] for row in quality.sync_matrix],
        "drift": {
            "picture": {k: _number(v) for k, v in quality.drift._asdict().items()},
            "people": [
                {k: _number(v) for k, v in each.drift._asdict().items()} for each in quality.people
            ],
        },
        "flicker": _number(quality.flicker),
        "interactivity": {
            "published": _number(published.overall) if published else None,
            "corrected": _number(quality.interactivity.overall),
            "per_face": [_number(each) for each in quality.interactivity.per_face],
        },
    }
    if quality.fidelity is not None:
        mouths = quality.fidelity.mouths
        out["fidelity"] = {
            "frames": quality.fidelity.frames,
            "picture": _likeness(quality.fidelity.picture),
            "mouths": _likeness(mouths) if mouths else None,
        }
    return out


def _person(seat: int, person: PersonQuality) -> dict[str, Json]:
    return {
        "seat": seat,
        "detected": _number(person.detected),
        "sync": {"r": _number(person.sync.r), "lag_frames": person.sync.lag_frames},
        "sync_source": person.sync_source,
        "mouth_motion": {
            "speech": _number(person.mouth_motion.speech),
            "silence": _number(person.mouth_motion.silence),
        },
        "bilabials": {
            "closed": _number(person.closure.rate),
            "chance": _number(person.closure.chance),
            "sounds": person.closure.sounds,
        },
        "identity": _identity(person.identity) if person.identity else None,
        "jitter": _number(person.jitter),
        "speech_s": _number(person.speech_s),
    }


def _identity(identity: IdentityScore) -> dict[str, Json]:
    series = identity.over_time
    return {
        "reference": identity.reference,
        "mean": _number(identity.mean),
        "worst": _number(identity.worst),
        "times_s": [_number(each) for each in series.times_s.tolist()],
        "distances": [_number(each) for each in series.values.tolist()],
    }


def _likeness(likeness: Likeness) -> dict[str, Json]:
    return {"psnr_db": _number(likeness.psnr_db), "ssim": _number(likeness.ssim)}


def _number(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), DIGITS)


def tables(quality: Quality) -> Group:
    """Draw the report for a terminal."""
    parts = [_people_table(quality), _video_table(quality)]
    if quality.binding.windows:
        parts.insert(1, _confusion_table(quality.binding))
    return Group(*parts)


def _people_table(quality: Quality) -> Table:
    table = Table(title=f"People, from the left ({quality.audio_source})")
    table.add_column("")
    for seat in range(len(quality.people)):
        table.add_column(str(seat), justify="right")
    rows = {
        "detected": [_percent(p.detected) for p in quality.people],
        "lip sync r": [_text(p.sync.r, 2) for p in quality.people],
        "lag, frames": [_text(p.sync.lag_frames, 0) for p in quality.people],
        "mouth motion in speech, %/s": [_text(p.mouth_motion.speech, 1) for p in quality.people],
        "mouth motion in silence, %/s": [_text(p.mouth_motion.silence, 1) for p in quality.people],
        "P, B, M closed": [_percent(p.closure.rate) for p in quality.people],
        "closed by chance": [_percent(p.closure.chance) for p in quality.people],
        "identity distance, mean": [
            _text(p.identity.mean if p.identity else None, 2) for p in quality.people
        ],
        "identity distance, worst": [
            _text(p.identity.worst if p.identity else None, 2) for p in quality.people
        ],
        "jitter, % of face height": [_text(p.jitter, 3) for p in quality.people],
        "speech, s": [_text(p.speech_s, 1) for p in quality.people],
        "interactivity": [_text(each, 3) for each in quality.interactivity.per_face],
    }
    for name, cells in rows.items():
        table.add_row(name, *cells)
    slopes = [each.drift._asdict() for each in quality.people]
    for key in slopes[0]:
        table.add_row(f"drift a minute: {key}", *(_text(each[key], 3) for each in slopes))
    return table


def _confusion_table(binding: Binding) -> Table:
    table = Table(title=f"Who moves when who speaks: {_percent(binding.accuracy)} right")
    table.add_column("voice")
    for seat in range(len(binding.confusion)):
        table.add_column(f"mouth {seat}", justify="right")
    table.add_column("nobody", justify="right")
    for voice, row in enumerate(binding.confusion):
        table.add_row(str(voice), *map(str, row))
    return table


def _video_table(quality: Quality) -> Table:
    table = Table(title=f"Video: {quality.frames} frames at {quality.fps:g} a second")
    table.add_column("")
    table.add_column("", justify="right")
    for key, value in quality.drift._asdict().items():
        table.add_row(f"drift a minute: {key}", _text(value, 3))
    table.add_row("flicker, levels", _text(quality.flicker, 3))
    published = quality.published.overall if quality.published else None
    table.add_row("interactivity, corrected", _text(quality.interactivity.overall, 3))
    table.add_row("interactivity, published", _text(published, 3))
    if quality.fidelity is not None:
        for name, likeness in (
            ("picture", quality.fidelity.picture),
            ("mouths", quality.fidelity.mouths),
        ):
            if likeness is not None:
                table.add_row(f"PSNR of {name}, dB", _text(likeness.psnr_db, 2))
                table.add_row(f"SSIM of {name}", _text(likeness.ssim, 4))
    return table


def _text(value: float | None, digits: int) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
