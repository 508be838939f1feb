"""What a room gives up when it falls behind: steps, then frame rate, then frames; never latency.

Giving up helps a machine that is too slow. One that is fast enough and was held up for a moment
makes late chunks, too; there the lead grows, see lead.py, and nothing is given up.

Pure: a state and an observation give the next state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

WINDOW = 4  # chunks that are judged together on the way down
LATE_TO_FALL = 2  # of them
CALM_TO_CLIMB = 24  # chunks in a row in time and with slack, about 4 to 8 s
MOST_CALM = 384  # the longest wait after climbs that did not hold
SLACK_TO_CLIMB = 0.75  # of real time: chunks mostly made faster than this leave room for one rung


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One way to run. Higher numbers give up more."""

    name: str  # full, steps_3, half_rate, drop
    steps: int | None  # for make_chunk; None for the bundle's default
    picture_every: int = 1  # of the frames, every n-th is sent
    gap_share: float = 0.0  # of a chunk that is not generated after each: sound under a held frame


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderState:
    """Where a room stands, and what it remembers of the last chunks."""

    rung: int = 0
    recent_late: tuple[bool, ...] = ()  # newest last
    recent_load: tuple[float, ...] = ()
    calm: int = 0  # chunks in a row with slack
    calm_to_climb: int = CALM_TO_CLIMB
    since_climb: int | None = None  # chunks since the last step up; None: it has proved itself


def rungs(step_counts: Sequence[int]) -> tuple[Rung, ...]:
    """List the rungs for a generator that takes these numbers of steps, in any order."""
    fewer = sorted(set(step_counts), reverse=True)[1:]
    least = fewer[-1] if fewer else None
    return (
        Rung(name="full", steps=None),
        *(Rung(name=f"steps_{count}", steps=count) for count in fewer),
        Rung(name="half_rate", steps=least, picture_every=2),
        Rung(name="drop", steps=least, picture_every=2, gap_share=0.5),
    )


def observe(state: LadderState, *, is_late: bool, load: float, last_rung: int) -> LadderState:
    """Judge one chunk.

    Args:
        state: before.
        is_late: some of the chunk's frames came after they were due, or were given up before.
        load: how long it took over how long it lasts.
        last_rung: the number of the deepest rung.
    """
    late = (*state.recent_late, is_late)[-WINDOW:]
    loads = (*state.recent_load, load)[-WINDOW:]
    since = None if state.since_climb is None else state.since_climb + 1
    if since is not None and since > state.calm_to_climb:
        since = None
        state = replace(state, calm_to_climb=CALM_TO_CLIMB)
    is_slow = median(loads) >= SLACK_TO_CLIMB
    is_calm = not is_late and not is_slow
    state = replace(
        state,
        recent_late=late,
        recent_load=loads,
        calm=state.calm + 1 if is_calm else 0,
        since_climb=since,
    )
    if is_slow and sum(late) >= LATE_TO_FALL and state.rung < last_rung:
        return _fall(state)
    if state.rung and state.calm >= state.calm_to_climb:
        return replace(
            state, rung=state.rung - 1, recent_late=(), recent_load=(), calm=0, since_climb=0
        )
    return state


def _fall(state: LadderState) -> LadderState:
    """Step down; a climb that did not hold doubles the wait before the next one."""
    wait = state.calm_to_climb
    if state.since_climb is not None:
        wait = min(2 * wait, MOST_CALM)
    return replace(
        state,
        rung=state.rung + 1,
        recent_late=(),
        recent_load=(),
        calm=0,
        calm_to_climb=wait,
        since_climb=None,
    )
