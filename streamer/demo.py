"""A ready room in which the people talk to each other, for a first look without any client."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engines.conversation import Turn
from streamer.errors import StreamerError
from streamer.media.types import SAMPLE_RATE
from streamer.rooms.opening import RoomSpec
from streamer.rooms.registry import RoomRegistry
from streamer.rooms.room import Room
from streamer.rooms.seat import SeatInput

logger = logging.getLogger(__name__)
BABBLE_SECONDS = 4.0
BABBLED_TURNS = 12
PAUSE_SECONDS = 0.6
LEISURE_SECONDS = 1.0  # after the last turn, before the first is said again
SYLLABLES_HZ = 4.2
HOLDER = "demo"
FULL_SCALE = 32767


async def open_demo(registry: RoomRegistry, scene: str, *, has_badge: bool) -> Room:
    """Open the room."""
    return await registry.create(RoomSpec(scene=scene, has_badge=has_badge))


async def talk(room: Room, conversation: Sequence[Turn]) -> None:
    """Say a conversation over and over until the room ends or this is cancelled.

    A seat that a visitor has taken is left to the visitor, and its turns are left out.
    """
    turns = conversation or [
        Turn(index, babble(index % room.people, index)) for index in range(BABBLED_TURNS)
    ]
    speakers: dict[int, SeatInput] = {}
    while room.end_reason is None:
        for turn in turns:
            seat = turn.speaker % room.people
            speaker = _speaker(room, seat, speakers)
            if speaker is not None:
                pcm = (turn.samples * FULL_SCALE).round().astype("<i2")
                with contextlib.suppress(StreamerError):  # the seat was taken just now
                    speaker.say(pcm.tobytes(), SAMPLE_RATE)
                    speaker.segment_end()
                    await asyncio.sleep(len(turn.samples) / SAMPLE_RATE)
                    await _said(speaker)
                await asyncio.sleep(PAUSE_SECONDS)
            if room.end_reason is not None:
                return
        await asyncio.sleep(LEISURE_SECONDS)


async def _said(speaker: SeatInput) -> None:
    """Wait until nothing is left to say: on a slow machine speech takes longer than its sound."""
    while speaker.ended is None and speaker.queued_s > 0:  # noqa: ASYNC110 - a queue tells nobody
        await asyncio.sleep(PAUSE_SECONDS / 4)


def _speaker(room: Room, seat: int, speakers: dict[int, SeatInput]) -> SeatInput | None:
    """Give the demo's hold on a seat, taken anew when a visitor has left it; None if it is taken.

    Visitors may take it at any time, also in the middle of a sentence.
    """
    holder = room.seats[seat].holder
    if holder == HOLDER and seat in speakers:
        return speakers[seat]
    speakers.pop(seat, None)
    if holder is None:
        speakers[seat] = room.publish(seat, kind="bot", holder=HOLDER, is_yielding=True)
    return speakers.get(seat)


def babble(speaker: int, turn: int) -> NDArray[np.float32]:
    """Make speech-like sound without words [n] at 16 kHz: a voice for each speaker."""
    count = int(BABBLE_SECONDS * SAMPLE_RATE)
    times = np.arange(count) / SAMPLE_RATE
    chance = np.random.default_rng((speaker, turn))
    pitch = 110.0 * 1.6**speaker * (1 + 0.05 * np.sin(2 * np.pi * 0.7 * times))
    phase = np.cumsum(2 * np.pi * pitch / SAMPLE_RATE)
    rate = SYLLABLES_HZ * chance.uniform(0.85, 1.15)
    syllables = np.clip(np.sin(2 * np.pi * rate * times) + 0.3, 0, 1)
    harmonics = np.arange(1, 12)[:, None]
    voice = (np.sin(phase * harmonics) / harmonics).sum(0)
    breath = np.minimum(1.0, np.minimum(times, BABBLE_SECONDS - times) * 8)
    sound: NDArray[np.float32] = np.clip(0.2 * voice * syllables * breath, -1, 1).astype(np.float32)
    return sound
