"""Rooms over REST: open, list, look, prompt, interrupt, end, and what happens in them."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Path
from PIL import Image
from starlette.responses import Response, StreamingResponse

from streamer.errors import Ended
from streamer.http.guard import Caller
from streamer.http.problem import Code, Problem
from streamer.http.rest_models import Dropped, PromptWish, RoomList, RoomView, RoomWish
from streamer.http.services import AdminDep, CallerDep, Services, ServicesDep, ViewerDep
from streamer.http.tokens import Role
from streamer.media.types import Frame
from streamer.rooms.events import Event, Subscription
from streamer.rooms.opening import RoomSpec

router = APIRouter(tags=["rooms"])
JPEG = "image/jpeg"
JPEG_QUALITY = 80
HEARTBEAT_SECONDS = 15.0
SeatNumber = Annotated[int, Path(ge=0, le=255)]


@router.post("/rooms", status_code=201)
async def open_room(
    wish: RoomWish, services: ServicesDep, _: AdminDep, response: Response
) -> RoomView:
    """Open a room. It lives until it is ended, nobody is there any more, or its time is over."""
    settings = services.settings
    _check_prompt(wish.prompt, settings.limits.prompt_characters)
    if wish.is_recorded and services.registry.recordings is None:
        raise Problem(Code.UNSUPPORTED, "this server records nothing; see recording.folder")
    loop = asyncio.get_running_loop()
    card = await loop.run_in_executor(services.lane, services.shelf.card, wish.scene)
    if not card.is_ready:
        raise Problem(Code.INVALID, f"the scene {wish.scene} is not ready: {card.problem}")
    if len(wish.people_names) not in (0, card.people):
        raise Problem(
            Code.INVALID, f"{len(wish.people_names)} names for {card.people} people; name all"
        )
    spec = RoomSpec(
        scene=wish.scene,
        prompt=wish.prompt,
        seed=wish.seed,
        people_names=wish.people_names or card.people_names,
        is_recorded=wish.is_recorded,
        has_badge=settings.video.badge,
    )
    room = await services.registry.create(spec)
    response.headers["Location"] = f"/rooms/{room.id}"
    return RoomView.of(room)


@router.get("/rooms")
async def list_rooms(services: ServicesDep, _: AdminDep) -> RoomList:
    """List every room."""
    registry = services.registry
    rooms = [RoomView.of(room) for room in registry.rooms]
    return RoomList(rooms=rooms, most_rooms=registry.most_rooms)


@router.get("/rooms/{room_id}")
async def show_room(room_id: str, services: ServicesDep, _: ViewerDep) -> RoomView:
    """Show one room."""
    return RoomView.of(services.room(room_id))


@router.delete("/rooms/{room_id}", status_code=204)
async def end_room(room_id: str, services: ServicesDep, caller: CallerDep) -> None:
    """End a room: everybody in it is told and let go."""
    caller.require(Role.ADMIN, room_id)
    services.room(room_id)
    await services.registry.end(room_id)


@router.post("/rooms/{room_id}/prompt", status_code=204)
async def set_prompt(
    room_id: str, wish: PromptWish, services: ServicesDep, caller: CallerDep
) -> None:
    """Say what the people do from now on."""
    caller.require(Role.PUBLISH, room_id, caller.claims.seat)
    _check_prompt(wish.prompt, services.settings.limits.prompt_characters)
    await services.room(room_id).set_prompt(wish.prompt)


@router.post("/rooms/{room_id}/seats/{seat}/clear")
async def clear_seat(
    room_id: str, seat: SeatNumber, services: ServicesDep, caller: CallerDep
) -> Dropped:
    """Barge in: drop what a seat has not said yet. For whoever's websocket is another one."""
    caller.require(Role.PUBLISH, room_id, seat)
    return Dropped(dropped_ms=services.room(room_id).clear(seat))


@router.get(
    "/rooms/{room_id}/thumbnail.jpg",
    response_class=Response,
    responses={200: {"content": {JPEG: {}}}, 204: {"description": "No picture yet."}},
)
async def show_thumbnail(room_id: str, services: ServicesDep, _: ViewerDep) -> Response:
    """Show the picture that was sent last."""
    frame = services.room(room_id).thumbnail()
    if frame is None:
        return Response(status_code=204)
    loop = asyncio.get_running_loop()
    jpeg = await loop.run_in_executor(services.lane, _jpeg, frame)
    return Response(jpeg, media_type=JPEG, headers={"Cache-Control": "no-store"})


@router.get(
    "/rooms/{room_id}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def hear_events(room_id: str, services: ServicesDep, caller: ViewerDep) -> StreamingResponse:
    """Hear what happens in a room, as server-sent events; the stream ends with the room."""
    events = services.room(room_id).events.subscribe()
    stream = _event_stream(services, room_id, caller, events)
    return StreamingResponse(
        stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


async def _event_stream(
    services: Services, room_id: str, caller: Caller, events: Subscription
) -> AsyncIterator[str]:
    """Write events until the room ends or the client leaves, which cancels this."""
    try:
        with services.calls.sessions.opened("events", room_id, None, caller):
            while True:
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        yield sse_text(await events.next())
                except TimeoutError:
                    yield ": still here\n\n"  # else proxies end a silent connection
    except Ended:
        return
    finally:
        events.close()


def sse_text(event: Event) -> str:
    """Write an event as one of a text/event-stream."""
    said = {"seat": event.seat, "at_ms": event.at_ms, **event.data}
    return f"id: {event.number}\nevent: {event.kind.value}\ndata: {json.dumps(said)}\n\n"


def _check_prompt(prompt: str | None, most: int) -> None:
    if prompt is not None and len(prompt) > most:
        raise Problem(Code.INVALID, f"the prompt has {len(prompt)} characters; {most} are taken")


def _jpeg(frame: Frame) -> bytes:
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()
