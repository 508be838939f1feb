"""Seats in virtual time: what is said, by whom, and what is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import pytest

from streamer.errors import Ended, InvalidInput, QueueFull, SeatTaken
from streamer.rooms.events import EventKind
from streamer.rooms.settings import RoomSettings
from tests.streamer.rooms.stages import (
    Theater,
    heard,
    house,
    pcm,
    play,
    ready,
    tone,
)


def test_what_is_said_is_heard_whole_and_told_once() -> None:
    async def scene() -> None:
        async with house(Theater()) as registry:
            room = await ready(registry)
            viewer, events = room.add_viewer(), room.events.subscribe(1000)
            bot = room.publish(0, kind="bot")
            bot.say(pcm(1.0), 16000)
            bot.segment_end()
            samples = [(await viewer.next_sound()).samples for _ in range(60)]
            loud = np.concatenate(samples)
            assert np.count_nonzero(np.abs(loud) > 1000) / 48000 == pytest.approx(0.93, abs=0.05)
            told = heard(events, EventKind.SPEAK_STARTED, EventKind.SPEAK_ENDED)
            assert [event.kind for event in told] == ["speak_started", "speak_ended"]
            assert told[1].data == {"segment": 0, "position_ms": 1000, "interrupted": False}
            assert told[1].at_ms - told[0].at_ms == pytest.approx(1000, abs=41)

    play(scene)


@pytest.mark.parametrize("rate", [16000, 24000, 48000])
def test_speech_of_every_rate_keeps_its_length(rate: int) -> None:
    async def scene() -> None:
        async with house(Theater()) as registry:
            room = await ready(registry)
            room.add_viewer()
            events = room.events.subscribe(1000)
            bot = room.publish(0, kind="bot")
            data = pcm(0.5, rate)
            for start in range(0, len(data), 999):  # odd: a sample split between messages
                bot.say(data[start : start + 999], rate)
            bot.segment_end()
            await asyncio.sleep(2)
            (ended,) = heard(events, EventKind.SPEAK_ENDED)
            assert ended.data["position_ms"] == pytest.approx(500, abs=1)

    play(scene)


def test_speech_waits_for_somebody_who_watches() -> None:
    async def scene() -> None:
        async with house(Theater()) as registry:
            room = await ready(registry)
            events = room.events.subscribe(1000)
            bot = room.publish(0, kind="bot")
            bot.say(pcm(1.0), 16000)
            bot.segment_end()
            await asyncio.sleep(5)
            assert heard(events, EventKind.SPEAK_STARTED, EventKind.SPEAK_ENDED) == []
            room.add_viewer()
            await asyncio.sleep(3)
            told = heard(events, EventKind.SPEAK_STARTED, EventKind.SPEAK_ENDED)
            assert [event.kind for event in told] == ["speak_started", "speak_ended"]

    play(scene)


def test_each_segment_ends_exactly_once_also_when_the_seat_is_left() -> None:
    async def scene() -> None:
        async with house(Theater()) as registry:
            room = await ready(registry)
            room.add_viewer()
            events = room.events.subscribe(5000)
            bot = room.publish(0, kind="bot")
            for _ in range(5):
                bot.say(pcm(0.4), 16000)
                bot.segment_end()
            bot.segment_end()  # without an open one: nothing
            await asyncio.sleep(1.3)
            bot.close()
            bot.close()
            with pytest.raises(Ended):
                bot.say(pcm(0.1), 16000)
            ended = heard(events, EventKind.SPEAK_ENDED)
            assert [event.data["segment"] for event in ended] == [0, 1, 2, 3, 4]
            assert [event.data["interrupted"] for event in ended] == [False] * 2 + [True] * 3
            positions = [event.data["position_ms"] for event in ended]
            assert positions[:2] == [400, 400]
            assert positions[3:] == [0, 0]

    play(scene)


def test_a_full_seat_refuses_and_lets_go_when_it_is_cleared() -> None:
    async def scene() -> None:
        async with house(Theater(), RoomSettings(most_queued_s=5.0)) as registry:
            room = await ready(registry)
            bot = room.publish(0, kind="bot")
            bot.say(pcm(4.5), 16000)
            with pytest.raises(QueueFull, match=r"4\.5 s of speech wait and 5 s"):
                bot.say(pcm(1.0), 16000)
            waiting = asyncio.create_task(bot.room_for(1.0))
            await asyncio.sleep(10)
            assert not waiting.done()
            bot.clear()
            await waiting
            bot.say(pcm(1.0), 16000)
            with pytest.raises(QueueFull):
                await bot.room_for(6.0)

    play(scene)


def test_whoever_waits_for_room_is_let_go_when_frames_leave_or_the_seat_is_lost() -> None:
    async def scene() -> None:
        async with house(Theater(), RoomSettings(most_queued_s=3.0)) as registry:
            room = await ready(registry)
            bot = room.publish(0, kind="bot", holder="me")
            bot.say(pcm(3.0), 16000)
            waiting = asyncio.create_task(bot.room_for(1.0))
            viewer = room.add_viewer()
            await asyncio.sleep(2)
            assert waiting.done()
            viewer.close()
            bot.say(pcm(0.5), 16000)
            waiting = asyncio.create_task(bot.room_for(3.0))
            await asyncio.sleep(0)
            bot.lost()
            with pytest.raises(Ended, match="connection lost"):
                await waiting

    play(scene)


def test_a_seat_has_one_holder_who_may_come_back() -> None:
    async def scene() -> None:
        async with house(Theater(), RoomSettings(grace_s=10)) as registry:
            room = await ready(registry)
            events = room.events.subscribe(1000)
            old = room.publish(0, kind="live", holder="ada")
            for stranger in ("bob", None):
                with pytest.raises(SeatTaken):
                    room.publish(0, kind="live", holder=stranger)
            new = room.publish(0, kind="live", holder="ada")
            assert old.ended == "replaced"
            with pytest.raises(Ended, match="replaced"):
                old.push(tone(0.02))
            old.close()  # too late: the seat is the new connection's
            new.push(tone(0.02))
            new.lost()
            await asyncio.sleep(5)
            with pytest.raises(SeatTaken):
                room.publish(0, kind="live", holder="bob")
            back = room.publish(0, kind="live", holder="ada")
            back.lost()
            await asyncio.sleep(11)
            room.publish(0, kind="live", holder="bob")
            kinds = [event.kind for event in heard(events)]
            assert kinds[:6] == [
                "seat_joined", "seat_resumed", "seat_lost", "seat_resumed", "seat_lost", "cleared",
            ]  # fmt: skip
            assert kinds[6:] == ["seat_left", "seat_joined"]

    play(scene)


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda v: v.push(np.array([0.1, np.nan], np.float32)), "up to nan"),
        (lambda v: v.push(np.array([np.inf], np.float32)), "up to inf"),
        (lambda v: v.push(np.full(10, 30000, np.float32)), "up to 30000"),
        (lambda v: v.push(np.zeros((2, 10), np.float32)), r"float32\[2, 10\]"),
        (lambda v: v.push(np.zeros(10, np.int16)), r"int16\[10\]"),
        (lambda v: v.say(b"00", 16000), "live voice's"),
    ],
)
def test_samples_that_are_no_voice_are_refused(
    attempt: Callable[[object], None], message: str
) -> None:
    async def scene() -> None:
        async with house(Theater()) as registry:
            room = await ready(registry)
            voice = room.publish(0, kind="live")
            with pytest.raises(InvalidInput, match=message):
                attempt(voice)
            voice.push(tone(0.02))

    play(scene)


def test_a_bot_keeps_to_one_known_rate_within_a_segment() -> None:
    async def scene() -> None:
        async with house(Theater()) as registry:
            room = await ready(registry)
            bot = room.publish(0, kind="bot")
            with pytest.raises(InvalidInput, match="got 44100"):
                bot.say(b"0000", 44100)
            bot.say(pcm(0.1, 24000), 24000)
            with pytest.raises(InvalidInput, match="came at 24000 Hz and now at 16000"):
                bot.say(pcm(0.1), 16000)
            bot.segment_end()
            bot.say(pcm(0.1), 16000)
            with pytest.raises(InvalidInput, match="use say"):
                bot.push(tone(0.1))

    play(scene)


def test_an_empty_push_and_an_empty_say_do_nothing() -> None:
    async def scene() -> None:
        async with house(Theater()) as registry:
            room = await ready(registry)
            room.add_viewer()
            events = room.events.subscribe(1000)
            room.publish(0, kind="live").push(np.zeros(0, np.float32))
            bot = room.publish(1, kind="bot")
            bot.say(b"", 16000)
            bot.segment_end()
            await asyncio.sleep(1)
            (ended,) = heard(events, EventKind.SPEAK_ENDED)
            assert ended.data == {"segment": 0, "position_ms": 0, "interrupted": False}

    play(scene)
