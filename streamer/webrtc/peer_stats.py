"""How a connection is: round trip, loss, jitter, bytes, what the receiver asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from aiortc import RTCPeerConnection
from aiortc.stats import (
    RTCInboundRtpStreamStats,
    RTCRemoteInboundRtpStreamStats,
    RTCTransportStats,
)

from streamer.media.jitter import JitterCounts
from streamer.media.live_voice import LiveVoice

AUDIO_HZ = 48_000
VIDEO_HZ = 90_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerStats:
    """Figures since the beginning; None where nothing was measured."""

    state: str
    bytes_sent: int = 0
    bytes_received: int = 0
    packets_sent: int = 0
    packets_received: int = 0
    round_trip: float | None = None  # seconds
    sent_loss: float | None = None  # share of what the client missed lately, the worst track's
    received_lost: int = 0  # packets
    received_jitter: float | None = None  # seconds, as RFC 3550 has it
    remb: int | None = None  # bits a second that the client can take
    keyframe_requests: int = 0
    voice: JitterCounts | None = None
    voice_delay: float | None = None  # seconds that our own buffers hold a voice


class Watched(Protocol):
    """What a peer counts itself."""

    @property
    def state(self) -> str: ...

    @property
    def voice(self) -> LiveVoice | None: ...

    @property
    def keyframe_requests(self) -> int: ...

    @property
    def remb(self) -> int | None: ...


async def read_stats(pc: RTCPeerConnection, peer: Watched) -> PeerStats:
    """Collect what aiortc and the peer have counted."""
    report = (await pc.getStats()).values()
    transports = [each for each in report if isinstance(each, RTCTransportStats)]
    remote = [each for each in report if isinstance(each, RTCRemoteInboundRtpStreamStats)]
    inbound = [each for each in report if isinstance(each, RTCInboundRtpStreamStats)]
    trips = [each.roundTripTime for each in remote if each.roundTripTime is not None]
    rates = {"audio": AUDIO_HZ, "video": VIDEO_HZ}
    jitters = [each.jitter / rates.get(each.kind, AUDIO_HZ) for each in inbound]
    voice = peer.voice
    return PeerStats(
        state=peer.state,
        bytes_sent=sum(each.bytesSent for each in transports),
        bytes_received=sum(each.bytesReceived for each in transports),
        packets_sent=sum(each.packetsSent for each in transports),
        packets_received=sum(each.packetsReceived for each in transports),
        round_trip=max(trips, default=None),
        sent_loss=max((each.fractionLost / 256 for each in remote), default=None),
        received_lost=sum(each.packetsLost for each in inbound),
        received_jitter=max(jitters, default=None),
        remb=peer.remb,
        keyframe_requests=peer.keyframe_requests,
        voice=None if voice is None else voice.jitter.counts,
        voice_delay=None if voice is None else voice.delay,
    )
