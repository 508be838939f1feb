"""What a front answers itself, and the 307 for everything about a room."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request, WebSocket
from pydantic import BaseModel
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from streamer.cluster.fleet import LOST, Fleet
from streamer.cluster.ticket_door import PREFIX
from streamer.cluster.tickets import SECONDS, Ticket, TicketKey
from streamer.http import scene_routes, whep_routes, whip_routes
from streamer.http.guard import Caller
from streamer.http.origins import DEFAULT_PORTS, OriginRules
from streamer.http.problem import Code, Problem
from streamer.http.recording_routes import RecordingView
from streamer.http.refusals import DENIAL, refuse
from streamer.http.rest_models import RoomList, RoomView, RoomWish
from streamer.http.services import (
    AdminDep,
    CallerDep,
    ElsewhereError,
    Services,
    ServicesDep,
    ViewerDep,
)
from streamer.http.tokens import Role
from streamer.rooms.events import EventKind

router = APIRouter(include_in_schema=False)  # the schema has the routes of a single server
METHODS = ["GET", "HEAD", "POST", "PATCH", "DELETE"]
EVENTS = "text/event-stream"


class WorkerView(BaseModel):
    """One worker, as whoever runs the cluster sees it."""

    name: str
    url: str
    machine: str
    pid: int
    slots: int
    rooms: list[str]
    is_draining: bool


class Guide:
    """Says where a caller finds a room.

    Args:
        fleet: knows it.
        tickets: signs what a redirect says about the caller.
        services: of the front.
    """

    def __init__(self, fleet: Fleet, tickets: TicketKey, services: Services) -> None:
        self.fleet = fleet
        self._tickets = tickets
        self._services = services
        self._rules = OriginRules(services.settings.browser.origins)

    def base_url(self, room_id: str, caller: Caller, connection: HTTPConnection) -> str:
        """Give the URL below which a worker knows the caller, ticket included.

        Raises:
            Problem: when the room is nowhere, or nowhere yet.
        """
        return self._with_ticket(self.fleet.url_of(room_id), room_id, caller, connection)

    async def film_url(self, room_id: str, caller: Caller, connection: HTTPConnection) -> str:
        """Give the same for a worker that has a room's film.

        Raises:
            Problem: when there is no film.
        """
        having = [
            member
            for member, films in await self.fleet.gather("recordings")
            if any(RecordingView.model_validate_json(film).room == room_id for film in films)
        ]
        if not having:
            raise Problem(Code.NOT_FOUND, f"there is no recording {room_id}")
        # Workers of one machine share a folder; the one that still films knows that it does.
        member = max(having, key=lambda each: room_id in each.rooms)
        return self._with_ticket(member.url, room_id, caller, connection)

    def _with_ticket(
        self, worker: str, room_id: str, caller: Caller, connection: HTTPConnection
    ) -> str:
        claims = None
        if self._services.settings.needs_token:
            until = min(caller.claims.exp, self._services.wall() + SECONDS)
            # Without a name a token's owner is known by the token itself, which stays here.
            sub = caller.claims.sub or caller.owner
            claims = caller.claims.model_copy(update={"room": room_id, "exp": until, "sub": sub})
        ticket = Ticket(claims=claims, origins=self._origins(connection))
        return f"{worker}{PREFIX}{self._tickets.sign(ticket)}"

    def _origins(self, connection: HTTPConnection) -> tuple[str, ...]:
        """Give the origins whose pages we would have answered ourselves."""
        host = connection.headers.get("host", "")
        origin = connection.headers.get("origin")
        if origin is None:  # our own page, which need not say so when it only reads; or a program
            return tuple(f"{scheme}://{host}" for scheme in DEFAULT_PORTS)
        return (origin,) if self._rules.allows(origin, host) else ()


async def guide_of(connection: HTTPConnection) -> Guide:
    """Give what the front was built with."""
    guide: Guide = connection.app.state.guide
    return guide


GuideDep = Annotated[Guide, Depends(guide_of)]


@router.post("/rooms")
async def open_room(wish: RoomWish, guide: GuideDep, _: AdminDep) -> Response:
    """Open a room on the emptiest worker."""
    return (await guide.fleet.open(wish)).response()


@router.get("/rooms")
async def list_rooms(guide: GuideDep, _: AdminDep) -> RoomList:
    """List the rooms of every worker."""
    found = await guide.fleet.gather("views")
    rooms = [RoomView.model_validate_json(view) for _member, views in found for view in views]
    return RoomList(rooms=rooms, most_rooms=sum(each.slots for each in guide.fleet.members))


@router.delete("/scenes/{scene_id}", status_code=204)
async def remove_scene(
    scene_id: str, guide: GuideDep, services: ServicesDep, caller: AdminDep
) -> None:
    """Forget an uploaded picture, here and at every worker; rooms that show it go on."""
    await scene_routes.remove_scene(scene_id, services, caller)
    await guide.fleet.forget(scene_id)


@router.get("/workers")
async def list_workers(guide: GuideDep, _: AdminDep) -> list[WorkerView]:
    """List the workers."""
    return [
        WorkerView(
            name=each.worker.name,
            url=each.url,
            machine=each.place.machine,
            pid=each.place.pid,
            slots=each.slots,
            rooms=sorted(each.rooms),
            is_draining=each.is_draining,
        )
        for each in guide.fleet.members
    ]


@router.get("/readyz")
async def readyz(guide: GuideDep) -> JSONResponse:
    """Say whether a room could be opened now; 503 when not."""
    fleet = guide.fleet
    status = "draining" if fleet.is_draining else "full" if fleet.is_full else "ready"
    code = 200 if status == "ready" else 503
    return JSONResponse({"status": status}, code, headers={"Cache-Control": "no-store"})


@router.get("/recordings")
async def list_recordings(guide: GuideDep, _: AdminDep) -> list[RecordingView]:
    """List the films of every machine, the newest first."""
    films = {}  # workers of one machine share a folder
    for _member, listed in await guide.fleet.gather("recordings"):
        for text in listed:
            film = RecordingView.model_validate_json(text)
            films[film.room] = film
    return sorted(films.values(), key=lambda film: film.ended_at, reverse=True)


@router.api_route("/recordings/{room_id}", methods=METHODS)
async def find_recording(
    room_id: str, request: Request, guide: GuideDep, caller: CallerDep
) -> None:
    """Send the caller to a worker whose machine has the film."""
    caller.require(Role.ADMIN, room_id)
    raise ElsewhereError(await guide.film_url(room_id, caller, request))


router.add_api_route(
    whip_routes.ENDPOINT, whip_routes.endpoint_options, methods=["OPTIONS"], status_code=204
)
router.add_api_route(
    whep_routes.ENDPOINT, whep_routes.endpoint_options, methods=["OPTIONS"], status_code=204
)


@router.get("/rooms/{room_id}/events")
async def hear_events(
    room_id: str, request: Request, guide: GuideDep, caller: ViewerDep
) -> Response:
    """Send the caller on; of a room that ended with its worker, tell that."""
    if guide.fleet.is_lost(room_id):
        return StreamingResponse(_lost_events(), media_type=EVENTS)
    raise ElsewhereError(guide.base_url(room_id, caller, request))


@router.api_route("/rooms/{room_id}", methods=METHODS)
@router.api_route("/rooms/{room_id}/{rest:path}", methods=METHODS)
async def find_room(room_id: str, request: Request, guide: GuideDep, caller: ViewerDep) -> None:
    """Send the caller to the worker that has the room."""
    raise ElsewhereError(guide.base_url(room_id, caller, request))


@router.websocket("/rooms/{room_id}/{rest:path}")
async def find_socket(
    socket: WebSocket, room_id: str, rest: str, guide: GuideDep, services: ServicesDep
) -> None:
    """Send a websocket on during its handshake; see docs/protocol.md, Redirects."""
    try:
        caller = services.doorman.admit(socket)
        caller.require(Role.VIEW, room_id)
        base = guide.base_url(room_id, caller, socket)
    except Problem as problem:
        await refuse(problem, socket.scope, socket.receive, socket.send)
        return
    query = f"?{socket.url.query}" if socket.url.query else ""
    url = f"ws{base.removeprefix('http')}/rooms/{room_id}/{rest}{query}"
    if DENIAL in socket.scope.get("extensions", {}):
        await socket.send_denial_response(RedirectResponse(url, 307))
    else:
        await socket.close(reason="elsewhere")


async def _lost_events() -> AsyncIterator[str]:
    said = {"seat": None, "at_ms": 0, "reason": LOST}
    yield f"event: {EventKind.ENDED.value}\ndata: {json.dumps(said)}\n\n"
