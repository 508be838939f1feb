"""Who speaks in a soak: bots over websockets, microphones over WHIP; they come, go, interrupt."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import av
import httpx2
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from numpy.typing import NDArray

from clients.bench.load_errors import LoadError
from clients.bench.soak_relay import LossyRelay
from clients.bench.soak_whep import Call
from clients.bot import BotError, BotSession, BotSettings

BOT_RATE, MICROPHONE_RATE = 24_000, 48_000
PAUSES_S = (0.4, 1.5)
STAYS_S = (25.0, 45.0)  # in the seat, until they leave
AWAY_S = (2.0, 5.0)
INTERRUPTED = 0.25  # share of the sentences
CUT_S = (0.3, 1.2)  # of a sentence is heard before it is interrupted
PATIENCE_S = 60.0  # for a sentence to be spoken: far beyond any of ours
AGAIN_S = 2.0  # after the server said no
BLOCK = MICROPHONE_RATE // 50

Pcm = NDArray[np.int16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """What one voice did since the last look."""

    starts_s: list[float]  # from pushing a sentence to its first sample leaving; bots only
    clears_s: list[float]  # from asking to having it confirmed; bots only
    sentences: int
    interrupted: int
    joined: int
    failed: dict[str, int]  # by what went wrong


class _Voice(ABC):
    """What bots and microphones share: come, speak for a while, leave, come back."""

    def __init__(self, seed: int, now: Callable[[], float] = time.monotonic) -> None:
        self._draw = np.random.default_rng(seed)
        self._now = now
        self._starts_s: list[float] = []
        self._clears_s: list[float] = []
        self._counts: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()

    async def run(self) -> None:
        """Come and go until cancelled; whatever goes wrong is counted, and tried again."""
        while True:
            try:
                await self._visit(self._draw.uniform(*STAYS_S))
                await asyncio.sleep(self._draw.uniform(*AWAY_S))
            except (BotError, LoadError, TimeoutError) as error:
                self._failed[f"{type(error).__name__}: {error}"[:120]] += 1
                await asyncio.sleep(AGAIN_S)

    def look(self) -> Spoken:
        """Say what happened since the last look."""
        starts, self._starts_s = self._starts_s, []
        clears, self._clears_s = self._clears_s, []
        counts, self._counts = self._counts, Counter()
        failed, self._failed = self._failed, Counter()
        return Spoken(
            starts_s=starts,
            clears_s=clears,
            sentences=counts["sentences"],
            interrupted=counts["interrupted"],
            joined=counts["joined"],
            failed=dict(failed),
        )

    @abstractmethod
    async def _visit(self, seconds: float) -> None:
        """Take the seat, speak for so long, and leave it."""


class BotVoice(_Voice):
    """Pushes sentences over a seat's websocket, and interrupts some of its own."""

    def __init__(
        self, server: str, room: str, seat: int, token: str, sentences: Sequence[Pcm], seed: int
    ) -> None:
        super().__init__(seed)
        self._sentences = sentences
        settings = BotSettings(sample_rate=BOT_RATE)
        self._new = partial(BotSession, server, room, seat, token=token or None, settings=settings)

    async def _visit(self, seconds: float) -> None:
        ends = self._now() + seconds
        async with self._new() as session:
            self._counts["joined"] += 1
            while self._now() < ends:
                async with asyncio.timeout(PATIENCE_S):
                    await self._say(session)
                await asyncio.sleep(self._draw.uniform(*PAUSES_S))

    async def _say(self, session: BotSession) -> None:
        sentence = _any(self._sentences, self._draw)
        pushed = asyncio.get_running_loop().time()
        segment = await session.say_pcm(sentence)
        await session.end_segment()
        if await segment.started() and segment.started_at is not None:
            self._starts_s.append(segment.started_at - pushed)
        if self._draw.random() < INTERRUPTED:
            await asyncio.sleep(self._draw.uniform(*CUT_S))
            asked = self._now()
            await session.clear()
            self._clears_s.append(self._now() - asked)
            self._counts["interrupted"] += 1
        await segment.spoken()
        self._counts["sentences"] += 1


class MicrophoneVoice(_Voice):
    """Speaks in real time over WHIP, through a bad network."""

    def __init__(
        self,
        call: Callable[[], Call],
        relay: Callable[[], LossyRelay],
        sentences: Sequence[Pcm],
        seed: int,
    ) -> None:
        super().__init__(seed)
        self._new_call = call
        self._new_relay = relay
        self._sentences = sentences

    async def _visit(self, seconds: float) -> None:
        call = self._new_call()
        async with self._new_relay() as relay:
            try:
                talk = _Talk(self._sentences, self._draw, self._said)
                call.pc.addTransceiver(talk, direction="sendonly")
                await call.join(relay)
                self._counts["joined"] += 1
                if not await call.stays(seconds):
                    self._failed[f"the connection is {call.pc.connectionState}"] += 1
            finally:
                await call.leave()

    def _said(self) -> None:
        self._counts["sentences"] += 1


class _Talk(MediaStreamTrack):
    """Sentences with pauses, by the clock."""

    kind = "audio"

    def __init__(
        self, sentences: Sequence[Pcm], draw: np.random.Generator, said: Callable[[], None]
    ) -> None:
        super().__init__()
        self._sentences = sentences
        self._draw = draw
        self._said = said
        self._left: Pcm = np.zeros(0, np.int16)
        self._began: float | None = None
        self._at = 0

    async def recv(self) -> Any:
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        if self._began is None:
            self._began = loop.time()
        due = self._began + (self._at + BLOCK) / MICROPHONE_RATE
        await asyncio.sleep(max(0.0, due - loop.time()))
        if len(self._left) < BLOCK:
            sentence = _any(self._sentences, self._draw)
            pause = np.zeros(int(self._draw.uniform(*PAUSES_S) * MICROPHONE_RATE), np.int16)
            self._left = np.concatenate([self._left, pause, sentence])
            self._said()
        block, self._left = self._left[:BLOCK], self._left[BLOCK:]
        frame = av.AudioFrame.from_ndarray(block[None], format="s16", layout="mono")
        frame.sample_rate, frame.time_base = MICROPHONE_RATE, Fraction(1, MICROPHONE_RATE)
        frame.pts, self._at = self._at, self._at + BLOCK
        return frame


def _any(sentences: Sequence[Pcm], draw: np.random.Generator) -> Pcm:
    return sentences[int(draw.integers(len(sentences)))]


def new_call(http: httpx2.AsyncClient, server: str, room: str, seat: int) -> Call:
    """Make a call to a seat; nothing is opened yet."""
    return Call(http, server, f"rooms/{room}/seats/{seat}/whip")
