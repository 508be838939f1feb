"""A ready room in which the people talk to each other, for a first look without any client."""

from __future__ import annotations

import asyncio
import logging

import numpy as np
from numpy.typing import NDArray

from streamer.media.types import SAMPLE_RATE
from streamer.rooms.opening import RoomSpec
from streamer.rooms.registry import RoomRegistry
from streamer.rooms.room import Room

logger = logging.getLogger(__name__)
TURN_SECONDS = 4.0
PAUSE_SECONDS = 0.6
SYLLABLES_HZ = 4.2
HOLDER = "demo"


async def open_demo(registry: RoomRegistry, scene: str, *, has_badge: bool) -> Room:
    """Open the room."""
    return await registry.create(RoomSpec(scene=scene, has_badge=has_badge))


async def talk(room: Room) -> None:
    """Let everybody speak in turn until the room ends or this is cancelled."""
    inputs = [room.publish(n, kind="bot", holder=HOLDER) for n in range(room.people)]
    turn = 0
    while room.end_reason is None:
        speaker = turn % room.people
        inputs[speaker].say(babble(speaker, turn).tobytes(), SAMPLE_RATE)
        inputs[speaker].segment_end()
        turn += 1
        await asyncio.sleep(TURN_SECONDS + PAUSE_SECONDS)


def babble(speaker: int, turn: int) -> NDArray[np.int16]:
    """Make speech-like sound without words [n] at 16 kHz: a voice for each speaker."""
    count = int(TURN_SECONDS * SAMPLE_RATE)
    times = np.arange(count) / SAMPLE_RATE
    chance = np.random.default_rng((speaker, turn))
    pitch = 110.0 * 1.6**speaker * (1 + 0.05 * np.sin(2 * np.pi * 0.7 * times))
    phase = np.cumsum(2 * np.pi * pitch / SAMPLE_RATE)
    rate = SYLLABLES_HZ * chance.uniform(0.85, 1.15)
    syllables = np.clip(np.sin(2 * np.pi * rate * times) + 0.3, 0, 1)
    harmonics = np.arange(1, 12)[:, None]
    voice = (np.sin(phase * harmonics) / harmonics).sum(0)
    breath = np.minimum(1.0, np.minimum(times, TURN_SECONDS - times) * 8)
    sound = 0.2 * voice * syllables * breath
    said: NDArray[np.int16] = np.clip(sound * 32767, -32768, 32767).astype("<i2")
    return said
