"""A bot's seat: push speech as fast as it comes, hear what became of it, come back when cut off."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from clients.bot.backoff import Backoff
from clients.bot.connection import SeatAddress
from clients.bot.errors import InputError
from clients.bot.events import BotEvent, Cleared, EventsLost, Ready, SpeakEnded, SpeakStarted
from clients.bot.ledger import Ledger, Segment, Spoken
from clients.bot.link import CLEAR, Link
from clients.bot.pcm import SAMPLE_BYTES, Pcm, check_rate, pcm16, pieces

CLEARING_SECONDS = 10.0
MOST_EVENTS = 256
MESSAGE_SECONDS = 0.5  # of speech: small enough that a clear is never far behind
SEGMENT_END = json.dumps({"type": "segment_end"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BotSettings:
    """How a bot speaks and stays connected."""

    sample_rate: int = 24_000
    holder: str = ""  # who comes back to the seat; empty: this session alone
    most_ahead_seconds: float = 60.0  # sent and not spoken; beyond it `say_pcm` waits
    backoff: Backoff = field(default_factory=Backoff)

    def __post_init__(self) -> None:
        check_rate(self.sample_rate)
        if self.most_ahead_seconds < 1:
            raise InputError(f"want 1 s ahead at least, got {self.most_ahead_seconds}")


class BotSession:
    """One bot at one seat. Use it by `async with`; every call is for the loop it was opened on."""

    def __init__(
        self,
        server: str,
        room: str,
        seat: int,
        *,
        token: str | None = None,
        settings: BotSettings | None = None,
    ) -> None:
        """Note where to go; nothing is opened yet.

        Raises:
            InputError: when the address cannot be used.
        """
        self.settings = settings or BotSettings()
        address = SeatAddress(
            server=server,
            room=room,
            seat=seat,
            sample_rate=self.settings.sample_rate,
            holder=self.settings.holder or secrets.token_urlsafe(12),
            token=token,
        )
        self.ready: Ready | None = None  # what the server said first
        self._link = Link(address, self.settings.backoff, self)
        self._ledger = Ledger()
        self._events: deque[BotEvent] = deque()
        self._events_lost = 0

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def is_connected(self) -> bool:
        return self._link.is_connected

    @property
    def reconnects(self) -> int:
        """How often the connection was lost and came back."""
        return self._link.reconnects

    @property
    def unspoken_seconds(self) -> float:
        """How much was sent and is not spoken yet, about."""
        return self._ledger.unspoken_ms(asyncio.get_running_loop().time()) / 1000

    async def connect(self) -> Ready:
        """Take the seat.

        Raises:
            RefusedError: when the server says no: wrong room, seat taken, token, full.
            DisconnectedError: when it cannot be reached.
        """
        ready = await self._link.open()
        self.heard(ready)
        if self.settings.holder:
            await self.clear()  # what an older connection of this name was saying
        return ready

    async def close(self) -> None:
        """Leave the seat; what is not spoken is dropped. A second time does nothing."""
        await self._link.close()
        self._ledger.lose_all()

    async def say_pcm(self, speech: Pcm) -> Segment:
        """Send speech of the open segment, faster than it is spoken; begins one if none is open.

        Waits while more than `most_ahead_seconds` are sent and not spoken, and while the session
        reconnects; ended by speech that leaves, `clear`, and the end of the session.

        Raises:
            InputError: when it is no speech.
            DisconnectedError, RefusedError: when the session is over.
        """
        data = pcm16(speech)
        segment = self._ledger.opened()
        byte_rate = SAMPLE_BYTES * self.settings.sample_rate
        most = int(byte_rate * MESSAGE_SECONDS)
        if self.ready is not None:
            most = min(most, self.ready.most_message_bytes)
        for piece in pieces(data, most):
            await self._room_ahead(segment)
            if segment.is_over:
                break
            segment.sent_ms += len(piece) / byte_rate * 1000
            await self._link.send(piece)
        return segment

    async def end_segment(self) -> Segment | None:
        """Say that the open segment is complete; wait for its end with `segment.spoken()`."""
        segment = self._ledger.complete()
        if segment is not None and not segment.is_over:
            await self._link.send(SEGMENT_END)
        return segment

    async def stream(self, speech: AsyncIterable[Pcm]) -> Segment | None:
        """Send speech as it comes and end the segment; stops taking it when it is interrupted.

        Gives None when nothing came.
        """
        await self.end_segment()
        segment: Segment | None = None
        async for piece in speech:
            if segment is not None and segment.is_over:
                return segment
            if len(piece):
                segment = await self.say_pcm(piece)
        if segment is not None and not segment.is_over:
            await self.end_segment()
        return segment

    async def say(self, speech: Pcm | AsyncIterable[Pcm]) -> Spoken | None:
        """Say one thing and wait until it was spoken or interrupted; None when it was empty."""
        chunks = speech if isinstance(speech, AsyncIterable) else _once(speech)
        segment = await self.stream(chunks)
        return None if segment is None else await segment.spoken()

    async def clear(self) -> int:
        """Barge in: drop everything that is not spoken; give the milliseconds that nobody hears.

        Raises:
            DisconnectedError, RefusedError: when the session is over.
            TimeoutError: when the server does not confirm it.
        """
        clearing = self._ledger.clear_sent()
        self._link.changes.tell()
        await self._link.send(CLEAR)
        await self._link.changes.until(
            lambda: clearing.is_done or self._link.over, CLEARING_SECONDS
        )
        return clearing.dropped_ms

    async def set_prompt(self, text: str) -> None:
        """Say what the people do from now on."""
        await self._link.send(json.dumps({"type": "prompt", "text": text}))

    async def events(self) -> AsyncIterator[BotEvent]:
        """Yield what the server tells, from the first; ends with the session.

        Full policy: the oldest of 256 are dropped, and an `EventsLost` says how many.
        """
        while True:
            await self._link.changes.until(lambda: self._events or self._link.over)
            if self._events_lost:
                lost, self._events_lost = self._events_lost, 0
                yield EventsLost(count=lost)
            if not self._events:
                return
            yield self._events.popleft()

    def heard(self, event: BotEvent) -> None:
        """Take an event of the server. For the link."""
        match event:
            case Ready():
                self.ready = event
            case SpeakStarted(segment=number):
                self._ledger.started(number, asyncio.get_running_loop().time())
            case SpeakEnded(segment=number, position_ms=position, interrupted=is_interrupted):
                self._ledger.ended(number, position, is_interrupted=is_interrupted)
            case Cleared(dropped_ms=dropped):
                self._ledger.cleared(dropped)
            case _:
                pass
        if len(self._events) >= MOST_EVENTS:
            self._events.popleft()
            self._events_lost += 1
        self._events.append(event)

    def lost(self) -> None:
        """Give up what was not over: nobody knows how much of it arrived. For the link."""
        self._ledger.lose_all()
        self._ledger.clear_sent()  # what the link sends first when it is back

    async def _room_ahead(self, segment: Segment) -> None:
        """Wait until a little more may be sent, or this segment is over."""
        most = self.settings.most_ahead_seconds
        while not segment.is_over and self._link.over is None:
            excess = self.unspoken_seconds - most
            if excess < 0:
                return
            try:  # a clock says how much is spoken, so nobody tells when it is enough
                await self._link.changes.until(
                    lambda: segment.is_over or self._link.over, max(0.02, excess)
                )
            except TimeoutError:
                continue


async def _once(speech: Pcm) -> AsyncIterator[Pcm]:
    yield speech
