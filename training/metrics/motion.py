"""How much mouths move while their owners speak and while they are silent, and how faces tremble.

Shape letters: T video frames, P people. NaN marks frames where a face was not seen.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

PERCENT = 100.0


class MouthMotion(NamedTuple):
    """Mean speed of a mouth's opening, percent of face height per second; None: no such frame."""

    speech: float | None
    silence: float | None


def mouth_speed(opening: Floats, fps: float) -> Floats:
    """Give how fast mouths open or close [T, ...] in percent of face height per second.

    Formula: s(t) = |b(t) - b(t-1)| with b(t) = (o(t-1) + 2 o(t) + o(t+1)) / 4 of the opening o. The
    average takes two thirds off the landmarks' own trembling and little off speech, which is slow.
    NaN at the ends and beside frames where the mouth was not seen.
    """
    speed = np.full(opening.shape, np.nan)
    calm = (opening[:-2] + 2 * opening[1:-1] + opening[2:]) / 4  # of frames 1 to T-2
    speed[2:-1] = np.abs(np.diff(calm, axis=0)) * PERCENT * fps
    return speed


def mouth_motion(opening: Floats, is_speaking: Flags, fps: float) -> MouthMotion:
    """Average the speed of one mouth [T] over speech and over silence."""
    speed = mouth_speed(opening, fps)
    return MouthMotion(_mean(speed[is_speaking]), _mean(speed[~is_speaking]))


def jitter(center_px: Floats, face_height_px: Floats) -> float | None:
    """Measure the trembling of one face: its center [T, 2] against the line through its neighbors.

    Formula: the median of |c(t-1) - 2 c(t) + c(t+1)| / 2 in percent of face height [T]. Steady
    motion counts nothing, and half of the frames may be gestures.
    """
    bend = np.linalg.norm(np.diff(center_px, n=2, axis=0), axis=-1) / 2
    relative = bend / face_height_px[1:-1] * PERCENT
    known = relative[~np.isnan(relative)]
    return float(np.median(known)) if len(known) else None


def _mean(values: Floats) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
