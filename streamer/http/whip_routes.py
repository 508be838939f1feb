"""WHIP (RFC 9725): a client publishes a voice to a seat."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from streamer.http.sdp_answers import (
    FRAGMENT,
    FRAGMENT_BODY,
    SDP,
    SDP_BODY,
    created,
    options,
    read_offer,
    trickle,
)
from streamer.http.services import CallerDep, ServicesDep
from streamer.http.tokens import Role

router = APIRouter(tags=["WHIP"], default_response_class=Response)
ENDPOINT = "/rooms/{room_id}/seats/{seat}/whip"
SESSION = ENDPOINT + "/{session_id}"
SeatNumber = Annotated[int, Path(ge=0, le=255)]


@router.post(
    ENDPOINT,
    status_code=201,
    openapi_extra=SDP_BODY,
    responses={201: {"content": {SDP: {"schema": {"type": "string"}}}}},
)
async def publish(
    room_id: str, seat: SeatNumber, request: Request, services: ServicesDep, caller: CallerDep
) -> Response:
    """Publish a voice to a seat; the answer is in the body, the session's URL in Location."""
    caller.require(Role.PUBLISH, room_id, seat)
    offer = await read_offer(request, services)
    room = services.room(room_id)
    session, answer = await services.calls.publish(room, seat, offer, caller)
    return created(services, session, f"/rooms/{room_id}/seats/{seat}/whip", answer)


@router.patch(SESSION, status_code=204, openapi_extra=FRAGMENT_BODY)
async def add_candidates(
    room_id: str,
    seat: SeatNumber,
    session_id: str,
    request: Request,
    services: ServicesDep,
    caller: CallerDep,
) -> Response:
    """Add candidates to a session."""
    caller.require(Role.PUBLISH, room_id, seat)
    session = services.calls.sessions.find(session_id, "whip", room_id, seat)
    return await trickle(request, services, session)


@router.delete(SESSION)
async def end(
    room_id: str, seat: SeatNumber, session_id: str, services: ServicesDep, caller: CallerDep
) -> Response:
    """End a session and leave the seat."""
    caller.require(Role.PUBLISH, room_id, seat)
    await services.calls.hang_up(session_id, "whip", room_id, seat)
    return Response(status_code=200)


@router.get(ENDPOINT, status_code=204)
@router.head(ENDPOINT, status_code=204, include_in_schema=False)
async def show_endpoint(room_id: str, seat: SeatNumber, caller: CallerDep) -> Response:
    """Answer without content, as the RFC has it."""
    caller.require(Role.PUBLISH, room_id, seat)
    return Response(status_code=204)


@router.get(SESSION, status_code=204)
@router.head(SESSION, status_code=204, include_in_schema=False)
async def show_session(
    room_id: str, seat: SeatNumber, session_id: str, services: ServicesDep, caller: CallerDep
) -> Response:
    """Answer without content while the session lives."""
    caller.require(Role.PUBLISH, room_id, seat)
    services.calls.sessions.find(session_id, "whip", room_id, seat)
    return Response(status_code=204)


@router.options(ENDPOINT, status_code=204)
async def endpoint_options(room_id: str, seat: SeatNumber) -> Response:
    """Say what the endpoint takes; nothing here is secret."""
    return options("GET, HEAD, OPTIONS, POST", {"Accept-Post": SDP})


@router.options(SESSION, status_code=204)
async def session_options(room_id: str, seat: SeatNumber, session_id: str) -> Response:
    """Say what a session takes."""
    return options("DELETE, GET, HEAD, OPTIONS, PATCH", {"Accept-Patch": FRAGMENT})
