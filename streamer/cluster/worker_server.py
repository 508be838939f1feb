"""The server inside a worker, and what a front may ask of it. All of it on one event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from starlette.responses import Response

from engines.errors import EngineError
from streamer.cluster.messages import HOLD_SECONDS, Answer, Census
from streamer.cluster.ticket_door import TicketDoor, VouchedOrigins
from streamer.cluster.tickets import TicketKey
from streamer.errors import NotFound, StreamerError
from streamer.http.app import Surface
from streamer.http.guard import Caller
from streamer.http.problem import Problem, answer
from streamer.http.recording_routes import list_recordings
from streamer.http.rest_models import RoomView, RoomWish
from streamer.http.room_routes import open_room
from streamer.http.scene_shelf import Parcel
from streamer.http.tokens import ANY_ROOM, Claims, Role, TokenKey
from streamer.http.translation import as_problem
from streamer.peering import make_peers
from streamer.rooms.opening import RoomSpec
from streamer.server import Parts, build, serving, signer_of
from streamer.settings import Settings
from streamer.stage import Stage

logger = logging.getLogger(__name__)
LOOK_SECONDS = 0.1  # how soon a front hears of a room that ended
# The front has checked who asks.
FRONT = Caller(Claims(room=ANY_ROOM, role=Role.ADMIN, exp=float("inf")), "", "")


class WorkerServer:
    """A server as any other, that also knows the tickets of its front.

    Args:
        settings: of the server.
        stage: what it shows.
        tickets: reads what the front wrote.
    """

    def __init__(self, settings: Settings, stage: Stage, tickets: TicketKey) -> None:
        secret = settings.auth.secret() if settings.needs_token else None
        origins = VouchedOrigins(settings.browser.origins)
        parts = Parts(surface=Surface(origins=origins))
        self._built = build(
            settings, stage, make_peers(settings), signer=signer_of(settings), parts=parts
        )
        self._built.app.add_middleware(
            TicketDoor,
            tickets=tickets,
            tokens=TokenKey(secret) if secret else None,
            origins=origins,
        )
        self._services = self._built.services
        self._rooms = self._services.registry
        self._told = asyncio.Event()

    async def run(self, listens: Callable[[str], None]) -> None:
        """Serve until `leave`; `listens` is called with the URL."""
        async with serving(self._built) as url:
            listens(url)
            await self._told.wait()  # ended by leave

    def leave(self) -> None:
        """Say goodbye in every room, and end `run`."""
        self._told.set()

    async def census(self, known: Mapping[str, RoomSpec]) -> Census:
        """Say which rooms there are, as soon as they are others than the front knows."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + HOLD_SECONDS
        while True:
            rooms = {room.id: room.spec for room in self._rooms.rooms}
            is_draining = self._told.is_set()
            if rooms != known or is_draining or loop.time() >= deadline:
                return Census(rooms=rooms, opened=self._opened, is_draining=is_draining)
            await asyncio.sleep(LOOK_SECONDS)

    @property
    def _opened(self) -> int:
        return self._rooms.measures.rooms_opened

    async def _take(self, scene_id: str, parcel: Parcel | None) -> None:
        """Keep the picture that was uploaded to the front; forget one that the front has not."""
        if parcel is None:
            await self.forget(scene_id)  # most scenes are the bundle's, and stay
            return
        loop, shelf = asyncio.get_running_loop(), self._services.shelf
        await loop.run_in_executor(self._services.lane, shelf.take, scene_id, parcel)

    async def open(self, wish: RoomWish, parcel: Parcel | None) -> Answer:
        """Open a room, for the front's `POST /rooms`; a parcel has the picture of its scene."""
        try:
            await self._take(wish.scene, parcel)
            view = await open_room(wish, self._services, FRONT, Response())
        except Problem as problem:
            refusal = problem
        except (StreamerError, EngineError) as error:
            refusal = as_problem(error)
        else:
            return Answer(
                status=201,
                headers={"Content-Type": "application/json", "Location": f"/rooms/{view.id}"},
                body=view.model_dump_json().encode(),
                room=view.id,
                spec=self._rooms.get(view.id).spec,
                opened=self._opened,
            )
        said = answer(refusal)
        return Answer(status=said.status_code, headers=dict(said.headers), body=bytes(said.body))

    async def reopen(self, room_id: str, spec: RoomSpec, parcel: Parcel | None) -> int:
        """Open a room of a lost worker under its name; gives `Answer.opened`, 0 when it cannot."""
        try:
            await self._take(spec.scene, parcel)
            await self._rooms.create(spec, room_id)
        except (StreamerError, EngineError) as error:
            logger.info("room %s cannot be opened again here: %s", room_id, error)
            return 0
        return self._opened

    async def forget(self, scene_id: str) -> list[str]:
        """Forget an uploaded picture; names it if there was one."""
        try:
            self._services.shelf.remove(scene_id)
        except NotFound:
            return []
        return [scene_id]

    async def views(self) -> list[str]:
        """Show every room, each as JSON."""
        return [RoomView.of(room).model_dump_json() for room in self._rooms.rooms]

    async def recordings(self) -> list[str]:
        """Show every film on this machine, each as JSON."""
        films = await list_recordings(self._services, FRONT)
        return [film.model_dump_json() for film in films]
