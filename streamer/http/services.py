"""What the routes work with, put together once, when the server starts."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Annotated, Protocol

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from streamer.errors import NotFound
from streamer.http.calls import Calls
from streamer.http.guard import Caller, Doorman
from streamer.http.identifiers import is_id
from streamer.http.meters import Meters
from streamer.http.problem import Code, Problem
from streamer.http.scene_shelf import SceneShelf
from streamer.http.tokens import Role
from streamer.http.turn import IcePlan
from streamer.rooms.registry import RoomRegistry
from streamer.rooms.room import Room
from streamer.settings import Settings


class Placement(Protocol):
    """Knows on which machine a room lives."""

    def node_of(self, room_id: str) -> str | None:
        """Give the base URL of another node that holds the room; None for here, or nowhere."""
        ...


class ElsewhereError(Exception):
    """The room lives on another node; becomes a 307 to it."""

    def __init__(self, node: str) -> None:
        super().__init__(node)
        self.node = node


class OneMachine:
    """Every room is here."""

    def node_of(self, room_id: str) -> str | None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything a route may ask for."""

    settings: Settings
    registry: RoomRegistry
    calls: Calls
    shelf: SceneShelf
    doorman: Doorman
    meters: Meters
    ice: IcePlan
    wall: Callable[[], float]  # seconds since 1970
    lane: Executor  # for pictures and files; never the event loop
    placement: Placement

    def room(self, room_id: str) -> Room:
        """Find a room.

        Raises:
            Problem: when there is none.
            ElsewhereError: when another node has it.
        """
        if not is_id(room_id):
            raise Problem(Code.NOT_FOUND, "this is no identifier of a room")
        try:
            return self.registry.get(room_id)
        except NotFound as error:
            node = self.placement.node_of(room_id)
            if node is not None:
                raise ElsewhereError(node) from error
            raise Problem(Code.NOT_FOUND, f"{error}; it may have ended") from error


# Dependencies are coroutines, though none of them waits: FastAPI runs plain functions on threads,
# four hops a request, and its pool of 40 threads would be one more limit that strangers meet.


async def services_of(connection: HTTPConnection) -> Services:
    """Give what the application was built with."""
    services: Services = connection.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(services_of)]
_scheme = HTTPBearer(
    auto_error=False, bearerFormat="JWT", description="See docs/protocol.md, Tokens."
)


async def caller_of(
    request: Request,
    services: ServicesDep,
    _shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_scheme)],
) -> Caller:
    """Say who is asking; `_shown` puts the scheme into the OpenAPI document, and is not used."""
    return services.doorman.admit(request)


CallerDep = Annotated[Caller, Depends(caller_of)]


async def require_admin(caller: CallerDep) -> Caller:
    """Give the caller, who may act for the whole server."""
    caller.require_server()
    return caller


AdminDep = Annotated[Caller, Depends(require_admin)]


async def require_viewer(room_id: str, caller: CallerDep) -> Caller:
    """Give the caller, who may see this room."""
    caller.require(Role.VIEW, room_id)
    return caller


ViewerDep = Annotated[Caller, Depends(require_viewer)]
