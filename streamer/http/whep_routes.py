"""WHEP (draft-ietf-wish-whep): a client watches a room."""

from __future__ import annotations

from fastapi import APIRouter, Request
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
from streamer.http.services import ServicesDep, ViewerDep

router = APIRouter(tags=["WHEP"], default_response_class=Response)
ENDPOINT = "/rooms/{room_id}/whep"
SESSION = ENDPOINT + "/{session_id}"


@router.post(
    ENDPOINT,
    status_code=201,
    openapi_extra=SDP_BODY,
    responses={201: {"content": {SDP: {"schema": {"type": "string"}}}}},
)
async def view(
    room_id: str, request: Request, services: ServicesDep, caller: ViewerDep
) -> Response:
    """Watch a room; the answer is in the body, the session's URL in Location."""
    offer = await read_offer(request, services)
    session, answer = await services.calls.view(services.room(room_id), offer, caller)
    return created(services, session, f"/rooms/{room_id}/whep", answer)


@router.patch(SESSION, status_code=204, openapi_extra=FRAGMENT_BODY)
async def add_candidates(
    room_id: str, session_id: str, request: Request, services: ServicesDep, _: ViewerDep
) -> Response:
    """Add candidates to a session."""
    session = services.calls.sessions.find(session_id, "whep", room_id)
    return await trickle(request, services, session)


@router.delete(SESSION)
async def end(room_id: str, session_id: str, services: ServicesDep, _: ViewerDep) -> Response:
    """Stop watching."""
    await services.calls.hang_up(session_id, "whep", room_id, None)
    return Response(status_code=200)


@router.get(ENDPOINT, status_code=204)
@router.head(ENDPOINT, status_code=204, include_in_schema=False)
async def show_endpoint(room_id: str, _: ViewerDep) -> Response:
    """Answer without content, with the type that the endpoint speaks."""
    return Response(status_code=204, headers={"Content-Type": SDP})


@router.get(SESSION, status_code=204)
@router.head(SESSION, status_code=204, include_in_schema=False)
async def show_session(
    room_id: str, session_id: str, services: ServicesDep, _: ViewerDep
) -> Response:
    """Answer without content while the session lives."""
    services.calls.sessions.find(session_id, "whep", room_id)
    return Response(status_code=204)


@router.options(ENDPOINT, status_code=204)
async def endpoint_options(room_id: str) -> Response:
    """Say what the endpoint takes; nothing here is secret."""
    return options("GET, HEAD, OPTIONS, POST", {"Accept-Post": SDP})


@router.options(SESSION, status_code=204)
async def session_options(room_id: str, session_id: str) -> Response:
    """Say what a session takes."""
    return options("DELETE, GET, HEAD, OPTIONS, PATCH", {"Accept-Patch": FRAGMENT})
