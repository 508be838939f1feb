"""Runs a proof: browsers speak on the meeting page, a viewer keeps what comes, a film is made."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import httpx2
import numpy as np
import soxr

from clients.bench import proof_align, proof_film
from clients.bench.errors import BenchError
from clients.bench.load_metrics import Figures, ServerStep, server_step
from clients.bench.load_server import LoadServer, Refused, Scene
from clients.bench.proof_align import Placed
from clients.bench.proof_browser import Playout, Speaker, speakers
from clients.bench.proof_film import Film
from clients.bench.proof_script import RATE, Script, Sound, write_wav
from clients.bench.proof_viewer import KeepingViewer

AFTER_S = 2.0  # until the last word has reached the viewer
BEFORE_S = 0.5  # of the film, ahead of the microphones
LOOK_S = 1.0
HTTP_S = 30.0

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be proved, and with what."""

    url: str
    token: str
    scene: str
    out: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one run brought home."""

    scene: Scene
    browser: str
    film: Film
    voices: tuple[Placed, ...]
    playouts: Mapping[int, Sequence[Playout]]  # by the seat of the browser
    server: ServerStep | None
    has_picture: bool  # of the scene, for identity


class _Called(NamedTuple):
    """A call that is over."""

    scene: Scene
    viewer: KeepingViewer
    speakers: list[Speaker]
    server: ServerStep | None
    has_picture: bool


async def run(wish: Wish, script: Script, tell: Tell) -> Taken:
    """Run one proof; films and voices are in the folder when it returns.

    Raises:
        BenchError, LoadError: when nothing can be proved.
    """
    microphones = {seat: wish.out / f"microphone{seat}.wav" for seat in script.tracks}
    try:
        for seat, path in microphones.items():
            write_wav(path, script.tracks[seat], RATE)
        called = await _call(wish, script, microphones, tell)
    finally:
        for path in microphones.values():
            path.unlink(missing_ok=True)
    tell("decoding what the viewer got")
    began = min(speaker.microphone_at for speaker in called.speakers)
    made = await asyncio.to_thread(
        proof_film.film, called.viewer, wish.out / "proof.mp4", began - BEFORE_S
    )
    tell("finding the voices in its sound")
    voices = await asyncio.to_thread(_voices, wish.out, script, made, called.speakers)
    return Taken(
        scene=called.scene,
        browser=called.speakers[0].version,
        film=made,
        voices=voices,
        playouts={speaker.seat: tuple(speaker.playouts) for speaker in called.speakers},
        server=called.server,
        has_picture=called.has_picture,
    )


async def _call(wish: Wish, script: Script, microphones: dict[int, Path], tell: Tell) -> _Called:
    headers = {"Authorization": f"Bearer {wish.token}"} if wish.token else {}
    async with (
        LoadServer(wish.url, wish.token) as server,
        httpx2.AsyncClient(headers=headers, timeout=HTTP_S, follow_redirects=True) as http,
    ):
        scene = await server.scene(max(microphones) + 1, wish.scene)
        picture = await server.picture(scene)
        if picture is not None:
            (wish.out / "scene.jpg").write_bytes(picture)
        room = await server.open_room(scene)
        if isinstance(room, Refused):
            raise BenchError(f"the server opens no room now ({room.why}); end one, or wait")
        viewer = KeepingViewer(http, wish.url, room)
        try:
            await viewer.watch()
            tell("browsers open the meeting page")
            async with speakers(f"{wish.url}/?room={room}", microphones, wish.token) as spoken:
                before, began = await server.figures(), time.monotonic()
                await asyncio.gather(*(speaker.sit_down() for speaker in spoken))
                await _talk(script, spoken, tell)
                after = await server.figures()
            step = _step(before, after, time.monotonic() - began)
        finally:
            await viewer.leave()
    return _Called(scene, viewer, spoken, step, picture is not None)


async def _talk(script: Script, spoken: Sequence[Speaker], tell: Tell) -> None:
    """Look at every browser once a second until everything is said."""
    began = time.monotonic()
    while (at_s := time.monotonic() - began) < script.seconds + AFTER_S:
        await asyncio.gather(*(speaker.look(at_s) for speaker in spoken))
        tell(f"{at_s:.0f} of {script.seconds + AFTER_S:.0f} s")
        await asyncio.sleep(max(0.0, began + at_s + LOOK_S - time.monotonic()))


def _step(before: Figures | None, after: Figures | None, seconds: float) -> ServerStep | None:
    if before is None or after is None:
        return None
    return server_step(before, after, seconds)


def _voices(out: Path, script: Script, made: Film, spoken: Sequence[Speaker]) -> tuple[Placed, ...]:
    """Find every voice in the film's sound, and write each as the film has it in time."""
    heard = at_16_khz(made.sound)
    found = []
    for speaker in spoken:
        turns = [turn for turn in script.turns if turn.seat == speaker.seat]
        if not turns:
            raise BenchError(f"seat {speaker.seat} never had its turn: give more seconds")
        sent = at_16_khz(script.tracks[speaker.seat])
        placed = proof_align.place(turns, sent, heard, speaker.microphone_at - made.begins_at)
        track = proof_align.lay(placed, sent, len(heard))
        write_wav(out / f"voice{speaker.seat}.wav", track, proof_align.RATE)
        found.append(placed)
    return tuple(found)


def at_16_khz(sound: Sound) -> Sound:
    """Bring 48 kHz to what voices are looked for in; nothing is moved in time."""
    return np.asarray(soxr.resample(sound, RATE, proof_align.RATE), np.float32)
