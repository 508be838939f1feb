"""The settings of WebRTC: which servers help, where media flows, where it may be sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from aiortc import RTCIceServer

from streamer.http.identifiers import is_loopback
from streamer.http.turn import IcePlan
from streamer.settings import Settings
from streamer.webrtc.candidates import CandidatePolicy
from streamer.webrtc.factory import PeerConfig, PeerFactory
from streamer.webrtc.peer import PeerLimits
from streamer.webrtc.sdp import SdpLimits

LOOPBACK = "127.0.0.1"
OURSELVES = "parley"  # the user of our own TURN credentials


def ice_plan(settings: Settings) -> IcePlan:
    """Give the STUN and TURN servers."""
    ice = settings.ice
    secret = ice.turn_secret.get_secret_value().encode() if ice.turn_secret else b""
    return IcePlan(stun=ice.stun, turn=ice.turn, secret=secret, seconds=ice.turn_seconds)


def make_peers(settings: Settings, *, now: Callable[[], float] = time.monotonic) -> PeerFactory:
    """Make what answers offers.

    Args:
        settings: of the server.
        now: monotonic seconds.
    """
    plan = ice_plan(settings)
    # With addresses for media, a loopback host only means that a proxy stands before it.
    is_local = is_loopback(settings.server.host) and not settings.ice.addresses

    def servers() -> Sequence[RTCIceServer]:
        return [
            RTCIceServer(each.urls, each.username, each.credential)
            for each in plan.servers(OURSELVES, time.time())
        ]

    addresses = tuple(map(str, settings.ice.addresses)) or ((LOOPBACK,) if is_local else None)
    limits = PeerLimits(
        candidates=CandidatePolicy(
            allow_private=settings.ice.allow_private or is_local, allow_loopback=is_local
        ),
        sdp=SdpLimits(
            most_bytes=settings.limits.sdp_bytes, most_candidates=settings.limits.candidates
        ),
    )
    config = PeerConfig(limits=limits, addresses=addresses)
    return PeerFactory(config, ice_servers=servers, now=now)
