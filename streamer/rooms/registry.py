"""Every room of one server: how many there may be, how they are opened, and how all of them end."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

from streamer.errors import InvalidInput, NotFound, SessionLimit
from streamer.media.types import Generator
from streamer.rooms.encoders import make_encoder
from streamer.rooms.lane import Lane, ThreadLane
from streamer.rooms.measures import Measures
from streamer.rooms.opening import Opened, Opener, RoomSpec
from streamer.rooms.recordings import Recordings, Signer
from streamer.rooms.room import Room
from streamer.rooms.serving import Surroundings
from streamer.rooms.settings import RoomSettings
from streamer.rooms.show import EncoderMaker, Recorder
from streamer.rooms.worker import ThreadWorker, Worker

logger = logging.getLogger(__name__)

ID_BYTES = 16  # 128 bits, which nobody guesses
RETRY_AFTER_S = 10.0
ABANDON_S = 0.5  # of a drain's time, for what is left when a generator hangs
OPENING_DUE_S = 0.5  # a scene that opens waits so long behind chunks that are due


@dataclass(frozen=True, slots=True, kw_only=True)
class Machinery:
    """Clock and threads; tests bring their own."""

    now: Callable[[], float] = time.monotonic  # seconds, of the same clock as the event loop's
    make_lane: Callable[[], Lane] = ThreadLane  # one for all rooms: the engine takes one caller
    make_worker: Callable[[str], Worker] = ThreadWorker  # for encoding and recording
    make_encoder: EncoderMaker = make_encoder


class RoomRegistry:
    """Owned by the server; an async context manager, all of it on one event loop.

    Args:
        opener: makes generators; called on the generation thread.
        settings: limits of the rooms.
        signer: of finished recordings.
        machinery: clock and threads.
    """

    def __init__(
        self,
        opener: Opener,
        settings: RoomSettings,
        *,
        signer: Signer | None = None,
        machinery: Machinery | None = None,
    ) -> None:
        self.settings = settings
        self.measures = Measures()
        self.recordings = (
            None
            if settings.recording_folder is None
            else Recordings(settings.recording_folder, settings.most_recording_bytes, signer)
        )
        self.is_draining = False
        self._opener = opener
        self._machinery = machinery or Machinery()
        self._now = self._machinery.now
        self._disk = self._machinery.make_worker("recordings")
        self._rooms: dict[str, Room] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening = 0
        self._lane: Lane | None = None

    @property
    def rooms(self) -> tuple[Room, ...]:
        """All that have not ended, in the order of their opening."""
        return tuple(self._rooms.values())

    @property
    def most_rooms(self) -> int:
        return self.settings.most_rooms

    @property
    def is_full(self) -> bool:
        """Whether another room would be refused; rooms that are being opened count."""
        return len(self._rooms) + self._opening >= self.settings.most_rooms

    @property
    def lane(self) -> Lane:
        """The generation thread, to be looked at."""
        if self._lane is None:
            raise RuntimeError("use the registry as an async context manager")
        return self._lane

    async def create(self, spec: RoomSpec, room_id: str | None = None) -> Room:
        """Open a room; nothing is left of it when this fails or is cancelled.

        A room that lived elsewhere comes back under its `room_id`. Its film has a name of its own:
        that of the room's first life may lie in the same folder.

        Raises:
            SessionLimit: when there are too many, or the server is about to stop.
            InvalidInput: when it is to be recorded and the server does not record.
            Exception: what the opener raises, such as EngineError.
        """
        if self.is_draining or self.is_full:
            self.measures.rooms_refused += 1
            what = "draining" if self.is_draining else "rooms"
            raise SessionLimit(what, self.settings.most_rooms, RETRY_AFTER_S)
        if spec.is_recorded and self.recordings is None:
            raise InvalidInput("this server does not record; start it with a recording folder")
        self._opening += 1
        try:
            opened = await self._open(spec)
            return await self._start(spec, opened, room_id)
        finally:
            self._opening -= 1

    async def _open(self, spec: RoomSpec) -> Opened:
        """Open a generator in the lane; one that is opened for nobody is closed again."""
        made: list[Opened] = []

        def work() -> Opened:
            made.append(self._opener(spec))
            return made[0]

        try:
            return await self.lane.run(self._now() + OPENING_DUE_S, work)
        except asyncio.CancelledError:
            if made:
                await self._discard(made[0].generator)
            raise

    async def _discard(self, generator: Generator) -> None:
        await self.lane.run(self._now(), generator.close)

    async def _start(self, spec: RoomSpec, opened: Opened, known_id: str | None) -> Room:
        new_id = secrets.token_urlsafe(ID_BYTES)
        room_id = known_id or new_id
        recorder: Recorder | None = None
        try:
            if self.is_draining:  # since the generator began to open
                raise SessionLimit("draining", self.settings.most_rooms, RETRY_AFTER_S)
            if spec.is_recorded and self.recordings is not None:
                size = opened.generator.width, opened.generator.height
                begin = partial(self.recordings.begin, new_id, size)
                recorder = await self._disk.run(begin)
            room = Room(room_id, spec, opened, self._surroundings(), recorder)
        except BaseException:
            if recorder is not None:
                await self._disk.run(recorder.finish)
            await self._discard(opened.generator)
            raise
        self._rooms[room_id] = room
        self.measures.rooms_opened += 1
        task = asyncio.create_task(self._run(room), name=f"room {room_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return room

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            settings=self.settings,
            lane=self.lane,
            measures=self.measures,
            make_encoder=self._machinery.make_encoder,
            make_worker=self._machinery.make_worker,
            now=self._now,
        )

    async def _run(self, room: Room) -> None:
        try:
            await room.run()
        finally:
            self._rooms.pop(room.id, None)

    def get(self, room_id: str) -> Room:
        """Find a room.

        Raises:
            NotFound: when there is none, or it has ended.
        """
        if room_id not in self._rooms:
            raise NotFound("room", room_id)
        return self._rooms[room_id]

    async def end(self, room_id: str, reason: str = "deleted") -> None:
        """End a room and wait until it is freed.

        Raises:
            NotFound: when there is none.
        """
        await self.get(room_id).end(reason)

    async def drain(self, seconds: float = 10.0, reason: str = "going_away") -> None:
        """Take nobody new, say goodbye in every room, finish recordings; never longer than this.

        A generator that hangs cannot be stopped: it is left behind, with a line in the log.
        """
        self.is_draining = True
        for room in self.rooms:
            room.close(reason)
        tasks = tuple(self._tasks)
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=max(0.0, seconds - ABANDON_S))
        if late:
            logger.error("%d rooms did not end within %g s", len(late), seconds)
            self.lane.abandon()
            await asyncio.wait(late, timeout=ABANDON_S)

    async def __aenter__(self) -> Self:
        self._lane = self._machinery.make_lane()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.is_draining:
            await self.drain()
        self._disk.close()
        if self.lane.busy_s():
            self.lane.abandon()  # drain has waited for it already
        else:
            await self.lane.close()
