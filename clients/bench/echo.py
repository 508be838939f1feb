"""A server whose delay is known exactly, to find the error of `parley bench latency` with.

It answers WHIP at /whip, WHEP at /whep and join at /join. Every packet of a voice leaves again N
milliseconds after it arrived, untouched, and with it a picture: white while the voice is loud, dark
else. What it did and when stands in `EchoLine.bursts`, by the clock of this machine.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from importlib.metadata import version
from typing import Any, TypeAlias

import av
import numpy as np
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtp import RtpPacket
from av.audio.codeccontext import AudioCodecContext
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from clients.bench.errors import BenchError

Packet: TypeAlias = "av.Packet[Any]"  # encoded; generic only for type checkers
BUFFER = "_RTCRtpReceiver__jitter_buffer"  # read in aiortc 1.14 to 1.16
WIDTH, HEIGHT = 320, 180
DARK, WHITE = 24, 235
LOUD = 0.02  # RMS
QUIET_S = 0.4  # so long before a burst begins
RATE = 48_000
PICTURE_SAMPLES = RATE // 25
MOST_WAITING = 500  # packets; a viewer that reads slower loses the oldest
MS = 1000.0


@dataclass(slots=True)
class EchoedBurst:
    """One burst's moments, in milliseconds since 1970."""

    arrived: float  # the packet with its first loud sample
    sound_sent: float | None = None
    flash_sent: float | None = None


@dataclass(frozen=True, slots=True)
class Delayed:
    """One packet on its way through the line."""

    payload: bytes
    position: int  # samples at 48 kHz since the first packet
    is_loud: bool
    due: float  # by the event loop's clock
    burst: EchoedBurst | None  # that begins with it


