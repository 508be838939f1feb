"""When a room may make its next chunk, and what it leaves out when it is late: pure functions.

Room time is in seconds since voices began to be heard. A chunk of frames [p, p + c) is made when
its sound and the look-ahead behind it have arrived; every frame is shown one constant delay after
its sound arrived. Being late never makes the delay longer: frames are left out instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from streamer.media.types import FPS, SAMPLE_RATE

TINY = 1e-9  # seconds; a float's rounding must not make a frame early


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """What the times of a room follow from."""

    chunk_frames: int
    look_ahead_samples: int
    margin: float  # seconds for computing, encoding and the jitter of both
    most_chunks_ahead: int = 2  # made and not yet shown

    def __post_init__(self) -> None:
        if self.chunk_frames < 1 or self.look_ahead_samples < 0 or self.margin < 0:
            raise ValueError(
                f"want chunks of 1 frame at least and no negative times, got {self.chunk_frames} "
                f"frames, {self.look_ahead_samples} samples ahead, a margin of {self.margin} s"
            )
        if self.most_chunks_ahead < 1:
            raise ValueError(f"one chunk ahead at least, got {self.most_chunks_ahead}")

    @property
    def chunk_seconds(self) -> float:
        return self.chunk_frames / FPS

    @property
    def delay(self) -> float:
        """Seconds from a sound's arrival until it is shown: the mic-to-send latency."""
        return self.chunk_seconds + self.look_ahead_samples / SAMPLE_RATE + self.margin


class Plan(NamedTuple):
    """What a room does next."""

    wait: float  # seconds until the next chunk may begin; 0 for at once; inf until one is shown
    late: float  # seconds by which the next chunk's first frame is overdue already
    overdue_frames: int  # made, not shown, and past: leave them out, the newest of them excepted


def heard_by(pacing: Pacing, made: int) -> float:
    """Room time at which all sound of the chunk that begins at frame `made` has arrived."""
    return made / FPS + pacing.chunk_seconds + pacing.look_ahead_samples / SAMPLE_RATE


def shown_at(pacing: Pacing, frame: int) -> float:
    """Room time at which a frame and its sound are sent."""
    return frame / FPS + pacing.delay


def due_frames(pacing: Pacing, now: float) -> int:
    """How many frames should have been shown by `now`, from the room's first on."""
    return max(0, math.floor((now - pacing.delay) * FPS + TINY) + 1)


def has_room(pacing: Pacing, made: int, shown: int) -> bool:
    """Whether one more chunk keeps within what may be made ahead of the viewers."""
    ahead = made - shown + pacing.chunk_frames
    return ahead <= pacing.most_chunks_ahead * pacing.chunk_frames


def next_due(pacing: Pacing, now: float, made: int, shown: int) -> float:
    """Seconds until the next chunk may begin.

    Args:
        pacing: of the room.
        now: room time.
        made: frames made so far, a multiple of a chunk.
        shown: frames sent or left out so far.

    Returns 0 for at once, and inf while the viewers must catch up first.
    """
    if not has_room(pacing, made, shown):
        return math.inf
    return max(0.0, heard_by(pacing, made) - now)


def plan(pacing: Pacing, now: float, made: int, shown: int) -> Plan:
    """Say what to do at room time `now`; see `next_due` for the arguments."""
    overdue = min(due_frames(pacing, now), made) - shown
    return Plan(
        wait=next_due(pacing, now, made, shown),
        late=max(0.0, now - shown_at(pacing, made)),
        overdue_frames=max(0, overdue - 1),
    )


def skipped_chunks(pacing: Pacing, now: float, made: int) -> int:
    """How many whole chunks are over before they could be made: their sound goes unseen.

    A room that was stopped for long (a suspended machine) takes its place in time again at once
    instead of working off what nobody waits for.
    """
    over = now - shown_at(pacing, made) - pacing.chunk_seconds
    return max(0, math.floor(over / pacing.chunk_seconds + TINY) + 1) if over >= 0 else 0
