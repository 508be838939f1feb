"""LiveKit's own classes with a Parley room behind them: queue, runner, agent session."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("livekit.agents", reason="livekit-agents is not installed: [livekit]")

from livekit import rtc
from livekit.agents import Agent, AgentSession
from livekit.agents.voice.avatar import (
    AudioSegmentEnd,
    AvatarOptions,
    AvatarRunner,
    QueueAudioOutput,
)
from livekit.agents.voice.io import AudioOutput, PlaybackFinishedEvent

from clients.adapters.livekit_avatar import ParleyAvatar, ParleySeat
from clients.adapters.livekit_output import SeatAudioOutput
from clients.adapters.livekit_video import ParleyVideo
from clients.adapters.scene_viewer import SceneViewer
from clients.bot import BotSession
from streamer.media.null_generator import read_opening
from tests.clients.bot.door import tone
from tests.streamer.interop.served import Served

# LiveKit warns of its own use of asyncio, and leaves native handles to the collector.
pytestmark = [
    pytest.mark.adapters,
    pytest.mark.filterwarnings("default"),
    pytest.mark.usefixtures("room"),
]
RATE = 24_000
OPTIONS = AvatarOptions(
    video_width=128, video_height=64, video_fps=25, audio_sample_rate=RATE, audio_channels=1
)


def frames(seconds: float, step: float = 0.1) -> list[rtc.AudioFrame]:
    data = np.frombuffer(tone(seconds), np.int16)
    cut = range(0, len(data), round(step * RATE))
    parts = [data[start : start + round(step * RATE)] for start in cut]
    return [rtc.AudioFrame(part.tobytes(), RATE, 1, len(part)) for part in parts]


class Publication:
    async def wait_for_subscription(self) -> None:
        return None


class Participant:
    """Stands for the agent in a room of LiveKit's server, which is no Python."""

    identity = "agent"

    def __init__(self) -> None:
        self.published: list[str] = []

    async def publish_track(self, track: Any, options: Any) -> Publication:
        self.published.append(track.name)
        return Publication()


class LiveRoom(rtc.EventEmitter[str]):
    name = "room"

    def __init__(self) -> None:
        super().__init__()
        self.local_participant = Participant()
        self.remote_participants: dict[str, Any] = {}

    def isconnected(self) -> bool:
        return True


class Watched(ParleyVideo):
    """Notes what the runner is given, and when."""

    def __init__(self, viewer: SceneViewer, bot: BotSession | None, people: int = 2) -> None:
        super().__init__(viewer, bot)
        self.people = people
        self.openings: list[tuple[float, list[float]]] = []
        self.sound: list[tuple[float, float]] = []
        self.ends = 0

    async def _media(self) -> AsyncIterator[Any]:
        loop = asyncio.get_running_loop()
        async for item in super()._media():
            if isinstance(item, rtc.VideoFrame):
                pixels = item.convert(rtc.VideoBufferType.RGB24).data
                picture = np.frombuffer(pixels, np.uint8).reshape(item.height, item.width, 3)
                seats = [read_opening(picture, seat, self.people) for seat in range(self.people)]
                self.openings.append((loop.time(), seats))
            elif isinstance(item, rtc.AudioFrame):
                loud = float(np.abs(np.frombuffer(item.data, np.int16)).max())
                self.sound.append((loop.time(), loud))
            else:
                self.ends += isinstance(item, AudioSegmentEnd)
            yield item


def finished(output: Any) -> list[PlaybackFinishedEvent]:
    told: list[PlaybackFinishedEvent] = []
    output.on("playback_finished", told.append)
    return told


async def capture(output: AudioOutput, seconds: float) -> None:
    """Give a segment to an output as fast as it takes it."""
    for frame in frames(seconds):
        await output.capture_frame(frame)
    output.flush()


