"""What a front and its workers tell each other over Ray. Plain values, which pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from streamer.rooms.opening import RoomSpec

HOLD_SECONDS = 1.0  # a census with nothing new is answered after this


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What a worker is started with."""

    name: str
    settings: Mapping[str, Any]  # `Settings`, dumped; checked again where the worker runs
    ticket_secret: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where Ray has put a worker."""

    machine: str  # host name
    address: str  # as Ray knows it
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """Which rooms a worker has now."""

    rooms: Mapping[str, RoomSpec]
    opened: int  # rooms since its start, so that two answers can be put in order
    is_draining: bool  # it takes nobody new, and says goodbye


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A worker's answer to `POST /rooms`, for the front to pass on."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    room: str | None = None  # that was opened
    spec: RoomSpec | None = None
    opened: int = 0

    @property
    def is_full(self) -> bool:
        """Whether another worker may say yes."""
        return self.status == 503

    def response(self) -> Response:
        return Response(self.body, self.status, headers=dict(self.headers))
