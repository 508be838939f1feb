"""The server's own figures between two looks at /metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from prometheus_client.parser import text_string_to_metric_families

Labels: TypeAlias = frozenset[tuple[str, str]]
Figures: TypeAlias = Mapping[tuple[str, Labels], float]  # by sample name and labels
CPU = "process_cpu_seconds_total"


def read_figures(text: str) -> Figures:
    """Read Prometheus' format; nothing where it is none."""
    try:
        return {
            (sample.name, frozenset(sample.labels.items())): float(sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
    except ValueError:
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStep:
    """What the server said about one step. None: it did not say."""

    real_time_factor: float | None  # mean time from ordering a chunk to having it, over its length
    lag_p99_ms: float | None  # upper bound of the bucket that holds it
    cpu_cores: float | None  # of its own exporter, where it has one
    part_shares: dict[str, float]  # of the time, that each part of making chunks took
    rooms: int
    viewers: int
    tasks: int
    queued_s: float  # speech that waits on the fullest seat
    frames_dropped: dict[str, int]  # by reason
    viewer_drops: dict[str, int]  # for slow viewers, by kind
    mic_to_send_p95_ms: float | None


def server_step(before: Figures, after: Figures, seconds: float) -> ServerStep:
    """Say what happened between two looks."""
    lag_s = quantile(before, after, "parley_loop_lag_seconds", 0.99)
    send_s = quantile(before, after, "parley_mic_to_send_seconds", 0.95)
    return ServerStep(
        real_time_factor=_mean(before, after, "parley_real_time_factor"),
        lag_p99_ms=None if lag_s is None else lag_s * 1000,
        cpu_cores=_growth(before, after, CPU) / seconds if (CPU, frozenset()) in after else None,
        part_shares={
            part: grown / seconds
            for part, grown in _split(before, after, "parley_part_seconds_total", "part").items()
        },
        rooms=int(_now(after, "parley_rooms")),
        viewers=int(_now(after, "parley_viewers")),
        tasks=int(_now(after, "parley_tasks")),
        queued_s=_now(after, "parley_seat_queued_seconds_most"),
        frames_dropped=_counts(before, after, "parley_frames_dropped_total", "reason"),
        viewer_drops=_counts(before, after, "parley_viewer_drops_total", "kind"),
        mic_to_send_p95_ms=None if send_s is None else send_s * 1000,
    )


def quantile(before: Figures, after: Figures, histogram: str, share: float) -> float | None:
    """Give the upper bound of the bucket that a share of the new values lies in; None without any.

    Beyond the last bucket it is the last bound.
    """
    name = f"{histogram}_bucket"
    grown = {
        float(dict(labels)["le"]): value - before.get((sample, labels), 0.0)
        for (sample, labels), value in after.items()
        if sample == name
    }
    count = grown.get(math.inf, 0.0)
    if count <= 0:
        return None
    finite = sorted(bound for bound in grown if bound < math.inf)
    return next((bound for bound in finite if grown[bound] >= share * count), finite[-1])


def _mean(before: Figures, after: Figures, histogram: str) -> float | None:
    count = _growth(before, after, f"{histogram}_count")
    return _growth(before, after, f"{histogram}_sum") / count if count > 0 else None


def _growth(before: Figures, after: Figures, name: str) -> float:
    return _now(after, name) - _now(before, name)


def _now(figures: Figures, name: str) -> float:
    return figures.get((name, frozenset()), 0.0)


def _split(before: Figures, after: Figures, name: str, label: str) -> dict[str, float]:
    return {
        dict(labels)[label]: grown
        for (sample, labels), value in after.items()
        if sample == name and (grown := value - before.get((sample, labels), 0.0)) > 0
    }


def _counts(before: Figures, after: Figures, name: str, label: str) -> dict[str, int]:
    return {key: round(grown) for key, grown in _split(before, after, name, label).items()}
