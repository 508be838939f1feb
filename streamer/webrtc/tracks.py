"""What we send, as aiortc wants it: tracks that give packets which are encoded already."""

from __future__ import annotations

import asyncio
from collections import deque
from fractions import Fraction
from typing import Any, TypeAlias

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from streamer.errors import Ended
from streamer.media.opus import PACKET_SAMPLES
from streamer.media.opus import TIME_BASE as AUDIO_TIME_BASE
from streamer.webrtc.ends import Watched
from streamer.webrtc.opus_relay import Block, OpusRelay

Packet: TypeAlias = "av.Packet[Any]"  # encoded; generic only for type checkers
VIDEO_TIME_BASE = Fraction(1, 90_000)
PACKET_SECONDS = 0.02


class PictureTrack(MediaStreamTrack):
    """A viewer's pictures."""

    kind = "video"

    def __init__(self, watched: Watched) -> None:
        super().__init__()
        self._watched = watched
        self.sent = 0

    async def recv(self) -> Packet:
        """Wait for the next packet; ended by the viewer's end.

        Raises:
            MediaStreamError: when there will be none.
        """
        try:
            picture = await self._watched.next_picture()
        except Ended as error:
            self.stop()
            raise MediaStreamError(str(error)) from error
        self.sent += 1
        return packet(picture.payload, picture.pts, VIDEO_TIME_BASE)


class SoundTrack(MediaStreamTrack):
    """What a viewer hears."""

    kind = "audio"

    def __init__(self, watched: Watched, relay: OpusRelay) -> None:
        super().__init__()
        self._watched = watched
        self._relay = relay
        self._before: Block | None = None
        self._queued: deque[Packet] = deque()  # of one sound: two packets of 20 ms
        self._next_at = 0.0
        self.sent = 0

    async def recv(self) -> Packet:
        """Wait for the next packet; ended by the viewer's end.

        Raises:
            MediaStreamError: when there will be none.
        """
        while not self._queued:
            try:
                sound = await self._watched.next_sound()
            except Ended as error:
                self.stop()
                raise MediaStreamError(str(error)) from error
            if self._before is None:
                # Whoever has just come gives 40 ms away, to know which encoder the mix is with: a
                # new one would be heard as a click by everybody else.
                self._before = sound.samples
                continue
            payloads = self._relay.packets(sound.samples, self._before)
            self._before = sound.samples
            self._next_at = asyncio.get_running_loop().time()
            for number, payload in enumerate(payloads):
                pts = sound.pts + number * PACKET_SAMPLES
                self._queued.append(packet(payload, pts, AUDIO_TIME_BASE))
        # A report says which time stamp was sent at which moment, and lips follow it: the second
        # packet of a sound must not leave with the first.
        wait = self._next_at - asyncio.get_running_loop().time()
        if wait > 0:
            await asyncio.sleep(wait)
        self._next_at += PACKET_SECONDS
        self.sent += 1
        return self._queued.popleft()


def packet(payload: bytes, pts: int, time_base: Fraction) -> Packet:
    """Make a packet that says when it is meant for."""
    made: Packet = av.Packet(payload)
    made.pts = pts
    made.time_base = time_base
    return made
