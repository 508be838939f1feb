"""One viewer for an hour: decodes what comes through a bad network, and keeps figures of it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import av
import httpx2
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RtpPacket
from numpy.typing import NDArray

from clients.bench.soak_relay import LossyRelay
from clients.bench.soak_whep import CLOCKS_HZ, Call, Unwrapped, tap_packets

Picture = NDArray[np.uint8]  # [H, W, 3]

EVERY = 5  # pictures are looked at: each would cost more than decoding it
LEAST_LATE = 5  # packets, to say how late they came


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a viewer saw since the last look. None: nothing came."""

    fps: float
    rgb: tuple[float, float, float] | None  # mean, 0 to 255
    sharpness: float | None  # mean distance of a pixel from its four neighbors' mean, gray levels
    skew_ms: float | None  # pictures after their sound, against what it was at first
    picture: Picture | None  # the last
    is_connected: bool


class _Lateness:
    """When packets of one stream come, against their time stamps."""

    def __init__(self, kind: str, now: Callable[[], float]) -> None:
        self._hz = CLOCKS_HZ[kind]
        self._now = now
        self._unwrapped = Unwrapped()
        self._late: list[float] = []

    def take(self, packet: RtpPacket) -> None:
        self._late.append(self._now() - self._unwrapped(packet.timestamp) / self._hz)

    def look(self) -> float | None:
        late, self._late = self._late, []
        return median(late) if len(late) >= LEAST_LATE else None


class SoakViewer:
    """Watches one room through a relay of its own."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        server: str,
        room: str,
        relay: LossyRelay,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._call = Call(http, server, f"rooms/{room}/whep")
        self._relay = relay
        self._now = now
        self._late = {kind: _Lateness(kind, now) for kind in CLOCKS_HZ}
        self._at_first_s: list[float] = []  # pictures after sound, by time stamps of their own
        self._is_settled = False
        self._frames = self._looked_at = 0
        self._since = now()
        self._colors: list[NDArray[np.float64]] = []
        self._sharp: list[float] = []
        self._last: av.VideoFrame | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def is_connected(self) -> bool:
        return self._call.is_connected

    async def watch(self) -> None:
        """Connect, and decode from then on.

        Raises:
            LoadError: when the server says no.
        """
        for kind, late in self._late.items():
            receiver = self._call.pc.addTransceiver(kind, direction="recvonly").receiver
            tap_packets(receiver, late.take, is_decoded=True)
        self._call.pc.on("track", self._take)
        await self._call.join(self._relay)
        self._since = self._now()

    async def leave(self) -> None:
        await self._call.leave()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def look(self) -> Seen:
        """Say what was seen since the last look."""
        now = self._now()
        seconds, self._since = max(1e-3, now - self._since), now
        frames, self._frames = self._frames, 0
        colors, self._colors = self._colors, []
        sharp, self._sharp = self._sharp, []
        last, self._last = self._last, None
        red, green, blue = np.mean(colors, axis=0).tolist() if colors else (0.0, 0.0, 0.0)
        return Seen(
            fps=frames / seconds,
            rgb=(red, green, blue) if colors else None,
            sharpness=float(np.mean(sharp)) if sharp else None,
            skew_ms=self._skew_ms(),
            picture=None if last is None else _rgb(last),
            is_connected=self.is_connected,
        )

    def _take(self, track: MediaStreamTrack) -> None:
        show = self._show if track.kind == "video" else None
        self._tasks.append(asyncio.create_task(_drain(track, show), name=track.kind))

    def settle(self) -> None:
        """From now on pictures and sound are compared with the looks until now."""
        self._is_settled = True

    def _skew_ms(self) -> float | None:
        """Compare how late both streams come.

        Their time stamps begin anywhere, so that only changes can be told: lips that move away
        from their sound in the room's clock, in an encoder, or on the way.
        """
        video, audio = self._late["video"].look(), self._late["audio"].look()
        if video is None or audio is None:
            return None
        if not self._is_settled or not self._at_first_s:
            self._at_first_s.append(video - audio)
        return 1000 * (video - audio - median(self._at_first_s))

    def _show(self, frame: av.VideoFrame) -> None:
        self._frames += 1
        self._last = frame
        self._looked_at += 1
        if self._looked_at % EVERY == 0:
            picture = _rgb(frame)
            self._colors.append(picture.mean(axis=(0, 1)))
            self._sharp.append(sharpness(picture))


async def _drain(track: MediaStreamTrack, show: Callable[[av.VideoFrame], None] | None) -> None:
    """Take what is decoded until the connection ends."""
    with contextlib.suppress(MediaStreamError):
        while True:
            frame: Any = await track.recv()
            if show is not None:
                show(frame)


def _rgb(frame: av.VideoFrame) -> Picture:
    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def sharpness(picture: Picture) -> float:
    """Give the mean distance of a pixel from the mean of its four neighbors, in gray levels.

    Args:
        picture: [H, W, 3].
    """
    gray = picture.mean(axis=2)
    around = (gray[:-2, 1:-1] + gray[2:, 1:-1] + gray[1:-1, :-2] + gray[1:-1, 2:]) / 4
    return float(np.abs(gray[1:-1, 1:-1] - around).mean())
