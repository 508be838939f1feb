from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.media.types import SAMPLES_PER_FRAME
from streamer.rooms.segments import Block, Segment
from streamer.rooms.timeline import Timeline
from streamer.rooms.voice_line import MOST_EXCESS, MOST_LIVE, VoiceLine

LOOK_AHEAD = 1280
CHUNK = 4


def ramp(count: int, start: int = 0) -> NDArray[np.float32]:
    return np.asarray((np.arange(start, start + count) % 5000 + 1) / 6000, np.float32)


def loud(count: int) -> Block:
    return Block(np.full(count, 0.5, np.float32), None, 0.0)


def said(count: int, segment: Segment) -> Block:
    segment.queued += count
    return Block(ramp(count), segment, None)


def test_what_is_queued_in_pieces_leaves_in_order_and_whole() -> None:
    timeline = Timeline(1)
    whole = ramp(16 * SAMPLES_PER_FRAME)
    segment = Segment(0, is_ended=True)
    for piece in np.array_split(whole, 37):
        timeline.lines[0].push(Block(piece, segment, None))
    timeline.extend(16, LOOK_AHEAD)
    left = np.concatenate([timeline.leave().voices[0] for _ in range(16)])
    np.testing.assert_array_equal(left, whole)


def test_a_line_that_begins_with_too_little_gets_its_distance() -> None:
    line = VoiceLine()
    line.push(loud(100))
    line.prepare(3840, 0)
    assert line.queued == 3840
    taken = np.concatenate([block.samples for block in line.take(3840)])
    assert not taken[:3740].any()
    assert (taken[3740:] == 0.5).all()


def test_a_short_thing_that_is_whole_is_said_at_once() -> None:
    line, segment = VoiceLine(), Segment(0, is_ended=True)
    line.push(said(100, segment))
    line.prepare(3840, 0)
    assert line.queued == 100


def test_a_live_voice_that_is_much_too_late_is_cut_and_counted() -> None:
    line = VoiceLine()
    line.is_live = True
    line.push(loud(3840))
    line.prepare(3840, 0)
    line.push(loud(MOST_EXCESS + 1))
    line.prepare(3840, 0)
    assert line.queued == 3840
    assert line.dropped == MOST_EXCESS + 1


def test_a_live_voice_that_is_a_little_late_loses_only_silence() -> None:
    line = VoiceLine()
    line.is_live = True
    line.push(loud(3840))
    line.prepare(3840, 0)
    line.push(loud(1000))
    line.prepare(3840, 0)
    assert line.dropped == 0
    line.take(3840)
    line.take(1000)
    line.push(Block(np.zeros(1000, np.float32), None, 0.0))
    line.push(loud(3840))
    line.prepare(3840, 0)
    assert (line.queued, line.dropped) == (3840, 1000)


def test_what_was_heard_ahead_stays_when_a_late_voice_is_cut() -> None:
    line = VoiceLine()
    line.is_live = True
    line.push(Block(ramp(10_000), None, 0.0))
    line.prepare(10_000, 0)
    line.prepare(3840, 1280)
    taken = np.concatenate([block.samples for block in line.take(3840)])
    np.testing.assert_array_equal(taken[:1280], ramp(1280))
    np.testing.assert_array_equal(taken[1280 + 80 :], ramp(10_000)[-3840 + 1280 + 80 :])


def test_what_was_heard_as_silence_stays_silent() -> None:
    timeline = Timeline(1)
    stop = CHUNK * SAMPLES_PER_FRAME + LOOK_AHEAD
    timeline.extend(CHUNK, LOOK_AHEAD)
    assert not timeline.hear(0, stop).any()
    timeline.lines[0].push(said(20_000, Segment(0)))
    timeline.extend(2 * CHUNK, LOOK_AHEAD)
    sound = timeline.hear(CHUNK * SAMPLES_PER_FRAME, 2 * CHUNK * SAMPLES_PER_FRAME)[0]
    assert not sound[:LOOK_AHEAD].any()
    np.testing.assert_array_equal(sound[LOOK_AHEAD:], ramp(20_000)[: len(sound) - LOOK_AHEAD])


def test_speech_is_never_cut() -> None:
    line, segment = VoiceLine(), Segment(0)
    line.push(said(100_000, segment))
    for _ in range(5):
        line.prepare(3840, 0)
    assert (line.queued, line.dropped) == (100_000, 0)


def test_a_live_voice_that_nobody_takes_keeps_its_newest_two_seconds() -> None:
    line = VoiceLine()
    line.is_live = True
    for _ in range(100):
        line.push(loud(1600))
    assert line.queued <= MOST_LIVE
    assert line.queued + line.dropped == 160_000


def test_what_is_heard_ahead_is_what_leaves_later() -> None:
    timeline = Timeline(2)
    segment = Segment(0)
    timeline.lines[1].push(said(20_000, segment))
    timeline.extend(CHUNK, LOOK_AHEAD)
    stop = CHUNK * SAMPLES_PER_FRAME + LOOK_AHEAD
    heard = timeline.hear(0, stop)
    timeline.extend(2 * CHUNK, LOOK_AHEAD)
    left = np.concatenate([timeline.leave().voices for _ in range(2 * CHUNK)], axis=1)
    np.testing.assert_array_equal(heard, left[:, :stop])
    assert not heard[0].any()


