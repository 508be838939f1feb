"""A real Pipecat pipeline with a Parley room behind its video service."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # audioop, which Pipecat imports
    pytest.importorskip("pipecat.frames.frames", reason="pipecat-ai is not installed: [pipecat]")

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    InterruptionFrame,
    MetricsFrame,
    OutputImageRawFrame,
    SpeechOutputAudioRawFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
)
from pipecat.metrics.metrics import TTFBMetricsData
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

from clients.adapters.pipecat_video import ParleySeat, ParleyVideoService
from streamer.media.null_generator import read_opening
from tests.clients.bot.door import tone
from tests.streamer.interop.served import Served

pytestmark = [pytest.mark.adapters, pytest.mark.filterwarnings("default")]
TTS_RATE = 22_050  # that no seat takes


class Speaker(BaseOutputTransport):
    """The user's end of a transport: real pacing and queues, and notes instead of a network."""

    def __init__(self) -> None:
        super().__init__(
            TransportParams(
                audio_out_enabled=True,
                audio_out_sample_rate=24_000,
                video_out_enabled=True,
                video_out_is_live=True,
                video_out_width=128,
                video_out_height=64,
                video_out_framerate=25,
            )
        )
        self.mouths: list[tuple[float, list[float]]] = []
        self.sound: list[tuple[float, float]] = []
        self._due = 0.0

    async def start(self, frame: Any) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: Any) -> bool:
        loop = asyncio.get_running_loop()
        samples = np.frombuffer(frame.audio, np.int16)
        self.sound.append((loop.time(), float(np.abs(samples).max(initial=0))))
        self._due = max(self._due, loop.time() - 0.1) + len(samples) / 24_000
        await asyncio.sleep(max(0.0, self._due - loop.time()))
        return True

    async def write_video_frame(self, frame: OutputImageRawFrame) -> bool:
        width, height = frame.size
        picture = np.frombuffer(frame.image, np.uint8).reshape(height, width, 3)
        loop = asyncio.get_running_loop()
        self.mouths.append((loop.time(), [read_opening(picture, seat, 2) for seat in (0, 1)]))
        return True


class Notes(BaseObserver):
    """Every frame that was pushed, once."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: dict[int, Frame] = {}

    async def on_push_frame(self, data: FramePushed) -> None:
        media = OutputImageRawFrame | SpeechOutputAudioRawFrame | TTSAudioRawFrame
        if not isinstance(data.frame, media):
            self.frames[data.frame.id] = data.frame

    def of(self, kind: type[Frame]) -> list[Any]:
        return [frame for frame in self.frames.values() if isinstance(frame, kind)]


class Call:
    """A running pipeline: avatars, then the user's transport."""

    def __init__(self, *avatars: ParleyVideoService) -> None:
        self.speaker, self.notes = Speaker(), Notes()
        self.worker = PipelineWorker(
            Pipeline([*avatars, self.speaker]),
            params=PipelineParams(enable_metrics=True, audio_out_sample_rate=24_000),
            observers=[self.notes],
            enable_rtvi=False,
        )
        self.running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Call:
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(self.worker)
        self.running = asyncio.create_task(runner.run())
        await until(lambda: self.speaker.mouths)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.worker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.running  # type: ignore[misc]  # set on entering

    async def speak(self, seconds: float) -> None:
        """What a text-to-speech service pushes, faster than real time."""
        data = tone(seconds, TTS_RATE)
        step = TTS_RATE // 10 * 2
        parts = [data[start : start + step] for start in range(0, len(data), step)]
        sound = [
            TTSAudioRawFrame(audio=part, sample_rate=TTS_RATE, num_channels=1) for part in parts
        ]
        await self.worker.queue_frames([TTSStartedFrame(), *sound, TTSStoppedFrame()])


