"""Runs a soak: voices that come and go, viewers behind losses, a look every few seconds."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import psutil

from clients.bench.load_errors import LoadError
from clients.bench.load_machine import find_server
from clients.bench.load_server import LoadServer, Refused, Scene
from clients.bench.soak_faces import TimeLapse
from clients.bench.soak_relay import LossyRelay
from clients.bench.soak_samples import Sample, ServerLook, look_at, sample, settling_s
from clients.bench.soak_viewer import SoakViewer
from clients.bench.soak_voices import BotVoice, MicrophoneVoice, Pcm, new_call

HTTP_S = 30.0
Voice = BotVoice | MicrophoneVoice


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakPlan:
    """What to do."""

    url: str
    token: str
    scenes: Sequence[str]  # of the rooms by turns; none: the first with two seats
    rooms: int
    seconds: float
    every_s: float  # between two looks
    loss: float  # share of datagrams, each way
    seed: int
    out: Path  # where films go


@dataclass(frozen=True, slots=True, kw_only=True)
class Soaked:
    """What came of it."""

    scenes: tuple[Scene, ...]  # of the rooms by turns
    samples: list[Sample]
    films: list[TimeLapse]  # of each room
    failed: dict[str, int]  # of the voices, by what went wrong
    carried: int  # datagrams
    lost: int


@dataclass(frozen=True, slots=True)
class Sentences:
    """The same recordings for both ways in."""

    bot: Sequence[Pcm]  # 24 kHz
    microphone: Sequence[Pcm]  # 48 kHz


@dataclass(slots=True)
class _Soak:
    """One run in progress."""

    plan: SoakPlan
    server: LoadServer
    http: httpx2.AsyncClient
    sentences: Sentences
    stack: AsyncExitStack  # closes relays
    rooms: list[str] = field(default_factory=list)
    films: list[TimeLapse] = field(default_factory=list)  # of each room
    viewers: list[SoakViewer] = field(default_factory=list)  # one of each room
    voices: list[Voice] = field(default_factory=list)
    relays: list[LossyRelay] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)

    def relay(self) -> LossyRelay:
        made = LossyRelay(
            self.plan.loss,
            self.plan.seed + len(self.relays),
            urlsplit(self.plan.url).hostname or "",
        )
        self.relays.append(made)
        return made

    async def fill(self, room: str, scene: Scene) -> None:
        """Let a viewer and a voice for every seat come: bots and microphones by turns."""
        self.films.append(await self._film(scene))
        self.rooms.append(room)
        self.viewers.append(await self._viewer(room))
        for seat in range(scene.people):
            seed = self.plan.seed + 100 + len(self.voices)
            if len(self.voices) % 2 == 0:
                at = (self.plan.url, room, seat, self.plan.token)
                self.voices.append(BotVoice(*at, self.sentences.bot, seed))
            else:
                call = partial(new_call, self.http, self.plan.url, room, seat)
                said = self.sentences.microphone
                self.voices.append(MicrophoneVoice(call, self.relay, said, seed))

    async def _film(self, scene: Scene) -> TimeLapse:
        film = self.stack.enter_context(TimeLapse(self.plan.out, len(self.rooms), scene))
        picture = await self.server.picture(scene)
        if picture is not None:
            film.compare_with(picture)
        return film

    async def _viewer(self, room: str) -> SoakViewer:
        relay = await self.stack.enter_async_context(self.relay())
        viewer = SoakViewer(self.http, self.plan.url, room, relay)
        self.stack.push_async_callback(viewer.leave)
        await viewer.watch()
        return viewer

    async def _come_back(self) -> None:
        """Let viewers whose connection is over watch again; who cannot tries at the next look."""
        for n, viewer in enumerate(self.viewers):
            if viewer.is_connected:
                continue
            await viewer.leave()
            try:
                self.viewers[n] = await self._viewer(self.rooms[n])
            except LoadError as error:
                self.failed[str(error)] += 1

    async def watch(
        self, process: psutil.Process | None, tell: Callable[[Sample], None]
    ) -> list[Sample]:
        """Look every few seconds until the time is over."""
        samples: list[Sample] = []
        began = time.monotonic()
        before = await self._look(process)
        while time.monotonic() - began < self.plan.seconds:
            due = began + (len(samples) + 1) * self.plan.every_s
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            after = await self._look(process)
            said = [voice.look() for voice in self.voices]
            for each in said:
                self.failed.update(each.failed)
            seen = [viewer.look() for viewer in self.viewers]
            for film, each_seen in zip(self.films, seen, strict=True):
                if each_seen.picture is not None:
                    film.add(len(samples), each_seen.picture)
            at_s = time.monotonic() - began
            if at_s >= settling_s(self.plan.seconds):
                for viewer in self.viewers:
                    viewer.settle()
            samples.append(sample(at_s, (before, after), seen, said))
            before = after
            tell(samples[-1])
            await self._come_back()
        return samples

    async def _look(self, process: psutil.Process | None) -> ServerLook:
        figures = await self.server.figures()
        return look_at(process, figures)


async def run(plan: SoakPlan, sentences: Sentences, tell: Callable[[Sample], None]) -> Soaked:
    """Run a plan; every room and every client is gone when it returns or raises.

    Raises:
        LoadError: when nothing can be measured.
    """
    headers = {"Authorization": f"Bearer {plan.token}"} if plan.token else {}
    async with (
        LoadServer(plan.url, plan.token) as server,
        httpx2.AsyncClient(headers=headers, timeout=HTTP_S, follow_redirects=True) as http,
        AsyncExitStack() as stack,
    ):
        named = [await server.scene(1, each) for each in plan.scenes]
        scenes = tuple(named) or (await server.scene(2),)
        process = await asyncio.to_thread(find_server, plan.url)
        soak = _Soak(plan, server, http, sentences, stack)
        for scene in islice(cycle(scenes), plan.rooms):
            room = await server.open_room(scene)
            if isinstance(room, Refused):
                raise LoadError(f"the server opens no room now ({room.why}); raise limits.rooms")
            await soak.fill(room, scene)
        tasks = [asyncio.create_task(voice.run(), name="voice") for voice in soak.voices]
        try:
            samples = await soak.watch(process, tell)
        finally:
            for task in tasks:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks, return_exceptions=True)
    return Soaked(
        scenes=scenes,
        samples=samples,
        films=soak.films,
        failed=dict(soak.failed),
        carried=sum(relay.carried for relay in soak.relays),
        lost=sum(relay.dropped for relay in soak.relays),
    )
