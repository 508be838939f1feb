"""Interruption in virtual time, read from pixels and samples."""

from __future__ import annotations

import asyncio

import numpy as np

from streamer.rooms.events import EventKind
from tests.streamer.rooms.stages import (
    Theater,
    heard,
    house,
    mouths,
    now,
    pcm,
    play,
    ready,
)


def test_barge_in_shuts_the_mouth_within_400_ms_ten_times_in_a_row() -> None:
    async def scene() -> None:
        async with house(Theater(price_s=0.1)) as registry:
            room = await ready(registry)
            viewer, events = room.add_viewer(), room.events.subscribe(5000)
            bot = room.publish(0, kind="bot")

            async def push() -> None:
                while True:  # ten times real time
                    bot.say(pcm(0.2), 16000)
                    await asyncio.sleep(0.02)

            pushing = asyncio.create_task(push())
            clears = []
            watched: list[tuple[float, float]] = []

            async def watch() -> None:
                while True:
                    ((_, opened, _),) = await mouths(viewer, 1)
                    watched.append((now(), opened))

            watching = asyncio.create_task(watch())
            for _ in range(10):
                await asyncio.sleep(1.5)
                assert bot.queued_s > 1
                bot.clear()
                clears.append(now())
            await asyncio.sleep(1.0)
            for task in (pushing, watching):
                task.cancel()
            await asyncio.wait([pushing, watching])
            for cleared in clears:
                shut = [at for at, opened in watched if at > cleared and opened == 0]
                assert min(shut) - cleared < 0.4
                again = [at for at, opened in watched if at > min(shut) and opened > 0.3]
                assert min(again) - cleared < 1.2  # and it goes on with what came after
            ended = heard(events, EventKind.SPEAK_ENDED)
            assert [event.data["segment"] for event in ended] == list(range(10))
            assert all(event.data["interrupted"] for event in ended)
            spoken = [int(str(event.data["position_ms"])) for event in ended]
            assert all(500 < position < 1500 for position in spoken)

    play(scene)


def test_sound_stops_with_the_very_next_frame_and_the_other_seat_goes_on() -> None:
    async def scene() -> None:
        async with house(Theater()) as registry:
            room = await ready(registry)
            first, second = room.add_viewer(own_seat=1), room.add_viewer(own_seat=0)
            bots = [room.publish(seat, kind="bot") for seat in (0, 1)]
            for bot in bots:
                bot.say(pcm(4.0), 16000)
                bot.segment_end()
            await asyncio.sleep(2.0)
            for viewer in (first, second):
                while viewer.waiting[1]:
                    await viewer.next_sound()
            bots[0].clear()
            await first.next_sound()  # 1 ms of it is still in the resampler
            silent = [(await first.next_sound()).samples.any() for _ in range(20)]
            assert not any(silent)
            loud = [np.abs((await second.next_sound()).samples).max() for _ in range(20)]
            assert min(loud) > 5000

    play(scene)


def test_a_storm_of_clears_does_not_stop_the_picture() -> None:
    async def scene() -> None:
        theater = Theater(price_s=0.1)
        async with house(theater) as registry:
            room = await ready(registry)
            room.add_viewer()
            bots = [room.publish(seat, kind="bot") for seat in (0, 1)]

            async def storm() -> None:
                while True:
                    for bot in bots:
                        bot.say(pcm(0.5), 16000)
                        await asyncio.sleep(0.03)
                        bot.clear()

            storming = asyncio.create_task(storm())
            await asyncio.sleep(10)
            storming.cancel()
            await asyncio.wait([storming])
            assert len(theater.encoders[0].frames) > 80

    play(scene)
