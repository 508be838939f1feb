"""What a load bench tells: one value, shown as a table, Markdown, or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from clients.bench.load_bend import Bend
from clients.bench.load_machine import Hardware
from clients.bench.load_steps import Step

LAST = "turned away"  # the column that may be long
DASH = "-"  # for what nobody told


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What was asked for, and the scene that every room shows. No token."""

    url: str
    scene: str
    people: int
    width: int
    height: int
    rooms: int
    viewers: int
    bots: int
    ramp_s: float
    hold_s: float
    processes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that one run found."""

    began_at: str  # UTC, ISO 8601
    commit: str
    hardware: Hardware
    versions: dict[str, str]
    config: Config
    steps: list[Step]
    bend: Bend

    def told(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {"bench": "load", "format": 1, **asdict(self)}


def cells(step: Step) -> dict[str, str]:
    """Write a step's figures, by column."""
    server = step.server
    return {
        "s": f"{step.begins_s:.0f} to {step.ends_s:.0f}",
        "rooms": str(step.rooms),
        "viewers": str(step.viewers),
        "bots": str(step.bots),
        "frames/s p50, worst": _pair("{:.1f}", step.fps_p50, step.fps_worst),
        "freezes": str(step.freezes),
        "join s p50, p95": _pair("{:.2f}", step.join_p50_s, step.join_p95_s),
        "speech starts s p50": _shown(step.speech_start_p50_s, "{:.2f}"),
        "real-time factor": _shown(None if server is None else server.real_time_factor, "{:.2f}"),
        "loop lag p99": _shown(None if server is None else server.lag_p99_ms, "<= {:.0f} ms"),
        "cores server, clients, others": _pair(
            "{:.2f}", step.server_cores, step.clients_cores, step.others_cores
        ),
        "server had no core": _shown(step.server_starved_share, "{:.0%}"),
        LAST: turned_away(step),
    }


def turned_away(step: Step) -> str:
    """Say who could not come, and why."""
    return ", ".join(f"{n} {why}" for why, n in {**step.refused, **step.failed}.items()) or "0"


def setting(report: Report) -> list[str]:
    """Say in lines on what, with which code, and with which options it was measured."""
    machine, config = report.hardware, report.config
    versions = ", ".join(f"{name} {number}" for name, number in report.versions.items())
    return [
        f"{machine.processor}, {machine.cores} cores, {machine.memory_gib} GiB; {machine.system}; "
        f"Python {machine.python}",
        f"commit {report.commit}; {versions}; {report.began_at}",
        f"{config.url}, scene {config.scene}, {config.width}x{config.height}; "
        f"rooms {config.rooms}, viewers {config.viewers} and bots {config.bots} in each, "
        f"ramp {config.ramp_s:g} s, then {config.hold_s:g} s; "
        f"processes of clients {config.processes}",
        more(report.steps),
    ]


def more(steps: Sequence[Step]) -> str:
    """Say what the table has no column for."""
    packets, lost = sum(step.packets for step in steps), sum(step.lost for step in steps)
    last = steps[-1]
    said = [
        f"{packets} packets, {lost} lost",
        f"{sum(step.frozen_s for step in steps):.1f} s frozen",
        f"at the end {_shown(last.kbps_p50, '{:.0f} kbit/s')} a viewer, jitter "
        f"{_shown(last.jitter_p50_ms, '{:.1f} ms')} (worst "
        f"{_shown(last.jitter_worst_ms, '{:.1f} ms')}), clients' own loops "
        f"{last.clients_late_p99_ms:.0f} ms late (p99)",
    ]
    if last.server is not None:
        dropped = sum(n for s in steps if s.server for n in s.server.frames_dropped.values())
        slow = sum(n for s in steps if s.server for n in s.server.viewer_drops.values())
        said.append(
            f"server: {dropped} frames dropped, {slow} for slow viewers, at the end "
            f"{last.server.queued_s:.1f} s of speech queued and {last.server.tasks} tasks"
        )
    return "; ".join(said)


def markdown(report: Report) -> str:
    """Write a table for a document."""
    rows = [cells(step) for step in report.steps]
    names = list(rows[0])
    lines = [
        report.bend.sentence,
        "",
        f"| {' | '.join(names)} |",
        f"|{'---|' * len(names)}",
        *(f"| {' | '.join(row.values())} |" for row in rows),
        "",
        *(f"- {line}" for line in setting(report)),
        "",
    ]
    return "\n".join(lines)


def for_terminal(report: Report) -> Group:
    """Make what a terminal shows."""
    rows = [cells(step) for step in report.steps]
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name in rows[0]:
        widest = max(len(row[name]) for row in rows)
        if name == LAST:
            table.add_column(name, justify="left")
        else:
            words = max(len(word) for word in name.split())
            table.add_column(name, justify="right", width=max(widest, words))
    for n, row in enumerate(rows):
        table.add_row(*row.values(), style="bold" if n == report.bend.step else "")
    return Group(
        *(Text(line, style="dim") for line in setting(report)),
        table,
        Text(report.bend.sentence, style="bold"),
    )


def _pair(form: str, *values: float | None) -> str:
    """Write values side by side; one dash when there is none."""
    if all(value is None for value in values):
        return DASH
    return ", ".join(_shown(value, form) for value in values)


def _shown(value: float | None, form: str) -> str:
    return DASH if value is None else form.format(value)
