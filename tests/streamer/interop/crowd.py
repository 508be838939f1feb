"""Clients by the hundred in one process: connected as others are, then only counting what comes."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from streamer.webrtc.aiortc_seams import ice_connections, listen_on
from tests.streamer.http.house import SDP
from tests.streamer.interop.whole import Door, until
from tests.streamer.webrtc.udp_relay import HOST

CONNECTING = 60.0
VP8 = 97  # the payload type that aiortc offers for it
MARKER = 0x80  # on the last packet of a picture


def new_peer() -> RTCPeerConnection:
    return RTCPeerConnection(
        RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
    )


async def viewer_offer(pc: RTCPeerConnection) -> str:
    for kind in ("audio", "video"):
        pc.addTransceiver(kind, direction="recvonly")
    offer = await pc.createOffer()
    await listen_on(pc, [HOST])
    await pc.setLocalDescription(offer)
    return str(pc.localDescription.sdp)


@dataclass
class Counter:
    """One viewer. After `count_only` it decrypts nothing: headers of SRTP are in clear."""

    pc: RTCPeerConnection = field(default_factory=new_peer)
    pictures: int = 0
    packets: int = 0
    session: str = ""
    _ssrcs: dict[int, int] = field(default_factory=dict)  # packets of each

    async def connect(self, door: Door, room: str) -> None:
        offer = await viewer_offer(self.pc)
        answer = await door.http.post(f"/rooms/{room}/whep", content=offer, headers=SDP)
        assert answer.status_code == 201, answer.text
        self.session = str(answer.headers["location"])
        await self.pc.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        await until(lambda: self.pc.connectionState == "connected", CONNECTING)
        self.count_only()

    def count_only(self) -> None:
        for connection in ice_connections(self.pc):
            for protocol in connection._protocols:
                self._count(protocol)

    def _count(self, protocol: Any) -> None:
        others = protocol.datagram_received

        def received(data: bytes, address: tuple[str, int]) -> None:
            if not 128 <= data[0] <= 191:
                others(data, address)  # STUN and DTLS
            elif not 192 <= data[1] <= 223:  # RTCP is left out
                self.packets += 1
                ssrc = struct.unpack_from("!I", data, 8)[0]
                self._ssrcs[ssrc] = self._ssrcs.get(ssrc, 0) + 1
                self.pictures += data[1] == MARKER | VP8

        protocol.datagram_received = received

    def drop(self) -> None:
        """Die: not a packet more, and no goodbye."""
        for connection in ice_connections(self.pc):
            for protocol in connection._protocols:
                protocol.transport.abort()
