"""What the rooms count: plain objects, which the HTTP layer shows in its own format."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

LATENCY_BOUNDS_S = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.8, 1.0, 2.0)
FACTOR_BOUNDS = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 4.0)
SKEW_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32)


@dataclass(slots=True)
class Histogram:
    """Counts by upper bound, as Prometheus has them: the last count is of what is above all."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        return sum(self.counts)

    def quantile(self, share: float) -> float:
        """Give the bound below which this share of the values lies; 0 without values."""
        wanted, seen = share * self.count, 0
        for bound, count in zip(self.bounds, self.counts, strict=False):
            seen += count
            if seen >= wanted and wanted:
                return bound
        return self.bounds[-1] if self.count else 0.0


@dataclass(slots=True)
class Measures:
    """Of one server, all rooms together. Counts only go up; the registry knows what is now."""

    rooms_opened: int = 0
    rooms_ended: dict[str, int] = field(default_factory=dict)  # by reason
    rooms_refused: int = 0
    viewers_joined: int = 0
    viewers_refused: int = 0
    publishers_joined: int = 0
    chunks: int = 0
    chunks_by_rung: dict[str, int] = field(default_factory=dict)
    frames_sent: int = 0
    frames_dropped: dict[str, int] = field(default_factory=dict)  # late, behind, cleared, ...
    viewer_drops: dict[str, int] = field(default_factory=dict)  # pictures, sounds: slow viewers
    live_samples_dropped: int = 0
    segments_ended: int = 0
    segments_interrupted: int = 0
    clears: int = 0
    generator_failures: int = 0
    part_seconds: dict[str, float] = field(default_factory=dict)  # of chunks, by part
    real_time_factor: Histogram = field(default_factory=lambda: Histogram(FACTOR_BOUNDS))
    mic_to_send_s: Histogram = field(default_factory=lambda: Histogram(LATENCY_BOUNDS_S))
    skew_s: Histogram = field(default_factory=lambda: Histogram(SKEW_BOUNDS_S))  # picture - sound


def add(counts: dict[str, int], key: str, count: int = 1) -> None:
    """Count under a key."""
    if count:
        counts[key] = counts.get(key, 0) + count