def test_hush_takes_one_voice_and_leaves_the_others() -> None:
    timeline = Timeline(2)
    for line in timeline.lines:
        line.push(loud(10_000))
    timeline.extend(CHUNK, LOOK_AHEAD)
    dropped = timeline.hush(0)
    assert dropped == 10_000
    frame = timeline.leave()
    assert not frame.voices[0].any()
    assert frame.voices[1].all()
    assert frame.blocks[0] == ()


def test_silence_that_was_ordered_keeps_what_is_said_for_later() -> None:
    timeline = Timeline(1)
    timeline.be_silent_until(0, 3)
    segment = Segment(0)
    timeline.lines[0].push(said(10 * SAMPLES_PER_FRAME, segment))
    timeline.extend(CHUNK, LOOK_AHEAD)
    heard = timeline.hear(0, CHUNK * SAMPLES_PER_FRAME)[0]
    assert not heard[: 3 * SAMPLES_PER_FRAME].any()
    np.testing.assert_array_equal(heard[3 * SAMPLES_PER_FRAME :], ramp(SAMPLES_PER_FRAME))


def test_the_look_ahead_keeps_to_ordered_silence_too() -> None:
    timeline = Timeline(1)
    timeline.be_silent_until(0, CHUNK + 1)
    timeline.lines[0].push(said(10 * SAMPLES_PER_FRAME, Segment(0)))
    timeline.extend(CHUNK, LOOK_AHEAD)
    assert not timeline.hear(0, CHUNK * SAMPLES_PER_FRAME + LOOK_AHEAD).any()


def test_frames_that_nobody_ordered_leave_silence_until_the_line_is_prepared() -> None:
    timeline = Timeline(1)
    timeline.lines[0].push(said(SAMPLES_PER_FRAME, Segment(0)))
    assert not timeline.leave().voices.any()
    timeline.extend(2, 0)
    assert timeline.leave().voices.any()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6000), st.booleans()), max_size=30),
    st.integers(1, 8),
    st.integers(0, 2000),
)
def test_what_the_generator_hears_is_what_leaves(
    pushes: list[tuple[int, int, bool]], chunk: int, look_ahead: int
) -> None:
    look_ahead = min(look_ahead, chunk * SAMPLES_PER_FRAME)
    timeline, segments = Timeline(2), [Segment(0), Segment(1)]
    timeline.lines[1].is_live = True
    heard, left = [], []
    for order, (seat, count, is_ended) in enumerate(pushes):
        if seat == 0:
            timeline.lines[0].push(said(count, segments[0]))
            segments[0].is_ended = is_ended
        else:
            timeline.lines[1].push(Block(ramp(min(count, 4000)), None, 0.0))
        end = (order + 1) * chunk
        timeline.extend(end, look_ahead)
        first = order * chunk * SAMPLES_PER_FRAME
        fresh = timeline.hear(first, end * SAMPLES_PER_FRAME + look_ahead)
        heard.append(fresh if not order else fresh[:, look_ahead:])
        left += [timeline.leave().voices for _ in range(chunk)]
    if pushes:
        said_all = np.concatenate(left, axis=1)
        np.testing.assert_array_equal(
            np.concatenate(heard, axis=1)[:, : said_all.shape[1]], said_all
        )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("push"), st.integers(0, 1), st.integers(0, 4000)),
            st.tuples(st.just("extend"), st.integers(1, 6), st.just(0)),
            st.tuples(st.just("leave"), st.just(0), st.just(0)),
            st.tuples(st.just("hush"), st.integers(0, 1), st.just(0)),
        ),
        max_size=40,
    )
)
def test_every_spoken_sample_leaves_once_or_is_counted_as_dropped(
    steps: list[tuple[str, int, int]],
) -> None:
    timeline, segments = Timeline(2), [Segment(0), Segment(1)]
    pushed, left, dropped = [0, 0], [0, 0], [0, 0]
    for what, number, count in steps:
        if what == "push":
            timeline.lines[number].push(said(count, segments[number]))
            pushed[number] += count
        elif what == "extend":
            timeline.extend(timeline.end + number, LOOK_AHEAD)
        elif what == "hush":
            blocks = [b for f in timeline._frames for b in f.blocks[number]]
            blocks += timeline.lines[number]._blocks
            dropped[number] += sum(len(b.samples) for b in blocks if b.segment)
            timeline.hush(number)
        else:
            frame = timeline.leave()
            assert frame.voices.shape == (2, SAMPLES_PER_FRAME)
            for seat, blocks_of in enumerate(frame.blocks):
                left[seat] += sum(len(b.samples) for b in blocks_of if b.segment)
    waiting = [
        sum(len(b.samples) for f in timeline._frames for b in f.blocks[n] if b.segment)
        + sum(len(b.samples) for b in timeline.lines[n]._blocks if b.segment)
        for n in range(2)
    ]
    for n in range(2):
        assert pushed[n] == left[n] + dropped[n] + waiting[n]


@pytest.mark.parametrize("count", [0, 1, 639, 640, 641, 5000])
def test_peek_changes_nothing_and_take_gives_the_same(count: int) -> None:
    line = VoiceLine()
    line.push(said(1000, Segment(0, is_ended=True)))
    line.push(said(700, Segment(1, is_ended=True)))
    line.prepare(1, 0)
    seen = line.peek(count)
    taken = [block.samples for block in line.take(count)]
    whole = np.concatenate([*taken, np.zeros(count, np.float32)])[:count]
    np.testing.assert_array_equal(seen, whole)
