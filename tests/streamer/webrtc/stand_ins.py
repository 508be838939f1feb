"""Both ends of a connection under test: clients on aiortc, a seat, and a room that many watch."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import av
import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.codecs.vpx import vp8_depayload
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RtpPacket
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from streamer.errors import Ended
from streamer.media.encoding import EncoderConfig, VideoCodec, VideoEncoder, picture
from streamer.media.mixing import Mix
from streamer.media.null_generator import NullGenerator, read_opening
from streamer.media.opus import OpusDecoder
from streamer.media.types import FPS, SAMPLES_PER_FRAME, Samples
from streamer.webrtc.aiortc_seams import listen_on, tap_packets
from streamer.webrtc.candidates import CandidatePolicy
from streamer.webrtc.ends import Codec
from streamer.webrtc.factory import PeerConfig, PeerFactory
from streamer.webrtc.peer import Peer, PeerLimits
from tests.streamer.webrtc.udp_relay import HOST, UdpRelay
from tests.streamer.webrtc.virtual_time import now

LOCAL = PeerConfig(
    limits=PeerLimits(candidates=CandidatePolicy(allow_loopback=True)), addresses=(HOST,)
)


class Microphone(MediaStreamTrack):
    """Says a signal at 48 kHz in real time, and silence after it."""

    kind = "audio"

    def __init__(self, signal: Samples) -> None:
        super().__init__()
        self.began: float | None = None  # virtual seconds, of the first sample
        self._pcm = np.round(signal * 32767).astype(np.int16)
        self._at = 0

    async def recv(self) -> av.AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        if self.began is None:
            self.began = now()
        due = self.began + (self._at + 960) / 48000
        await asyncio.sleep(max(0.0, due - now()))
        block = np.zeros(960, np.int16)
        part = self._pcm[self._at : self._at + 960]
        block[: len(part)] = part
        frame = av.AudioFrame.from_ndarray(block[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, self._at, Fraction(1, 48000)
        self._at += 960
        return frame


class Ear:
    """A seat that keeps what it is told."""

    def __init__(self) -> None:
        self.ended: str | None = None
        self.began: float | None = None  # virtual seconds, of the first sample
        self.blocks: list[Samples] = []
        self.speaking: list[bool] = []

    def push(self, samples: NDArray[Any]) -> None:
        if self.ended is not None:
            raise Ended("seat", self.ended)
        if self.began is None:
            self.began = now() - len(samples) / 16000
        self.blocks.append(samples)

    def report_voice(self, *, is_speaking: bool) -> None:
        self.speaking.append(is_speaking)

    @property
    def heard(self) -> Samples:
        return np.concatenate(self.blocks)


class ShownPicture(NamedTuple):
    payload: bytes
    pts: int


class ShownSound(NamedTuple):
    samples: NDArray[np.int16]
    pts: int


class Seen:
    """One viewer of a `Stage`."""

    def __init__(self, codec: Codec) -> None:
        self.codec: Codec = codec
        self.pictures: asyncio.Queue[ShownPicture | None] = asyncio.Queue()
        self.sounds: asyncio.Queue[ShownSound | None] = asyncio.Queue()
        self.asked = 0
        self.bitrates: list[int] = []

    async def next_picture(self) -> ShownPicture:
        picture = await self.pictures.get()
        if picture is None:
            raise Ended("viewer", "the show is over")
        return picture

    async def next_sound(self) -> ShownSound:
        sound = await self.sounds.get()
        if sound is None:
            raise Ended("viewer", "the show is over")
        return sound

    def ask_for_keyframe(self) -> None:
        self.asked += 1

    def report_bitrate(self, bits_per_second: int) -> None:
        self.bitrates.append(bits_per_second)


class Stage:
    """A null generator's room: one encode, one mix, any number of viewers."""

    def __init__(self, voice: Samples, frames: int) -> None:
        generator = NullGenerator(1, (128, 128), chunk_frames=frames, look_ahead_samples=0)
        generator.join(0)
        generator.push(0, voice[: frames * SAMPLES_PER_FRAME])
        self.chunk = generator.make_chunk()
        self.frames = frames
        self.encoder = VideoEncoder(
            VideoCodec.VP8, 128, 128, config=EncoderConfig(bitrate=400_000), now=now
        )
        self.viewers: list[Seen] = []

    def watch(self) -> Seen:
        self.viewers.append(Seen("vp8"))
        return self.viewers[-1]

    async def play(self) -> None:
        """Send every frame with its sound when it is due."""
        mix = Mix()
        ready = []
        for position, frame in enumerate(self.chunk.frames):  # encoded before, as a lane would
            at = position * SAMPLES_PER_FRAME
            sound = mix.process(self.chunk.audio[:, at : at + SAMPLES_PER_FRAME])
            encoded = self.encoder.encode(picture(frame), position)
            assert encoded is not None
            pcm = (sound * 32767).astype(np.int16)
            ready.append((ShownPicture(encoded.payload, position * 3600), pcm))
        start = now()
        for position, (shown, pcm) in enumerate(ready):
            await asyncio.sleep(max(0.0, start + position / FPS - now()))
            heard = ShownSound(pcm, position * 1920)
            for viewer in self.viewers:
                viewer.pictures.put_nowait(shown)
                viewer.sounds.put_nowait(heard)

    def end(self) -> None:
        for viewer in self.viewers:
            viewer.pictures.put_nowait(None)
            viewer.sounds.put_nowait(None)


