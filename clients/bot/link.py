"""A websocket that comes back by itself: connect, send, read, connect again."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from typing import Protocol

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from clients.bot.backoff import Backoff
from clients.bot.changes import Changes
from clients.bot.connection import SeatAddress, open_seat
from clients.bot.errors import BotError, DisconnectedError, RefusedError
from clients.bot.events import BotEvent, Closing, ProtocolError, Ready, read_event

logger = logging.getLogger(__name__)
KEEP_ALIVE_SECONDS = 60.0  # a server lets go who says nothing for limits.socket_idle_seconds
CLOSED_FOR_GOOD = (1000, 1008)  # done, replaced, too many errors: not worth coming back
KEEP_ALIVE, CLEAR = json.dumps({"type": "keep_alive"}), json.dumps({"type": "clear"})


class Listener(Protocol):
    """Who hears what a link brings. Neither call waits."""

    def heard(self, event: BotEvent) -> None: ...

    def lost(self) -> None:
        """The connection broke. If it comes back, a `clear` is the first message on it."""
        ...


class Link:
    """One seat's connection. Its owner calls `open` once, and `close`."""

    def __init__(self, address: SeatAddress, backoff: Backoff, listener: Listener) -> None:
        self.changes = Changes()  # of `over`, of the connection, of what the listener keeps
        self.over: BotError | None = None  # why nothing will ever be sent any more
        self.reconnects = 0
        self._address = address
        self._backoff = backoff
        self._listener = listener
        self._socket: ClientConnection | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def is_connected(self) -> bool:
        return self._socket is not None

    async def open(self) -> Ready:
        """Connect for the first time.

        Raises:
            RefusedError: when the server says no.
            DisconnectedError: when it cannot be reached.
        """
        self._socket, ready = await open_seat(self._address)
        self._tasks = [
            asyncio.create_task(self._stay(self._socket), name="parley link"),
            asyncio.create_task(self._keep_alive(), name="parley keep alive"),
        ]
        return ready

    async def close(self) -> None:
        """Leave the seat. A second time does nothing."""
        self._end(DisconnectedError("closed"))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.close()

    async def send(self, message: bytes | str) -> None:
        """Send as soon as there is a connection; ended by `Backoff.give_up_seconds` at the latest.

        Raises:
            DisconnectedError, RefusedError: when there will be none.
        """
        await self.changes.until(lambda: self._socket or self.over)
        socket = self._socket
        if self.over is not None or socket is None:
            raise self.over or DisconnectedError("closed")
        try:
            await socket.send(message)
        except ConnectionClosed:  # `_stay` sees it too, and tells the listener
            logger.debug("a message of %d bytes was lost with its connection", len(message))

    async def _stay(self, socket: ClientConnection) -> None:
        """Read, and come back when cut off; ended by `close` and by a server that lets go."""
        connection: ClientConnection | None = socket
        try:
            while connection is not None:
                last = await self._read(connection)
                self._socket = None
                await connection.close()
                self._listener.lost()
                reason = last or connection.close_reason or "the connection broke"
                if connection.close_code in CLOSED_FOR_GOOD:
                    self._end(DisconnectedError(reason))
                    return
                logger.info("the connection was lost (%s); trying again", reason)
                connection = await self._come_back(reason)
        finally:
            self._end(DisconnectedError("closed"))

    async def _read(self, socket: ClientConnection) -> str:
        """Hand on what comes until the connection ends; give the reason that was told."""
        reason = ""
        try:
            async for text in socket:
                try:
                    event = read_event(text)
                except ProtocolError as error:  # of a newer server: one line, and on
                    logger.warning("%s", error)
                    continue
                if isinstance(event, Closing):
                    reason = event.reason
                self._listener.heard(event)
                self.changes.tell()
        except ConnectionClosed:
            pass  # a connection that breaks and one that ends are told apart by their codes
        return reason

    async def _come_back(self, reason: str) -> ClientConnection | None:
        error: BotError = DisconnectedError(reason)
        for wait in self._backoff.waits(random.Random()):  # noqa: S311  # no secret
            after = error.retry_after if isinstance(error, RefusedError) else None
            await asyncio.sleep(max(wait, after or 0.0))
            try:
                socket, ready = await open_seat(self._address)
                await socket.send(CLEAR)
            except RefusedError as refused:
                error = refused
                if not refused.is_passing:
                    break
            except (DisconnectedError, ConnectionClosed) as lost:
                error = DisconnectedError(str(lost))
            else:
                self._socket = socket
                self.reconnects += 1
                self._listener.heard(ready)
                self.changes.tell()
                return socket
        self._end(error)
        return None

    async def _keep_alive(self) -> None:
        while self.over is None:
            await asyncio.sleep(KEEP_ALIVE_SECONDS)
            if self._socket is not None:
                await self.send(KEEP_ALIVE)

    def _end(self, error: BotError) -> None:
        if self.over is None:
            self.over = error
            self._listener.lost()
            self.changes.tell()
