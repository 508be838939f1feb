"""Opening the websocket of a seat: its address, its token, and what a refusal says."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from clients.bot.errors import DisconnectedError, InputError, RefusedError
from clients.bot.events import Ready, read_event

PROTOCOL = "parley.v1"
MOST_EVENT_BYTES = 1 << 16
OPENING_SECONDS = 15.0
_WEBSOCKET = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_NAME = re.compile(r"[\w-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatAddress:
    """Which seat, and who wants it."""

    server: str  # http://host:8080, or https
    room: str
    seat: int
    sample_rate: int
    holder: str  # the same name comes back to the seat
    token: str | None

    def __post_init__(self) -> None:
        if urlsplit(self.server).scheme not in _WEBSOCKET:
            raise InputError(f"a server is http://host:port or https://host, got {self.server!r}")
        if self.seat < 0:
            raise InputError(f"seats are numbered from 0, got {self.seat}")
        if not _NAME.fullmatch(self.holder):
            raise InputError(f"a holder is 1 to 64 letters, digits, - and _, got {self.holder!r}")

    @property
    def url(self) -> str:
        parts = urlsplit(self.server)
        path = f"{parts.path.rstrip('/')}/rooms/{quote(self.room, safe='')}/seats/{self.seat}/audio"
        query = urlencode({"sample_rate": self.sample_rate, "holder": self.holder})
        return urlunsplit((_WEBSOCKET[parts.scheme], parts.netloc, path, query, ""))


async def open_seat(address: SeatAddress) -> tuple[ClientConnection, Ready]:
    """Connect and wait for `ready`; the connection is the caller's to close.

    Raises:
        RefusedError: when the server says no.
        DisconnectedError: when it cannot be reached, or is no Parley server.
    """
    # The token goes as a subprotocol: a header would not follow a redirect to another node.
    protocols = [PROTOCOL, f"bearer.{address.token}"] if address.token else [PROTOCOL]
    try:
        socket = await connect(
            address.url,
            subprotocols=[Subprotocol(each) for each in protocols],
            compression=None,  # speech does not shrink
            open_timeout=OPENING_SECONDS,
            max_size=MOST_EVENT_BYTES,
        )
    except InvalidStatus as error:
        raise _refusal(error) from error
    except (OSError, InvalidHandshake, TimeoutError) as error:
        raise DisconnectedError(f"{address.server} does not answer: {error}") from error
    try:
        first = read_event(await socket.recv())
        if not isinstance(first, Ready):
            raise DisconnectedError(f"the server began with {first.TYPE}, not with ready")
    except BaseException:
        await socket.close()
        raise
    return socket, first


def _refusal(error: InvalidStatus) -> RefusedError:
    response = error.response
    try:
        said = json.loads(response.body or b"")
        code, detail = str(said["code"]), str(said["detail"])
    except (ValueError, KeyError, TypeError):
        code, detail = "unknown", "the server refused without a reason"
    after = response.headers.get("Retry-After", "")
    seconds = float(after) if after.isdecimal() else None
    return RefusedError(response.status_code, code, detail, seconds)