class Arrived(NamedTuple):
    at: float  # virtual seconds
    timestamp: int
    data: bytes
    is_last: bool  # of a picture


class Client:
    """A real WebRTC client that keeps the packets it gets."""

    def __init__(self, microphone: Microphone | None = None, *, watches: bool = False) -> None:
        self.pc = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self.packets: dict[str, list[Arrived]] = {"audio": [], "video": []}
        direction = "sendrecv" if microphone and watches else "recvonly" if watches else "sendonly"
        self._add(microphone or "audio", direction)
        if watches:
            self._add("video", "recvonly")

    def _add(self, track: MediaStreamTrack | str, direction: str) -> None:
        transceiver = self.pc.addTransceiver(track, direction)
        kept = self.packets[transceiver.kind]

        def keep(packet: RtpPacket) -> None:
            is_video = transceiver.kind == "video"
            data = vp8_depayload(packet.payload) if is_video else packet.payload
            kept.append(Arrived(now(), packet.timestamp, data, bool(packet.marker)))

        tap_packets(transceiver.receiver, keep)

    @property
    def receiver(self) -> RTCRtpReceiver:
        """Of the pictures."""
        return self.pc.getTransceivers()[1].receiver

    async def offer(self, relay: UdpRelay | None = None) -> str:
        await self.pc.setLocalDescription(await self._offer())
        text = str(self.pc.localDescription.sdp)
        return text if relay is None else relay.hide_client(text)

    async def _offer(self) -> RTCSessionDescription:
        offer = await self.pc.createOffer()
        await listen_on(self.pc, [HOST])
        return offer

    async def accept(self, peer: Peer, relay: UdpRelay | None = None) -> None:
        await self.take(peer.answer if relay is None else relay.hide_server(peer.answer))
        async with asyncio.timeout(20):
            await peer.connected.wait()

    async def take(self, answer: str) -> None:
        """Take an answer's text; the connection comes about later."""
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    def openings(self, seat: int = 0, people: int = 1) -> list[tuple[float, float]]:
        """When each picture was complete here, and how far a seat's mouth in it is open."""
        decoder = av.CodecContext.create("libvpx", "r")
        assert isinstance(decoder, VideoCodecContext)
        found, data = [], b""
        for packet in self.packets["video"]:
            data += packet.data
            if packet.is_last:
                try:
                    frames = decoder.decode(av.Packet(data))
                except av.error.InvalidDataError:
                    frames = []  # a busy machine's socket lost a packet; viewers skip this too
                for frame in frames:
                    shown = frame.reformat(format="rgb24", threads=1)
                    pixels = np.asarray(shown.to_ndarray(), np.uint8)
                    found.append((packet.at, read_opening(pixels, seat, people)))
                data = b""
        return found

    def sound(self) -> list[tuple[float, Samples]]:
        """When each packet of sound came, and its samples."""
        decoder = OpusDecoder()
        return [(packet.at, decoder.decode(packet.data)) for packet in self.packets["audio"]]


async def close(*parts: Peer | Client) -> None:
    for part in parts:
        await (part.close() if isinstance(part, Peer) else part.pc.close())


def factory(config: PeerConfig = LOCAL) -> PeerFactory:
    return PeerFactory(config, now=now)


def bursts(count: int, frames: int, first: int = 5, every: int = 10) -> Samples:
    """A voice of 16 kHz that is loud for 5 frames, and quiet for 5, `count` times."""
    t = np.arange(frames * SAMPLES_PER_FRAME) / 16000
    loud = np.zeros(frames)
    for n in range(count):
        loud[first + n * every : first + n * every + 5] = 0.35
    envelope = np.repeat(loud, SAMPLES_PER_FRAME)
    return np.asarray(envelope * np.sin(2 * np.pi * 440 * t), np.float32)


def onsets(values: Sequence[tuple[float, float]], level: float) -> list[float]:
    """The moments at which a measured value rises above a level."""
    return [
        at for (_, before), (at, value) in itertools.pairwise(values) if before < level <= value
    ]
