"""Answers offers: whoever speaks from a seat, whoever watches, whoever does both."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError
from aiortc.rtp import RtpPacket

from streamer.errors import InvalidInput
from streamer.media.jitter import RtpAudio
from streamer.media.level import LevelConfig
from streamer.media.live_voice import LiveVoice
from streamer.media.playout_delay import DelayConfig
from streamer.webrtc.aiortc_seams import check_version, listen_on, tap_packets, watch_feedback
from streamer.webrtc.ends import VoiceSink, Watched
from streamer.webrtc.opus_relay import OpusRelay
from streamer.webrtc.peer import Peer, PeerLimits
from streamer.webrtc.sdp import RECEIVES, SENDS, Direction, Offer, decline_video, prepare_offer
from streamer.webrtc.tracks import PictureTrack, SoundTrack

# What aiortc raises over an offer that it cannot read; its parser checks little.
UNREADABLE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    InternalError,
    InvalidAccessError,
    InvalidStateError,
    LookupError,
    OperationError,
    StopIteration,
    TypeError,
    ValueError,
)
DIRECTION: dict[tuple[bool, bool], Direction] = {
    (True, True): "sendrecv",
    (True, False): "sendonly",
    (False, True): "recvonly",
    (False, False): "inactive",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerConfig:
    """What all connections of a server have in common."""

    limits: PeerLimits = field(default_factory=PeerLimits)
    addresses: tuple[str, ...] | None = None  # to listen on; None: all but loopback
    delay: DelayConfig = field(default_factory=DelayConfig)  # of the jitter buffer
    level: LevelConfig = field(default_factory=LevelConfig)
    audio_bitrate: int = 40_000


class Ends(NamedTuple):
    """What one connection is tied to; one of the two at least."""

    voice: VoiceSink | None
    watched: Watched | None


def no_servers() -> Sequence[RTCIceServer]:
    """Neither STUN nor TURN."""
    return ()


class PeerFactory:
    """Makes every connection of one server. On the event loop.

    Args:
        config: of all of them.
        ice_servers: called for each connection, since TURN credentials pass; aiortc uses the
            first STUN and the first TURN server.
        now: monotonic seconds.

    Raises:
        AiortcVersionError: when the installed aiortc is not one we know inside.
    """

    def __init__(
        self,
        config: PeerConfig | None = None,
        *,
        ice_servers: Callable[[], Sequence[RTCIceServer]] = no_servers,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        check_version()
        self.config = config or PeerConfig()
        self.relay = OpusRelay(self.config.audio_bitrate)
        self._ice_servers = ice_servers
        self._now = now

    async def answer_publisher(self, offer: str, voice: VoiceSink) -> Peer:
        """Answer a client that speaks (WHIP); pictures that it offers are declined.

        Raises:
            InvalidInput: when the offer is too large, cannot be read, or offers no voice.
        """
        return await self._answer(offer, Ends(voice, None))

    async def answer_viewer(self, offer: str, viewer: Watched) -> Peer:
        """Answer a client that watches (WHEP), with sound or pictures or both.

        Raises:
            InvalidInput: when the offer is too large, cannot be read, or wants nothing we have.
        """
        return await self._answer(offer, Ends(None, viewer))

    async def answer_both(self, offer: str, voice: VoiceSink, viewer: Watched) -> Peer:
        """Answer a client that speaks and watches on one connection.

        Raises:
            InvalidInput: when the offer is too large, cannot be read, or lacks one of the two.
        """
        return await self._answer(offer, Ends(voice, viewer))

    async def _answer(self, text: str, ends: Ends) -> Peer:
        limits = self.config.limits
        offer = prepare_offer(
            text,
            codec=None if ends.watched is None else ends.watched.codec,
            policy=limits.candidates,
            limits=limits.sdp,
        )
        _check_directions(offer, ends)
        pc = RTCPeerConnection(
            RTCConfiguration(
                iceServers=list(self._ice_servers()), bundlePolicy=RTCBundlePolicy.MAX_BUNDLE
            )
        )
        try:
            return await self._connect(pc, offer, ends)
        except BaseException as error:  # also when the client hangs up, which cancels this
            with suppress(*UNREADABLE):  # what was left half-made may not close in peace
                await pc.close()
            if isinstance(error, InvalidInput) or not isinstance(error, UNREADABLE):
                raise
            raise InvalidInput(
                f"the offer cannot be answered ({error or type(error).__name__})"
            ) from error

    async def _connect(self, pc: RTCPeerConnection, offer: Offer, ends: Ends) -> Peer:
        # Tracks come after the remote description: before, under MAX_BUNDLE, aiortc may stop the
        # one transport that all share, and the answer has no candidates.
        await pc.setRemoteDescription(RTCSessionDescription(offer.text, "offer"))
        live = None
        for transceiver in pc.getTransceivers():
            heard = self._tie(transceiver, offer.directions.get(transceiver.kind), ends)
            live = heard or live
        if self.config.addresses is not None:
            await listen_on(pc, self.config.addresses)
        await pc.setLocalDescription(await pc.createAnswer())
        peer = Peer(pc, self.config.limits, offer.main_mid, self._now)
        if offer.has_foreign_video:
            peer.answer = decline_video(peer.answer)
        for transceiver in pc.getTransceivers():
            if ends.watched is not None and transceiver.kind == "video":
                _listen(peer, transceiver.sender, ends.watched)
        if live is not None and ends.voice is not None:
            peer.hear(live, ends.voice)
        peer.take_candidates(offer.slow_candidates)
        return peer

    def _tie(
        self, transceiver: RTCRtpTransceiver, offered: Direction | None, ends: Ends
    ) -> LiveVoice | None:
        """Tie one media section to its ends; give the voice that comes by it, if one does."""
        hears = ends.voice is not None and transceiver.kind == "audio" and offered in SENDS
        shows = ends.watched is not None and offered in RECEIVES
        transceiver.direction = DIRECTION[shows, hears]
        if shows and ends.watched is not None:
            is_video = transceiver.kind == "video"
            track = PictureTrack(ends.watched) if is_video else SoundTrack(ends.watched, self.relay)
            transceiver.sender.replaceTrack(track)
        if not hears:
            return None
        voice = LiveVoice(self._now(), delay=self.config.delay, level=self.config.level)
        tap_packets(transceiver.receiver, partial(self._take, voice))
        return voice

    def _take(self, voice: LiveVoice, packet: RtpPacket) -> None:
        heard = RtpAudio(packet.sequence_number, packet.timestamp, packet.ssrc, packet.payload)
        voice.add(heard, self._now())


def _check_directions(offer: Offer, ends: Ends) -> None:
    if ends.voice is not None and offer.directions.get("audio") not in SENDS:
        raise InvalidInput("whoever speaks must offer to send audio (a=sendonly or a=sendrecv)")
    if ends.watched is not None and not RECEIVES & set(offer.directions.values()):
        raise InvalidInput("whoever watches must offer to receive (a=recvonly or a=sendrecv)")


def _listen(peer: Peer, sender: RTCRtpSender, watched: Watched) -> None:
    """Pass on what the client says about the pictures it gets."""

    def keyframe() -> None:
        peer.keyframe_requests += 1
        watched.ask_for_keyframe()

    def bitrate(bits: int) -> None:
        peer.remb = bits
        watched.report_bitrate(bits)

    watch_feedback(sender, keyframe=keyframe, bitrate=bitrate)
