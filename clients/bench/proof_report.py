"""What a proof tells: one value, shown as a table, Markdown, or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from clients.bench.load_machine import Hardware
from clients.bench.load_metrics import ServerStep
from clients.bench.proof_align import Placed
from clients.bench.proof_browser import Playout
from clients.bench.proof_film import FPS, Film
from clients.bench.soak_trend import slope

SETTLING_S = 30.0  # until a browser has brought sound and pictures together; not counted
WANTED_SKEW_MS = 40.0  # at the viewer
DASH = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew:
    """How sound and pictures of one moment were played in one browser."""

    seat: int  # whose browser
    looks: int
    median_ms: float  # sound ahead of its picture
    p95_ms: float  # of the distance from 0
    worst_minute_ms: float  # the median of the minute that is farthest from 0
    slope_ms: float | None  # a minute
    freezes: int
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that one run found. No token."""

    began_at: str  # UTC, ISO 8601
    commit: str
    hardware: Hardware
    browser: str
    url: str  # empty: a server of the bench's own
    scene: str
    size: tuple[int, int]
    recordings: dict[int, list[str]]  # names of files, by seat
    seconds: float
    frames: int
    held: int
    broken: int
    lost_packets: int
    voices: list[dict[str, Any]]
    skews: list[Skew]
    server: ServerStep | None
    judged: dict[str, Any] | None  # proof_judges.summary
    clip_bytes: int

    def told(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {"bench": "proof", "format": 1, **asdict(self)}


def skew(seat: int, playouts: Sequence[Playout]) -> Skew | None:
    """Sum up one browser; None where it never said."""
    known = [
        (each.at_s, each.skew_ms)
        for each in playouts
        if each.skew_ms is not None and each.at_s >= SETTLING_S
    ]
    if not known:
        return None
    minutes: dict[int, list[float]] = {}
    for at_s, ms in known:
        minutes.setdefault(int(at_s // 60), []).append(ms)
    values = sorted(abs(ms) for _, ms in known)
    rise = slope([at_s for at_s, _ in known], [ms for _, ms in known])
    return Skew(
        seat=seat,
        looks=len(known),
        median_ms=median(ms for _, ms in known),
        p95_ms=values[min(len(values) - 1, int(0.95 * len(values)))],
        worst_minute_ms=max((median(each) for each in minutes.values()), key=abs),
        slope_ms=None if rise is None else 60 * rise,
        freezes=playouts[-1].freezes,
        lost=playouts[-1].lost,
    )


def voice(placed: Placed) -> dict[str, Any]:
    """Say how one voice was lined up."""
    return {
        "seat": placed.seat,
        "pieces": len(placed.pieces),
        "found": placed.found,
        "r": round(placed.r, 3),
        "spread_ms": round(placed.spread_ms, 1),
        "slope_ms_per_minute": None if placed.slope_ms is None else round(placed.slope_ms, 2),
    }


def whole(made: Film) -> dict[str, int]:
    """Say how whole the film is."""
    return {
        "frames": made.frames,
        "held": made.held,
        "broken": made.broken,
        "lost_packets": made.lost_packets,
    }


def people_rows(report: Report) -> dict[str, list[str]]:
    """Give the rows about people: a cell for each, from the left."""
    rows: dict[str, list[str]] = {}
    judged = report.judged
    if judged is not None:
        people: list[Mapping[str, Any]] = judged["people"]
        rows["lip sync, r"] = [_text(each["lip_sync_r"], 2) for each in people]
        rows["lag, frames of 40 ms"] = [_text(each["lag_frames"], 0) for each in people]
        motions = ("motion_in_speech", "motion_in_silence")
        rows["mouth in speech, in silence, %/s"] = [
            ", ".join(_text(each[key], 1) for key in motions) for each in people
        ]
        distances = ("identity_mean", "identity_worst")
        rows["identity distance, mean, worst"] = [
            ", ".join(_text(each[key], 2) for key in distances) for each in people
        ]
        drifts = ("identity", "lightness", "sharpness_percent")
        rows["drift a minute: identity, lightness, sharpness %"] = [
            ", ".join(_text(each["drift"][key], 2) for key in drifts) for each in people
        ]
    seats = range(
        max(each["seat"] for each in report.voices) + 1 if judged is None else len(people)
    )
    voices = {each["seat"]: each for each in report.voices}
    rows["voice found in the sound, pieces"] = [
        f"{voices[n]['found']} of {voices[n]['pieces']}" if n in voices else DASH for n in seats
    ]
    rows["voice's delay: spread ms, ms a minute"] = [
        f"{voices[n]['spread_ms']:.1f}, {_text(voices[n]['slope_ms_per_minute'], 1)}"
        if n in voices
        else DASH
        for n in seats
    ]
    skews = {each.seat: each for each in report.skews}
    rows["sound ahead of pictures in this one's browser, median, worst minute, ms"] = [
        f"{skews[n].median_ms:+.0f}, {skews[n].worst_minute_ms:+.0f}" if n in skews else DASH
        for n in seats
    ]
    rows["... ms a minute"] = [_text(skews[n].slope_ms, 1) if n in skews else DASH for n in seats]
    return rows


def sentences(report: Report) -> list[str]:
    """Say what no column has."""
    said = []
    if report.judged is not None:
        binding = report.judged["binding"]
        right = binding["accuracy"]
        said.append(
            f"Who moves when who speaks: {DASH if right is None else f'{right:.1%}'} right of "
            f"{binding['windows']} windows of a second"
        )
    worst = max((abs(each.worst_minute_ms) for each in report.skews), default=None)
    if worst is not None:
        verb = "is" if worst <= WANTED_SKEW_MS else "IS NOT"
        said.append(f"A/V skew {verb} within {WANTED_SKEW_MS:.0f} ms in every minute ({worst:.0f})")
    said.append(
        f"{report.frames} frames ({report.frames / FPS:.0f} s), {report.held} of them held, "
        f"{report.broken} broken; {report.lost_packets} packets lost"
    )
    if report.server is not None:
        dropped = sum(report.server.frames_dropped.values())
        factor = _text(report.server.real_time_factor, 2)
        said.append(f"server: real-time factor {factor}, {dropped} frames dropped")
    return said


def setting(report: Report) -> list[str]:
    """Say on what it was measured."""
    machine = report.hardware
    recordings = "; ".join(
        f"seat {n}: {', '.join(names)}" for n, names in report.recordings.items()
    )
    return [
        f"{machine.processor}, {machine.cores} cores, {machine.memory_gib} GiB; {machine.system}; "
        f"{report.browser}",
        f"commit {report.commit}, {report.began_at}; scene {report.scene}, "
        f"{report.size[0]}x{report.size[1]}; {recordings}",
    ]


def markdown(report: Report) -> str:
    """Write it for a document."""
    rows = people_rows(report)
    seats = range(max(len(cells) for cells in rows.values()))
    lines = [
        f"| | {' | '.join(f'person {n}' for n in seats)} |",
        f"|---|{'---|' * len(seats)}",
        *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()),
        "",
        *(f"- {line}" for line in (*sentences(report), *setting(report))),
        "",
    ]
    return "\n".join(lines)


def for_terminal(report: Report) -> Group:
    """Make what a terminal shows."""
    rows = people_rows(report)
    table = Table(title="People, from the left")
    table.add_column("")
    for n in range(max(len(cells) for cells in rows.values())):
        table.add_column(str(n), justify="right")
    for name, cells in rows.items():
        table.add_row(name, *cells)
    return Group(
        *(Text(line, style="dim") for line in setting(report)),
        table,
        *(Text(line, style="bold") for line in sentences(report)),
    )


def _text(value: float | None, digits: int) -> str:
    return DASH if value is None else f"{value:.{digits}f}"
