"""What happens in a room, as its server-sent events tell it. Needs httpx2."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote

import httpx2

from clients.bot.errors import DisconnectedError, RefusedError


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomEvent:
    """One event; docs/protocol.md, Events of a room, has the kinds."""

    kind: str  # such as voice_started
    seat: int | None
    at_ms: int  # of the room's life


async def room_events(
    server: str, room: str, *, token: str | None = None
) -> AsyncIterator[RoomEvent]:
    """Yield what happens from now on, until the room ends.

    Raises:
        RefusedError: when the server says no.
        DisconnectedError: when it cannot be reached or is gone.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"{server.rstrip('/')}/rooms/{quote(room, safe='')}/events"
    timeout = httpx2.Timeout(10.0, read=None)  # a quiet room has nothing to tell
    try:
        async with (
            httpx2.AsyncClient(headers=headers, timeout=timeout, follow_redirects=True) as http,
            http.stream("GET", url) as answer,
        ):
            if answer.is_error:
                await answer.aread()
                raise RefusedError(answer.status_code, "unknown", answer.text[:300])
            async for kind, data in server_sent(answer.aiter_lines()):
                said = json.loads(data)
                yield RoomEvent(kind=kind, seat=said.get("seat"), at_ms=int(said["at_ms"]))
    except httpx2.HTTPError as error:
        raise DisconnectedError(f"{url}: {error}") from error


async def server_sent(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, str]]:
    """Read the lines of a text/event-stream: yield each event's kind and data."""
    kind, data = "message", []
    async for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "data":
            data.append(value)
        elif not line:
            if data:
                yield kind, "\n".join(data)
            kind, data = "message", []
