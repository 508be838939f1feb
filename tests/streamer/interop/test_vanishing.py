"""Clients that die without a word, at every moment of a connection."""

from __future__ import annotations

import asyncio

import pytest

from streamer.media.types import Samples
from tests.streamer.http.house import SDP
from tests.streamer.interop.whole import Whole, until, whole_server
from tests.streamer.media.simulated_link import speech_like
from tests.streamer.webrtc.stand_ins import Client, Microphone
from tests.streamer.webrtc.udp_relay import UdpRelay
from tests.streamer.webrtc.virtual_time import run

CLEAN = 10.0  # seconds after a client died
VOICE: Samples = speech_like(1.0)


def is_clean(server: Whole, room: str) -> bool:
    shown = server.built.services.registry.get(room)
    nobody = all(seat.kind is None for seat in shown.seats)
    return nobody and not shown.viewers and not len(server.built.services.calls.sessions)


@pytest.mark.parametrize("kind", ["seats/0/whip", "whep"])
def test_a_room_is_clean_ten_seconds_after_a_client_died(kind: str) -> None:
    async def die() -> None:
        client = Client(watches=True) if kind == "whep" else Client(Microphone(VOICE))
        async with whole_server() as server, UdpRelay() as relay:
            room = await server.open_room()
            await server.call(client, f"/rooms/{room}/{kind}", relay)
            assert not is_clean(server, room)
            relay.is_down = True  # as after kill -9: not a packet more, and no goodbye
            assert await until(lambda: is_clean(server, room), CLEAN) > 1.0
            await client.pc.close()

    run(die)


@pytest.mark.parametrize("kind", ["seats/0/whip", "whep"])
def test_a_client_that_dies_after_its_offer_leaves_a_clean_room(kind: str) -> None:
    async def die() -> None:
        client = Client(watches=True) if kind == "whep" else Client(Microphone(VOICE))
        async with whole_server() as server:
            room = await server.open_room()
            offer = await client.offer()
            await client.pc.close()
            answer = await server.http.post(f"/rooms/{room}/{kind}", content=offer, headers=SDP)
            assert answer.status_code == 201
            await until(lambda: is_clean(server, room), CLEAN)

    run(die)


def test_a_client_that_closes_its_connection_first_may_still_delete_its_session() -> None:
    async def leave() -> None:
        client = Client(watches=True)
        async with whole_server() as server:
            room = await server.open_room()
            session = await server.call(client, f"/rooms/{room}/whep")
            await client.pc.close()
            await until(lambda: is_clean(server, room), CLEAN)
            answers = [(await server.http.delete(session)).status_code for _ in range(2)]
            assert answers == [200, 404]
            await asyncio.sleep(0)

    run(leave)


def test_a_client_that_hangs_up_within_its_offer_is_no_error_of_the_server() -> None:
    async def hang_up() -> None:
        async with whole_server() as server:
            room = await server.open_room()
            host, _, port = server.url.removeprefix("http://").partition(":")
            _, writer = await asyncio.open_connection(host, int(port))
            head = f"POST /rooms/{room}/whep HTTP/1.1\r\nHost: {host}:{port}\r\n"
            head += "Content-Type: application/sdp\r\nContent-Length: 900\r\n\r\nv=0"
            writer.write(head.encode())
            await writer.drain()
            await asyncio.sleep(0.1)
            writer.close()
            await asyncio.sleep(0.5)
            counted = (await server.http.get("/metrics")).text
            assert 'status="499"' in counted
            assert 'status="500"' not in counted

    run(hang_up)
