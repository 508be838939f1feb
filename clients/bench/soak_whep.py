"""A viewer by WHEP on aiortc, whose packets and sender reports are ours to look at.

ICE, DTLS, SRTP, receiver reports and repeats are aiortc's. Three attributes of single objects are
replaced, each checked: the jitter buffer hands packets on, the handler of sender reports tells when
which time stamp left, and the gatherer listens on loopback where a relay stands in between.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Protocol
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
from aiortc.rtp import AnyRtcpPacket, RtcpSrPacket, RtpPacket

from clients.bench.load_errors import LoadError
from clients.bench.load_viewer import problem_code

BUFFER = "_RTCRtpReceiver__jitter_buffer"
REPORTS = "_handle_rtcp_packet"
CLOCKS_HZ = {"audio": 48_000, "video": 90_000}
NTP_FRACTION = 1 << 32
NTP_TO_UNIX_S = 2_208_988_800  # from 1900 to 1970
TIMESTAMPS = 1 << 32
CONNECTING_S = 20.0
GOODBYE_S = 3.0
CREATED = 201

TakePacket = Callable[[RtpPacket], None]
TakeReport = Callable[[float, int], None]  # sender's clock, seconds since 1970; RTP time stamp


class Relay(Protocol):
    """What stands between a client and the server, if anything does."""

    def hide_client(self, offer: str) -> str: ...

    def hide_server(self, answer: str) -> str: ...


class Unwrapped:
    """RTP time stamps of one stream as numbers that only grow, across the end of 32 bits."""

    def __init__(self) -> None:
        self._newest: int | None = None

    def __call__(self, timestamp: int) -> int:
        if self._newest is None:
            self._newest = timestamp
        half = TIMESTAMPS // 2
        value = self._newest + (timestamp - self._newest + half) % TIMESTAMPS - half
        self._newest = max(self._newest, value)
        return value


class _PassOn(JitterBuffer):
    """Shows each packet, then does what the buffer in its place would have done."""

    def __init__(self, buffer: JitterBuffer, take: TakePacket) -> None:
        super().__init__(capacity=1)
        self._buffer = buffer
        self._take = take

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        self._take(packet)
        return self._buffer.add(packet)


class _Keep(JitterBuffer):
    """Hands packets on and completes no frame, so that the decoder's thread sleeps."""

    def __init__(self, take: TakePacket) -> None:
        super().__init__(capacity=1)
        self._take = take

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        self._take(packet)
        return False, None


def tap_packets(receiver: RTCRtpReceiver, take: TakePacket, *, is_decoded: bool) -> None:
    """See each packet of a receiver, and let it decode or not.

    Raises:
        LoadError: when this aiortc looks different inside.
    """
    buffer = getattr(receiver, BUFFER, None)
    if not isinstance(buffer, JitterBuffer):
        raise LoadError(f"aiortc {version('aiortc')} has no {BUFFER}; want 1.16")
    setattr(receiver, BUFFER, _PassOn(buffer, take) if is_decoded else _Keep(take))


def tap_reports(receiver: RTCRtpReceiver, take: TakeReport) -> None:
    """See each sender report: which time stamp left at which moment of the sender's clock.

    Raises:
        LoadError: when this aiortc looks different inside.
    """
    handler: Callable[[AnyRtcpPacket], Awaitable[None]] | None = getattr(receiver, REPORTS, None)
    if handler is None:
        raise LoadError(f"aiortc {version('aiortc')} has no {REPORTS}; want 1.16")

    async def look(packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpSrPacket) and packet.sender_info.packet_count:
            told = packet.sender_info
            take(told.ntp_timestamp / NTP_FRACTION - NTP_TO_UNIX_S, told.rtp_timestamp)
        await handler(packet)

    setattr(receiver, REPORTS, look)


def new_peer() -> RTCPeerConnection:
    """Make a connection that needs no server but the one that it calls."""
    bundled = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
    return RTCPeerConnection(bundled)


class Call:
    """One connection, by WHIP or WHEP. `join` it, `leave` it; it says goodbye."""

    def __init__(self, http: httpx2.AsyncClient, server: str, path: str) -> None:
        """Note where to go.

        Args:
            http: asks with whatever token is needed.
            server: its URL.
            path: of the room's endpoint, `rooms/ID/whep` or `rooms/ID/seats/0/whip`.
        """
        self.pc = new_peer()
        self._http = http
        self._url = f"{server.rstrip('/')}/{quote(path)}"
        self._session: str | None = None
        self._changed = asyncio.Event()

    @property
    def is_connected(self) -> bool:
        return self.pc.connectionState == "connected"

    async def join(self, relay: Relay | None = None) -> None:
        """Connect, through a relay if there is one.

        Raises:
            LoadError: when the server says no, or nothing comes about.
        """
        try:
            await self.pc.setLocalDescription(await self.pc.createOffer())
            offer = self.pc.localDescription.sdp
            answer = await self._offer(offer if relay is None else relay.hide_client(offer))
            self.pc.on("connectionstatechange", self._changed.set)
            given = answer if relay is None else relay.hide_server(answer)
            await self.pc.setRemoteDescription(RTCSessionDescription(given, "answer"))
            async with asyncio.timeout(CONNECTING_S):
                while self.pc.connectionState in ("new", "connecting"):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError as error:
            raise LoadError(f"no connection to {self._url} in {CONNECTING_S:.0f} s") from error
        except httpx2.HTTPError as error:
            raise LoadError(f"{self._url} does not answer: {type(error).__name__}") from error
        except ValueError as error:  # aiortc's, for an answer that it cannot use
            raise LoadError(f"{self._url} gave an answer that cannot be used: {error}") from error
        if not self.is_connected:
            raise LoadError(f"the connection to {self._url} is {self.pc.connectionState}")

    async def stays(self, seconds: float) -> bool:
        """Wait so long, or until the connection ends; say whether it still stands."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.is_connected:
                    self._changed.clear()
                    await self._changed.wait()
        return self.is_connected

    async def leave(self) -> None:
        """Say goodbye and close; a server that is gone is no error."""
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(httpx2.HTTPError):
                await self._http.delete(session, timeout=GOODBYE_S)
        await self.pc.close()

    async def _offer(self, sdp: str) -> str:
        headers = {"Content-Type": "application/sdp"}
        answer = await self._http.post(self._url, content=sdp, headers=headers)
        if answer.status_code != CREATED:
            raise LoadError(f"{self._url} said {answer.status_code} {problem_code(answer)}")
        self._session = urljoin(str(answer.url), answer.headers["Location"])
        return answer.text
