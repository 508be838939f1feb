from __future__ import annotations

import numpy as np
import pytest

from streamer.media.null_generator import NullChunk
from streamer.rooms.ladder import rungs
from streamer.rooms.lead import Lead
from streamer.rooms.production import Order, Production
from streamer.rooms.segments import Block
from streamer.rooms.timeline import Timeline

CHUNK, LOOK_AHEAD = 4, 1280


def production() -> Production:
    return Production(
        timeline=Timeline(2),
        frames_per_chunk=CHUNK,
        look_ahead=LOOK_AHEAD,
        rungs=rungs(()),
        lead=Lead(chunk_s=0.16),
    )


def chunk_for(order: Order) -> NullChunk:
    """Make pictures that say which frame they were made for."""
    frames = np.zeros((CHUNK, 2, 2, 3), np.uint8)
    frames += np.arange(order.start, order.start + CHUNK, dtype=np.uint8)[:, None, None, None]
    return NullChunk(
        frames=frames, audio=order.feed, position=0, missing_samples=(0, 0), parts_ms={}
    )


def speak(room: Production, seat: int, seconds: float) -> None:
    samples = np.full(round(seconds * 16000), 0.5, np.float32)
    room.timeline.lines[seat].push(Block(samples, None, None))


def test_a_cleared_seat_takes_its_finished_pictures_with_it() -> None:
    room = production()
    speak(room, 0, 5)
    room.deliver(chunk_for(room.next_order(9.9)), 10.0)
    room.run(10.0)
    assert room.leave(10.0) is not None
    assert room.clear(0) > 0
    assert len(room.pictures) == 0
    departure = room.leave(10.04)
    assert departure is not None
    assert departure.picture is None
    assert not departure.voices.any()
    assert room.dropped.cleared == CHUNK - 1


def test_pictures_in_which_the_cleared_seat_is_silent_stay() -> None:
    room = production()
    speak(room, 1, 5)
    room.run(10.0)
    room.deliver(chunk_for(room.next_order(10.0)), 10.0)
    room.clear(0)
    assert len(room.pictures) == CHUNK


def test_the_chunk_after_a_clear_listens_whatever_is_said_meanwhile() -> None:
    room = production()
    speak(room, 0, 5)
    room.run(10.0)
    room.next_order(10.0)
    room.clear(0)  # while it is made
    speak(room, 0, 5)
    assert room.order is not None
    assert room.deliver(chunk_for(room.order), 10.05) == 0
    listening = room.next_order(10.05)
    assert 0 in listening.hushed
    assert 0 not in listening.voiced
    assert room.deliver(chunk_for(listening), 10.1) > 0
    assert 0 in room.next_order(10.1).voiced


def test_a_picture_never_leaves_before_or_after_its_frame() -> None:
    room = production()
    room.run(0.0)
    shown, clock = [], 0.0
    for took in (0.02, 0.1, 0.3, 0.05, 0.5, 0.01, 0.16, 0.02):
        order = room.next_order(clock)
        clock += took
        while (departure := room.leave(clock)) is not None:
            if departure.picture is not None:
                shown.append((departure.number, int(departure.picture[0, 0, 0])))
        is_all_late = room.timeline.first >= order.start + CHUNK
        room.deliver(chunk_for(order), clock)
        if is_all_late:  # the one exception: its last picture is shown all the same
            room.pictures.clear()
    assert shown
    assert [made for _, made in shown] == [number for number, _ in shown]


def test_a_process_that_slept_starts_its_clock_anew() -> None:
    room = production()
    room.run(0.0)
    assert room.leave(100.0) is not None
    assert room.leave(100.0) is None
    assert room.due(room.timeline.first) == pytest.approx(100.04)


def test_a_chunk_that_nobody_ordered_is_our_own_mistake() -> None:
    room = production()
    order = room.next_order(0.0)
    room.deliver(chunk_for(order), 0.1)
    with pytest.raises(RuntimeError, match="nothing was ordered"):
        room.deliver(chunk_for(order), 0.1)
