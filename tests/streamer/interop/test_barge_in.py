"""Interrupting a bot that pushes ten times faster than it is spoken, seen and heard by a viewer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx2
import numpy as np
import pytest
import websockets

from streamer.media.types import Samples
from tests.streamer.interop.served import served
from tests.streamer.interop.whole import Door, whole_server
from tests.streamer.webrtc.stand_ins import Client
from tests.streamer.webrtc.virtual_time import now, run

RATE = 24_000
TIMES = 10
FASTER = 10  # than real time
PUSH = 0.02  # seconds between two messages
SHUT = 0.4  # seconds after `clear`
TONES = [400.0 + 150.0 * n for n in range(TIMES + 1)]


@dataclass
class Run:
    viewer: Client = field(default_factory=lambda: Client(watches=True))
    cleared: list[float] = field(default_factory=list)  # seconds
    messages: list[dict[str, object]] = field(default_factory=list)
    turn: int = 0


def tone(frequency: float, seconds: float) -> bytes:
    times = np.arange(round(seconds * RATE)) / RATE
    return (0.4 * np.sin(2 * np.pi * frequency * times) * 32767).astype("<i2").tobytes()


async def interrupt_ten_times(server: Door) -> Run:
    seen = Run()
    room = await server.open_room()
    await server.call(seen.viewer, f"/rooms/{room}/whep")
    address = f"{server.url.replace('http', 'ws')}/rooms/{room}/seats/0/audio"
    async with websockets.connect(f"{address}?sample_rate={RATE}") as socket:

        async def push() -> None:
            while True:
                await socket.send(tone(TONES[seen.turn], PUSH * FASTER))
                await asyncio.sleep(PUSH)

        async def listen() -> None:
            async for text in socket:
                seen.messages.append(json.loads(text))

        tasks = [asyncio.create_task(push()), asyncio.create_task(listen())]
        for n in range(TIMES):
            await asyncio.sleep(1.2 + 0.037 * n)  # at every phase of a chunk
            seen.turn = n + 1
            await socket.send('{"type": "clear"}')
            seen.cleared.append(now())
        await asyncio.sleep(1.0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await seen.viewer.pc.close()
    return seen


async def in_virtual_time() -> Run:
    async with whole_server() as server:
        return await interrupt_ten_times(server)


async def of_a_process(url: str) -> Run:
    async with httpx2.AsyncClient(base_url=url) as http:
        return await interrupt_ten_times(Door(url, http))


def share(samples: Samples, frequency: float) -> float:
    """How loud one frequency is, full scale 1."""
    times = np.arange(len(samples)) / 48_000
    wave = np.exp(-2j * np.pi * frequency * times) * np.hanning(len(samples))
    return float(4 * abs(np.mean(samples * wave)))


def shut_after(seen: Run) -> list[float]:
    """Seconds from each `clear` to a shut mouth, with no word of it heard any more."""
    mouth = seen.viewer.openings(0, 2)
    sound = seen.viewer.sound()
    took = []
    for number, at in enumerate(seen.cleared):
        before = [opened for when, opened in mouth if at - 0.4 < when <= at]
        assert max(before, default=0.0) > 0.3
        shut = min(when for when, opened in mouth if when > at and opened < 0.05)
        took.append(shut - at)
        later = np.concatenate([s for when, s in sound if at + SHUT < when <= at + 1.0])
        assert share(later, TONES[number]) < 0.005  # what was interrupted is not heard again
        assert share(later, TONES[number + 1]) > 0.1
    ended = [each for each in seen.messages if each["type"] == "speak_ended"]
    assert [each["interrupted"] for each in ended[:TIMES]] == [True] * TIMES
    cleared = [each for each in seen.messages if each["type"] == "cleared"]
    assert len(cleared) == TIMES
    return took


def test_a_mouth_is_shut_within_400_ms_of_clear_ten_times_in_a_row(
    figure: Callable[[str], None],
) -> None:
    took = shut_after(run(in_virtual_time))
    figure(f"seconds from clear to a shut mouth: {min(took):.3f} to {max(took):.3f}")
    assert max(took) <= SHUT


@pytest.mark.soak
def test_a_mouth_is_shut_in_time_by_a_server_of_its_own(figure: Callable[[str], None]) -> None:
    with served() as server:
        took = shut_after(asyncio.run(of_a_process(server.url), debug=False))
    figure(f"seconds from clear to a shut mouth: {', '.join(f'{each:.3f}' for each in took)}")
    assert max(took) <= SHUT
