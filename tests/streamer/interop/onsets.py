"""When something begins that a browser saw or heard: bursts of one voice, one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def beginnings(values: Sequence[Sequence[float]], level: float, apart_ms: float) -> list[float]:
    """The moments at which a measured value rises above a level after a while below it.

    Args:
        values: pairs of milliseconds and the value.
        level: that counts.
        apart_ms: how long it was below before.
    """
    found: list[float] = []
    low_since: float | None = None
    for at, value in values:
        if value < level:
            low_since = at if low_since is None else low_since
        else:
            if low_since is not None and at - low_since >= apart_ms:
                found.append(at)
            low_since = None
    return found


def differences(first: Sequence[float], second: Sequence[float], most: float) -> list[float]:
    """For each moment of the first how much later the nearest of the second is, in between."""
    if not len(second):
        return []
    others = np.asarray(second)
    nearest = [float(others[np.argmin(abs(others - at))] - at) for at in first]
    return [each for each in nearest if abs(each) <= most]


def delays(first: Sequence[float], second: Sequence[float], most: float) -> list[float]:
    """For each moment of the first how much later the next of the second is."""
    nexts = [next((later for later in second if later > at), None) for at in first]
    found = [b - a for a, b in zip(first, nexts, strict=True) if b is not None]
    return [each for each in found if each <= most]
