"""What two clients of one room and their HTTP calls get from the whole server, in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import httpx2
import numpy as np

from streamer.media.types import Samples
from tests.streamer.http.house import FRAGMENT, SDP
from tests.streamer.interop.test_two_rooms import share
from tests.streamer.interop.whole import Door, until, whole_server
from tests.streamer.webrtc.stand_ins import Client, Microphone
from tests.streamer.webrtc.virtual_time import now, run

TONES = (300.0, 1100.0)  # of each seat
HEARD, UNHEARD = 0.03, 1e-3  # full scale
KEY = 1.0  # seconds from a viewer's request to a picture that is complete in itself


def tone(frequency: float) -> Samples:
    times = np.arange(48_000 * 10) / 48_000
    return np.asarray(0.3 * np.sin(2 * np.pi * frequency * times), np.float32)


async def join(server: Door, room: str, seat: int) -> Client:
    """Speak from a seat and watch, on one connection."""
    client = Client(Microphone(tone(TONES[seat])), watches=True)
    sdp = {"sdp": await client.offer(), "type": "offer"}
    answer = await server.http.post(f"/rooms/{room}/join?seat={seat}", json=sdp)
    assert answer.status_code == 200, answer.text
    await client.take(answer.json()["sdp"])
    await until(lambda: client.pc.connectionState == "connected", 20.0)
    return client


def test_who_joins_hears_the_other_and_not_itself_and_sees_both() -> None:
    async def talk() -> list[Client]:
        async with whole_server() as server:
            room = await server.open_room()
            clients = [await join(server, room, seat) for seat in (0, 1)]
            await asyncio.sleep(4.0)
            for client in clients:
                await client.pc.close()
        return clients

    for seat, client in enumerate(run(talk)):
        sound = np.concatenate([samples for _, samples in client.sound()[-100:]])
        assert share(sound, TONES[1 - seat]) > HEARD
        assert share(sound, TONES[seat]) < UNHEARD
        for mouth in (0, 1):
            assert max(opened for _, opened in client.openings(mouth, 2)) > 0.3


@dataclass
class Asked:
    """When a key frame was asked for, and what came."""

    at: list[float] = field(default_factory=list)
    keys: list[float] = field(default_factory=list)


def test_a_viewer_that_asks_for_a_key_frame_gets_one_by_its_own_request() -> None:
    """By RTCP alone, as a browser does; nobody else comes or goes meanwhile."""

    async def watch() -> Asked:
        asked, viewer = Asked(), Client(watches=True)
        async with whole_server() as server:
            room = await server.open_room()
            await server.call(viewer, f"/rooms/{room}/whep")
            await asyncio.sleep(3.0)
            ssrc = next(iter(viewer.receiver.getSynchronizationSources())).source
            for _ in range(3):
                await asyncio.sleep(2.0)
                asked.at.append(now())
                await viewer.receiver._send_rtcp_pli(ssrc)
            await asyncio.sleep(2.0)
            await viewer.pc.close()
        first = True  # of a picture
        for packet in viewer.packets["video"]:
            if first and not packet.data[0] & 1:  # RFC 6386, 9.1: 0 is a key frame
                asked.keys.append(packet.at)
            first = packet.is_last
        return asked

    asked = run(watch)
    for at in asked.at:
        assert any(at < key <= at + KEY for key in asked.keys)
    calm = [key for key in asked.keys if asked.at[0] - 1.9 < key < asked.at[0]]
    assert not calm  # they do not come by themselves


def test_a_session_is_changed_by_its_own_tag_alone_and_a_taken_seat_says_when_to_come_back() -> (
    None
):
    async def call() -> list[httpx2.Response]:
        speaker, late = Client(Microphone(tone(300.0))), Client(Microphone(tone(400.0)))
        async with whole_server() as server:
            room = await server.open_room()
            path = f"/rooms/{room}/seats/0/whip"
            url = await server.call(speaker, path)
            said = [await server.http.post(path, content=await late.offer(), headers=SDP)]
            body = "a=end-of-candidates\r\n"
            said.append(await server.http.patch(url, content=body, headers=FRAGMENT))
            other = {**FRAGMENT, "If-Match": '"another"'}
            said.append(await server.http.patch(url, content=body, headers=other))
            await late.pc.close()
            await speaker.pc.close()
        return said

    taken, missing, stale = run(call)
    assert taken.status_code == 409
    assert int(taken.headers["retry-after"]) >= 1
    assert missing.status_code == 428
    assert stale.status_code == 412
