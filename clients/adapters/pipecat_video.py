"""A Pipecat video service: what the bot says is spoken by a person of a Parley room.

Pipecat's own TTS audio goes in, faster than real time; pictures and the sound that fits them come
out. A `TTSStoppedFrame` is held until its speech was really spoken, and dropped when it was
interrupted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray
from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InterruptionFrame,
    OutputImageRawFrame,
    OutputTransportReadyFrame,
    SpeechOutputAudioRawFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessorSetup
from pipecat.services.ai_service import AIService
from pipecat.services.settings import ServiceSettings

from clients.adapters.scene_viewer import Picture, SceneViewer, Sound, ViewerError
from clients.bot import BotError, BotSession, Segment
from clients.bot.events import ErrorTold, Metrics, SpeakStarted

RATE = 24_000
SETTLED = 0.2  # seconds of silence after a clear: what was on its way has come
MOST_SETTLING = 1.5  # seconds after a clear, however much others of the scene say
LAST_SOUND = 0.5  # seconds from a segment's end to its last sound here
QUIET = 64  # of 32768: what an encoder makes of silence stays below
HANGOVER = 1.0  # seconds of silence that are passed on after sound; then a transport may catch up
ENDING = 5.0  # seconds more than the speech that is left, before the end comes anyway


@dataclass(frozen=True, slots=True, kw_only=True)
class ParleySeat:
    """Which person of which room speaks for the bot."""

    server: str
    room: str
    seat: int
    token: str | None = None
    is_shown: bool = True  # of several avatars in one scene, one service shows it for all
    destination: str | None = None  # of the pictures and the sound, in the user's transport


class ParleyVideoService(AIService):
    """One avatar. Several in one scene are several services with one room."""

    def __init__(self, seat: ParleySeat, *, name: str | None = None) -> None:
        super().__init__(settings=ServiceSettings(model=None), name=name)
        self.seat = seat
        self.room_metrics: Metrics | None = None  # the newest, of every second
        self.last_clear_ms: float | None = None  # from an interruption to the server's yes
        self._bot: BotSession | None = None
        self._viewer: SceneViewer | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._resampler: soxr.ResampleStream | None = None
        self._stopped: deque[tuple[Segment, TTSStoppedFrame]] = deque()
        self._is_ready = False  # the user's transport takes frames
        self._settling_until = 0.0  # after an interruption; nothing is passed on before
        self._loud_at = -HANGOVER  # when something was heard last

    def can_generate_metrics(self) -> bool:
        return True

    async def setup(self, setup: FrameProcessorSetup) -> None:
        """Take the seat and watch the room; what fails is told as an error frame."""
        await super().setup(setup)
        seat = self.seat
        bot = BotSession(seat.server, seat.room, seat.seat, token=seat.token)
        try:
            await bot.connect()
            self._bot = bot
            self._tasks.append(self.create_task(self._hear(bot)))
            if seat.is_shown:
                viewer = SceneViewer(seat.server, seat.room, token=seat.token, sample_rate=RATE)
                await viewer.open()
                self._viewer = viewer
                self._tasks.append(self.create_task(self._show(viewer)))
        except (BotError, ViewerError) as error:
            await self.push_error(error_msg=f"no avatar: {error}", exception=error)

    async def stop(self, frame: EndFrame) -> None:
        """Let the avatar finish what it says, then leave."""
        await super().stop(frame)
        if self._bot is not None and self._stopped:
            segment, _ = self._stopped[-1]
            try:
                async with asyncio.timeout(self._bot.unspoken_seconds + ENDING):
                    await segment.spoken()
            except TimeoutError:
                await self.push_error(error_msg="the avatar did not finish; nobody watches it?")
            await asyncio.sleep(LAST_SOUND)
        await self._leave()

    async def cancel(self, frame: CancelFrame) -> None:
        await super().cancel(frame)
        await self._leave()

    async def cleanup(self) -> None:
        await super().cleanup()
        await self._leave()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Take speech; pass everything else on."""
        await super().process_frame(frame, direction)
        match frame:
            case TTSAudioRawFrame():
                await self._say(frame)
            case TTSStoppedFrame():
                await self._end_segment(frame)
            case InterruptionFrame():
                await self._interrupt(frame, direction)
            case TTSStartedFrame():
                await self.start_ttfb_metrics()
                await self.push_frame(frame, direction)
            case OutputTransportReadyFrame():
                self._is_ready = True
                await self.push_frame(frame, direction)
            case _:
                await self.push_frame(frame, direction)

    async def _say(self, frame: TTSAudioRawFrame) -> None:
        if self._bot is None:
            return
        samples = np.frombuffer(frame.audio, "<i2").reshape(-1, frame.num_channels)
        mono = samples.mean(axis=1).astype(np.int16) if frame.num_channels > 1 else samples[:, 0]
        if frame.sample_rate != RATE:
            if self._resampler is None:
                self._resampler = soxr.ResampleStream(frame.sample_rate, RATE, 1, dtype="int16")
            mono = self._resampler.resample_chunk(mono)
        await self._send(self._bot, mono)

    async def _send(self, bot: BotSession, samples: NDArray[np.int16]) -> None:
        if not len(samples):
            return
        try:
            await bot.say_pcm(samples)
        except BotError as error:
            await self.push_error(error_msg=f"the avatar is silent: {error}", exception=error)

    async def _end_segment(self, frame: TTSStoppedFrame) -> None:
        """End the segment; its frame goes on when the segment was spoken."""
        if self._bot is None:
            await self.push_frame(frame)
            return
        resampler, self._resampler = self._resampler, None
        if resampler is not None:
            await self._send(self._bot, resampler.resample_chunk(np.zeros(0, np.int16), last=True))
        segment = await self._bot.end_segment()
        if segment is None:  # nothing was said
            await self.push_frame(frame)
            return
        self._stopped.append((segment, frame))
        self._tasks.append(self.create_task(self._tell_when_spoken(segment, frame)))

    async def _tell_when_spoken(self, segment: Segment, frame: TTSStoppedFrame) -> None:
        spoken = await segment.spoken()
        self._stopped.remove((segment, frame))
        if not spoken.is_interrupted:
            await self.push_frame(frame)

    async def _interrupt(self, frame: InterruptionFrame, direction: FrameDirection) -> None:
        """Barge in: at once for what waits here, then at the server."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._resampler = None
        self._settling_until = began + MOST_SETTLING
        await self.stop_all_metrics()
        await self.push_frame(frame, direction)
        if self._bot is not None:
            try:
                await self._bot.clear()
            except (BotError, TimeoutError) as error:
                await self.push_error(error_msg=f"no interruption: {error}", exception=error)
            self.last_clear_ms = (loop.time() - began) * 1000
            if self._viewer is not None:
                self._viewer.skip()

    async def _hear(self, bot: BotSession) -> None:
        """Follow what the server tells; ended by the session."""
        async for event in bot.events():
            match event:
                case SpeakStarted():
                    self._settling_until = 0.0
                    await self.stop_ttfb_metrics()
                case Metrics():
                    self.room_metrics = event
                case ErrorTold(message=message):
                    await self.push_error(error_msg=f"the avatar's server: {message}")
                case _:
                    pass

    async def _show(self, viewer: SceneViewer) -> None:
        """Pass pictures and sound on; what comes before anybody can take it is dropped."""
        loop = asyncio.get_running_loop()
        async for item in viewer.media():
            if not self._is_ready:
                continue
            made: OutputImageRawFrame | SpeechOutputAudioRawFrame
            if isinstance(item, Picture):
                made = OutputImageRawFrame(image=item.pixels("rgb24"), size=item.size, format="RGB")
            elif not self._is_passed_on(item, loop.time()):
                continue
            else:
                made = SpeechOutputAudioRawFrame(
                    audio=item.samples.tobytes(), sample_rate=item.sample_rate, num_channels=1
                )
            made.transport_destination = self.seat.destination
            await self.push_frame(made)

    def _is_passed_on(self, sound: Sound, now: float) -> bool:
        """Whether a sound is of now: no long silence, and nothing that was interrupted."""
        if int(np.abs(sound.samples).max(initial=0)) > QUIET:
            self._loud_at = now
        if now < self._settling_until and now - self._loud_at < SETTLED:
            return False
        self._settling_until = 0.0
        return now - self._loud_at <= HANGOVER

    async def _leave(self) -> None:
        """Give the seat back. A second time does nothing."""
        bot, self._bot = self._bot, None
        viewer, self._viewer = self._viewer, None
        tasks, self._tasks = self._tasks, []
        if bot is not None:
            await bot.close()
        if viewer is not None:
            await viewer.close()
        for task in tasks:
            await self.cancel_task(task)