async def until(is_so: Callable[[], Any], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110  # of LiveKit's objects, which tell no event
            await asyncio.sleep(0.01)


def test_queue_and_runner_finish_each_segment_once_where_it_was_played(
    server: Served, room: str, figure: Callable[[str], None]
) -> None:
    async def work() -> None:
        async with (
            BotSession(server.url, room, 1) as bot,
            SceneViewer(server.url, room, sample_rate=RATE) as viewer,
        ):
            queue = QueueAudioOutput(sample_rate=RATE, wait_playback_start=True)
            told = finished(queue)
            started: list[Any] = []
            queue.on("playback_started", started.append)
            video = Watched(viewer, bot)
            live = LiveRoom()
            runner = AvatarRunner(
                live,  # type: ignore[arg-type]  # a stand-in
                audio_recv=queue,
                video_gen=video,
                options=OPTIONS,
            )
            await runner.start()
            loop = asyncio.get_running_loop()
            for seconds in (1.0, 0.5):  # faster than real time, one behind the other
                await capture(queue, seconds)
            await until(lambda: len(told) == 2)
            assert [each.playback_position for each in told] == pytest.approx([1.0, 0.5], abs=0.01)
            assert [each.interrupted for each in told] == [False, False]
            assert len(started) == 2
            assert live.local_participant.published == ["avatar_audio", "avatar_video"]

            await capture(queue, 8.0)
            await asyncio.sleep(1.5)
            before = runner._playback_position  # what was played when the agent interrupts
            cleared = loop.time()
            queue.clear_buffer()
            await until(lambda: len(told) == 3)
            took = loop.time() - cleared
            assert told[2].interrupted
            assert told[2].playback_position == pytest.approx(before, abs=0.1)
            assert 0.5 < told[2].playback_position < 1.6
            await asyncio.sleep(1.0)
            assert len(told) == 3  # exactly one
            shut = mouth_shut(video, 1, cleared)
            figure(f"finished {took * 1000:.0f} ms after clear, mouth shut {shut * 1000:.0f} ms")
            assert shut < 0.8
            assert not [loud for at, loud in video.sound if at > cleared + 0.05]
            assert all(seats[0] < 0.1 for _, seats in video.openings)  # the other person listens

            await capture(queue, 0.4)
            await until(lambda: len(told) == 4)
            assert told[3].playback_position == pytest.approx(0.4, abs=0.01)
            assert not told[3].interrupted
            await runner.aclose()

    asyncio.run(work(), debug=False)


def mouth_shut(video: Watched, seat: int, after: float) -> float:
    """Seconds until a mouth that was open is shut and stays so."""
    opened = [at for at, seats in video.openings if at > after and seats[seat] > 0.05]
    return (max(opened) - after) if opened else 0.0


@pytest.mark.soak  # a machine of its own: real time, and two decoders
def test_lips_and_sound_come_together(
    server: Served, room: str, figure: Callable[[str], None]
) -> None:
    async def work() -> list[float]:
        async with (
            BotSession(server.url, room, 0) as bot,
            SceneViewer(server.url, room, sample_rate=RATE) as viewer,
        ):
            video = Watched(viewer, None)

            async def watch() -> None:
                async for _ in video:
                    pass

            watching = asyncio.create_task(watch())
            for _ in range(4):
                await bot.say(tone(0.4))
                await asyncio.sleep(0.3)
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            mouth = [(at, seats[0]) for at, seats in video.openings]
            return [
                heard - min((at for at in onsets(mouth, 0.3)), key=lambda at: abs(at - heard))
                for heard in onsets(video.sound, 3000)
            ]

    skews = asyncio.run(work(), debug=False)
    figure("sound after lips, ms: " + ", ".join(f"{1000 * each:.0f}" for each in skews))
    assert len(skews) >= 4
    assert float(np.median(np.abs(skews))) < 0.08


def onsets(values: list[tuple[float, float]], level: float) -> list[float]:
    """Each rise above a level that was quiet before."""
    return [at for (_, was), (at, value) in itertools.pairwise(values) if was < level / 10 <= value]


def test_a_seat_output_finishes_every_segment_however_it_ends(server: Served, room: str) -> None:
    async def work() -> None:
        async with (
            BotSession(server.url, room, 0) as bot,
            SceneViewer(server.url, room),
        ):
            output = SeatAudioOutput(bot)
            told = finished(output)
            for seconds in (0.5, 0.3):
                await capture(output, seconds)
            await output.capture_frame(rtc.AudioFrame(b"", RATE, 1, 0))
            output.flush()
            await until(lambda: len(told) == 3)
            positions = {round(each.playback_position, 2) for each in told}
            assert positions == {0.5, 0.3, 0.0}

            for _ in range(3):  # three in line, and then a barge-in
                await capture(output, 2.0)
            await asyncio.sleep(0.8)
            output.clear_buffer()
            await until(lambda: len(told) == 6)
            assert all(each.interrupted for each in told[3:])
            assert 0.1 < told[3].playback_position < 1.5
            assert [each.playback_position for each in told[4:]] == [0.0, 0.0]
            assert output._pending_playback_count == 0
            output.clear_buffer()  # nothing is said: nothing is finished
            await asyncio.sleep(0.3)
            assert len(told) == 6
            await output.aclose()

    asyncio.run(work(), debug=False)


def test_two_agents_speak_as_two_people_of_one_scene(server: Served, room: str) -> None:
    async def speech(seconds: float) -> AsyncIterator[rtc.AudioFrame]:
        for frame in frames(seconds):
            yield frame

    async def work() -> None:
        live = LiveRoom()
        sessions = [AgentSession(), AgentSession()]
        avatars = [
            ParleyAvatar(ParleySeat(server=server.url, room=room, seat=seat, is_shown=seat == 0))
            for seat in (0, 1)
        ]
        for session, avatar in zip(sessions, avatars, strict=True):
            session.output.set_audio_enabled(True)
            await session.start(Agent(instructions="Speak."))
            await avatar.start(session, live)  # type: ignore[arg-type]  # a stand-in
        tails = [session.output.audio for session in sessions]
        told = [finished(tail) for tail in tails]
        await until(lambda: live.local_participant.published == ["avatar_audio", "avatar_video"])
        handles = [
            session.say("Hello.", audio=speech(seconds), add_to_chat_ctx=False)
            for session, seconds in zip(sessions, (0.8, 6.0), strict=True)
        ]
        await handles[0].wait_for_playout()
        await asyncio.sleep(0.5)
        await handles[1].interrupt()
        await handles[1].wait_for_playout()
        await until(lambda: told[0] and told[1])
        assert [(each.playback_position, each.interrupted) for each in told[0]] == [(0.8, False)]
        assert [each.interrupted for each in told[1]] == [True]
        assert 0.3 < told[1][0].playback_position < 5
        await until(lambda: avatars[0].room_metrics is not None)
        for session, avatar in zip(sessions, avatars, strict=True):
            await session.aclose()
            await avatar.aclose()
        seats = server.shown(room)["seats"]
        assert [seat["is_taken"] for seat in seats] == [False, False]

    asyncio.run(work(), debug=False)
