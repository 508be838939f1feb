"""Recordings over REST: what was filmed, to be listed, downloaded and deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import FileResponse

from streamer.http.guard import Caller
from streamer.http.problem import Code, Problem
from streamer.http.services import AdminDep, CallerDep, Services, ServicesDep
from streamer.http.tokens import Role
from streamer.rooms.recordings import RecordingInfo, Recordings

router = APIRouter(tags=["recordings"])
Result = TypeVar("Result")
MP4 = "video/mp4"


class RecordingView(BaseModel):
    """One film; it has the name of its room."""

    room: str
    size_bytes: int
    ended_at: datetime
    is_complete: bool

    @classmethod
    def of(cls, info: RecordingInfo) -> RecordingView:
        return cls(
            room=info.room,
            size_bytes=info.size_bytes,
            ended_at=datetime.fromtimestamp(info.ended_at, UTC),
            is_complete=info.is_complete,
        )


@router.get("/recordings")
async def list_recordings(services: ServicesDep, _: AdminDep) -> list[RecordingView]:
    """List every film, the newest first."""
    recordings = services.registry.recordings
    if recordings is None:
        return []
    return [RecordingView.of(info) for info in await _in_lane(services, recordings.list)]


@router.get(
    "/recordings/{room_id}",
    response_class=FileResponse,
    responses={200: {"content": {MP4: {}}}, 206: {"content": {MP4: {}}}},
)
async def download(room_id: str, services: ServicesDep, caller: CallerDep) -> FileResponse:
    """Download a film; also a part of it, by Range."""
    recordings = _allowed(services, caller, room_id)
    path = await _in_lane(services, lambda: recordings.path(room_id))
    return FileResponse(path, media_type=MP4, filename=f"{room_id}.mp4")


@router.delete("/recordings/{room_id}", status_code=204)
async def delete(room_id: str, services: ServicesDep, caller: CallerDep) -> None:
    """Delete a film."""
    recordings = _allowed(services, caller, room_id)
    if any(room.id == room_id for room in services.registry.rooms):
        raise Problem(Code.CONFLICT, "the room is still open; end it first")
    await _in_lane(services, lambda: recordings.delete(room_id))


def _allowed(services: Services, caller: Caller, room_id: str) -> Recordings:
    caller.require(Role.ADMIN, room_id)
    if services.registry.recordings is None:
        raise Problem(Code.NOT_FOUND, "this server records nothing; see recording.folder")
    return services.registry.recordings


async def _in_lane(services: Services, work: Callable[[], Result]) -> Result:
    """Touch the disk beside the event loop."""
    return await asyncio.get_running_loop().run_in_executor(services.lane, work)
