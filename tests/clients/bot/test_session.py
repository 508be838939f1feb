"""A bot at a real server's seat, in virtual time: HTTP and websockets over loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from clients.bot import (
    Backoff,
    BotSession,
    BotSettings,
    DisconnectedError,
    InputError,
    RefusedError,
)
from clients.bot.events import Metrics, Ready, SpeakEnded, SpeakStarted
from tests.clients.bot.door import tone, watched_room, wire_to
from tests.streamer.interop.whole import whole_server
from tests.streamer.webrtc.virtual_time import now, run

QUICK = BotSettings(backoff=Backoff(first_seconds=0.1, longest_seconds=0.4, give_up_seconds=5))


def test_a_bot_hears_how_much_of_each_segment_was_spoken() -> None:
    async def work() -> None:
        async with whole_server() as server:
            room = await watched_room(server)
            async with BotSession(server.url, room, 0) as bot:
                began = now()
                first = await bot.say(tone(1.5))
                took = now() - began
                second = await bot.say(tone(0.5))
        assert first is not None
        assert second is not None
        assert (first.segment, first.position_ms, first.is_interrupted) == (0, 1500, False)
        assert (second.segment, second.position_ms) == (1, 500)
        assert 1.5 < took < 2.5

    run(work)


def test_speech_that_comes_piece_by_piece_is_sent_as_it_comes() -> None:
    async def work() -> None:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(5):
                await asyncio.sleep(0.05)
                yield tone(0.4)

        async with whole_server() as server:
            room = await watched_room(server)
            async with BotSession(server.url, room, 1) as bot:
                began = now()
                segment = await bot.stream(pieces())
                assert now() - began < 0.5  # 2 s of speech, faster than real time
                assert segment is not None
                assert (await segment.spoken()).position_ms == 2000

    run(work)


def test_clear_ends_every_segment_once_and_stops_a_stream() -> None:
    async def work() -> None:
        taken = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal taken
            while True:
                taken += 1
                yield tone(0.1)
                await asyncio.sleep(0.01)

        async with whole_server() as server:
            room = await watched_room(server)
            async with BotSession(server.url, room, 0) as bot:
                streaming = asyncio.create_task(bot.stream(endless()))
                await asyncio.sleep(1.2)
                dropped = await bot.clear()
                segment = await streaming
                assert segment is not None
                spoken = await segment.spoken()
                before = taken
                after = await bot.say(tone(0.5))
        assert spoken.is_interrupted
        assert 300 < spoken.position_ms < 1300
        assert dropped > 5000  # 10 times faster than real time
        assert taken == before
        assert after is not None
        assert (after.position_ms, after.is_interrupted) == (500, False)

    run(work)


def test_what_waits_behind_a_full_seat_ends_with_a_clear_too() -> None:
    async def work() -> None:
        async with whole_server(limits={"queued_seconds": 5}) as server:
            room = await server.open_room()  # nobody watches: nothing is spoken
            async with BotSession(server.url, room, 0) as bot:
                waiting = []
                for _ in range(4):
                    await bot.say_pcm(tone(3))
                    waiting.append(await bot.end_segment())
                await bot.clear()
                ends = [await each.spoken() for each in waiting if each is not None]
                assert [(each.segment, each.is_interrupted) for each in ends] == [
                    (n, True) for n in range(4)
                ]
                server.built.services.registry.get(room).add_viewer()
                again = await bot.say(tone(0.5))
                assert again is not None
                assert (again.segment, again.position_ms) == (4, 500)

    run(work)


def test_a_bot_keeps_no_more_ahead_than_it_may() -> None:
    async def work() -> None:
        async with whole_server() as server:
            room = await watched_room(server)
            settings = BotSettings(most_ahead_seconds=2)
            async with BotSession(server.url, room, 0, settings=settings) as bot:
                began = now()
                await bot.say_pcm(tone(6))
                assert 3.0 < now() - began < 5.5
                await bot.end_segment()

    run(work)


def test_events_come_in_order_and_end_with_the_session() -> None:
    async def work() -> None:
        async with whole_server() as server:
            room = await watched_room(server)
            async with BotSession(server.url, room, 0) as bot:
                await bot.say(tone(1.2))
            told = [event async for event in bot.events()]
        kinds = [type(event) for event in told if not isinstance(event, Metrics)]
        assert kinds == [Ready, SpeakStarted, SpeakEnded]
        assert any(isinstance(event, Metrics) for event in told)

    run(work)


def test_a_bot_comes_back_to_its_seat_and_says_what_was_lost() -> None:
    async def work() -> None:
        async with whole_server() as server, wire_to(server.url) as wire:
            room = await watched_room(server)
            async with BotSession(wire.url, room, 0, settings=QUICK) as bot:
                await bot.say_pcm(tone(5))
                segment = await bot.end_segment()
                assert segment is not None
                await asyncio.sleep(0.5)
                wire.cut()
                lost = await segment.spoken()
                assert (lost.is_lost, lost.is_interrupted) == (True, True)
                again = await bot.say(tone(0.5))  # waits for the connection
                assert again is not None
                assert (again.segment, again.position_ms) == (1, 500)
                assert bot.reconnects == 1
                wire.cut()
                last = await bot.say(tone(0.3))
                assert last is not None
                assert bot.reconnects == 2 or last.is_lost

    run(work)


def test_a_bot_gives_up_when_the_server_stays_away() -> None:
    async def work() -> None:
        async with whole_server() as server, wire_to(server.url) as wire:
            room = await watched_room(server)
            async with BotSession(wire.url, room, 0, settings=QUICK) as bot:
                wire.is_down = True
                wire.cut()
                await asyncio.sleep(0.05)
                began = now()
                with pytest.raises(DisconnectedError):
                    await bot.say(tone(1))
                assert 2 < now() - began < 6

    run(work)


def test_a_bot_does_not_come_back_to_a_room_that_ended() -> None:
    async def work() -> None:
        async with whole_server() as server:
            room = await watched_room(server)
            async with BotSession(server.url, room, 0, settings=QUICK) as bot:
                saying = asyncio.create_task(bot.say(tone(30)))
                await asyncio.sleep(0.5)
                await server.http.delete(f"/rooms/{room}")
                spoken = await saying
                assert spoken is not None
                assert spoken.is_interrupted
                await asyncio.sleep(0.05)  # until the goodbye came
                with pytest.raises((RefusedError, DisconnectedError)):
                    await bot.say(tone(1))

    run(work)


@pytest.mark.parametrize(
    ("seat", "code"), [(0, "seat_taken"), (9, "not_found")], ids=["taken", "no such seat"]
)
def test_a_refusal_says_why(seat: int, code: str) -> None:
    async def work() -> None:
        async with whole_server() as server:
            room = await server.open_room()
            async with BotSession(server.url, room, 0):
                with pytest.raises(RefusedError) as caught:
                    await BotSession(server.url, room, seat).connect()
        assert caught.value.code == code
        assert code in str(caught.value)

    run(work)


def test_a_holder_takes_over_its_own_seat_and_starts_afresh() -> None:
    async def work() -> None:
        settings = BotSettings(holder="anna-s-bot")
        async with whole_server() as server:
            room = await watched_room(server)
            async with BotSession(server.url, room, 0, settings=settings) as old:
                await old.say_pcm(tone(20))
                await old.end_segment()
                await asyncio.sleep(0.5)
                async with BotSession(server.url, room, 0, settings=settings) as new:
                    spoken = await new.say(tone(0.5))
                    assert spoken is not None
                    assert (spoken.segment, spoken.position_ms) == (0, 500)
                lost = await old.say(tone(1))
                assert lost is not None
                assert lost.is_lost
                with pytest.raises(DisconnectedError, match="replaced"):
                    await old.say(tone(1))

    run(work)


def test_a_token_opens_the_door() -> None:
    async def work() -> None:
        from_key = {"mode": "on", "key": "0123456789abcdef0123456789abcdef"}
        async with whole_server(auth=from_key) as server:
            with pytest.raises(RefusedError) as caught:
                await BotSession(server.url, "x", 0).connect()
            assert caught.value.code == "token_missing"
            with pytest.raises(RefusedError) as caught:
                await BotSession(server.url, "x", 0, token="wrong").connect()  # noqa: S106
            assert caught.value.code == "token_invalid"

    run(work)


def test_what_cannot_be_used_is_said_before_anything_is_opened() -> None:
    with pytest.raises(InputError, match="ftp"):
        BotSession("ftp://somewhere", "room", 0)
    with pytest.raises(InputError, match="22050"):
        BotSettings(sample_rate=22_050)
    with pytest.raises(InputError, match="-1"):
        BotSession("http://somewhere", "room", -1)
    with pytest.raises(InputError, match="letters"):
        BotSession("http://somewhere", "room", 0, settings=BotSettings(holder="a b"))


def test_nobody_at_the_other_end_is_an_error_that_names_the_server() -> None:
    async def work() -> None:
        with pytest.raises(DisconnectedError, match=r"127\.0\.0\.1:9 "):
            await BotSession("http://127.0.0.1:9", "room", 0).connect()

    run(work)


def test_the_rate_is_the_bots() -> None:
    async def work() -> None:
        async with whole_server() as server:
            room = await watched_room(server)
            settings = BotSettings(sample_rate=48_000)
            async with BotSession(server.url, room, 0, settings=settings) as bot:
                assert bot.ready is not None
                assert bot.ready.sample_rate == 48_000
                spoken = await bot.say(tone(0.5, 48_000))
                assert spoken is not None
                assert spoken.position_ms == 500

    run(work)
