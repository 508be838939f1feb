"""What changes slowly: color, sharpness, identity and geometry, as slopes per minute.

A slope is Theil and Sen's: the median of the slopes between all pairs of moments. A wrong face for
a few seconds does not tilt it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MAX_MOMENTS = 400  # longer series are averaged down to so many: pairs grow with the square
MIN_MOMENTS = 4
SECONDS_PER_MINUTE = 60.0
PERCENT = 100.0


class Series(NamedTuple):
    """One number over time; NaN where it could not be measured."""

    times_s: Floats  # [N]
    values: Floats  # [N]


class PictureDrift(NamedTuple):
    """Slopes per minute of the whole picture; None where the video is too short."""

    lightness: float | None  # CIELAB L, 0..100
    green_red: float | None  # CIELAB a
    blue_yellow: float | None  # CIELAB b
    sharpness_percent: float | None  # of its median


class FaceDrift(NamedTuple):
    """Slopes per minute of one face; None where it was hardly seen."""

    lightness: float | None
    green_red: float | None
    blue_yellow: float | None
    sharpness_percent: float | None
    identity: float | None  # distance of descriptors
    size_percent: float | None  # face height, of its median
    shape_percent: float | None  # distance of the eyes over face height, of its median
    x_percent: float | None  # place, in face heights
    y_percent: float | None


def slope_per_minute(series: Series) -> float | None:
    """Give the Theil-Sen slope per minute; None for fewer than 4 known moments."""
    known = ~np.isnan(series.values)
    times, values = _averaged(series.times_s[known]), _averaged(series.values[known])
    if len(times) < MIN_MOMENTS:
        return None
    first, second = np.triu_indices(len(times), 1)
    apart = times[second] - times[first]
    if not (apart > 0).all():
        return None
    slopes = (values[second] - values[first]) / apart
    return float(np.median(slopes)) * SECONDS_PER_MINUTE


def relative_slope(series: Series) -> float | None:
    """Give the slope per minute in percent of the median; None when that is 0 or unknown."""
    slope = slope_per_minute(series)
    if slope is None:
        return None
    median = float(np.nanmedian(series.values))
    return PERCENT * slope / median if median else None


def every_second(curve: Floats, fps: float) -> Series:
    """Average a curve over frames [T] to one value a second, NaN where nothing is known."""
    length = max(1, round(fps))
    count = -(-len(curve) // length)
    padded = np.full(count * length, np.nan)
    padded[: len(curve)] = curve
    seconds = padded.reshape(count, length)
    known = ~np.isnan(seconds)
    total = np.where(known, seconds, 0).sum(1)
    means = np.divide(total, known.sum(1), out=np.full(count, np.nan), where=known.any(1))
    middles = (np.arange(count, dtype=np.float64) + 0.5) * length / fps
    return Series(middles, means)


def _averaged(values: Floats) -> Floats:
    """Average neighbors until at most 400 values are left."""
    if len(values) <= MAX_MOMENTS:
        return values
    return np.array([part.mean() for part in np.array_split(values, MAX_MOMENTS)])
