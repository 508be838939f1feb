"""Two rooms on one server, each with a voice of its own: nothing of one is in the other."""

from __future__ import annotations

import asyncio

import numpy as np
import websockets

from streamer.media.types import Samples
from tests.streamer.interop.whole import whole_server
from tests.streamer.webrtc.stand_ins import Client
from tests.streamer.webrtc.virtual_time import run

VOICES = ((440.0, 0), (1170.0, 1))  # of each room: frequency, seat
SPOKEN = 3.0  # seconds
RATE = 16_000
HEARD, UNHEARD = 0.05, 1e-4  # full scale; below the second nothing is but rounding


def tone(frequency: float) -> bytes:
    times = np.arange(round(SPOKEN * RATE)) / RATE
    return (0.4 * np.sin(2 * np.pi * frequency * times) * 32767).astype("<i2").tobytes()


def share(samples: Samples, frequency: float) -> float:
    """How loud one frequency is."""
    times = np.arange(len(samples)) / 48_000
    wave = np.exp(-2j * np.pi * frequency * times) * np.hanning(len(samples))
    return float(4 * abs(np.mean(samples * wave)))


async def speak_in_both() -> list[Client]:
    viewers = [Client(watches=True) for _ in VOICES]
    async with whole_server() as server:
        rooms = [await server.open_room() for _ in VOICES]
        for room, viewer in zip(rooms, viewers, strict=True):
            await server.call(viewer, f"/rooms/{room}/whep")
        async with asyncio.TaskGroup() as tasks:
            for room, (frequency, seat) in zip(rooms, VOICES, strict=True):
                address = f"{server.url.replace('http', 'ws')}/rooms/{room}/seats/{seat}/audio"
                tasks.create_task(say(address, tone(frequency)))
        for viewer in viewers:
            await viewer.pc.close()
    return viewers


async def say(address: str, speech: bytes) -> None:
    async with websockets.connect(address) as socket:
        await socket.send(speech[: len(speech) // 2])
        await socket.send(speech[len(speech) // 2 :])
        await socket.send('{"type": "segment_end"}')
        async for text in socket:
            if '"speak_ended"' in str(text):
                return


def test_nothing_of_one_room_is_seen_or_heard_in_the_other() -> None:
    viewers = run(speak_in_both)
    for own, viewer in enumerate(viewers):
        sound = np.concatenate([samples for _, samples in viewer.sound()])
        own_tone, own_seat = VOICES[own]
        other_tone, other_seat = VOICES[1 - own]
        assert share(sound, own_tone) > HEARD
        assert share(sound, other_tone) < UNHEARD
        assert max(opened for _, opened in viewer.openings(own_seat, 2)) > 0.5
        assert max(opened for _, opened in viewer.openings(other_seat, 2)) == 0.0
