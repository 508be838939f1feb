"""A LiveKit Agents avatar: `await ParleyAvatar(seat).start(session, ctx.room)`, and it speaks.

It publishes the scene from the agent's own participant. Several agents of one process that speak in
one scene take a `ParleyAvatar` each; one of them shows the scene, the others only speak.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote

import httpx2
from livekit import rtc
from livekit.agents import AgentSession
from livekit.agents.voice.avatar import (
    AudioReceiver,
    AudioSegmentEnd,
    AvatarOptions,
    AvatarRunner,
    AvatarSession,
)

from clients.adapters.livekit_output import SeatAudioOutput
from clients.adapters.livekit_video import ParleyVideo
from clients.adapters.scene_viewer import SceneViewer, ViewerError
from clients.bot import BotSession
from clients.bot.events import Metrics

RATE = 24_000
FPS = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class ParleySeat:
    """Which person of which room speaks for the agent."""

    server: str
    room: str
    seat: int
    token: str | None = None
    is_shown: bool = True  # of several avatars in one scene, one shows it for all


class ParleyAvatar(AvatarSession[str]):
    """One avatar of one agent session."""

    _room: rtc.Room | None  # of the base

    def __init__(self, seat: ParleySeat) -> None:
        super().__init__()
        self.seat = seat
        self._bot = BotSession(seat.server, seat.room, seat.seat, token=seat.token)
        self._output: SeatAudioOutput | None = None
        self._viewer: SceneViewer | None = None
        self._runner: AvatarRunner | None = None
        self._identity = ""

    @property
    def avatar_identity(self) -> str:
        return self._identity

    @property
    def provider(self) -> str:
        return "parley"

    @property
    def room_metrics(self) -> Metrics | None:
        """The newest of what Parley's room tells every second."""
        return self._output.room_metrics if self._output else None

    async def start(self, agent_session: AgentSession, room: rtc.Room) -> None:  # type: ignore[type-arg]  # its user data is the agent's own
        """Take the seat, and show the scene if it is this avatar's to show.

        Raises:
            BotError: when the seat cannot be taken.
            ViewerError: when the room cannot be watched.
        """
        self._identity = room.local_participant.identity
        await super().start(agent_session, room)
        try:
            await self._bot.connect()
            if self.seat.is_shown:
                await self._show(room)
        except BaseException:
            await self.aclose()
            raise
        self._output = SeatAudioOutput(self._bot)
        agent_session.output.replace_audio_tail(self._output)

    async def aclose(self) -> None:
        """Give the seat back. A second time does nothing."""
        if self._room is not None:
            # The base would remove the avatar's participant from the room, which here is the agent.
            self._room.off("connection_state_changed", self._on_connection_state_changed)
            self._room = None
        await super().aclose()
        output, self._output = self._output, None
        runner, self._runner = self._runner, None
        viewer, self._viewer = self._viewer, None
        if output is not None:
            await output.aclose()
        await self._bot.close()
        if runner is not None:
            await runner.aclose()
        if viewer is not None:
            await viewer.close()

    async def _show(self, room: rtc.Room) -> None:
        seat = self.seat
        width, height = await _size(seat)
        self._viewer = SceneViewer(seat.server, seat.room, token=seat.token, sample_rate=RATE)
        await self._viewer.open()
        options = AvatarOptions(
            video_width=width,
            video_height=height,
            video_fps=FPS,
            audio_sample_rate=RATE,
            audio_channels=1,
        )
        self._runner = AvatarRunner(
            room, audio_recv=_NoAudio(), video_gen=ParleyVideo(self._viewer), options=options
        )
        await self._runner.start()


class _NoAudio(AudioReceiver):
    """For a runner that only shows: seats get their sound by another way."""

    def notify_playback_finished(self, playback_position: float, interrupted: bool) -> None:
        return None

    def notify_playback_started(self) -> None:
        return None

    async def __aiter__(self) -> AsyncIterator[rtc.AudioFrame | AudioSegmentEnd]:  # type: ignore[override]  # declared as no generator there
        await asyncio.Event().wait()  # ended by the runner, which cancels it
        yield AudioSegmentEnd()


async def _size(seat: ParleySeat) -> tuple[int, int]:
    headers = {"Authorization": f"Bearer {seat.token}"} if seat.token else {}
    url = f"{seat.server.rstrip('/')}/rooms/{quote(seat.room, safe='')}"
    try:
        async with httpx2.AsyncClient(follow_redirects=True, headers=headers) as http:
            answer = await http.get(url)
    except httpx2.HTTPError as error:
        raise ViewerError(f"{url} does not answer: {error}") from error
    if answer.is_error:
        raise ViewerError(f"{url} said {answer.status_code}: {answer.text[:300]}")
    said = answer.json()
    return int(said["width"]), int(said["height"])
