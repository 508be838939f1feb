"""Rooms that are recorded: what a viewer saw is in the file, however the room ends."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.errors import InvalidInput
from streamer.media.null_generator import read_opening
from streamer.rooms.events import EventKind
from streamer.rooms.opening import RoomSpec
from streamer.rooms.registry import RoomRegistry
from streamer.rooms.settings import RoomSettings
from tests.streamer.rooms.stages import Theater, pcm, play

SPEC = RoomSpec(scene="two", has_badge=False, is_recorded=True)


def rgb(frame: av.VideoFrame) -> NDArray[np.uint8]:
    return frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)


def settings_for(folder: Path) -> RoomSettings:
    return RoomSettings(recording_folder=folder)


def test_draining_finishes_the_recording_with_picture_and_mix(tmp_path: Path) -> None:
    async def scene() -> str:
        theater = Theater()
        settings = settings_for(tmp_path)
        async with RoomRegistry(theater.open, settings, machinery=theater.machinery()) as registry:
            room = await registry.create(SPEC)
            room.add_viewer()
            bots = [room.publish(seat, kind="bot") for seat in (0, 1)]
            await asyncio.sleep(1)
            bots[0].say(pcm(1.0), 16000)
            bots[0].segment_end()
            await asyncio.sleep(2)
            bots[1].say(pcm(5.0), 16000)
            await asyncio.sleep(1)
            await registry.drain(10)
            return room.id

    room_id = play(scene)
    path = tmp_path / f"{room_id}.mp4"
    with av.open(str(path)) as file:
        frames = [(f.time or 0.0, rgb(f)) for f in file.decode(video=0)]
    with av.open(str(path)) as file:
        blocks = [f.to_ndarray()[0] for f in file.decode(audio=0)]
    assert frames[-1][0] == pytest.approx(4.0, abs=0.3)
    sound = np.concatenate(blocks)
    loud = np.flatnonzero(np.abs(sound) > 0.1) / 48000
    for seat, start in ((0, loud[0]), (1, loud[loud > 2.5][0])):
        opened = [time for time, picture in frames if read_opening(picture, seat, 2) > 0.3]
        assert opened[0] == pytest.approx(start, abs=0.045)


def test_a_room_that_fails_keeps_its_recording(tmp_path: Path) -> None:
    async def scene() -> str:
        theater = Theater()
        settings = settings_for(tmp_path)
        async with RoomRegistry(theater.open, settings, machinery=theater.machinery()) as registry:
            room = await registry.create(SPEC)
            room.add_viewer()
            await asyncio.sleep(2)
            theater.opened[0].failure = ValueError("bug")
            await asyncio.sleep(1)
            assert registry.rooms == ()
            return room.id

    room_id = play(scene)
    assert (tmp_path / f"{room_id}.mp4").stat().st_size > 1000


def test_a_signature_that_fails_is_told_and_ends_no_other_room(tmp_path: Path) -> None:
    class Broken:
        def sign(self, source: Path, target: Path) -> None:
            raise OSError("no key")

    async def scene() -> None:
        theater = Theater()
        async with RoomRegistry(
            theater.open, settings_for(tmp_path), signer=Broken(), machinery=theater.machinery()
        ) as registry:
            room = await registry.create(SPEC)
            other = await registry.create(replace(SPEC, is_recorded=False))
            room.add_viewer()
            await asyncio.sleep(1)
            events = room.events.subscribe()
            await room.end("deleted")
            told = [event async for event in events]
            codes = [event.data["code"] for event in told if event.kind is EventKind.ERROR]
            assert codes == ["recording_failed"]
            assert told[-1].data == {"reason": "deleted"}
            assert registry.rooms == (other,)

    play(scene)
    assert list(tmp_path.glob("*.partial.mp4"))


def test_without_a_folder_nothing_is_recorded() -> None:
    async def scene() -> None:
        theater = Theater()
        async with RoomRegistry(
            theater.open, RoomSettings(), machinery=theater.machinery()
        ) as registry:
            with pytest.raises(InvalidInput, match="does not record"):
                await registry.create(SPEC)
            assert theater.opened == []

    play(scene)
