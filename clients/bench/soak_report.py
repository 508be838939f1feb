"""What a soak tells: one value, shown as a table, Markdown, or JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from clients.bench.load_machine import Hardware
from clients.bench.soak_samples import Sample, told
from clients.bench.soak_trend import Trend, verdict

LEAST_FPS = 20.0  # of 25, in the median look at the worst viewer
NAMES = {
    "rss_mb": "server's memory",
    "files": "file descriptors",
    "threads": "threads",
    "tasks": "tasks",
    "real_time_factor": "real-time factor of chunks",
    "mic_to_send_ms": "microphone to sending",
    "bot_to_send_ms": "bot's push to sending",
    "clear_ms": "interrupting, until confirmed",
    "skew_ms": "pictures after sound, change",
    "red": "mean red",
    "green": "mean green",
    "blue": "mean blue",
    "sharpness": "sharpness",
    "identity": "distance of faces to their picture",
}
HEADINGS = ("figure", "at first", "at last", "a minute", "change", "allowed", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that one run found. No token."""

    began_at: str  # UTC, ISO 8601
    commit: str
    hardware: Hardware
    url: str  # empty: a server of the bench's own
    scenes: list[str]
    rooms: int
    seconds: float
    loss: float
    seed: int
    datagrams: int
    lost: int
    failed: dict[str, int]
    unjudged: str | None  # why identity was not
    samples: list[Sample]
    trends: list[Trend]

    @property
    def verdict(self) -> str:
        """Say whether anything grows, and whether the machine was fit to tell."""
        said = verdict(self.trends)
        rates = sorted(each.fps for each in self.samples if each.fps is not None)
        if rates and rates[len(rates) // 2] < LEAST_FPS:
            shown = f"{rates[len(rates) // 2]:.0f} pictures a second"
            said += f" But the server did not keep up ({shown}): repeat it on a free machine."
        return said

    def told(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        plain = asdict(self)
        plain["samples"] = [told(each) for each in self.samples]
        plain["trends"] = [{**asdict(each), "grows": each.grows} for each in self.trends]
        return {"bench": "soak", "format": 2, "verdict": self.verdict, **plain}


def rows(report: Report) -> list[tuple[str, ...]]:
    """Give a row for each figure that was judged."""
    found: list[tuple[str, ...]] = []
    for each in report.trends:
        unit = f", {each.bound.unit}" if each.bound.unit else ""
        numbers = (each.first, each.last, each.slope_per_minute, each.change, each.allowed)
        first, last, rise, change, allowed = (f"{value:.4g}" for value in numbers)
        name = f"{NAMES[each.bound.name]}{unit}"
        found.append((name, first, last, rise, change, allowed, "GROWS" if each.grows else "holds"))
    return found


def sentences(report: Report) -> list[str]:
    """Say what no column has."""
    samples = report.samples
    dropped: Counter[str] = Counter()
    for each in samples:
        dropped.update(each.dropped)
    reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.most_common()) or "none"
    failed = ", ".join(f"{count} times {why}" for why, count in report.failed.items()) or "nothing"
    rates = sorted(each.fps for each in samples if each.fps is not None)
    machine = report.hardware
    judges = [] if report.unjudged is None else [f"identity was not judged: {report.unjudged}"]
    return [
        f"{sum(each.sentences for each in samples)} sentences, "
        f"{sum(each.interrupted for each in samples)} of them interrupted; a seat taken "
        f"{sum(each.joined for each in samples)} times; {failed} went wrong",
        f"{report.datagrams + report.lost} datagrams through the relays, {report.lost} lost; "
        f"{rates[len(rates) // 2] if rates else 0:.1f} pictures a second at the worst viewer "
        f"(median look); viewers lost and back {sum(each.viewers_lost for each in samples)} times",
        f"frames dropped by the server: {reasons}",
        *judges,
        f"{machine.processor}, {machine.cores} cores, {machine.memory_gib} GiB; {machine.system}; "
        f"commit {report.commit}; {report.began_at}; {report.rooms} rooms, "
        f"{', '.join(report.scenes)}, {report.seconds / 60:g} minutes, {report.loss:.0%} loss",
    ]


def markdown(report: Report) -> str:
    """Write it for a document."""
    lines = [
        report.verdict,
        "",
        f"| {' | '.join(HEADINGS)} |",
        f"|{'---|' * len(HEADINGS)}",
        *(f"| {' | '.join(row)} |" for row in rows(report)),
        "",
        *(f"- {line}" for line in sentences(report)),
        "",
    ]
    return "\n".join(lines)


def for_terminal(report: Report) -> Group:
    """Make what a terminal shows."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for n, name in enumerate(HEADINGS):
        table.add_column(name, justify="right" if n else "left")
    for row, each in zip(rows(report), report.trends, strict=True):
        table.add_row(*row, style="bold" if each.grows else "")
    return Group(
        *(Text(line, style="dim") for line in sentences(report)),
        table,
        Text(report.verdict, style="bold"),
    )
