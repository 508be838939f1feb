"""What `parley bench latency` says: a table for the terminal, one for Markdown, files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table

FIGURES = {
    "mic_to_lips_ms": "microphone to lips",
    "mic_to_ear_ms": "microphone to ear",
    "av_skew_ms": "lips after sound",
    "first_frame_ms": "first picture",
    "frame_interval_ms": "between two pictures",
}
QUANTILES = ("p50", "p95", "p99")
NOTHING = "-"
UNEXPLAINED = ("unexplained", "server_and_unexplained")


class Figure(NamedTuple):
    """One row of the table."""

    name: str
    numbers: tuple[str, ...]


def figures(report: Mapping[str, Any]) -> Iterator[Figure]:
    """Give the rows in order; what was not measured is a dash."""
    for key, name in FIGURES.items():
        spread = report.get(key)
        yield Figure(
            name, tuple(NOTHING if spread is None else f"{spread[q]:.0f}" for q in QUANTILES)
        )


def unexplained_share(report: Mapping[str, Any]) -> float | None:
    """Give how much of the whole the parts do not say; None where nothing was measured."""
    whole, parts = report.get("mic_to_lips_ms"), report["parts_ms"]
    if whole is None or not whole["p50"] or UNEXPLAINED[0] not in parts:
        return None
    return abs(float(parts[UNEXPLAINED[0]])) / float(whole["p50"])


def table(report: Mapping[str, Any]) -> RenderableType:
    """Draw what was measured for a terminal."""
    shown = Table("ms", *QUANTILES, title="From a voice to the lips")
    for row in figures(report):
        shown.add_row(row.name, *row.numbers)
    drawn: list[RenderableType] = [shown]
    if report["parts_ms"]:
        parts = Table("part", "ms")
        for name, ms in report["parts_ms"].items():
            parts.add_row(name.replace("_", " "), f"{ms:.1f}")
        drawn.append(parts)
    share = unexplained_share(report)
    if share is not None:
        drawn.append(f"parts add up to the whole within {share:.0%}")
    drawn.append("\n".join(f"{name}: {value}" for name, value in told(report).items()))
    return Group(*drawn)


def told(report: Mapping[str, Any]) -> dict[str, str]:
    """Say in words what stands beside the figures: counts, settings, hardware."""
    freezes = report["freezes"]
    config = {key.replace("_", " "): value for key, value in report["config"].items()}
    return {
        "bursts": f"{report['seen']} seen and {report['heard']} heard of {report['sent']}",
        "freezes": f"{freezes['count']}, {freezes['total_ms']} ms",
        **{name: _said(value) for name, value in config.items()},
        **report["about"],
    }


def markdown(report: Mapping[str, Any]) -> str:
    """Write both tables for a README."""
    lines = [f"| ms | {' | '.join(QUANTILES)} |", "|---|---|---|---|"]
    lines += [f"| {row.name} | {' | '.join(row.numbers)} |" for row in figures(report)]
    if report["parts_ms"]:
        lines += ["", "| part of microphone to lips | ms |", "|---|---|"]
        parts = report["parts_ms"].items()
        lines += [f"| {name.replace('_', ' ')} | {ms:.0f} |" for name, ms in parts]
    lines += ["", "; ".join(f"{name} {value}" for name, value in told(report).items()) + "."]
    return "\n".join(lines) + "\n"


def write(folder: Path, report: Mapping[str, Any], html: str) -> None:
    """Write report.json, report.html and table.md."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    (folder / "report.html").write_text(html)
    (folder / "table.md").write_text(markdown(report))


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return NOTHING if value is None else str(value)