class EchoLine:
    """Keeps every packet for a known time. On one event loop."""

    def __init__(self, delay_ms: float) -> None:
        self.delay_ms = delay_ms
        self.bursts: list[EchoedBurst] = []
        self._listeners: set[asyncio.Queue[Delayed]] = set()
        self._decoder = _open_decoder()
        self._last: tuple[int, int] | None = None  # timestamp, position
        self._loud_at = -QUIET_S

    def take(self, packet: RtpPacket) -> None:
        """Let a packet in."""
        now = asyncio.get_running_loop().time()
        is_loud = self._is_loud(packet.payload)
        burst = None
        if is_loud:
            if now - self._loud_at > QUIET_S:
                burst = EchoedBurst(time.time() * MS)
                self.bursts.append(burst)
            self._loud_at = now
        due = now + self.delay_ms / MS
        delayed = Delayed(packet.payload, self._position(packet.timestamp), is_loud, due, burst)
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(delayed)

    def listen(self) -> asyncio.Queue[Delayed]:
        """Give a queue of every packet from now on; bounded, the oldest goes."""
        queue: asyncio.Queue[Delayed] = asyncio.Queue(MOST_WAITING)
        self._listeners.add(queue)
        return queue

    def leave(self, queue: asyncio.Queue[Delayed]) -> None:
        """Stop listening."""
        self._listeners.discard(queue)

    def _position(self, timestamp: int) -> int:
        if self._last is None:
            self._last = (timestamp, 0)
        before, position = self._last
        position += ((timestamp - before + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
        self._last = (timestamp, position)
        return position

    def _is_loud(self, payload: bytes) -> bool:
        if not payload:
            return False
        frames = self._decoder.decode(av.Packet(payload))
        parts = [frame.to_ndarray()[0].astype(np.float32) / 32768 for frame in frames]
        samples = np.concatenate(parts) if parts else np.zeros(1, np.float32)
        return bool(np.sqrt(np.mean(samples**2)) > LOUD)


def _open_decoder() -> AudioCodecContext:
    codec = AudioCodecContext.create("libopus", "r")
    codec.layout = "mono"
    codec.sample_rate = RATE
    return codec


class _Tap(JitterBuffer):
    """Hands packets on instead of collecting them: aiortc's own buffer would add 80 ms."""

    def __init__(self, take: Callable[[RtpPacket], None]) -> None:
        super().__init__(capacity=1)
        self._take = take

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        self._take(packet)
        return False, None


def _tap(receiver: RTCRtpReceiver, take: Callable[[RtpPacket], None]) -> None:
    if not isinstance(getattr(receiver, BUFFER, None), JitterBuffer):
        raise BenchError(f"aiortc {version('aiortc')} is built in another way than 1.14 to 1.16")
    setattr(receiver, BUFFER, _Tap(take))


class _EchoTrack(MediaStreamTrack):
    """Waits until each packet is due."""

    def __init__(self, line: EchoLine) -> None:
        super().__init__()
        self._line = line
        self._queue = line.listen()

    async def _next(self) -> Delayed:
        delayed = await self._queue.get()  # ended by the connection's end, which cancels it
        await asyncio.sleep(max(0.0, delayed.due - asyncio.get_running_loop().time()))
        return delayed

    def stop(self) -> None:
        self._line.leave(self._queue)
        super().stop()


class EchoSound(_EchoTrack):
    """The packets as they came."""

    kind = "audio"

    async def recv(self) -> Packet:
        delayed = await self._next()
        if delayed.burst is not None:
            delayed.burst.sound_sent = time.time() * MS
        packet: Packet = av.Packet(delayed.payload)
        packet.pts, packet.time_base = delayed.position, Fraction(1, RATE)
        return packet


class EchoPicture(_EchoTrack):
    """25 pictures a second, white while the voice is loud; one more at once when that changes."""

    kind = "video"

    def __init__(self, line: EchoLine) -> None:
        super().__init__(line)
        self._shown: EchoedBurst | None = None
        self._is_white = False
        self._position = -PICTURE_SAMPLES

    async def recv(self) -> av.VideoFrame:
        if self._shown is not None:  # aiortc asks for the next frame when the last one is sent
            self._shown.flash_sent = time.time() * MS
        delayed = await self._next()
        while not self._is_wanted(delayed):
            delayed = await self._next()
        self._is_white, self._position = delayed.is_loud, delayed.position
        self._shown = delayed.burst
        frame = _picture(WHITE if delayed.is_loud else DARK)
        frame.pts, frame.time_base = delayed.position, Fraction(1, RATE)
        return frame

    def _is_wanted(self, delayed: Delayed) -> bool:
        is_due = delayed.position - self._position >= PICTURE_SAMPLES
        return is_due or delayed.is_loud != self._is_white


def _picture(luma: int) -> av.VideoFrame:
    planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    planes[:HEIGHT] = luma
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")


class EchoServer:
    """The calls. Owns its connections; on one event loop."""

    def __init__(self, line: EchoLine) -> None:
        self.line = line
        self._numbers = itertools.count(1)
        self._connections: dict[str, RTCPeerConnection] = {}

    def app(self) -> Starlette:
        """Make the routes."""
        return Starlette(
            routes=[
                Route("/whip", self._by_sdp, methods=["POST"]),
                Route("/whep", self._by_sdp, methods=["POST"]),
                Route("/join", self._by_json, methods=["POST"]),
                Route("/{kind:str}/{number:str}", self._delete, methods=["DELETE"]),
                Route("/bursts", self._tell, methods=["GET"]),
            ]
        )

    async def close(self) -> None:
        """End every connection."""
        await asyncio.gather(*(pc.close() for pc in self._connections.values()))

    async def _by_sdp(self, request: Request) -> Response:
        number, answer = await self.answer((await request.body()).decode())
        place = f"{request.url.path}/{number}"
        return Response(answer, 201, {"Location": place}, "application/sdp")

    async def _by_json(self, request: Request) -> Response:
        number, answer = await self.answer((await request.json())["sdp"])
        return JSONResponse({"sdp": answer, "type": "answer", "pc_id": number})

    async def _delete(self, request: Request) -> Response:
        pc = self._connections.pop(request.path_params["number"], None)
        if pc is not None:
            await pc.close()
        return Response(status_code=404 if pc is None else 200)

    async def _tell(self, _: Request) -> Response:
        return JSONResponse([asdict(burst) for burst in self.line.bursts])

    async def answer(self, offer: str) -> tuple[str, str]:
        """Answer an offer; gives the connection's number and the answer's SDP."""
        pc = RTCPeerConnection()
        number = str(next(self._numbers))
        self._connections[number] = pc
        # Names of mDNS cannot be resolved everywhere, and trying costs a second; the client's own
        # checks show where it is.
        offer = "\r\n".join(line for line in offer.splitlines() if ".local " not in line) + "\r\n"
        await pc.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        for transceiver in pc.getTransceivers():
            is_sound = transceiver.kind == "audio"
            wanted = transceiver._offerDirection or "inactive"  # as seen from here
            if is_sound and "recv" in wanted:
                _tap(transceiver.receiver, self.line.take)
            if "send" in wanted:
                track = EchoSound(self.line) if is_sound else EchoPicture(self.line)
                transceiver.sender.replaceTrack(track)
                transceiver.direction = wanted
        await pc.setLocalDescription(await pc.createAnswer())
        return number, pc.localDescription.sdp
