"""A viewer that keeps what comes, packet by packet, and decodes it when the call is over.

So the film is what came over WebRTC, bit by bit, and making it takes no time from those who talk.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

import httpx2
from aiortc import RTCRtpSender
from aiortc.rtp import RtpPacket

from clients.bench.errors import BenchError
from clients.bench.soak_whep import CLOCKS_HZ, Call, Unwrapped, tap_packets, tap_reports

SEQUENCES = 1 << 16


@dataclass(frozen=True, slots=True)
class Kept:
    """One packet."""

    sequence: int  # grows beyond 16 bits
    timestamp: int  # grows beyond 32 bits
    is_last: bool  # of its frame
    data: bytes  # without RTP's and the codec's descriptors
    at: float  # seconds of time.time(), when it came


@dataclass(slots=True)
class Stream:
    """What came of one kind."""

    kind: str
    packets: list[Kept] = field(default_factory=list)
    reports: list[tuple[float, int]] = field(default_factory=list)  # sender's clock, time stamp
    _unwrapped: Unwrapped = field(default_factory=Unwrapped)
    _sequence: int | None = None

    def take(self, packet: RtpPacket) -> None:
        if self._sequence is None:
            self._sequence = packet.sequence_number
        half = SEQUENCES // 2
        ahead = (packet.sequence_number - self._sequence + half) % SEQUENCES - half
        sequence = self._sequence + ahead
        self._sequence = max(self._sequence, sequence)
        data = bytes(getattr(packet, "_data", packet.payload))
        timestamp = self._unwrapped(packet.timestamp)
        self.packets.append(Kept(sequence, timestamp, bool(packet.marker), data, time.time()))

    def report(self, sent: float, timestamp: int) -> None:
        """Take a sender report; one that comes before all packets tells nothing."""
        if self._sequence is not None:
            self.reports.append((sent, self._unwrapped(timestamp)))

    def ordered(self) -> list[Kept]:
        """Give every packet once, as they were sent."""
        return sorted({packet.sequence: packet for packet in self.packets}.values(), key=_order)

    @property
    def lost(self) -> int:
        """How many never came, not even when they were asked for again."""
        numbers = {packet.sequence for packet in self.packets}
        return max(numbers) - min(numbers) + 1 - len(numbers) if numbers else 0

    def origin(self) -> float:
        """Give the sender's clock at time stamp 0: what reports agree on.

        Raises:
            BenchError: when no report came.
        """
        return origin(self.reports, CLOCKS_HZ[self.kind])


def origin(reports: Sequence[tuple[float, int]], clock_hz: int) -> float:
    """Give the moment of time stamp 0, as the median of the reports; each is late by a little."""
    if not reports:
        raise BenchError("the server sent no report of its clock: too short a call?")
    return median(sent - timestamp / clock_hz for sent, timestamp in reports)


def _order(packet: Kept) -> int:
    return packet.sequence


class KeepingViewer:
    """Watches a room and keeps everything. `watch`, then `leave`."""

    def __init__(self, http: httpx2.AsyncClient, server: str, room: str) -> None:
        self._call = Call(http, server, f"rooms/{room}/whep")
        self.video, self.audio = Stream("video"), Stream("audio")

    async def watch(self) -> None:
        """Connect; packets come from then on.

        Raises:
            LoadError: when the server says no, or this aiortc is another.
        """
        for stream in (self.audio, self.video):
            transceiver = self._call.pc.addTransceiver(stream.kind, direction="recvonly")
            tap_packets(transceiver.receiver, stream.take, is_decoded=False)
            tap_reports(transceiver.receiver, stream.report)
            if stream.kind == "video":
                codecs = RTCRtpSender.getCapabilities("video").codecs
                wanted = [each for each in codecs if each.mimeType in ("video/VP8", "video/rtx")]
                transceiver.setCodecPreferences(wanted)
        await self._call.join()

    async def leave(self) -> None:
        await self._call.leave()
