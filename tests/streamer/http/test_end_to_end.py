"""The whole server on a loopback port, with aiortc as the client: a voice goes in by WHIP, and the
right mouth opens in the pictures that come out by WHEP.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import av
import httpx2
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from streamer.media.null_generator import read_opening
from streamer.media.opus import PACKET_SAMPLES, TIME_BASE, OpusEncoder
from streamer.media.types import WIRE_RATE
from streamer.peering import make_peers
from streamer.server import build, serving
from streamer.stage import open_stage
from streamer.webrtc.aiortc_seams import listen_on
from tests.streamer.http.house import SDP, settings

PACKET_SECONDS = PACKET_SAMPLES / WIRE_RATE
PATIENCE = 30.0  # seconds, for a loaded machine


class Voice(MediaStreamTrack):
    """A loud voice, encoded beforehand so that the client costs nothing."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        times = np.arange(2 * WIRE_RATE) / WIRE_RATE
        syllables = 0.6 + 0.4 * np.sin(2 * np.pi * 4 * times)
        voice = sum(np.sin(2 * np.pi * 150 * k * times) / k for k in range(1, 8))
        self._payloads = OpusEncoder().encode((0.3 * voice * syllables).astype(np.float32))
        self._sent = 0
        self._began = time.monotonic()

    async def recv(self) -> av.Packet[Any]:
        due = self._began + self._sent * PACKET_SECONDS
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        packet: av.Packet[Any] = av.Packet(self._payloads[self._sent % len(self._payloads)])
        packet.pts, packet.time_base = self._sent * PACKET_SAMPLES, TIME_BASE
        self._sent += 1
        return packet


async def call(client: httpx2.AsyncClient, path: str, pc: RTCPeerConnection) -> str:
    """Offer, take the answer, and give the session's URL."""
    await listen_on(pc, ["127.0.0.1"])
    await pc.setLocalDescription(await pc.createOffer())
    answer = await client.post(path, content=pc.localDescription.sdp, headers=SDP)
    assert answer.status_code == 201, answer.text
    await pc.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
    return str(answer.headers["location"])


def test_a_voice_opens_its_own_mouth_at_a_viewer() -> None:
    asyncio.run(talk_and_watch(), debug=False)  # real time is the subject


async def talk_and_watch() -> None:
    chosen = settings(server={"port": 0})
    built = build(chosen, open_stage(chosen), make_peers(chosen))
    async with serving(built) as url, httpx2.AsyncClient(base_url=url) as client:
        room = (await client.post("/rooms", json={"scene": "null"})).json()["id"]
        speaker, viewer = new_peer(), new_peer()
        try:
            speaker.addTrack(Voice())
            publishing = await call(client, f"/rooms/{room}/seats/1/whip", speaker)
            viewer.addTransceiver("video", direction="recvonly")
            viewer.addTransceiver("audio", direction="recvonly")
            watching = await call(client, f"/rooms/{room}/whep", viewer)
            video = next(each for each in viewer.getReceivers() if each.track.kind == "video")
            async with asyncio.timeout(PATIENCE):
                while True:
                    frame = await video.track.recv()
                    assert isinstance(frame, av.VideoFrame)
                    picture = frame.to_ndarray(format="rgb24").astype(np.uint8)
                    silent, speaking = (read_opening(picture, seat, 2) for seat in (0, 1))
                    if speaking > 0.3:
                        break
            assert silent < 0.1
            assert (await client.delete(watching)).status_code == 200
            assert (await client.delete(publishing)).status_code == 200
            shown = (await client.get(f"/rooms/{room}")).json()
            assert (shown["viewers"], shown["seats"][1]["is_taken"]) == (0, False)
        finally:
            await speaker.close()
            await viewer.close()
    assert len(built.services.calls.sessions) == 0


def new_peer() -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))
