"""A customer-service bot: it answers a visitor sentence by sentence, and stops when interrupted.

The visitor speaks into a seat of the same room. The server's voice activity detection says when
they begin, which interrupts the bot, and when they stop, which is the bot's turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from clients.bot.chat import ChatEndpoint, Said
from clients.bot.ledger import Segment
from clients.bot.room_events import RoomEvent
from clients.bot.session import BotSession
from clients.bot.speech.sentences import sentences_of
from clients.bot.speech.source import SpeechSource, spoken

INSTRUCTIONS = "You work at the counter of a shop. Answer in short spoken sentences."
REMEMBERED = 20  # turns

Listen = Callable[[float], Awaitable[str]]


@dataclass(slots=True)
class Turn:
    """One answer, and when what happened; seconds of the event loop."""

    heard_end: float  # the server said that the visitor is silent
    first_text: float | None = None
    first_speech: float | None = None
    first_lips: float | None = None  # the server said that the first sample left
    interrupted_at: float | None = None
    silent_at: float | None = None  # the server said that the rest is dropped
    said: list[str] = field(default_factory=list)

    def ms(self, moment: float | None) -> str:
        """Give a moment of the turn, in milliseconds after the visitor's end."""
        return "-" if moment is None else f"{1000 * (moment - self.heard_end):.0f} ms"

    def __str__(self) -> str:
        text = (
            f"speech end to text {self.ms(self.first_text)}, "
            f"to speech {self.ms(self.first_speech)}, to lips {self.ms(self.first_lips)}"
        )
        if self.interrupted_at is None or self.silent_at is None:
            return text
        return (
            f"{text}; interrupted, silent in {1000 * (self.silent_at - self.interrupted_at):.0f} ms"
        )


async def no_ears(seconds: float) -> str:
    """Stand in for speech recognition: say only that something was said."""
    return f"(The visitor spoke for {seconds:.1f} seconds.)"


class ServiceBot:
    """One bot for one visitor. `run` takes the room's events and owns everything until it ends.

    Args:
        bot: a connected session.
        voice: what it speaks with.
        chat: what it thinks with.
        listen: gives what the visitor said in the turn of so many seconds that just ended.
        told: hears of each turn when it is over.
    """

    def __init__(
        self,
        bot: BotSession,
        voice: SpeechSource,
        chat: ChatEndpoint,
        *,
        listen: Listen = no_ears,
        told: Callable[[Turn], None] = lambda turn: None,
    ) -> None:
        self._bot = bot
        self._voice = voice
        self._chat = chat
        self._listen = listen
        self._told = told
        self._turns: list[Said] = []
        self._answering: asyncio.Task[None] | None = None
        self._turn: Turn | None = None

    async def run(self, events: AsyncIterator[RoomEvent], visitor: int) -> None:
        """Serve the visitor at a seat until the events end."""
        loop = asyncio.get_running_loop()
        began: float | None = None
        try:
            async for event in events:
                if event.seat != visitor:
                    continue
                if event.kind == "voice_started":
                    began = loop.time()
                    await self._interrupt()
                elif event.kind == "voice_stopped" and began is not None:
                    turn = self._turn = Turn(heard_end=loop.time())
                    seconds, began = loop.time() - began, None
                    self._answering = asyncio.create_task(self._answer(turn, seconds))
        finally:
            await self._stop()

    async def _interrupt(self) -> None:
        """Barge-in: the answer stops where it is, at the endpoint too."""
        turn, loop = self._turn, asyncio.get_running_loop()
        if self._answering is None or self._answering.done() or turn is None:
            return
        turn.interrupted_at = loop.time()
        await self._stop()  # first, so that nothing is sent behind the clear
        await self._bot.clear()
        turn.silent_at = loop.time()
        self._told(turn)

    async def _stop(self) -> None:
        if self._answering is not None:
            self._answering.cancel()
            await asyncio.gather(self._answering, return_exceptions=True)

    async def _answer(self, turn: Turn, seconds: float) -> None:
        question = await self._listen(seconds)
        self._turns = [*self._turns[-REMEMBERED:], Said("user", question)]
        system = Said("system", INSTRUCTIONS)
        pieces = self._chat.answer([system, *self._turns])
        said: list[tuple[str, Segment]] = []
        watch: asyncio.Task[None] | None = None
        try:
            async for sentence in sentences_of(self._timed(turn, pieces)):
                segment = await self._bot.stream(self._speech(turn, sentence))
                if segment is not None:
                    said.append((sentence, segment))
                    watch = watch or asyncio.create_task(self._note_lips(turn, segment))
            await asyncio.gather(*(segment.spoken() for _, segment in said))
        finally:
            if watch is not None:
                watch.cancel()
            turn.said = [text for text, segment in said if segment.started_at is not None]
            self._turns.append(Said("assistant", " ".join(turn.said)))
        self._told(turn)

    async def _note_lips(self, turn: Turn, segment: Segment) -> None:
        if await segment.started():
            turn.first_lips = asyncio.get_running_loop().time()

    async def _timed(self, turn: Turn, pieces: AsyncIterator[str]) -> AsyncIterator[str]:
        async for piece in pieces:
            turn.first_text = turn.first_text or asyncio.get_running_loop().time()
            yield piece

    async def _speech(self, turn: Turn, sentence: str) -> AsyncIterator[bytes]:
        rate = self._bot.settings.sample_rate
        async for chunk in spoken(self._voice, sentence, rate):
            turn.first_speech = turn.first_speech or asyncio.get_running_loop().time()
            yield chunk
