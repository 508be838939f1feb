"""One viewer: a real WHEP client that takes every packet and decodes none.

ICE, DTLS, SRTP, reports, bandwidth estimates and repeats go on as in any aiortc client. Its jitter
buffer is replaced, so that no frame is ever completed and the decoder's thread sleeps: what is
measured is the server, not a decoder.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any
from urllib.parse import quote, urljoin

import httpx2
from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtp import RtpPacket

from clients.bench.load_errors import LoadError
from clients.bench.load_packets import StreamCount

BUFFER = "_RTCRtpReceiver__jitter_buffer"
CLOCKS_HZ = {"audio": 48_000, "video": 90_000}
CONNECTING_S = 20.0
CREATED = 201
PASSING = (409, 429, 503)  # a server that says "later" is not broken


class _Tap(JitterBuffer):
    """Hands packets on instead of collecting them."""

    def __init__(self, take: Callable[[RtpPacket], None]) -> None:
        super().__init__(capacity=1)
        self._take = take

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        self._take(packet)
        return False, None


def tap(receiver: RTCRtpReceiver, count: StreamCount, now: Callable[[], float]) -> None:
    """Count what a receiver gets.

    Raises:
        LoadError: when this aiortc looks different inside.
    """
    if not isinstance(getattr(receiver, BUFFER, None), JitterBuffer):
        raise LoadError(f"aiortc {version('aiortc')} has no {BUFFER}; want 1.16")

    def take(packet: RtpPacket) -> None:
        count.take(
            packet.sequence_number,
            packet.timestamp,
            bool(packet.marker),
            len(packet.payload),
            now(),
        )

    setattr(receiver, BUFFER, _Tap(take))


class Viewer:
    """One viewer of one room. `state` tells how far it came; `reason` why it is no further."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        server: str,
        room: str,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = "joining"  # then watching, refused, failed, lost
        self.reason = ""
        self._url = f"{server.rstrip('/')}/rooms/{quote(room, safe='')}/whep"
        self._http = http
        self._now = now
        self._pc = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self._counts = {kind: StreamCount(hz) for kind, hz in CLOCKS_HZ.items()}
        self._session: str | None = None
        self._began = self._looked = now()  # and when somebody looked last
        self._is_join_told = False

    async def join(self) -> None:
        """Watch; returns when the connection stands, or `state` says why it does not."""
        self._began = self._looked = self._now()
        for kind, count in self._counts.items():
            tap(self._pc.addTransceiver(kind, direction="recvonly").receiver, count, self._now)
        try:
            await self._pc.setLocalDescription(await self._pc.createOffer())
            answer = await self._offer(self._pc.localDescription.sdp)
            if answer is not None:
                await self._connect(answer)
        except TimeoutError:
            self._end("failed", f"no connection in {CONNECTING_S:.0f} s")
        except httpx2.HTTPError as error:
            self._end("failed", type(error).__name__)
        except ValueError as error:  # aiortc's, for an answer that it cannot use
            self._end("failed", f"the answer: {error}")

    async def leave(self) -> None:
        """Stop watching, with a goodbye."""
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(httpx2.HTTPError):  # a server that is gone forgot it
                await self._http.delete(session)
        await self._pc.close()

    def look(self) -> dict[str, Any]:
        """Tell what came since the last look, and how it stands."""
        now = self._now()
        if self.state == "watching" and self._pc.connectionState in ("failed", "closed"):
            self._end("lost", f"the connection {self._pc.connectionState}")
        video, audio = (self._counts[kind] for kind in ("video", "audio"))
        first, shown = video.first_packet_at, video.first_frame_at
        watched_s = now - max(self._looked, shown) if shown is not None else 0.0
        self._looked = now
        seen, heard = video.look(now), audio.look(now)
        is_new = shown is not None and not self._is_join_told
        told = {
            "kind": "viewer",
            "state": self.state,
            "reason": self.reason,
            "watched_s": watched_s,
            "waits_s": now - self._began if shown is None else None,
            "join_s": None,
            "first_packet_s": None,
            # The first frame begins the time that is counted; it is none that came in it.
            "rate_fps": (seen.frames - is_new) / watched_s if watched_s > 0 else None,
            "video": seen.told(),
            "audio": heard.told(),
        }
        if is_new and shown is not None and first is not None:
            self._is_join_told = True
            told["join_s"], told["first_packet_s"] = shown - self._began, first - self._began
        return told

    async def _offer(self, sdp: str) -> str | None:
        headers = {"Content-Type": "application/sdp"}
        answer = await self._http.post(self._url, content=sdp, headers=headers)
        if answer.status_code == CREATED:
            self._session = urljoin(str(answer.url), answer.headers["Location"])
            return answer.text
        state = "refused" if answer.status_code in PASSING else "failed"
        self._end(state, f"{answer.status_code} {problem_code(answer)}")
        return None

    async def _connect(self, answer: str) -> None:
        changed = asyncio.Event()
        self._pc.on("connectionstatechange", changed.set)
        await self._pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        async with asyncio.timeout(CONNECTING_S):
            while self._pc.connectionState in ("new", "connecting"):
                changed.clear()
                await changed.wait()
        if self._pc.connectionState == "connected":
            self.state = "watching"
        else:
            self._end("failed", f"the connection {self._pc.connectionState}")

    def _end(self, state: str, reason: str) -> None:
        self.state, self.reason = state, reason


def problem_code(answer: httpx2.Response) -> str:
    """Give the code of a problem (docs/protocol.md, Errors), or what HTTP calls the status."""
    try:
        return str(answer.json()["code"])
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase
