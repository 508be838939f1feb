"""Every worker of a front: started where slots are free, watched, replaced; and who has a room."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from streamer.cluster.messages import HOLD_SECONDS, Answer, Census, Place
from streamer.cluster.ray_cluster import RayCluster, RayWorker, WorkerLostError
from streamer.errors import SessionLimit
from streamer.http.problem import Code, Problem
from streamer.http.rest_models import RoomWish
from streamer.http.scene_shelf import Parcel
from streamer.rooms.opening import RoomSpec

logger = logging.getLogger(__name__)
LOOK_SECONDS = 0.5  # how soon free slots are seen
AGAIN_SECONDS = 5.0  # after a worker that could not start
SILENT_SECONDS = 10.0  # a worker that says nothing for so long is ended
REOPEN_SECONDS = 2.0  # to find a lost room a new place; then it has ended
RETRY_SECONDS = 10.0
GRACE_SECONDS = 2.0  # of a drain, for a worker's answer to arrive
MOVING_RETRY_SECONDS = 1.0
MOST_REMEMBERED = 1000  # rooms that were lost; of older ones nobody asks any more
LOST = "worker_lost"


@dataclass(slots=True, eq=False)
class Member:
    """A worker that serves."""

    worker: RayWorker
    place: Place
    url: str
    slots: int
    rooms: dict[str, RoomSpec] = field(default_factory=dict)
    opened: int = 0  # rooms that it had opened when `rooms` was true
    opening: int = 0  # rooms that it is asked to open now
    is_draining: bool = False

    @property
    def free(self) -> int:
        return 0 if self.is_draining else self.slots - len(self.rooms) - self.opening


@dataclass(slots=True)
class Tally:
    """Counts of a front's life."""

    workers_lost: int = 0
    rooms_reopened: int = 0
    rooms_lost: int = 0


class Fleet:
    """Owned by a front; `run` is its life, `drain` its end. All of it on one event loop.

    Args:
        cluster: where workers are started.
        parcel_of: gives the picture of a scene that was uploaded, None of any other.
        reopens: whether rooms of a lost worker go on elsewhere.
    """

    def __init__(
        self,
        cluster: RayCluster,
        parcel_of: Callable[[str], Parcel | None],
        *,
        reopens: bool,
    ) -> None:
        self.tally = Tally()
        self.is_draining = False
        self._cluster = cluster
        self._parcel_of = parcel_of
        self._reopens = reopens
        self._members: dict[str, Member] = {}
        self._tending: set[asyncio.Task[None]] = set()
        self._moving: set[str] = set()
        self._lost: OrderedDict[str, None] = OrderedDict()

    @property
    def members(self) -> tuple[Member, ...]:
        """Every worker that serves, in the order of their start."""
        return tuple(self._members.values())

    @property
    def is_full(self) -> bool:
        """Whether another room would be refused."""
        return not any(True for _ in self._with_place())

    async def run(self) -> None:
        """Start workers as long as there are slots for them; ended by cancelling."""
        while True:
            try:
                if await self._cluster.has_room():
                    await self._start()
            except Exception:
                # Broad: whatever Ray does, the workers that there are must be kept and replaced.
                logger.exception("the cluster does not answer; trying again")
                await asyncio.sleep(AGAIN_SECONDS)
            await asyncio.sleep(LOOK_SECONDS)

    async def _start(self) -> None:
        try:
            worker, place = await self._cluster.start()
        except WorkerLostError as error:
            logger.error("a worker cannot begin: %s", error)
            await asyncio.sleep(AGAIN_SECONDS)
            return
        task = asyncio.create_task(self._tend(worker, place), name=worker.name)
        self._tending.add(task)
        task.add_done_callback(self._tending.discard)

    async def _tend(self, worker: RayWorker, place: Place) -> None:
        """Bring a worker up, watch it, and bury it."""
        try:
            url = await worker.call("begin")
        except Exception as error:  # noqa: BLE001  # whatever a bundle or a machine may do
            logger.error("%s on %s cannot serve: %s", worker.name, place.machine, error)
            await asyncio.sleep(AGAIN_SECONDS)
            worker.kill()  # and not before: its slots would be taken again at once
            return
        member = Member(worker, place, url, self._cluster.slots_of_a_worker)
        self._members[worker.name] = member
        logger.info("%s serves %d rooms at %s", worker.name, member.slots, url)
        try:
            await self._watch(member)
        except (WorkerLostError, TimeoutError) as error:
            logger.error("%s", str(error) or f"{worker.name} does not answer")
            self.tally.workers_lost += 1
            worker.kill()  # it may live on, silent, and must not keep its rooms
            await self._bury(member)
        else:
            logger.info("%s has left", worker.name)
            worker.kill()
        finally:
            self._members.pop(worker.name, None)

    async def _watch(self, member: Member) -> None:
        """Follow a worker until it has said goodbye.

        Raises:
            WorkerLostError, TimeoutError: when it is gone without.
        """
        while not member.is_draining:
            async with asyncio.timeout(HOLD_SECONDS + SILENT_SECONDS):
                census: Census = await member.worker.call("census", member.rooms)
            member.is_draining = census.is_draining
            if census.opened >= member.opened:  # else it was written before a room was opened
                member.rooms, member.opened = dict(census.rooms), census.opened
        await member.worker.call("leave")

    async def _bury(self, member: Member) -> None:
        """Find other places for the rooms of a lost worker, or end them."""
        rooms, member.rooms = member.rooms, {}
        self._members.pop(member.worker.name, None)
        self._moving.update(rooms)
        async with asyncio.TaskGroup() as moves:
            for room_id, spec in rooms.items():
                moves.create_task(self._move(room_id, spec), name=f"move {room_id}")

    async def _move(self, room_id: str, spec: RoomSpec) -> None:
        try:
            async with asyncio.timeout(REOPEN_SECONDS):
                has_place = self._reopens and await self._reopen(room_id, spec)
        except TimeoutError:
            has_place = False
        self._moving.discard(room_id)
        if has_place:
            self.tally.rooms_reopened += 1
            return
        logger.error("room %s ended: its worker was lost", room_id)
        self.tally.rooms_lost += 1
        self._lost[room_id] = None
        while len(self._lost) > MOST_REMEMBERED:
            self._lost.popitem(last=False)

    async def _reopen(self, room_id: str, spec: RoomSpec) -> bool:
        for member in self._with_place():
            member.opening += 1
            with suppress(WorkerLostError):
                try:
                    parcel = self._parcel_of(spec.scene)
                    opened = await member.worker.call("reopen", room_id, spec, parcel)
                    if opened:
                        member.rooms[room_id] = spec
                        member.opened = max(member.opened, opened)
                        logger.info("room %s goes on at %s", room_id, member.worker.name)
                        return True
                finally:
                    member.opening -= 1
        return False

    def _with_place(self) -> Iterator[Member]:
        """Give the workers that could take a room, the emptiest first."""
        if not self.is_draining:
            members = sorted(self._members.values(), key=lambda each: -each.free)
            yield from (each for each in members if each.free > 0)

    async def open(self, wish: RoomWish) -> Answer:
        """Open a room where there is place.

        Raises:
            SessionLimit: when there is none, or the front is about to stop.
        """
        answer: Answer | None = None
        said = wish.model_dump_json().encode()
        for member in self._with_place():
            member.opening += 1
            try:
                parcel = self._parcel_of(wish.scene)
                answer = await member.worker.call("open", said, parcel)
            except WorkerLostError:
                continue
            finally:
                member.opening -= 1
            if answer.room is not None and answer.spec is not None:
                member.rooms[answer.room] = answer.spec
                member.opened = max(member.opened, answer.opened)
            if not answer.is_full:
                return answer
        if answer is not None:
            return answer
        what = "draining" if self.is_draining else "rooms"
        slots = sum(each.slots for each in self._members.values())
        raise SessionLimit(what, slots, RETRY_SECONDS)

    def url_of(self, room_id: str) -> str:
        """Say where a room is.

        Raises:
            Problem: when it is nowhere, or nowhere yet.
        """
        for member in self._members.values():
            if room_id in member.rooms:
                return member.url
        if room_id in self._moving:
            detail = "its worker was lost, and it is opened again on another; ask again"
            raise Problem(Code.NOT_LIVE, detail, retry_after=MOVING_RETRY_SECONDS)
        if room_id in self._lost:
            raise Problem(Code.ENDED, f"the room has ended ({LOST}); open a new one")
        raise Problem(Code.NOT_FOUND, f"there is no room {room_id}; it may have ended")

    def is_lost(self, room_id: str) -> bool:
        """Whether a room ended because its worker was lost."""
        return room_id in self._lost and not any(room_id in m.rooms for m in self.members)

    async def gather(self, method: str, *args: object) -> list[tuple[Member, list[str]]]:
        """Ask every worker for a list; one that is lost meanwhile has none."""

        async def ask(member: Member) -> tuple[Member, list[str]]:
            try:
                return member, await member.worker.call(method, *args)
            except WorkerLostError:
                return member, []

        return list(await asyncio.gather(*map(ask, self.members)))

    async def forget(self, scene_id: str) -> None:
        """Let every worker forget an uploaded picture."""
        await self.gather("forget", scene_id)

    async def drain(self, seconds: float) -> None:
        """Take nobody new and let every worker say goodbye; never longer than this."""
        self.is_draining = True
        members = self.members
        for member in members:
            member.is_draining = True
        goodbyes = [member.worker.call("leave") for member in members]
        try:
            async with asyncio.timeout(seconds + GRACE_SECONDS):
                await asyncio.gather(*goodbyes, return_exceptions=True)
        except TimeoutError:
            logger.error("some workers did not say goodbye within %g s", seconds)
        for task in tuple(self._tending):
            task.cancel()
        await asyncio.gather(*self._tending, return_exceptions=True)
        for member in members:
            member.worker.kill()
