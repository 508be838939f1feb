"""Pictures and sound of a room for LiveKit's `AvatarRunner`.

With a seat it is a whole avatar behind LiveKit's own audio receivers, such as `QueueAudioOutput`
and `DataStreamAudioReceiver`. The runner counts a segment's position by the sound that it is given:
sound is given from a segment's first sample to its last and at no other time. The runner loses
count when a segment begins before the one before it is over: the next one waits.

Without a seat it shows the room as it is, to go with any number of `SeatAudioOutput`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import numpy as np
from livekit import rtc
from livekit.agents.voice.avatar import AudioSegmentEnd, VideoGenerator

from clients.adapters.livekit_output import mono
from clients.adapters.scene_viewer import Picture, SceneViewer, Sound
from clients.bot import BotSession, Segment

QUIET = 64  # of 32768: what an encoder makes of silence stays below
MOST_LEADING = 0.4  # seconds of silence before a segment's first sound is heard here


@dataclass(slots=True, eq=False)
class _Playing:
    """A segment on its way to the viewers."""

    segment: Segment
    samples: int = 0  # given to the runner
    has_begun: bool = False
    is_over: asyncio.Event = field(default_factory=asyncio.Event)


class ParleyVideo(VideoGenerator):
    """One room's pictures; the viewer and the bot are opened and closed by whoever made them."""

    def __init__(self, viewer: SceneViewer, bot: BotSession | None = None) -> None:
        self._viewer = viewer
        self._bot = bot
        self._playing: deque[_Playing] = deque()

    async def push_audio(self, frame: rtc.AudioFrame | AudioSegmentEnd) -> None:
        """Say a frame; the end of a segment waits until it was spoken or interrupted."""
        if self._bot is None:
            return
        if isinstance(frame, AudioSegmentEnd):
            await self._bot.end_segment()
            if self._playing:
                await self._playing[-1].is_over.wait()
            return
        segment = await self._bot.say_pcm(mono(frame, self._bot.settings.sample_rate))
        if not segment.is_over and all(each.segment is not segment for each in self._playing):
            self._playing.append(_Playing(segment))

    async def clear_buffer(self) -> None:
        """Barge in: no more sound from now on."""
        for playing in self._playing:
            playing.is_over.set()
        self._playing.clear()
        if self._bot is not None:
            await self._bot.clear()
            self._viewer.skip()

    async def _media(self) -> AsyncIterator[rtc.VideoFrame | rtc.AudioFrame | AudioSegmentEnd]:
        async for item in self._viewer.media():
            if isinstance(item, Picture):
                width, height = item.size
                pixels = item.pixels("yuv420p")
                yield rtc.VideoFrame(width, height, rtc.VideoBufferType.I420, pixels)
            elif self._bot is None:
                yield _audio(item, len(item.samples))
            else:
                for part in self._part_of_segment(item):
                    yield part

    def __aiter__(self) -> AsyncIterator[rtc.VideoFrame | rtc.AudioFrame | AudioSegmentEnd]:
        return self._media()

    def _part_of_segment(self, sound: Sound) -> list[rtc.AudioFrame | AudioSegmentEnd]:
        """Give what of a sound belongs to the segment that plays, and its end behind its last."""
        if not self._playing:
            return []
        playing = self._playing[0]
        outcome = playing.segment.outcome
        if not playing.has_begun:
            playing.has_begun = self._begins(playing.segment, sound)
            if not playing.has_begun and (outcome is None or outcome.position_ms):
                return []
        count = len(sound.samples)
        if outcome is not None:
            total = outcome.position_ms * sound.sample_rate // 1000
            count = max(0, min(count, total - playing.samples))
        parts: list[rtc.AudioFrame | AudioSegmentEnd] = [_audio(sound, count)] if count else []
        playing.samples += count
        if count < len(sound.samples):
            parts.append(AudioSegmentEnd())
            self._playing.popleft()
            playing.is_over.set()
        return parts

    @staticmethod
    def _begins(segment: Segment, sound: Sound) -> bool:
        """Whether this is the first sound of a segment: what was left before is still coming."""
        if segment.started_at is None:
            return False
        waited = asyncio.get_running_loop().time() - segment.started_at
        return waited > MOST_LEADING or int(np.abs(sound.samples).max(initial=0)) > QUIET


def _audio(sound: Sound, count: int) -> rtc.AudioFrame:
    return rtc.AudioFrame(sound.samples[:count].tobytes(), sound.sample_rate, 1, count)
