from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.conversation import Turn
from streamer.demo import HOLDER, babble, open_demo, talk
from streamer.errors import SeatTaken
from streamer.media.null_generator import NullGenerator
from streamer.rooms.opening import Opened, RoomSpec
from streamer.rooms.registry import RoomRegistry
from streamer.rooms.settings import RoomSettings


def open_null(_spec: RoomSpec) -> Opened:
    return Opened(generator=NullGenerator(2, (64, 32), 4, 1280))


def tone(seconds: float) -> NDArray[np.float32]:
    return np.full(int(16000 * seconds), 0.3, np.float32)


async def until(check: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not check():  # noqa: ASYNC110  # seats have no event for it
            await asyncio.sleep(0.02)


def test_people_speak_in_turn_and_a_visitor_takes_a_seat_in_mid_sentence() -> None:
    async def played() -> None:
        async with RoomRegistry(open_null, RoomSettings()) as registry:
            room = await open_demo(registry, "null", has_badge=False)
            turns = (Turn(0, tone(0.2)), Turn(3, tone(5.0)), Turn(0, tone(0.2)))
            talking = asyncio.create_task(talk(room, turns))
            await until(lambda: room.seats[0].queued_s > 0)
            await asyncio.sleep(1.5)
            assert room.seats[1].holder is None, "nobody watches: the first waits with what it says"
            room.add_viewer()
            await until(lambda: room.seats[1].holder == HOLDER)
            assert room.seats[0].holder == HOLDER
            assert all(seat.is_free for seat in room.seats)

            visitor = room.publish(1, kind="live", holder="anna")
            assert room.seats[1].holder == "anna"
            assert not room.seats[1].is_free
            with pytest.raises(SeatTaken):
                room.publish(1, kind="live", holder="bea")
            await asyncio.sleep(0.3)
            assert not talking.done()
            assert room.seats[1].queued_s == 0, "what the demo was saying is gone"

            visitor.close()
            await until(lambda: room.seats[1].holder == HOLDER, 20)
            talking.cancel()
            await asyncio.gather(talking, return_exceptions=True)

    asyncio.run(played())


def test_the_demo_ends_with_its_room() -> None:
    async def played() -> None:
        async with RoomRegistry(open_null, RoomSettings()) as registry:
            room = await open_demo(registry, "null", has_badge=False)
            talking = asyncio.create_task(talk(room, [Turn(0, tone(0.1))]))
            await until(lambda: room.seats[0].holder == HOLDER)
            await room.end("deleted")
            await asyncio.wait_for(talking, 5)

    asyncio.run(played())


def test_voices_without_words_differ_and_are_in_range() -> None:
    first, second = babble(0, 0), babble(1, 0)
    assert first.dtype == np.float32
    assert np.abs(first).max() <= 1
    assert not np.allclose(first, second)
