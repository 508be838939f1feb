"""Does the mouth move with the voice: correlation, lag, and lips that close on P, B and M.

Shape letters: T video frames. NaN marks frames where the mouth was not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from training.studio.performance_data import Phone

Floats = NDArray[np.float64]

MAX_LAG_FRAMES = 12
MIN_FRAMES = 25  # fewer shared frames say nothing
BILABIALS = frozenset({"P", "B", "M"})
SILENCE = "SIL"
MIN_RANGE = 0.01  # of face height: a mouth that moves less cannot be said to open or close
CLOSED = 0.25  # of the way from the person's closed mouth to their open mouth


class LipSync(NamedTuple):
    """How well a mouth fits a voice."""

    r: float | None  # correlation at the best lag; None where a curve is flat or too short
    lag_frames: int | None  # > 0: the sound is late by so many frames; < 0: the mouth is late


class LipClosure(NamedTuple):
    """How often lips meet where they must."""

    rate: float | None  # of the bilabial sounds whose mouth was seen
    chance: float | None  # the same rate around every other sound
    sounds: int


def correlation(first: Floats, second: Floats) -> float | None:
    """Give Pearson's r of two curves [T] over frames where both are known; None when undefined."""
    is_known = ~(np.isnan(first) | np.isnan(second))
    if is_known.sum() < MIN_FRAMES:
        return None
    a, b = first[is_known], second[is_known]
    a, b = a - a.mean(), b - b.mean()
    power = float(np.sqrt((a @ a) * (b @ b)))
    # Rounding leaves a flat curve a power of about 1e-16 of its size: that is no motion.
    if power <= 1e-12 * len(a) * max(1.0, float(np.abs(first[is_known]).max())):
        return None
    return float(a @ b) / power


def lip_sync(mouth: Floats, voice: Floats, max_lag: int = MAX_LAG_FRAMES) -> LipSync:
    """Compare a mouth's opening [T] with what the voice asks for [T].

    Formula: r(k) = Pearson(mouth[t], voice[t + k]) for |k| <= max_lag; the score is the largest
    r(k), and its k. A voice delayed by 3 frames has lag 3. Of equal ones the smallest lag counts.

    Raises:
        InputError: when the curves differ in length.
    """
    if mouth.shape != voice.shape or mouth.ndim != 1:
        raise InputError(f"mouth and voice must be [T] alike, got {mouth.shape} and {voice.shape}")
    best = LipSync(None, None)
    for lag in sorted(range(-max_lag, max_lag + 1), key=abs):
        r = correlation(*_overlap(mouth, voice, lag))
        if r is not None and (best.r is None or r > best.r + 1e-9):
            best = LipSync(r, lag)
    return best


def _overlap(mouth: Floats, voice: Floats, lag: int) -> tuple[Floats, Floats]:
    """Give mouth[t] and voice[t + lag] for every t where both exist."""
    count = max(0, len(mouth) - abs(lag))
    return mouth[max(0, -lag) :][:count], voice[max(0, lag) :][:count]


def lip_closure(mouth: Floats, phones: Sequence[Phone], fps: float) -> LipClosure:
    """Count the P, B and M during which the lips meet.

    Lips meet when the opening [T], from one frame before the sound to one frame after it, falls
    below closed + 0.25 (open - closed), the 5th and 95th percentile of this person's opening. The
    chance is the rate in windows of the same length around the middles of all other sounds: a mouth
    that is closed half of the time has a high one. A mouth that stays within 1 % of face height has
    no rate: it neither opens nor closes.
    """
    nothing = LipClosure(None, None, 0)
    seen = mouth[~np.isnan(mouth)]
    if len(seen) < MIN_FRAMES:
        return nothing
    closed, open_ = np.percentile(seen, [5, 95])
    if open_ - closed < MIN_RANGE:
        return nothing
    is_closed = np.where(np.isnan(mouth), np.nan, mouth <= closed + CLOSED * (open_ - closed))
    spans = [_span(phone, fps) for phone in phones if phone.symbol in BILABIALS]
    met = _met(is_closed, spans)
    if not len(met):
        return nothing
    half = float(np.median([end - start for start, end in spans])) / 2
    middles = [
        (phone.start + phone.end) / 2 * fps
        for phone in phones
        if phone.symbol not in BILABIALS and phone.symbol != SILENCE
    ]
    others = _met(is_closed, [(round(m - half), round(m + half)) for m in middles])
    chance = float(others.mean()) if len(others) else None
    return LipClosure(float(met.mean()), chance, len(met))


def _span(phone: Phone, fps: float) -> tuple[int, int]:
    return round(phone.start * fps) - 1, round(phone.end * fps) + 2


def _met(is_closed: Floats, spans: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """Say for each span with a seen mouth whether it holds a closed frame."""
    found = []
    for start, end in spans:
        inside = is_closed[max(0, start) : max(0, end)]
        if not np.isnan(inside).all():
            found.append(bool(np.nanmax(inside) > 0))
    return np.array(found, np.bool_)
