"""Rooms in virtual time: who comes, who goes, and how a room ends."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from engines.errors import DeviceError
from streamer.errors import Ended, InvalidInput, NotFound, SessionLimit
from streamer.rooms.events import EventKind
from streamer.rooms.room import Room
from streamer.rooms.settings import RoomSettings
from tests.streamer.rooms.stages import (
    SPEC,
    Theater,
    heard,
    house,
    mouths,
    now,
    pcm,
    play,
    read_on,
    ready,
)


def test_the_right_mouth_moves_with_its_own_sound() -> None:
    async def scene() -> None:
        async with house(Theater()) as registry:
            room = await ready(registry)
            viewer = room.add_viewer()
            bot = room.publish(1, kind="bot")
            await asyncio.sleep(0.1)
            bot.say(pcm(0.6), 16000)
            bot.segment_end()
            pictures = {number: (a, b) for number, a, b in await mouths(viewer, 40)}
            sounds = [await viewer.next_sound() for _ in range(25)]
            for sound in sounds:
                level = float(np.sqrt(np.mean((sound.samples / 32768.0) ** 2)))
                quiet, speaking = pictures[sound.frame]
                assert quiet == 0
                assert (speaking > 0.3) == (level > 0.1)

    play(scene)


def test_nobody_hears_their_own_seat() -> None:
    async def scene() -> None:
        async with house(Theater()) as registry:
            room = await ready(registry)
            mine, other = room.add_viewer(own_seat=0), room.add_viewer(own_seat=1)
            bot = room.publish(0, kind="bot")
            bot.say(pcm(1.0), 16000)
            bot.segment_end()
            await asyncio.sleep(1)
            assert not any([(await mine.next_sound()).samples.any() for _ in range(20)])
            assert any([(await other.next_sound()).samples.any() for _ in range(20)])

    play(scene)


@pytest.mark.parametrize("failure", [DeviceError("lost"), ValueError("bug"), MemoryError()])
def test_a_generator_that_fails_ends_its_own_room_alone(failure: BaseException) -> None:
    async def scene() -> None:
        theater = Theater()
        async with house(theater) as registry:
            bad, good = await ready(registry), await ready(registry)
            events = bad.events.subscribe(1000)
            lost, viewer = bad.add_viewer(), good.add_viewer()
            await asyncio.sleep(1)
            heard(events)
            theater.opened[0].failure = failure
            while viewer.waiting[0]:
                await viewer.next_picture()
            seen = await mouths(viewer, 50)
            assert [number for number, *_ in seen] == list(range(seen[0][0], seen[0][0] + 50))
            told = [event for event in heard(events) if event.kind is not EventKind.METRICS]
            assert [event.kind for event in told] == ["error", "closing", "ended"]
            assert told[0].data["code"] == "room_failed"
            assert told[-1].data == {"reason": "failed"}
            with pytest.raises(NotFound):
                registry.get(bad.id)
            with pytest.raises(Ended, match="failed"):
                await read_on(lost)
            with pytest.raises(Ended, match="failed"):
                bad.publish(0, kind="live")
            assert theater.opened[0].has_closed
            assert registry.rooms == (good,)

    play(scene)


def test_a_generator_that_breaks_its_form_ends_its_room() -> None:
    async def scene() -> None:
        theater = Theater()
        async with house(theater) as registry:
            room = await ready(registry)
            events = room.events.subscribe()
            theater.opened[0].frames_per_chunk = 3  # promised 4
            room.add_viewer()
            await asyncio.sleep(2)
            assert heard(events)[-1].data == {"reason": "failed"}

    play(scene)


def test_two_rooms_hear_and_show_nothing_of_each_other() -> None:
    async def scene() -> None:
        theater = Theater()
        async with house(theater) as registry:
            loud, quiet = await ready(registry), await ready(registry)
            loud.add_viewer()
            viewer = quiet.add_viewer()
            bot = loud.publish(0, kind="bot")
            bot.say(pcm(2.0), 16000)
            bot.segment_end()
            seen = await mouths(viewer, 50)
            assert all(a == b == 0 for _, a, b in seen)
            assert not any(audio.any() for audio in theater.opened[1].heard)
            assert any(audio.any() for audio in theater.opened[0].heard)

    play(scene)


def test_a_viewer_that_never_reads_costs_neither_memory_nor_the_others() -> None:
    async def scene() -> None:
        theater = Theater()
        async with house(theater) as registry:
            room = await ready(registry)
            deaf, viewer = room.add_viewer(), room.add_viewer()
            keys = 0
            for _ in range(500):
                keys += (await viewer.next_picture()).is_key
            assert max(deaf.waiting) <= 25
            assert deaf.drops.sounds > 400
            deaf.close()
            assert deaf.waiting == (0, 0)  # whoever still holds it holds nothing of the room
            assert keys < 5  # whoever does not read asks for nothing
            assert len(theater.encoders) == 1
            assert len(theater.encoders[0].frames) <= 502

    play(scene)


def test_one_encode_serves_every_viewer_of_a_codec() -> None:
    async def scene() -> None:
        theater = Theater()
        async with house(theater) as registry:
            room = await ready(registry)
            viewers = [room.add_viewer() for _ in range(100)]
            with pytest.raises(SessionLimit, match="100 viewers is the limit"):
                room.add_viewer()
            await asyncio.sleep(1)
            assert len(theater.encoders[0].frames) <= 28
            first = [await viewer.next_picture() for viewer in viewers]
            assert all(picture.is_key for picture in first)
            assert len({id(picture.payload) for picture in first}) == 1
            for viewer in viewers:
                viewer.close()
                viewer.close()
            assert room.viewers == 0

    play(scene)


def test_the_bitrate_follows_the_slower_viewers() -> None:
    async def scene() -> None:
        theater = Theater()
        async with house(theater) as registry:
            room = await ready(registry)
            viewers = [room.add_viewer() for _ in range(3)]
            for viewer, bitrate in zip(viewers, (400_000, 900_000, 5_000_000), strict=True):
                viewer.report_bitrate(bitrate)
            await asyncio.sleep(3)
            assert theater.encoders[0].bitrates[-1] == 400_000

    play(scene)


def test_a_full_house_says_when_to_come_back_also_while_rooms_open() -> None:
    async def scene() -> None:
        async with house(Theater(), RoomSettings(most_rooms=2)) as registry:
            opening = [asyncio.create_task(registry.create(SPEC)) for _ in range(5)]
            done = await asyncio.gather(*opening, return_exceptions=True)
            assert [isinstance(each, Room) for each in done] == [True] * 2 + [False] * 3
            refused = done[-1]
            assert isinstance(refused, SessionLimit)
            assert refused.retry_after_s > 0
            assert registry.is_full
            await registry.end(registry.rooms[0].id)
            assert not registry.is_full
            await registry.create(SPEC)

    play(scene)


def test_a_scene_that_does_not_open_leaves_nothing() -> None:
    async def scene() -> None:
        theater = Theater(failure=DeviceError("no such scene"))
        async with house(theater, RoomSettings(most_rooms=1)) as registry:
            for _ in range(3):
                with pytest.raises(DeviceError):
                    await registry.create(SPEC)
            theater.failure = None
            await ready(registry)

    play(scene)


def test_a_creation_that_is_cancelled_leaves_nothing() -> None:
    async def scene() -> None:
        theater = Theater()
        async with house(theater, RoomSettings(most_rooms=1)) as registry:
            creating = asyncio.create_task(registry.create(SPEC))
            await asyncio.sleep(0.01)
            creating.cancel()
            await asyncio.wait([creating])
            assert registry.rooms == ()
            assert not registry.is_full
            assert all(generator.has_closed for generator in theater.opened)

    play(scene)


def test_an_idle_room_warns_and_ends() -> None:
    async def scene() -> None:
        async with house(Theater(), RoomSettings(idle_s=60, warning_s=10)) as registry:
            room = await ready(registry)
            events = room.events.subscribe()
            await asyncio.sleep(61)
            told = [(event.kind, event.data.get("reason")) for event in heard(events)]
            assert told == [("warning", "idle"), ("closing", "idle"), ("ended", "idle")]
            assert registry.rooms == ()

    play(scene)


def test_a_long_room_warns_and_ends_whoever_is_there() -> None:
    async def scene() -> None:
        settings = RoomSettings(longest_s=10, idle_s=5, warning_s=2)
        async with house(Theater(), settings) as registry:
            room = await ready(registry)
            viewer, events = room.add_viewer(), room.events.subscribe(1000)
            room.publish(0, kind="live")
            await asyncio.sleep(10.5)
            warning, *_ = heard(events, EventKind.WARNING)
            assert warning.data["reason"] == "length"
            assert viewer.ended == "length"

    play(scene)


def test_draining_says_goodbye_everywhere_and_takes_nobody_new() -> None:
    async def scene() -> None:
        theater = Theater()
        async with house(theater) as registry:
            rooms = [await ready(registry) for _ in range(3)]
            events = [room.events.subscribe() for room in rooms]
            bot = rooms[0].publish(0, kind="bot")
            bot.say(pcm(5), 16000)
            start = now()
            await registry.drain(10)
            assert now() - start < 10
            for each in events:
                kinds = [event.kind for event in heard(each)]
                assert kinds[-2:] == ["closing", "ended"] or "closing" in kinds
                assert kinds[-1] == "ended"
            with pytest.raises(SessionLimit, match="about to stop"):
                await registry.create(SPEC)
            assert all(generator.has_closed for generator in theater.opened)
            with pytest.raises(Ended):
                bot.say(pcm(0.1), 16000)

    play(scene)


def test_a_prompt_reaches_the_generator_or_is_refused() -> None:
    async def scene() -> None:
        theater = Theater()
        async with house(theater) as registry:
            room = await ready(registry)
            events = room.events.subscribe()
            await room.set_prompt("they laugh")
            assert theater.opened[0].prompt == "they laugh"
            for wrong in ("", "   ", "x" * 2001):
                with pytest.raises(InvalidInput, match="1 to 2000 characters"):
                    await room.set_prompt(wrong)
            assert [event.data for event in heard(events)] == [{"prompt": "they laugh"}]
            await room.end("deleted")
            with pytest.raises(Ended):
                await room.set_prompt("too late")

    play(scene)


def test_there_are_no_other_seats_and_rooms() -> None:
    async def scene() -> None:
        async with house(Theater()) as registry:
            room = await ready(registry)
            for wrong in (-1, 2):
                with pytest.raises(NotFound, match=f"no seat {wrong}"):
                    room.publish(wrong, kind="live")
                with pytest.raises(NotFound):
                    room.add_viewer(own_seat=wrong)
            with pytest.raises(NotFound):
                await registry.end("nothing")
            with pytest.raises(Ended, match="nobody has it"):
                room.say(0, b"", 16000)

    play(scene)


def test_names_come_from_the_spec() -> None:
    async def scene() -> None:
        async with house(Theater()) as registry:
            room = await ready(registry, replace(SPEC, people_names=("Ada",)))
            assert [seat.name for seat in room.info().seats] == ["Ada", "person 2"]
            assert len(room.id) == 22

    play(scene)
