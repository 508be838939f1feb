"""The whole server and its clients in one process and in virtual time: HTTP, websockets, ICE, DTLS
and RTP over real sockets on loopback, and a minute of a call in a few seconds.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from aiortc import RTCSessionDescription

from streamer.peering import make_peers
from streamer.rooms.encoders import encoder_maker
from streamer.rooms.registry import Machinery
from streamer.server import Built, build, serving
from streamer.stage import open_stage
from tests.streamer.http.house import SDP, settings
from tests.streamer.rooms.stages import InlineWorker, PricedLane
from tests.streamer.webrtc.stand_ins import Client
from tests.streamer.webrtc.udp_relay import UdpRelay
from tests.streamer.webrtc.virtual_time import now

CHUNK_SECONDS = 0.05  # that a chunk of 160 ms takes, in virtual time
CONNECTING = 20.0
PLENTY = {"burst": 100_000, "per_minute": 1_000_000}
RATES: dict[str, Any] = {"post": PLENTY, "patch": PLENTY, "delete": PLENTY, "socket": PLENTY}


@dataclass(frozen=True)
class Door:
    """A running server as its clients know it."""

    url: str
    http: httpx2.AsyncClient

    async def open_room(self) -> str:
        answer = await self.http.post("/rooms", json={"scene": "null"})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def call(self, client: Client, path: str, relay: UdpRelay | None = None) -> str:
        """Connect a client, over a bad network if one is given; return the session's URL."""
        offer = await client.offer(relay)
        answer = await self.http.post(path, content=offer, headers=SDP)
        assert answer.status_code == 201, answer.text
        text = answer.text if relay is None else relay.hide_server(answer.text)
        await client.pc.setRemoteDescription(RTCSessionDescription(text, "answer"))
        await until(lambda: client.pc.connectionState == "connected", CONNECTING)
        return str(answer.headers["location"])

    async def shown(self, room: str) -> dict[str, Any]:
        return dict((await self.http.get(f"/rooms/{room}")).json())


@dataclass(frozen=True)
class Whole(Door):
    """A server in this process."""

    built: Built


@asynccontextmanager
async def whole_server(**sections: dict[str, Any]) -> AsyncIterator[Whole]:
    """Run a server; to be used in `virtual_time.run`."""
    chosen = settings(server={"port": 0}, rates=RATES, **sections)
    machinery = Machinery(
        now=now,
        make_lane=lambda: PricedLane(lambda: CHUNK_SECONDS),
        make_worker=InlineWorker,
        make_encoder=encoder_maker(has_nvenc=False, now=now),
    )
    stage = dataclasses.replace(open_stage(chosen), machinery=machinery)
    built = build(chosen, stage, make_peers(chosen, now=now))
    async with serving(built) as url, httpx2.AsyncClient(base_url=url) as http:
        yield Whole(url, http, built)


async def until(is_so: Any, seconds: float) -> float:
    """Wait until something is so; give the seconds that it took."""
    began = now()
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110  # of rooms and connections, which tell no event
            await asyncio.sleep(0.01)
    return now() - began


def steps(values: list[tuple[float, float]], level: float) -> list[float]:
    """The moments at which a measured value falls below a level."""
    return [
        at for (_, before), (at, value) in itertools.pairwise(values) if value < level <= before
    ]
