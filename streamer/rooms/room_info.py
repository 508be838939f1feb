"""What a room says of itself: plain values, to be shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatInfo:
    """A seat."""

    number: int
    name: str
    kind: str | None  # live or bot; None while nobody has it
    is_connected: bool
    is_speaking: bool
    queued_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomInfo:
    """A room."""

    id: str
    scene: str
    state: str
    age_s: float
    width: int
    height: int
    viewers: int
    seats: tuple[SeatInfo, ...]
    rung: str
    lead_ms: int  # from the order of a chunk to its first frame
    chunk_ms: int  # of video, that one call of the generator makes
    look_ahead_ms: int  # of later sound, that a chunk waits for
    load: float  # of the last chunk: time to make it over its length
    chunks: int
    frames: int
    ready_frames: int  # made and not yet shown
    dropped_frames: int
    is_recorded: bool
    has_badge: bool
