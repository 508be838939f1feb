"""Doubles for rooms: time that jumps, a lane with a price, workers without threads."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from streamer.errors import Ended
from streamer.media.null_generator import NullChunk, NullGenerator, read_opening
from streamer.media.types import Frame
from streamer.rooms.events import Event, EventKind, Subscription
from streamer.rooms.opening import Opened, RoomSpec
from streamer.rooms.registry import Machinery, RoomRegistry
from streamer.rooms.room import Room
from streamer.rooms.settings import RoomSettings
from streamer.rooms.show import Encoding
from streamer.rooms.viewer import EncodedPicture, Viewer

Result = TypeVar("Result")
T = TypeVar("T")
SIZE = (64, 32)
SPEC = RoomSpec(scene="two", has_badge=False)
SETTINGS = RoomSettings()


class JumpingSelector(selectors.SelectSelector):
    """Never waits: what would be waiting moves the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("everything waits, and nothing would end it")
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose seconds cost nothing; for scenes without threads."""

    def __init__(self) -> None:
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)
        self.set_debug(False)  # a stack for every timer makes minutes of seconds

    def time(self) -> float:
        return self._jumping.now


def play(scene: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a scene in virtual time, and see that it leaves no task behind."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_alone(scene))


async def _alone(scene: Callable[[], Coroutine[Any, Any, T]]) -> T:
    result = await scene()
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert left == []
    return result


def now() -> float:
    return asyncio.get_running_loop().time()


class PricedLane:
    """Runs work on the loop, in turns, after virtual seconds: `price(work)` for chunks."""

    def __init__(self, price_s: Callable[[], float]) -> None:
        self._price_s = price_s
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0
        self._is_busy = False
        self.is_closed = False

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def busy_s(self) -> float:
        return 0.0

    async def run(self, due: float, work: Callable[[], Result]) -> Result:
        if self.is_closed:
            raise Ended("generation lane", "closed")
        await self._turn(due)
        try:
            await asyncio.sleep(self._price_s())
            return work()
        finally:
            self._is_busy = False
            self._pass_on()

    async def _turn(self, due: float) -> None:
        if self._is_busy:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._count += 1
            place = (due, self._count, turn)
            self._waiting.append(place)
            try:
                await turn
            except asyncio.CancelledError:
                if place in self._waiting:
                    self._waiting.remove(place)
                else:
                    self._is_busy = False
                    self._pass_on()
                raise
        self._is_busy = True

    def _pass_on(self) -> None:
        if self._waiting:
            place = min(self._waiting)
            self._waiting.remove(place)
            self._is_busy = True
            place[2].set_result(None)

    async def close(self) -> None:
        self.is_closed = True

    def abandon(self) -> None:
        self.is_closed = True


class InlineWorker:
    """Work is done at once."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def run(self, work: Callable[[], Result]) -> Result:
        return work()

    def close(self) -> None:
        pass


@dataclass
class RawEncoder:
    """The picture itself is the payload, so that tests can look at it."""

    encoding: Encoding
    frames: list[int] = field(default_factory=list)
    bitrates: list[int] = field(default_factory=list)
    is_closed: bool = False

    def encode(self, picture_rgb: Frame, frame: int, *, is_key: bool) -> list[EncodedPicture]:
        self.frames.append(frame)
        return [EncodedPicture(picture_rgb.tobytes(), frame, is_key or len(self.frames) == 1)]

    def set_bitrate(self, bits_per_second: int) -> None:
        self.bitrates.append(bits_per_second)

    def close(self) -> None:
        self.is_closed = True


class WatchedGenerator(NullGenerator):
    """Remembers what was asked of it, and fails when told."""

    def __init__(self, people: int = 2, chunk_frames: int = 4, look_ahead: int = 1280) -> None:
        super().__init__(people, SIZE, chunk_frames, look_ahead)
        self.steps: list[int | None] = []
        self.cleared: list[int] = []
        self.heard: list[NDArray[np.float32]] = []
        self.has_closed = False
        self.failure: BaseException | None = None

    def clear(self, seat: int) -> int:
        self.cleared.append(seat)
        return super().clear(seat)

    def make_chunk(self, steps: int | None = None) -> NullChunk:
        if self.failure is not None:
            raise self.failure
        self.steps.append(steps)
        chunk = super().make_chunk(None)
        self.heard.append(chunk.audio)
        return chunk

    def close(self) -> None:
        self.has_closed = True
        super().close()


@dataclass
class Theater:
    """Generators by scene name, with what they cost."""

    price_s: float = 0.05
    step_counts: tuple[int, ...] = (2, 3, 4)
    people: int = 2
    opened: list[WatchedGenerator] = field(default_factory=list)
    encoders: list[RawEncoder] = field(default_factory=list)
    failure: BaseException | None = None

    def open(self, spec: RoomSpec) -> Opened:
        if self.failure is not None:
            raise self.failure
        generator = WatchedGenerator(self.people)
        self.opened.append(generator)
        return Opened(generator=generator, step_counts=self.step_counts)

    def make_encoder(self, encoding: Encoding) -> RawEncoder:
        self.encoders.append(RawEncoder(encoding))
        return self.encoders[-1]

    def machinery(self) -> Machinery:
        return Machinery(
            now=now,
            make_lane=lambda: PricedLane(lambda: self.price_s),
            make_worker=InlineWorker,
            make_encoder=self.make_encoder,
        )


def tone(seconds: float, rate: int = 16000, level: float = 0.3) -> NDArray[np.float32]:
    """Make a loud voice."""
    times = np.arange(round(seconds * rate)) / rate
    return np.asarray(level * np.sin(2 * np.pi * 220 * times), np.float32)


def pcm(seconds: float, rate: int = 16000, level: float = 0.3) -> bytes:
    return (tone(seconds, rate, level) * 32767).astype("<i2").tobytes()


@asynccontextmanager
async def house(theater: Theater, settings: RoomSettings = SETTINGS) -> AsyncIterator[RoomRegistry]:
    async with RoomRegistry(theater.open, settings, machinery=theater.machinery()) as registry:
        yield registry


async def ready(registry: RoomRegistry, spec: RoomSpec = SPEC) -> Room:
    room = await registry.create(spec)
    events = room.events.subscribe()
    while (await events.next()).kind is not EventKind.READY:
        pass
    events.close()
    return room


def heard(events: Subscription, *kinds: EventKind) -> list[Event]:
    """Read what is there without waiting."""
    found = [event for event in events._events if not kinds or event.kind in kinds]
    events._events.clear()
    return found


async def mouths(viewer: Viewer, frames: int) -> list[tuple[int, float, float]]:
    """Watch: the frame's number and how far each mouth is open."""
    seen = []
    for _ in range(frames):
        encoded = await viewer.next_picture()
        picture = np.frombuffer(encoded.payload, np.uint8).reshape(SIZE[1], SIZE[0], 3)
        opened = [read_opening(picture, seat, 2) for seat in (0, 1)]
        seen.append((encoded.frame, opened[0], opened[1]))
    return seen


async def talk(room: Room, seat: int, seconds: float, every_s: float = 0.02) -> None:
    """Speak live into a seat, in packets."""
    voice = room.publish(seat, kind="live", holder=f"mic {seat}")
    block = tone(every_s)
    start = now()
    for index in range(round(seconds / every_s)):
        await asyncio.sleep(max(0.0, start + index * every_s - now()))
        voice.push(block)
    voice.close()


async def read_on(viewer: Viewer) -> None:
    while True:
        await viewer.next_sound()
        while viewer.waiting[0]:
            await viewer.next_picture()
