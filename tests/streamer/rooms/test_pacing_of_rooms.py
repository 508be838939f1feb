"""Rooms on quick and on slow machines, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from streamer.rooms.events import EventKind
from tests.streamer.rooms.stages import (
    Theater,
    heard,
    house,
    mouths,
    now,
    pcm,
    play,
    read_on,
    ready,
    talk,
    tone,
)


def test_a_viewer_sees_every_frame_in_order_and_in_time() -> None:
    async def scene() -> None:
        async with house(Theater()) as registry:
            room = await ready(registry)
            viewer = room.add_viewer()
            start = now()
            seen = await mouths(viewer, 100)
            assert [number for number, *_ in seen] == list(range(100))
            assert now() - start == pytest.approx(99 / 25, abs=0.001)
            sounds = [(await viewer.next_sound()) for _ in range(25)]
            assert [sound.pts // 1920 for sound in sounds] == list(range(75, 100))

    play(scene)


def test_nothing_is_generated_while_nobody_watches() -> None:
    async def scene() -> None:
        theater = Theater()
        async with house(theater) as registry:
            room = await ready(registry)
            await asyncio.sleep(20)
            assert len(theater.opened[0].steps) == 1
            assert room.state == "idle"
            viewer = room.add_viewer()
            await asyncio.sleep(2)
            assert room.state == "live"
            viewer.close()
            await asyncio.sleep(1)
            made = len(theater.opened[0].steps)
            await asyncio.sleep(20)
            assert len(theater.opened[0].steps) == made

    play(scene)


@pytest.mark.parametrize("price_s", [0.0, 0.02, 0.1, 0.15, 0.3, 1.0])
def test_generation_is_never_more_than_two_chunks_ahead(price_s: float) -> None:
    async def scene() -> None:
        async with house(Theater(price_s)) as registry:
            room = await ready(registry)
            room.add_viewer()
            for _ in range(500):
                await asyncio.sleep(0.013)
                assert room.info().ready_frames <= 8

    play(scene)


def test_a_live_voice_leaves_after_a_chunk_its_look_ahead_and_the_lead() -> None:
    async def scene() -> None:
        async with house(Theater(price_s=0.1)) as registry:
            room = await ready(registry)
            room.add_viewer()
            await talk(room, 0, 20)
            latency = registry.measures.mic_to_send_s
            assert latency.count > 400
            # 160 ms of chunk, 80 of look-ahead, 100 to make it, 20 of margin, 20 of a packet
            assert latency.quantile(0.95) <= 0.4
            assert registry.measures.live_samples_dropped < 0.1 * 16000

    play(scene)


def test_a_stall_of_the_microphone_leaves_no_lasting_delay() -> None:
    async def scene() -> None:
        async with house(Theater(price_s=0.05)) as registry:
            room = await ready(registry)
            room.add_viewer()
            voice = room.publish(0, kind="live", holder="mic")
            measured: list[float] = []
            for index in range(500):
                await asyncio.sleep(0.02)
                if index == 200:
                    await asyncio.sleep(2.0)
                    voice.push(tone(2.0))  # all that was held up arrives at once
                voice.push(tone(0.02))
                if index in (200, 325, 499):
                    measured.append(registry.measures.mic_to_send_s.total)
                    measured.append(registry.measures.mic_to_send_s.count)
            before = measured[0] / measured[1]
            after = (measured[4] - measured[2]) / (measured[5] - measured[3])
            assert after <= before + 0.12

    play(scene)


def test_rooms_share_the_engine_in_fair_turns() -> None:
    async def scene() -> None:
        theater = Theater(price_s=0.06)  # four rooms need 240 ms of every 160
        async with house(theater) as registry:
            rooms = [await ready(registry) for _ in range(4)]
            for room in rooms:
                room.add_viewer()
                await asyncio.sleep(0.03)
            await asyncio.sleep(12)
            made = [room.info().chunks for room in rooms]
            assert max(made) - min(made) <= 0.15 * max(made)
            assert all(room.info().rung != "full" for room in rooms)

    play(scene)


def test_a_slow_machine_gives_up_steps_then_frame_rate_and_frames_but_no_sound() -> None:
    async def scene() -> None:
        theater = Theater(price_s=0.05)
        async with house(theater) as registry:
            room = await ready(registry)
            viewer, events = room.add_viewer(), room.events.subscribe(5000)
            reading = asyncio.create_task(read_on(viewer))
            talking = asyncio.create_task(talk(room, 0, 30))
            await asyncio.sleep(5)
            theater.price_s = 0.22  # for 160 ms
            await asyncio.sleep(10)
            before = registry.measures.mic_to_send_s
            total, count = before.total, before.count
            await asyncio.sleep(10)
            latency = (before.total - total) / (before.count - count)
            assert latency < 2 * 0.16 + 0.08 + 0.04 + 0.12
            rungs = [event.data["rung"] for event in heard(events, EventKind.RUNG_CHANGED)]
            assert rungs[:4] == ["steps_3", "steps_2", "half_rate", "drop"]
            assert set(theater.opened[0].steps) == {None, 3, 2}
            dropped = registry.measures.frames_dropped
            assert dropped["behind"] > 0
            assert dropped["half_rate"] > 0
            assert viewer.drops.sounds == 0
            for task in (talking, reading):
                task.cancel()
            await asyncio.wait([talking, reading])

    play(scene)


def test_a_machine_that_is_far_too_slow_still_shows_a_picture_now_and_then() -> None:
    async def scene() -> None:
        async with house(Theater(price_s=1.0)) as registry:
            room = await ready(registry)
            viewer = room.add_viewer()
            bot = room.publish(0, kind="bot")
            bot.say(pcm(20), 16000)
            reading = asyncio.create_task(read_on(viewer))
            await asyncio.sleep(20)
            assert registry.measures.frames_sent > 8
            reading.cancel()
            await asyncio.wait([reading])

    play(scene)


def test_the_ladder_is_climbed_again_when_the_machine_is_free() -> None:
    async def scene() -> None:
        theater = Theater(price_s=0.22, step_counts=())
        async with house(theater) as registry:
            room = await ready(registry)
            room.add_viewer()
            await asyncio.sleep(3)
            assert room.info().rung == "drop"
            theater.price_s = 0.05
            await asyncio.sleep(16)
            assert room.info().rung == "full"

    play(scene)
