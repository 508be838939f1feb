"""Which mouth moves when which voice speaks.

Shape letters: T video frames, P people, seats and voices from the left.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from training.metrics.motion import mouth_speed

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

WINDOW_S = 1.0
STEP_S = 0.5
MIN_SPEECH = 0.6  # part of a window in which the one voice speaks
MAX_OTHERS = 0.1  # part of a window in which any other voice speaks
MIN_SEEN = 0.6  # part of a window in which a face is seen
STILL = 5.0  # percent of face height per second: a mouth slower than that does not speak


class Binding(NamedTuple):
    """Who moves when who speaks."""

    windows: int  # windows with one clear voice
    accuracy: float | None  # part of them in which the voice's own seat moves most
    confusion: list[list[int]]  # [voice][seat], P x (P + 1); the last column: nobody moves


class Mover(NamedTuple):
    """One window of the timeline."""

    start_frame: int
    end_frame: int
    voice: int
    seat: int | None  # whose mouth moves most; None when all are still


def movers(opening: Floats, is_speaking: Flags, fps: float) -> list[Mover]:
    """Judge each window in which one voice [T, P] speaks by the mouths' openings [T, P].

    The mouth with the largest mean speed moves, unless none is faster than 5 % of face height per
    second. Windows are a second long and start every half second; one in which nobody or more than
    one person speaks is left out, and so is a mouth that is hardly seen.

    Raises:
        InputError: when there are not as many voices as mouths.
    """
    if opening.shape != is_speaking.shape or opening.ndim != 2:
        raise InputError(
            "binding needs a voice for each person, "
            f"got mouths {opening.shape} and voices {is_speaking.shape}"
        )
    speed = mouth_speed(opening, fps)
    length, step = max(2, round(WINDOW_S * fps)), max(1, round(STEP_S * fps))
    found = []
    for start in range(0, len(opening) - length + 1, step):
        span = slice(start, start + length)
        voice = _clear_voice(is_speaking[span])
        if voice is not None:
            found.append(Mover(start, start + length, voice, _moving_seat(speed[span])))
    return found


def binding(windows: list[Mover], people: int) -> Binding:
    """Count windows into the confusion matrix."""
    confusion = np.zeros((people, people + 1), np.int64)
    for each in windows:
        confusion[each.voice, people if each.seat is None else each.seat] += 1
    right = int(np.trace(confusion))
    accuracy = right / len(windows) if windows else None
    return Binding(len(windows), accuracy, confusion.tolist())


def _clear_voice(is_speaking: Flags) -> int | None:
    share = is_speaking.mean(0)
    voice = int(share.argmax())
    others = np.delete(share, voice)
    is_clear = share[voice] >= MIN_SPEECH and (not len(others) or others.max() <= MAX_OTHERS)
    return voice if is_clear else None


def _moving_seat(speed: Floats) -> int | None:
    is_known = ~np.isnan(speed)
    total = np.where(is_known, speed, 0).sum(0)
    mean = np.divide(total, is_known.sum(0), out=np.zeros(len(total)), where=is_known.any(0))
    mean[is_known.mean(0) < MIN_SEEN] = 0
    seat = int(mean.argmax())
    return seat if mean[seat] >= STILL else None
