from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.media.pacing import (
    Pacing,
    due_frames,
    has_room,
    next_due,
    plan,
    shown_at,
    skipped_chunks,
)

PACING = Pacing(chunk_frames=8, look_ahead_samples=1280, margin=0.1)
pacings = st.builds(
    Pacing,
    chunk_frames=st.integers(1, 16),
    look_ahead_samples=st.integers(0, 3200),
    margin=st.floats(0, 0.5),
    most_chunks_ahead=st.integers(1, 3),
)


def test_the_delay_is_chunk_and_look_ahead_and_margin() -> None:
    assert PACING.delay == pytest.approx(0.32 + 0.08 + 0.1)


def test_a_chunk_waits_for_its_sound_and_not_longer() -> None:
    assert next_due(PACING, 0.0, made=0, shown=0) == pytest.approx(0.4)
    assert next_due(PACING, 0.4, made=0, shown=0) == 0
    assert next_due(PACING, 0.5, made=8, shown=1) == pytest.approx(0.22)


def test_generation_never_runs_more_than_two_chunks_ahead_of_the_viewers() -> None:
    assert has_room(PACING, made=8, shown=0)
    assert not has_room(PACING, made=16, shown=7)
    assert next_due(PACING, 100.0, made=16, shown=7) == math.inf


@given(pacing=pacings, frame=st.integers(0, 10_000_000))
def test_a_frame_counts_as_due_from_its_moment_on(pacing: Pacing, frame: int) -> None:
    moment = shown_at(pacing, frame)
    assert due_frames(pacing, moment + 1e-6) == frame + 1
    assert due_frames(pacing, moment - 1e-6) == frame


@given(
    pacing=pacings,
    work=st.lists(st.floats(0.0, 1.5), min_size=5, max_size=40),
)
def test_whatever_the_work_takes_the_delay_never_grows(pacing: Pacing, work: list[float]) -> None:
    now, made, shown = 0.0, 0, 0
    for seconds in work:
        step = plan(pacing, now, made, shown)
        if math.isinf(step.wait):
            now = max(now, shown_at(pacing, made - 1))
            shown = min(made, due_frames(pacing, now))
            continue
        now += step.wait
        made += skipped_chunks(pacing, now, made) * pacing.chunk_frames
        now += seconds
        made += pacing.chunk_frames
        shown += plan(pacing, now, made, shown).overdue_frames
        shown = max(shown, min(made, due_frames(pacing, now)))
        assert made - shown <= pacing.most_chunks_ahead * pacing.chunk_frames
        # What is made next is never older than one chunk and the work on this one.
        assert plan(pacing, now, made, shown).late <= seconds + pacing.chunk_seconds + 1e-6


def test_overdue_frames_are_left_out_but_for_the_newest() -> None:
    step = plan(PACING, shown_at(PACING, 5), made=8, shown=2)
    assert step.overdue_frames == 3  # 2, 3 and 4; frame 5 is on now


def test_a_room_that_slept_takes_its_place_again() -> None:
    assert skipped_chunks(PACING, shown_at(PACING, 8), made=8) == 0
    late = shown_at(PACING, 8) + 100.0
    skipped = skipped_chunks(PACING, late, made=8)
    assert 0 <= late - shown_at(PACING, 8 + 8 * skipped) < PACING.chunk_seconds


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="chunks of 1 frame"):
        Pacing(chunk_frames=0, look_ahead_samples=0, margin=0)
    with pytest.raises(ValueError, match="one chunk ahead"):
        Pacing(chunk_frames=1, look_ahead_samples=0, margin=0, most_chunks_ahead=0)
