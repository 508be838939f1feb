"""Does a figure grow? Robust slopes over time, and bounds that say how much is nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

import numpy as np

MOST_PAIRS_FROM = 1200  # samples; beyond it every second, third ... is taken
LEAST_SAMPLES = 4

Side = Literal["up", "both"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What counts as no growth: both must be passed before a figure is said to grow."""

    name: str  # of the figure
    unit: str
    most: float  # change over the run that is nothing, in the unit
    share: float  # ... or this share of the first value, whichever is more
    side: Side  # up: only growth is bad; both: any drift is


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """What became of one figure."""

    bound: Bound
    first: float  # median of the first part
    last: float  # median of the last part
    slope_per_minute: float  # Theil-Sen
    change: float  # the slope times the time that was watched
    allowed: float
    samples: int

    @property
    def grows(self) -> bool:
        """Say so only where the slope and the ends agree: either alone may be chance."""
        ends = self.last - self.first
        if self.bound.side == "up":
            return self.change > self.allowed and ends > self.allowed
        return abs(self.change) > self.allowed and abs(ends) > self.allowed


def slope(times: Sequence[float], values: Sequence[float]) -> float | None:
    """Give the Theil-Sen slope, the median over all pairs; None for too few samples."""
    step = -(-len(times) // MOST_PAIRS_FROM) or 1
    x, y = np.asarray(times[::step], np.float64), np.asarray(values[::step], np.float64)
    if len(x) < LEAST_SAMPLES:
        return None
    first, second = np.triu_indices(len(x), k=1)
    apart = x[second] - x[first]
    rises = (y[second] - y[first])[apart > 0] / apart[apart > 0]
    return float(np.median(rises)) if len(rises) else None


def settled(
    times: Sequence[float], values: Sequence[float | None], from_s: float
) -> tuple[list[float], list[float]]:
    """Give what is known from a moment on: before it caches fill and browsers come."""
    pairs = [(t, v) for t, v in zip(times, values, strict=True) if v is not None and t >= from_s]
    return [t for t, _ in pairs], [v for _, v in pairs]


def trend(bound: Bound, times: Sequence[float], values: Sequence[float]) -> Trend | None:
    """Judge one figure; None for too few samples.

    Args:
        bound: what counts as nothing.
        times: seconds, growing.
        values: as many.
    """
    rise = slope(times, values)
    if rise is None:
        return None
    part = max(1, len(values) // 6)
    first, last = median(values[:part]), median(values[-part:])
    return Trend(
        bound=bound,
        first=first,
        last=last,
        slope_per_minute=60 * rise,
        change=rise * (times[-1] - times[0]),
        allowed=max(bound.most, bound.share * abs(first)),
        samples=len(values),
    )


def verdict(trends: Sequence[Trend]) -> str:
    """Say it in one sentence."""
    if not trends:
        return "Nothing was measured for long enough to say what grows."
    growing = [each for each in trends if each.grows]
    if not growing:
        return f"Nothing grows: all of {len(trends)} figures stay within their bounds."
    named = "; ".join(
        f"{each.bound.name} from {each.first:.3g} to {each.last:.3g} {each.bound.unit} "
        f"(allowed {each.allowed:.3g})"
        for each in growing
    )
    verb = "grows" if len(growing) == 1 else "grow"
    return f"{len(growing)} of {len(trends)} figures {verb}: {named}."
