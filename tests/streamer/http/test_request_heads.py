"""Heads of requests that come a letter at a time, against a listening server in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from tests.streamer.interop.whole import Whole, whole_server
from tests.streamer.webrtc.virtual_time import now, run

LIMITS = {"head_seconds": 2.0}
REQUEST = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


async def connect(server: Whole) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = server.url.removeprefix("http://").partition(":")
    return await asyncio.open_connection(host, int(port))


async def closed_after(reader: asyncio.StreamReader) -> float:
    began = now()
    async with asyncio.timeout(60):
        assert await reader.read() == b""
    return now() - began


def test_a_head_that_comes_a_letter_at_a_time_is_not_waited_for() -> None:
    async def drip() -> None:
        async with whole_server(limits=LIMITS) as server:
            reader, writer = await connect(server)

            async def write() -> None:
                for letter in REQUEST:
                    writer.write(letter.encode())
                    await asyncio.sleep(0.45)  # never just when it is closed, or that is a reset

            writing = asyncio.create_task(write())
            assert 1.9 < await closed_after(reader) < 2.2
            writing.cancel()
            writer.close()
            await writer.wait_closed()
            refused = 'parley_http_refused_total{code="too_slow"} 1.0'
            assert refused in (await server.http.get("/metrics")).text

    run(drip)


def test_a_connection_that_says_nothing_is_closed() -> None:
    async def be_silent() -> None:
        async with whole_server(limits=LIMITS) as server:
            reader, writer = await connect(server)
            assert 1.9 < await closed_after(reader) < 2.2
            writer.close()
            await writer.wait_closed()

    run(be_silent)


def test_a_second_head_has_its_own_time() -> None:
    async def ask_twice() -> None:
        async with whole_server(limits=LIMITS) as server:
            reader, writer = await connect(server)
            for _ in range(2):
                writer.write(REQUEST.encode())
                await asyncio.sleep(1.5)
                writer.write(b"\r\n")
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
                await reader.readuntil(b"ok\n")
                await asyncio.sleep(3.0)  # between requests the limit of keep-alive holds
            writer.write(REQUEST.encode())
            assert 1.9 < await closed_after(reader) < 2.2
            writer.close()
            await writer.wait_closed()

    run(ask_twice)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_websocket_lives_on_after_its_head(is_first: bool) -> None:
    async def listen() -> None:
        async with whole_server(limits=LIMITS) as server:
            room = await server.open_room()
            reader, writer = await connect(server)
            if not is_first:  # the connection was used before
                writer.write(f"{REQUEST}\r\n".encode())
                await reader.readuntil(b"ok\n")
            head = REQUEST.replace("/healthz", f"/rooms/{room}/seats/0/audio")
            writer.write(f"{head}{UPGRADE}\r\n".encode())
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
            end = now() + 4.0
            while now() < end:  # it is told things, and not hung up on
                assert await reader.read(1000)
            writer.close()
            await writer.wait_closed()

    run(listen)
