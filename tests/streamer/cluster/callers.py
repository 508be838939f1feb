"""Clients of a cluster: a viewer and listeners that know the front's address alone."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import av
import httpx2
import numpy as np
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from streamer.media.null_generator import read_opening
from streamer.webrtc.aiortc_seams import listen_on
from tests.streamer.cluster.fronts import PATIENCE, Front, token
from tests.streamer.http.house import SDP


@dataclass
class Viewer:
    """What a WHEP client got."""

    session: str  # its URL, on the worker
    frames: int = 0
    opening: list[float] = field(default_factory=lambda: [0.0, 0.0])  # of each mouth, now


@asynccontextmanager
async def watching(front: Front, room: str) -> AsyncIterator[Viewer]:
    """Watch a room by WHEP, through the front's redirect."""
    pc = RTCPeerConnection()
    bearer = {"Authorization": f"Bearer {token('view', room)}"}
    try:
        pc.addTransceiver("video", direction="recvonly")
        pc.addTransceiver("audio", direction="recvonly")
        await listen_on(pc, ["127.0.0.1"])
        await pc.setLocalDescription(await pc.createOffer())
        async with httpx2.AsyncClient(follow_redirects=True, headers=bearer) as http:
            offer = pc.localDescription.sdp
            url = f"{front.url}/rooms/{room}/whep"
            answer = await http.post(url, content=offer, headers=SDP)
            assert answer.status_code == 201, answer.text
            await pc.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
            viewer = Viewer(str(answer.url.join(answer.headers["location"])))
            receiver = next(each for each in pc.getReceivers() if each.track.kind == "video")
            showing = asyncio.create_task(_show(receiver.track, viewer))
            try:
                yield viewer
            finally:
                showing.cancel()
                await asyncio.gather(showing, return_exceptions=True)
    finally:
        await pc.close()


async def _show(track: MediaStreamTrack, viewer: Viewer) -> None:
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        assert isinstance(frame, av.VideoFrame)
        viewer.frames += 1
        picture = frame.to_ndarray(format="rgb24").astype(np.uint8)
        viewer.opening = [read_opening(picture, seat, 2) for seat in (0, 1)]


async def until(is_so: Callable[[], bool], seconds: float = PATIENCE) -> float:
    """Wait until something is so; gives how long that took."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < seconds, "waited in vain"
        await asyncio.sleep(0.01)
    return time.monotonic() - began


@contextmanager
def events_of(front: Front, room: str) -> Iterator[list[tuple[str, dict[str, object]]]]:
    """Hear a room's server-sent events until the stream ends."""
    heard: list[tuple[str, dict[str, object]]] = []
    begun = threading.Event()

    def listen() -> None:
        bearer = {"Authorization": f"Bearer {token('view', room)}"}
        url = f"{front.url}/rooms/{room}/events"
        kind = ""
        try:
            with (
                httpx2.Client(follow_redirects=True, headers=bearer, timeout=60) as http,
                http.stream("GET", url) as answer,
            ):
                begun.set()
                for line in answer.iter_lines():
                    name, _, value = line.partition(": ")
                    if name == "event":
                        kind = value
                    elif name == "data":
                        heard.append((kind, json.loads(value)))
        except httpx2.HTTPError as error:
            heard.append(("broken", {"error": str(error)}))
        finally:
            begun.set()

    thread = threading.Thread(target=listen)
    thread.start()
    assert begun.wait(30)
    yield heard
    thread.join(30)
    assert not thread.is_alive()
