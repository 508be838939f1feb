"""When a room ends by itself, and when it says so before. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

from streamer.rooms.settings import RoomSettings

Reason: TypeAlias = Literal["idle", "length"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """What is known of a room's time."""

    opened: float  # monotonic seconds
    idle_since: float | None = None  # nobody watches and nobody has a seat
    warned: frozenset[Reason] = frozenset()


class Verdict(NamedTuple):
    """What to do now."""

    state: Lifetime
    warning: Reason | None
    seconds_left: float  # until the nearer of both ends
    end: Reason | None


def judge(state: Lifetime, now: float, *, is_idle: bool, settings: RoomSettings) -> Verdict:
    """Look at a room; each end is warned of once, idleness again after somebody came."""
    if not is_idle:
        state = replace(state, idle_since=None, warned=state.warned - {"idle"})
    elif state.idle_since is None:
        state = replace(state, idle_since=now)
    left: dict[Reason, float] = {"length": state.opened + settings.longest_s - now}
    if state.idle_since is not None:
        left["idle"] = state.idle_since + settings.idle_s - now
    nearest = min(left, key=lambda reason: left[reason])
    seconds = left[nearest]
    if seconds <= 0:
        return Verdict(state, None, 0.0, nearest)
    if seconds <= settings.warning_s and nearest not in state.warned:
        state = replace(state, warned=state.warned | {nearest})
        return Verdict(state, nearest, seconds, None)
    return Verdict(state, None, seconds, None)
