"""A whole server in one process for tests: real rooms, the null generator, and peers that only
pretend to be on the network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.testclient import TestClient

from streamer.errors import InvalidInput
from streamer.http.tokens import Claims, TokenKey
from streamer.rooms.seat import SeatInput
from streamer.rooms.viewer import Viewer
from streamer.server import Built, build
from streamer.settings import Settings, load_settings
from streamer.stage import open_stage
from streamer.webrtc.peer_stats import PeerStats

KEY = "0123456789abcdef0123456789abcdef"
URL = "http://127.0.0.1:8080"
NOW = 1_800_000_000.0
PATIENCE = 30.0  # seconds, for a loaded machine
ANSWER = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
OFFER = (
    "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendrecv\r\n"
    "a=ice-ufrag:abcd\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\na=rtcp-mux\r\n"
)
SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
CANDIDATE = "candidate:1 1 udp 2130706431 127.0.0.1 50000 typ host"


@dataclass(eq=False)
class PretendedPeer:
    """A connection that ends when a test says so."""

    answer: str = ANSWER
    fragments: list[str] = field(default_factory=list)
    voice: SeatInput | None = None
    viewer: Viewer | None = None
    is_closed: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)
    reason: str = "closed"
    latest: PeerStats | None = None

    async def add_candidates(self, fragment: str) -> None:
        self.fragments.append(fragment)

    async def ended(self) -> str:
        await self.over.wait()
        return self.reason

    async def close(self) -> None:
        self.is_closed = True


@dataclass
class PretendedPeers:
    """Answers every offer but the one that says it cannot."""

    made: list[PretendedPeer] = field(default_factory=list)

    async def answer_publisher(self, offer: str, voice: SeatInput) -> PretendedPeer:
        return self._make(offer, voice, None)

    async def answer_viewer(self, offer: str, viewer: Viewer) -> PretendedPeer:
        return self._make(offer, None, viewer)

    async def answer_both(self, offer: str, voice: SeatInput, viewer: Viewer) -> PretendedPeer:
        return self._make(offer, voice, viewer)

    def _make(self, offer: str, voice: SeatInput | None, viewer: Viewer | None) -> PretendedPeer:
        if "a=impossible" in offer:
            raise InvalidInput("no audio that we can decode")
        if "a=bug" in offer:
            raise ZeroDivisionError("a bug of ours")
        self.made.append(PretendedPeer(voice=voice, viewer=viewer))
        return self.made[-1]


@dataclass(frozen=True)
class House:
    """A running server and a client of it."""

    client: TestClient
    built: Built
    peers: PretendedPeers

    def open_room(self, **wish: Any) -> str:
        answer = self.client.post("/rooms", json={"scene": "null", **wish})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def run(self, work: Any) -> Any:
        """Run a coroutine function on the server's own event loop."""
        assert self.client.portal is not None
        return self.client.portal.call(work)

    def settle(self, is_settled: Callable[[], bool]) -> None:
        """Let the server's event loop run until something is so."""

        async def wait() -> None:
            async with asyncio.timeout(PATIENCE):
                while not is_settled():  # noqa: ASYNC110  # of the rooms, which tell no event
                    await asyncio.sleep(0.01)

        self.run(wait)


def settings(**sections: dict[str, Any]) -> Settings:
    engine = {"generator": "null", "null_width": 128, "null_height": 64}
    return load_settings(None, {**sections, "engine": {**engine, **sections.get("engine", {})}})


@contextmanager
def house(**sections: dict[str, Any]) -> Iterator[House]:
    """Run a server; it is open unless `auth` says otherwise."""
    chosen, peers = settings(**sections), PretendedPeers()
    built = build(chosen, open_stage(chosen), peers, wall=lambda: NOW)
    with running_house(built, peers) as running:
        yield running


@contextmanager
def running_house(built: Built, peers: PretendedPeers) -> Iterator[House]:
    """Run a server that was put together."""
    with TestClient(built.app, base_url=URL, follow_redirects=False) as client:
        yield House(client, built, peers)


def bearer(role: str, room: str = "*", seat: int | None = None, sub: str = "") -> dict[str, str]:
    said = {"room": room, "role": role, "seat": seat, "sub": sub, "exp": NOW + 3600}
    token = TokenKey(KEY.encode()).sign(Claims.model_validate(said))
    return {"Authorization": f"Bearer {token}"}
