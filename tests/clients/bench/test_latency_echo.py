"""The echo that the method is calibrated with: as late as it says, and nothing changed."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.rtp import RtpPacket
from av.audio.codeccontext import AudioCodecContext

from clients.bench.echo import EchoLine, EchoPicture, EchoServer, EchoSound, Packet

DELAY_MS = 60.0
LATE_MS = 40.0  # that a busy machine may add
PACKET = 960


def opus(levels: list[float]) -> list[bytes]:
    """Encode a packet of 20 ms for every level."""
    codec = AudioCodecContext.create("libopus", "w")
    codec.format, codec.layout, codec.sample_rate = "flt", "mono", 48_000
    times = np.arange(PACKET * len(levels)) / 48_000
    samples = np.sin(2 * np.pi * 200 * times) * np.repeat(levels, PACKET)
    payloads = []
    for number, block in enumerate(np.split(samples.astype(np.float32), len(levels))):
        frame = av.AudioFrame.from_ndarray(block[None], format="flt", layout="mono")
        frame.sample_rate, frame.pts = 48_000, number * PACKET
        frame.time_base = Fraction(1, 48_000)
        payloads += [bytes(packet) for packet in codec.encode(frame)]
    return payloads


def rtp(payload: bytes, number: int) -> RtpPacket:
    timestamp = (0xFFFFFF00 + number * PACKET) & 0xFFFFFFFF  # which passes its end
    packet = RtpPacket(payload_type=111, sequence_number=number, timestamp=timestamp)
    packet.payload = payload
    return packet


def test_packets_leave_unchanged_and_as_late_as_told() -> None:
    async def check() -> None:
        line = EchoLine(DELAY_MS)
        sound = EchoSound(line)
        loop = asyncio.get_running_loop()
        payloads = opus([0, 0, 0.5, 0.5])
        start = loop.time()
        for number, payload in enumerate(payloads):
            line.take(rtp(payload, number))
        left = [await sound.recv() for _ in payloads]
        assert [bytes(packet) for packet in left] == payloads
        assert [packet.pts for packet in left] == [PACKET * n for n in range(len(payloads))]
        late_ms = (loop.time() - start) * 1000
        assert DELAY_MS <= late_ms < DELAY_MS + LATE_MS
        [burst] = line.bursts
        assert burst.sound_sent is not None
        assert DELAY_MS - 1 <= burst.sound_sent - burst.arrived < DELAY_MS + LATE_MS

    asyncio.run(check())


def test_the_picture_is_white_exactly_while_the_voice_is_loud() -> None:
    async def check() -> None:
        line = EchoLine(0)
        picture = EchoPicture(line)
        for number, payload in enumerate(opus([0, 0, 0, 0.5, 0.5, 0.5, 0.5, 0, 0, 0])):
            line.take(rtp(payload, number))
        seen = []
        for _ in range(5):
            frame = await picture.recv()
            assert frame.pts is not None
            seen.append((frame.pts // PACKET, int(frame.to_ndarray()[0, 0]) > 128))
        changes = [n for n, (_, is_white) in enumerate(seen) if is_white]
        # At once when the voice begins, though the picture before it was only 20 ms ago.
        assert seen[changes[0]][0] == 3
        assert line.bursts[0].flash_sent is not None

    asyncio.run(check())


class Voice(MediaStreamTrack):
    """Silence and then a tone, as fast as it is asked for."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._packets = iter(enumerate(opus([0.0] * 5 + [0.5] * 40)))

    async def recv(self) -> Packet:
        number, payload = next(self._packets, (0, None))
        if payload is None:
            await asyncio.Event().wait()  # until the connection ends
            raise AssertionError
        await asyncio.sleep(0.02)
        packet: Packet = av.Packet(payload)
        packet.pts, packet.time_base = number * PACKET, Fraction(1, 48_000)
        return packet


@pytest.mark.parametrize("is_join", [False, True])
def test_a_voice_comes_back_as_sound_and_flash(is_join: bool) -> None:
    async def connect(server: EchoServer, pc: RTCPeerConnection) -> None:
        await pc.setLocalDescription(await pc.createOffer())
        _, answer = await server.answer(pc.localDescription.sdp)
        await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def check() -> None:
        line = EchoLine(DELAY_MS)
        server = EchoServer(line)
        publisher, viewer = RTCPeerConnection(), RTCPeerConnection()
        watcher = publisher if is_join else viewer
        if not is_join:
            viewer.addTransceiver("audio", "recvonly")
        watcher.addTransceiver("video", "recvonly")
        publisher.addTransceiver(Voice(), "sendrecv" if is_join else "sendonly")
        seen: asyncio.Queue[MediaStreamTrack] = asyncio.Queue()
        watcher.on("track", seen.put_nowait)
        if not is_join:
            await connect(server, viewer)
        await connect(server, publisher)
        tracks = {track.kind: track for track in [await seen.get(), await seen.get()]}
        async with asyncio.timeout(20):
            while True:
                frame = await tracks["video"].recv()
                assert isinstance(frame, av.VideoFrame)
                if frame.to_ndarray(format="gray").mean() > 128:
                    break
        assert len(line.bursts) == 1
        await asyncio.gather(server.close(), publisher.close(), viewer.close())

    asyncio.run(check())
