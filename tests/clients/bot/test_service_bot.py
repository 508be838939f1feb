"""The customer-service bot and a visitor with a microphone, in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import numpy as np
import pytest

from clients.bot import BotSession, BotSettings
from clients.bot.chat import ChatEndpoint, ChatError, Said
from clients.bot.room_events import room_events, server_sent
from clients.bot.scripted_chat import ScriptedChat, chat_served
from clients.bot.service_bot import ServiceBot, Turn
from clients.bot.speech.source import resampled, speech_source
from streamer.media.types import Samples
from tests.streamer.interop.whole import whole_server
from tests.streamer.webrtc.stand_ins import Client, Microphone
from tests.streamer.webrtc.virtual_time import run

VISITOR, BOT, RATE = 0, 1, 24_000
LONG = "Yes. " + "I can tell you very much about this and about everything else. " * 4


def question() -> Samples:
    """Two seconds of silence, and a question, at 48 kHz."""
    source = speech_source("espeak")
    pcm = b"".join(
        resampled(source.speak("When do you open tomorrow?"), source.sample_rate, 48_000)
    )
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
    loud = np.flatnonzero(np.abs(samples) > 0.02)
    return np.concatenate([np.zeros(96_000, np.float32), samples[: loud[-1] + 1]])


async def hold(chat: ScriptedChat, turns: list[Turn], microphone: Microphone) -> Client:
    """Let a visitor speak to the bot until it told two turns; give what a viewer saw."""
    viewer, visitor = Client(watches=True), Client(microphone)
    async with whole_server() as server, chat_served(chat) as url:
        room = await server.open_room()
        await server.call(viewer, f"/rooms/{room}/whep")
        settings = BotSettings(sample_rate=RATE)
        async with BotSession(server.url, room, BOT, settings=settings) as bot:
            endpoint = ChatEndpoint(url=url, model="scripted")
            service = ServiceBot(bot, speech_source(), endpoint, told=turns.append)
            serving = asyncio.create_task(service.run(room_events(server.url, room), VISITOR))
            await server.call(visitor, f"/rooms/{room}/seats/{VISITOR}/whip")
            async with asyncio.timeout(40):
                while len(turns) < 2:  # noqa: ASYNC110  # filled by a callback
                    await asyncio.sleep(0.05)
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
        await visitor.pc.close()
        await viewer.pc.close()
    return viewer


def test_a_visitor_is_answered_and_may_interrupt() -> None:
    ask = question()
    silence = np.zeros(round(3.5 * 48_000), np.float32)
    turns: list[Turn] = []
    chat = ScriptedChat(answers=(LONG, "We open at nine."))
    microphone = Microphone(np.concatenate([ask, silence, ask[96_000:]]))
    viewer = run(lambda: hold(chat, turns, microphone))
    assert microphone.began is not None
    spoken_end = microphone.began + len(ask) / 48_000
    second_start = spoken_end + 3.5
    lips = [at for at, opened in viewer.openings(BOT, 2) if opened > 0.3]
    to_lips = min(at for at in lips if at > spoken_end) - spoken_end
    moving = [at for at, opened in viewer.openings(BOT, 2) if opened > 0.05]
    shut = max(at for at in moving if at < second_start + 1.2) - second_start
    print(f"speech end to lips {to_lips:.3f} s, interrupted mouth shut in {shut:.3f} s")  # noqa: T201
    print(*turns, sep="\n")  # noqa: T201
    assert 0.3 < to_lips < 2.0
    assert shut < 0.9
    assert turns[0].interrupted_at is not None
    assert turns[0].said[0] == "Yes."
    assert turns[1].interrupted_at is None
    assert turns[1].said == ["We open at nine."]
    assert chat.asked[1][-2]["role"] == "assistant"
    assert len(chat.asked[1][-2]["content"]) < len(LONG)  # what was not spoken was not said


def test_an_answer_comes_word_by_word() -> None:
    async def work() -> list[str]:
        async with chat_served(ScriptedChat(answers=("One two three.",))) as url:
            endpoint = ChatEndpoint(url=url, model="scripted")
            return [piece async for piece in endpoint.answer([Said("user", "Hi")])]

    assert run(work) == ["One ", "two ", "three. "]


def test_a_chat_that_is_not_there_is_an_error() -> None:
    async def work() -> None:
        async with chat_served(ScriptedChat()) as url:
            with pytest.raises(ChatError, match="404"):
                async for _ in ChatEndpoint(url=f"{url}/nothing", model="x").answer([]):
                    pass

    run(work)


def test_server_sent_events_are_read_whatever_their_order() -> None:
    text = "event: a\ndata: 1\n\n: nothing\n\ndata: 2\ndata:3\nid: 7\n\nevent: lost\n\n"

    async def lines() -> AsyncIterator[str]:
        for line in text.split("\n"):
            yield line

    async def work() -> list[tuple[str, str]]:
        return [event async for event in server_sent(lines())]

    assert run(work) == [("a", "1"), ("message", "2\n3")]


def test_a_piece_that_is_no_chat_is_an_error() -> None:
    class Broken(ScriptedChat):
        async def _words(self, answer: str) -> AsyncIterator[str]:
            yield f"data: {json.dumps({'choices': 'none'})}\n\n"

    async def work() -> None:
        async with chat_served(Broken()) as url:
            with pytest.raises(ChatError, match="no piece"):
                async for _ in ChatEndpoint(url=url, model="x").answer([]):
                    pass

    run(work)
