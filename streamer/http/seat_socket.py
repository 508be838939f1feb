"""A seat's websocket: a bot pushes speech faster than it is spoken, and hears what becomes of it.

Back-pressure inwards: speech beyond what the seat may queue is kept in a backlog of bounded size,
so that a `clear` behind it is still read at once; beyond the backlog the socket is not read, and
TCP slows the client down. Outwards: a client that does not read for SEND_SECONDS is let go.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, NamedTuple

from starlette.websockets import WebSocket, WebSocketDisconnect

from streamer.errors import Ended, InvalidInput, QueueFull
from streamer.http.buckets import Bucket, Rate
from streamer.http.meters import Meters
from streamer.http.problem import Code
from streamer.http.seat_messages import (
    Clear,
    KeepAlive,
    MessageError,
    PcmRate,
    Prompt,
    SegmentEnd,
    closing_text,
    error_text,
    event_text,
    read_message,
)
from streamer.rooms.events import EventKind, Subscription
from streamer.rooms.room import Room
from streamer.rooms.seat import SeatInput

SEND_SECONDS = 10.0
MOST_ERRORS = 20  # of one connection; then it is no client of ours
NORMAL, GOING_AWAY, POLICY = 1000, 1001, 1008
SAMPLE_BYTES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketLimits:
    """What one websocket may do."""

    rate: Rate  # of messages
    backlog_bytes: int
    idle_seconds: float
    prompt_characters: int


class Over(NamedTuple):
    """Why a connection ends."""

    reason: str
    code: int = NORMAL


LOST = Over("lost", 0)  # the client is gone without a word
LEFT = Over("left", 0)  # the client closed


class SeatSocket:
    """One accepted connection. `run` owns it until it is over."""

    def __init__(
        self,
        socket: WebSocket,
        room: Room,
        voice: SeatInput,
        pcm_rate: PcmRate,
        limits: SocketLimits,
        meters: Meters,
    ) -> None:
        self._socket = socket
        self._room = room
        self._voice = voice
        self._pcm_rate = pcm_rate
        self._limits = limits
        self._meters = meters
        self._bucket = Bucket.full(limits.rate, time.monotonic())
        self._backlog: deque[bytes | SegmentEnd] = deque()
        self._backlog_bytes = 0
        self._has_changed = asyncio.Event()
        self._sending = asyncio.Lock()
        self._errors = 0

    async def run(self, ready: str) -> Over:
        """Serve until either side is done, and say why; gives the seat back."""
        over = Over("server", GOING_AWAY)
        events = self._room.events.subscribe()
        try:
            await self._send(ready)
            over = await _first(self._read(), self._speak_backlog(), self._tell(events))
            if over.code:
                await self._send(closing_text(over.reason))
                async with asyncio.timeout(SEND_SECONDS):
                    await self._socket.close(over.code, over.reason)
        except (WebSocketDisconnect, RuntimeError, TimeoutError, OSError):
            over = LOST  # it went away while we said goodbye
        finally:
            events.close()
            if over is LOST:
                self._voice.lost()
            else:
                self._voice.close()
        return over

    async def _read(self) -> Over:
        """Take messages until the client leaves or may not go on."""
        while True:
            try:
                async with asyncio.timeout(self._limits.idle_seconds):
                    message = await self._socket.receive()
            except TimeoutError:
                return Over("idle")
            if message["type"] == "websocket.disconnect":
                return LEFT if message.get("code") in (NORMAL, GOING_AWAY) else LOST
            await self._keep_to_the_rate()
            self._meters.message("in")
            over = await self._take(message)
            if over is not None:
                return over

    async def _take(self, message: Any) -> Over | None:
        """Act on one message; give why the connection ends, if it does."""
        try:
            data = message.get("bytes")
            if data is not None:
                await self._hear(data)
            else:
                await self._obey(message.get("text") or "")
        except (MessageError, InvalidInput) as error:
            self._errors += 1
            if self._errors > MOST_ERRORS:
                return Over("too many errors", POLICY)
            await self._send(error_text(Code.INVALID, str(error)))
        except Ended as error:
            return Over(error.reason)
        return None

    async def _keep_to_the_rate(self) -> None:
        """Wait as long as this client is ahead of its rate."""
        wait = self._bucket.take(time.monotonic())
        while wait > 0:
            self._meters.waited("rate")
            await asyncio.sleep(wait)
            wait = self._bucket.take(time.monotonic())

    async def _hear(self, data: bytes) -> None:
        """Queue speech, or keep it until it can be queued."""
        if len(data) % SAMPLE_BYTES:
            raise MessageError(
                f"speech is 16-bit samples, and the message has {len(data)} bytes; send whole ones"
            )
        if not self._backlog:
            try:
                self._voice.say(data, self._pcm_rate)
            except QueueFull:
                pass
            else:
                return
        self._keep(data)
        while self._backlog_bytes > self._limits.backlog_bytes:  # ended by _speak_backlog
            self._meters.waited("backlog")
            self._has_changed.clear()
            await self._has_changed.wait()

    async def _obey(self, text: str) -> None:
        match read_message(text):
            case SegmentEnd() as end:
                if self._backlog:
                    self._keep(end)
                else:
                    self._voice.segment_end()
            case Clear():
                self._backlog.clear()
                self._backlog_bytes = 0
                self._voice.clear()
            case Prompt(text=prompt):
                most = self._limits.prompt_characters
                if len(prompt) > most:
                    raise MessageError(f"a prompt may have {most} characters, not {len(prompt)}")
                await self._room.set_prompt(prompt)
            case KeepAlive():
                self._voice.check()

    def _keep(self, item: bytes | SegmentEnd) -> None:
        self._backlog.append(item)
        self._backlog_bytes += len(item) if isinstance(item, bytes) else 0
        self._has_changed.set()

    async def _speak_backlog(self) -> Over:
        """Move the backlog to the seat as there is room; ended by the other two."""
        try:
            while True:
                while not self._backlog:
                    self._has_changed.clear()
                    await self._has_changed.wait()
                first = self._backlog[0]
                if isinstance(first, bytes):
                    seconds = len(first) / SAMPLE_BYTES / self._pcm_rate
                    await self._voice.room_for(seconds)
                if not self._backlog or self._backlog[0] is not first:
                    continue  # a clear came meanwhile
                if isinstance(first, bytes):
                    self._voice.say(first, self._pcm_rate)
                    self._backlog_bytes -= len(first)
                else:
                    self._voice.segment_end()
                self._backlog.popleft()
                self._has_changed.set()
        except Ended as error:
            return Over(error.reason)
        except QueueFull as error:
            return Over(str(error), POLICY)

    async def _tell(self, events: Subscription) -> Over:
        """Say what happens in the room until it ends or the client does not listen."""
        async for event in events:
            if event.kind is EventKind.ENDED:
                return Over(str(event.data.get("reason", "ended")), GOING_AWAY)
            text = event_text(event, self._voice.seat)
            if text is not None:
                try:
                    await self._send(text)
                except TimeoutError:
                    return Over("slow", POLICY)
        return Over("ended", GOING_AWAY)

    async def _send(self, text: str) -> None:
        async with asyncio.timeout(SEND_SECONDS), self._sending:
            await self._socket.send_text(text)
        self._meters.message("out")


async def _first(*works: Coroutine[Any, Any, Over]) -> Over:
    """Give what is done first, and cancel the rest."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task in done).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
