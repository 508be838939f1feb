"""A LiveKit audio output that is a seat: what an agent says is spoken by a person of a room.

Every segment that an agent captures gets exactly one `playback_finished`, with the position that
the server says was really spoken; also one that is interrupted before it was sent, that is lost
with a connection, or that holds no sound at all.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field

import numpy as np
from livekit import rtc
from livekit.agents.voice.io import AudioOutput, AudioOutputCapabilities
from numpy.typing import NDArray

from clients.bot import BotError, BotSession, InputError, Segment
from clients.bot.changes import Changes
from clients.bot.events import Metrics, SpeakStarted

logger = logging.getLogger(__name__)
MOST_FRAMES = 500  # of a segment that wait to be sent; then `capture_frame` waits


@dataclass(slots=True, eq=False)
class _Captured:
    """One segment as the agent counts them; None in its frames is its end."""

    frames: asyncio.Queue[rtc.AudioFrame | None] = field(default_factory=asyncio.Queue)
    segment: Segment | None = None  # once something of it was sent
    is_cut: bool = False  # by the agent
    has_started: bool = False


class SeatAudioOutput(AudioOutput):
    """An audio output on a connected `BotSession`; both are closed by whoever made them."""

    def __init__(self, bot: BotSession) -> None:
        super().__init__(
            label="Parley",
            capabilities=AudioOutputCapabilities(pause=False),
            sample_rate=bot.settings.sample_rate,
        )
        self.room_metrics: Metrics | None = None  # the newest, of every second
        self._bot = bot
        self._open: _Captured | None = None
        self._line: deque[_Captured] = deque()  # not finished, in order
        self._to_send: asyncio.Queue[_Captured] = asyncio.Queue()
        self._changes = Changes()
        self._tasks: set[asyncio.Task[None]] = set()
        self._own(self._send_all())
        self._own(self._hear())

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """Take a frame, faster than it is spoken."""
        await super().capture_frame(frame)
        if self._open is None:
            self._open = _Captured()
            self._line.append(self._open)
            self._to_send.put_nowait(self._open)
        self._open.frames.put_nowait(frame)
        waiting = self._open
        await self._changes.until(lambda: waiting.is_cut or waiting.frames.qsize() <= MOST_FRAMES)

    def flush(self) -> None:
        """Mark the segment as complete."""
        super().flush()
        captured, self._open = self._open, None
        if captured is not None:
            captured.frames.put_nowait(None)

    def clear_buffer(self) -> None:
        """Barge in: each segment that is not over ends now."""
        self.flush()
        if not self._line:
            return
        for captured in self._line:
            captured.is_cut = True
        self._changes.tell()
        self._own(self._clear())

    async def aclose(self) -> None:
        """Stop; what is not over is finished as interrupted."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for captured in tuple(self._line):
            self._finish(captured, 0.0, interrupted=True)

    async def _clear(self) -> None:
        try:
            await self._bot.clear()
        except (BotError, TimeoutError) as error:
            logger.warning("the avatar could not be interrupted: %s", error)

    async def _send_all(self) -> None:
        """Send one segment after another; what becomes of each is awaited beside."""
        while True:
            captured = await self._to_send.get()
            try:
                await self._send(captured)
            except BotError as error:
                logger.warning("the avatar is silent: %s", error)
                self._finish(captured, 0.0, interrupted=True)
            else:
                self._own(self._follow(captured))

    async def _send(self, captured: _Captured) -> None:
        while not captured.is_cut:
            frame = await captured.frames.get()
            self._changes.tell()
            if frame is None:
                await self._bot.end_segment()
                return
            if captured.is_cut:
                return
            if captured.segment is not None and captured.segment.is_over:
                return  # lost, or cleared by somebody else
            samples = mono(frame, self._bot.settings.sample_rate)
            if len(samples):
                captured.segment = await self._bot.say_pcm(samples)

    async def _follow(self, captured: _Captured) -> None:
        if captured.segment is None:
            self._finish(captured, 0.0, interrupted=captured.is_cut)
            return
        spoken = await captured.segment.spoken()
        self._finish(captured, spoken.position_ms / 1000, interrupted=spoken.is_interrupted)

    async def _hear(self) -> None:
        async for event in self._bot.events():
            match event:
                case SpeakStarted():
                    self._tell_started()
                case Metrics():
                    self.room_metrics = event
                case _:
                    pass

    def _tell_started(self) -> None:
        for captured in self._line:
            segment = captured.segment
            if segment is not None and segment.started_at is not None and not captured.has_started:
                captured.has_started = True
                self.on_playback_started(created_at=time.time())

    def _finish(self, captured: _Captured, position: float, *, interrupted: bool) -> None:
        if captured in self._line:
            self._line.remove(captured)
            self.on_playback_finished(playback_position=position, interrupted=interrupted)

    def _own(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def mono(frame: rtc.AudioFrame, rate: int) -> NDArray[np.int16]:
    """Give a frame's samples [n].

    Raises:
        InputError: when it has another rate than the seat.
    """
    if frame.sample_rate != rate:
        raise InputError(f"the seat takes {rate} Hz, got {frame.sample_rate}; set sample_rate")
    samples = np.frombuffer(frame.data, np.int16).reshape(-1, frame.num_channels)
    return samples.mean(axis=1).astype(np.int16)
