"""Somebody who watches a room of another process: a real WHEP client on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import httpx2
from aiortc import RTCSessionDescription

from tests.streamer.http.house import SDP
from tests.streamer.webrtc.stand_ins import Client

SECONDS = 30.0


@contextmanager
def watching(url: str, room: str) -> Iterator[Client]:
    """Watch until the end; the client keeps what it gets, by the clock of its own loop."""
    connected: Future[Client] = Future()
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def watch() -> None:
        client = Client(watches=True)
        try:
            async with httpx2.AsyncClient(base_url=url) as http:
                offer = await client.offer()
                answer = await http.post(f"/rooms/{room}/whep", content=offer, headers=SDP)
            assert answer.status_code == 201, answer.text
            await client.pc.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
            while client.pc.connectionState != "connected":  # noqa: ASYNC110  # tells no event
                await asyncio.sleep(0.02)
            connected.set_result(client)
            await over.wait()
        except BaseException as error:
            if not connected.done():
                connected.set_exception(error)
            raise
        finally:
            await client.pc.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(watch()))
    thread.start()
    try:
        yield connected.result(SECONDS)
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(SECONDS)
        loop.close()
