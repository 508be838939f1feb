"""The generation thread itself, and whole rooms on real threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from streamer.errors import Ended
from streamer.media.null_generator import NullChunk, NullGenerator
from streamer.rooms.events import EventKind
from streamer.rooms.lane import ThreadLane
from streamer.rooms.opening import Opened, RoomSpec
from streamer.rooms.registry import RoomRegistry
from streamer.rooms.settings import RoomSettings
from tests.streamer.rooms.stages import pcm

PATIENCE_S = 20.0  # a slow machine; nothing here takes it by design


async def until(is_so: Callable[[], bool]) -> None:
    """Look again and again: a thread tells nobody what it does."""
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():  # noqa: ASYNC110  (there is no event to wait for)
            await asyncio.sleep(0.001)


def test_work_runs_on_one_thread_and_what_it_raises_comes_back_to_its_caller() -> None:
    def bad() -> None:
        raise ZeroDivisionError

    async def scene() -> None:
        lane = ThreadLane()
        names = await asyncio.gather(
            *(lane.run(0, lambda: threading.current_thread().name) for _ in range(5))
        )
        assert set(names) == {"generation"}
        with pytest.raises(ZeroDivisionError):
            await lane.run(0, bad)
        assert await lane.run(0, lambda: 7) == 7
        await lane.close()
        with pytest.raises(Ended):
            await lane.run(0, lambda: 7)

    asyncio.run(scene())


def test_what_is_due_first_runs_first() -> None:
    async def scene() -> None:
        lane, gate, done = ThreadLane(), threading.Event(), list[float]()

        def note(due: float) -> Callable[[], None]:
            return lambda: done.append(due)

        first = asyncio.create_task(lane.run(0.0, lambda: gate.wait(PATIENCE_S)))
        await until(lambda: lane.busy_s() > 0)
        rest = [asyncio.create_task(lane.run(due, note(due))) for due in (5.0, 1.0, 3.0, 1.0)]
        await asyncio.sleep(0.01)
        assert lane.waiting == 4
        assert lane.busy_s() > 0
        gate.set()
        await asyncio.gather(first, *rest)
        assert done == [1.0, 1.0, 3.0, 5.0]
        await lane.close()

    asyncio.run(scene())


def test_cancelled_work_does_not_run_unless_it_had_begun_and_then_it_lands() -> None:
    async def scene() -> None:
        lane, gate, done = ThreadLane(), threading.Event(), list[str]()

        def running() -> None:
            gate.wait(PATIENCE_S)
            done.append("running")

        first = asyncio.create_task(lane.run(0, running))
        second = asyncio.create_task(lane.run(1, lambda: done.append("waiting")))
        await until(lambda: lane.busy_s() > 0)
        second.cancel()
        first.cancel()
        await asyncio.wait([second])
        assert not first.done()
        gate.set()
        await asyncio.wait([first])
        assert first.cancelled()
        assert done == ["running"]
        await lane.close()
        assert done == ["running"]

    asyncio.run(scene())


def test_closing_refuses_what_waits() -> None:
    async def scene() -> None:
        lane, gate = ThreadLane(), threading.Event()
        running = asyncio.create_task(lane.run(0, lambda: gate.wait(PATIENCE_S)))
        await until(lambda: lane.busy_s() > 0)
        waiting = asyncio.create_task(lane.run(0, lambda: None))
        await asyncio.sleep(0)
        closing = asyncio.create_task(lane.close())
        with pytest.raises(Ended):
            await waiting
        gate.set()
        await closing
        assert await running

    asyncio.run(scene())


class HangingGenerator(NullGenerator):
    """Stops for good in its third chunk."""

    def __init__(self, gate: threading.Event) -> None:
        super().__init__(1, (64, 64), 4, 1280)
        self._gate = gate
        self._left = 3

    def make_chunk(self, steps: int | None = None) -> NullChunk:
        self._left -= 1
        if not self._left:
            self._gate.wait(PATIENCE_S)
        return super().make_chunk(steps)


def test_a_generator_that_hangs_does_not_keep_the_server_from_stopping() -> None:
    gate = threading.Event()

    async def scene() -> None:
        opened = Opened(generator=HangingGenerator(gate))
        async with RoomRegistry(lambda _: opened, RoomSettings()) as registry:
            room = await registry.create(RoomSpec(scene="any"))
            room.add_viewer()
            await until(lambda: room.info().chunks == 2 and registry.lane.busy_s() > 0.05)
            events = room.events.subscribe()
            await registry.drain(1.0)
            kinds = [event.kind async for event in events]
            assert kinds[0] == "closing"
            assert kinds[-1] == "ended"

    asyncio.run(scene())
    gate.set()


def test_a_room_on_real_threads_speaks_records_and_ends(tmp_path: Path) -> None:
    async def scene() -> str:
        settings = RoomSettings(recording_folder=tmp_path)
        opened = Opened(generator=NullGenerator(2, (96, 64), 4, 1280))
        async with RoomRegistry(lambda _: opened, settings) as registry:
            room = await registry.create(RoomSpec(scene="any", is_recorded=True))
            viewer, events = room.add_viewer(), room.events.subscribe(1000)
            bot = room.publish(1, kind="bot")
            bot.say(pcm(1.0, 24000), 24000)
            bot.segment_end()
            first = await viewer.next_picture()
            assert first.is_key
            decoder = av.CodecContext.create("vp8", "r")
            assert decoder.decode(av.Packet(first.payload))
            async for event in events:
                if event.kind is EventKind.SPEAK_ENDED:
                    break
            assert event.data["interrupted"] is False
            await registry.drain(PATIENCE_S)
            return room.id

    before = set(threading.enumerate())  # servers of other tests may run in this process
    room_id = asyncio.run(scene())
    with av.open(str(tmp_path / f"{room_id}.mp4")) as file:
        assert len(list(file.decode(video=0))) >= 20
    begun = set(threading.enumerate()) - before
    for thread in [each for each in begun if each.name == "generation"]:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
