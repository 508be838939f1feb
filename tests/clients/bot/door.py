"""A real server in virtual time for bots, and a wire to it that can be cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import numpy as np

from tests.streamer.interop.whole import Whole

RATE = 24_000


def tone(seconds: float, rate: int = RATE) -> bytes:
    times = np.arange(round(seconds * rate)) / rate
    return (0.4 * np.sin(2 * np.pi * 300 * times) * 32767).astype("<i2").tobytes()


async def watched_room(server: Whole) -> str:
    """Open a room in which pictures are made, as if somebody watched."""
    room = await server.open_room()
    server.built.services.registry.get(room).add_viewer()
    return room


class Wire:
    """Carries TCP to a server until it is cut."""

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target)
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_down = False
        self.url = ""

    def cut(self) -> None:
        """Break every connection without a goodbye."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_down:
            writer.transport.abort()
            return
        assert self._target.hostname is not None
        near, far = await asyncio.open_connection(self._target.hostname, self._target.port)
        self._writers += [writer, far]
        for source, sink in ((reader, far), (near, writer)):
            task = asyncio.create_task(self._carry(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(1 << 16):
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()

    async def close(self) -> None:
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def wire_to(target: str) -> AsyncIterator[Wire]:
    wire = Wire(target)
    server = await asyncio.start_server(wire.accept, "127.0.0.1", 0)
    wire.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield wire
    finally:
        server.close()
        await wire.close()