async def until(is_so: Callable[[], Any], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110  # of Pipecat's objects, which tell no event
            await asyncio.sleep(0.01)


def avatar(server: Served, room: str, seat: int, *, is_shown: bool = True) -> ParleyVideoService:
    place = ParleySeat(server=server.url, room=room, seat=seat, is_shown=is_shown)
    return ParleyVideoService(place)


def spoken_seconds(speaker: Speaker) -> float:
    """From the first loud sound to the last."""
    loud = [at for at, level in speaker.sound if level > 1000]
    return loud[-1] - loud[0] if loud else 0.0


def test_what_tts_says_is_spoken_by_the_avatar(
    server: Served, room: str, figure: Callable[[str], None]
) -> None:
    async def work() -> None:
        async with Call(avatar(server, room, 1)) as call:
            began = asyncio.get_running_loop().time()
            await call.speak(1.5)
            await until(lambda: call.notes.of(TTSStoppedFrame)[:1] and spoken_seconds(call.speaker))
            await until(lambda: len(call.notes.of(BotStartedSpeakingFrame)) >= 1)
            opened = [at for at, seats in call.speaker.mouths if seats[1] > 0.3]
            assert opened
            assert all(seats[0] < 0.1 for _, seats in call.speaker.mouths)
            await asyncio.sleep(2.0)
            assert spoken_seconds(call.speaker) == pytest.approx(1.5, abs=0.5)
            figure(f"first lips {1000 * (opened[0] - began):.0f} ms after the first TTS frame")
            ttfb = [
                data
                for frame in call.notes.of(MetricsFrame)
                for data in frame.data
                if isinstance(data, TTFBMetricsData) and data.value > 0
            ]
            assert ttfb
            figure(f"TTFB metric {1000 * ttfb[0].value:.0f} ms")
            assert not call.notes.of(ErrorFrame)

    asyncio.run(work(), debug=False)


def test_an_interruption_shuts_the_mouth_and_ends_the_speech(
    server: Served, room: str, figure: Callable[[str], None]
) -> None:
    async def work() -> None:
        service = avatar(server, room, 0)
        async with Call(service) as call:
            loop = asyncio.get_running_loop()
            took, ends = [], []
            for _ in range(3):
                await call.speak(10.0)
                began = loop.time()
                await until(lambda: any(s[0] > 0.3 and at > began for at, s in call.speaker.mouths))  # noqa: B023
                await asyncio.sleep(0.8)
                cut = loop.time()
                await call.worker.queue_frame(InterruptionFrame())
                await asyncio.sleep(1.5)
                open_after = [at for at, s in call.speaker.mouths if at > cut and s[0] > 0.05]
                took.append((max(open_after) - cut) if open_after else 0.0)
                heard = [at - cut for at, level in call.speaker.sound if level > 1000 and at > cut]
                ends.append(max(heard, default=0.0))
                assert service.last_clear_ms is not None
            figure("ms to a shut mouth: " + ", ".join(f"{1000 * each:.0f}" for each in took))
            figure("ms to the last sound: " + ", ".join(f"{1000 * each:.0f}" for each in ends))
            figure(f"ms from the frame to the server's yes: {service.last_clear_ms:.0f}")
            assert float(np.median(took)) < 0.8
            assert float(np.median(ends)) < 0.5
            assert not call.notes.of(TTSStoppedFrame)[3:]
            await call.speak(0.5)  # and the bot can speak again
            before = loop.time()
            await until(lambda: any(s[0] > 0.3 and at > before for at, s in call.speaker.mouths))

    asyncio.run(work(), debug=False)


def test_two_bots_speak_as_two_people_of_one_scene(server: Served, room: str) -> None:
    async def work() -> None:
        async with Call(avatar(server, room, 0)) as shown:
            other = Call(avatar(server, room, 1, is_shown=False))
            runner = WorkerRunner(handle_sigint=False)
            await runner.add_workers(other.worker)
            running = asyncio.create_task(runner.run())
            await until(lambda: server.shown(room)["seats"][1]["is_taken"])
            await other.speak(1.0)
            await until(lambda: any(seats[1] > 0.3 for _, seats in shown.speaker.mouths))
            assert all(seats[0] < 0.1 for _, seats in shown.speaker.mouths)
            assert spoken_seconds(shown.speaker) >= 0.0
            await other.worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
        await until(lambda: not any(s["is_taken"] for s in server.shown(room)["seats"]))

    asyncio.run(work(), debug=False)


def test_an_end_waits_for_what_is_being_said(server: Served, room: str) -> None:
    async def work() -> None:
        call = Call(avatar(server, room, 0))
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(call.worker)
        running = asyncio.create_task(runner.run())
        await until(lambda: call.speaker.mouths)
        await call.speak(1.5)
        await call.worker.queue_frame(EndFrame())
        await asyncio.wait_for(running, 20)
        assert spoken_seconds(call.speaker) > 1.0

    asyncio.run(work(), debug=False)


def test_no_room_is_an_error_frame_and_no_end(server: Served) -> None:
    async def work() -> None:
        call = Call(avatar(server, "no-such-room", 0))
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(call.worker)
        running = asyncio.create_task(runner.run())
        await until(lambda: call.notes.of(ErrorFrame))
        assert "not_found" in call.notes.of(ErrorFrame)[0].error
        await call.worker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    asyncio.run(work(), debug=False)
