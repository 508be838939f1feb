"""One bot: speaks sentence after sentence, pushed over the seat's websocket at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from clients.bench.load_speech import sentence
from clients.bot import BotError, BotSession, BotSettings, RefusedError
from clients.bot.events import Metrics

RATE = 24_000
SENTENCES_S = (1.5, 4.0)
PAUSE_S = 0.6


class Bot:
    """One bot of one seat. `state` tells how far it came; `reason` why it is no further."""

    def __init__(
        self,
        session: BotSession,
        seed: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = "joining"  # then speaking, refused, failed, lost
        self.reason = ""
        self._session = session
        self._draw = np.random.default_rng(seed)
        self._now = now
        self._segments = 0
        self._spoken_s = 0.0
        self._starts_s: list[float] = []  # from pushing to leaving, since the last look
        self._metrics: Metrics | None = None
        self._began = 0.0
        self._join_s: float | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def join(self) -> None:
        """Take the seat and begin to speak, or let `state` say why not."""
        self._began = self._now()
        try:
            await self._session.connect()
        except RefusedError as error:
            self.state = "refused" if error.is_passing else "failed"
            self.reason = f"{error.status} {error.code}"
            return
        except BotError as error:
            self.state, self.reason = "failed", type(error).__name__
            return
        self.state = "speaking"
        self._join_s = self._now() - self._began
        self._tasks = [
            asyncio.create_task(self._speak(), name="speak"),
            asyncio.create_task(self._hear(), name="hear"),
        ]

    async def leave(self) -> None:
        """Leave the seat."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    def look(self) -> dict[str, Any]:
        """Tell what was said since the last look, and how it stands."""
        told = {
            "kind": "bot",
            "state": self.state,
            "reason": self.reason,
            "join_s": self._join_s,
            "segments": self._segments,
            "spoken_s": self._spoken_s,
            "starts_s": self._starts_s,
            "reconnects": self._session.reconnects,
            "room_load": None if self._metrics is None else self._metrics.load,
            "rung": None if self._metrics is None else self._metrics.rung,
        }
        self._join_s, self._segments, self._spoken_s, self._starts_s = None, 0, 0.0, []
        return told

    async def _speak(self) -> None:
        """Speak until cancelled, or until the session is over."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                speech = sentence(self._draw, RATE, self._draw.uniform(*SENTENCES_S))
                pushed = loop.time()
                segment = await self._session.say_pcm(speech)
                await self._session.end_segment()
                if await segment.started() and segment.started_at is not None:
                    self._starts_s.append(segment.started_at - pushed)
                spoken = await segment.spoken()
                self._segments += 1
                self._spoken_s += spoken.position_ms / 1000
                await asyncio.sleep(PAUSE_S)
        except BotError as error:
            self.state, self.reason = "lost", type(error).__name__

    async def _hear(self) -> None:
        """Keep what the server says about the room; ends with the session."""
        async for event in self._session.events():
            if isinstance(event, Metrics):
                self._metrics = event


def new_bot(server: str, room: str, seat: int, token: str, seed: int) -> Bot:
    """Make a bot; nothing is opened yet."""
    settings = BotSettings(sample_rate=RATE)
    session = BotSession(server, room, seat, token=token or None, settings=settings)
    return Bot(session, seed)
