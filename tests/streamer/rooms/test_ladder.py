from __future__ import annotations

from itertools import pairwise

import pytest

from streamer.rooms.ladder import CALM_TO_CLIMB, LadderState, observe, rungs

RUNGS = rungs((4, 2, 3))
LAST = len(RUNGS) - 1


def run(state: LadderState, late: bool, load: float, times: int) -> LadderState:
    for _ in range(times):
        state = observe(state, is_late=late, load=load, last_rung=LAST)
    return state


def test_steps_go_first_then_frame_rate_then_frames() -> None:
    assert [rung.name for rung in RUNGS] == ["full", "steps_3", "steps_2", "half_rate", "drop"]
    assert [rung.steps for rung in RUNGS] == [None, 3, 2, 2, 2]
    assert [rung.picture_every for rung in RUNGS] == [1, 1, 1, 2, 2]
    assert [rung.gap_share for rung in RUNGS] == [0, 0, 0, 0, 0.5]


def test_a_generator_without_a_choice_of_steps_keeps_them() -> None:
    assert [rung.name for rung in rungs(())] == ["full", "half_rate", "drop"]
    assert all(rung.steps is None for rung in rungs(()))


def test_one_late_chunk_changes_nothing() -> None:
    state = run(LadderState(), late=True, load=1.2, times=1)
    assert run(state, late=False, load=0.5, times=10).rung == 0


def test_two_late_chunks_of_four_step_down_and_never_below_the_last() -> None:
    state = run(LadderState(), late=True, load=1.2, times=2)
    assert state.rung == 1
    assert run(state, late=True, load=1.2, times=50).rung == LAST


def test_a_fast_machine_that_was_held_up_gives_nothing_up() -> None:
    state = LadderState()
    for load in (0.2, 1.3, 0.1, 1.1, 0.2, 0.2) * 20:
        state = observe(state, is_late=load > 1, load=load, last_rung=LAST)
        assert state.rung == 0


def test_slack_for_long_steps_up_one_rung_at_a_time() -> None:
    state = LadderState(rung=3)
    assert run(state, late=False, load=0.5, times=CALM_TO_CLIMB - 1).rung == 3
    assert run(state, late=False, load=0.5, times=CALM_TO_CLIMB).rung == 2
    assert run(state, late=False, load=0.5, times=10 * CALM_TO_CLIMB).rung == 0


def test_a_slow_chunk_now_and_then_that_is_in_time_does_not_keep_a_room_down() -> None:
    state = LadderState(rung=1)
    for chunk in range(3 * CALM_TO_CLIMB):
        load = 0.9 if chunk % 4 == 0 else 0.6
        state = observe(state, is_late=False, load=load, last_rung=LAST)
    assert state.rung == 0


def test_chunks_in_time_without_slack_stay_where_they_are() -> None:
    assert run(LadderState(rung=2), late=False, load=0.9, times=1000).rung == 2


def test_a_climb_that_does_not_hold_is_tried_less_and_less_often() -> None:
    state, climbs = LadderState(rung=1), []
    for chunk in range(2000):
        before = state.rung
        load = 0.5 if state.rung else 1.2  # the upper rung is too slow for this machine
        state = observe(state, is_late=state.rung == 0, load=load, last_rung=LAST)
        if state.rung < before:
            climbs.append(chunk)
    waits = [b - a for a, b in pairwise(climbs)]
    assert waits == sorted(waits)
    assert waits[-1] > 5 * waits[0]


def test_a_climb_that_holds_is_forgiven() -> None:
    state = LadderState(rung=1, calm_to_climb=4 * CALM_TO_CLIMB)
    state = run(state, late=False, load=0.5, times=4 * CALM_TO_CLIMB)
    assert state.rung == 0
    state = run(state, late=False, load=0.5, times=4 * CALM_TO_CLIMB + 1)
    assert state.calm_to_climb == CALM_TO_CLIMB


@pytest.mark.parametrize("rung", range(LAST + 1))
def test_no_observation_leaves_the_ladder(rung: int) -> None:
    for late in (True, False):
        for load in (0.0, 0.74, 5.0):
            state = run(LadderState(rung=rung), late, load, 500)
            assert 0 <= state.rung <= LAST
