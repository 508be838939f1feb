"""The few places where aiortc offers no way but its private attributes; all of them are here.

1. A receiver's jitter buffer. Since 2021 (aiortc issue 543) one lost packet of sound silences 16
   packets and adds 280 ms of delay for good. The buffer is replaced by one that hands every packet
   to us and never completes a frame, so that the decoder thread sleeps and the track stays empty.
2. A sender's feedback. A track that gives encoded packets hears nothing of keyframe requests and
   of the receiver's bandwidth (REMB). The handler is wrapped: we look, aiortc goes on as before.
3. A gatherer's addresses. aiortc never listens on loopback, and cannot be told where to listen.
4. Consent. aiortc needs 30 s to see that a client is gone; we ask sooner, by the same request.

Each replaces an attribute of one object, never of a class or a module, and is checked: an aiortc
that looks different inside is refused with a sentence instead of failing later.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version

from aioice import Connection, stun
from aiortc import RTCPeerConnection, RTCRtpReceiver, RTCRtpSender
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    AnyRtcpPacket,
    RtcpPsfbPacket,
    RtpPacket,
    unpack_remb_fci,
)

from streamer.errors import StreamerError

FIRST, BEFORE = (1, 14), (2, 0)  # versions of aiortc that were read
BUFFER = "_RTCRtpReceiver__jitter_buffer"
FEEDBACK = "_handle_rtcp_packet"


class AiortcVersionError(StreamerError):
    """This aiortc is not the one that these seams were cut for."""


def check_version() -> None:
    """Refuse an aiortc that nobody has looked into.

    Raises:
        AiortcVersionError: when the installed version is another.
    """
    installed = version("aiortc")
    numbers = tuple(int(part) for part in installed.split(".")[:2])
    if not FIRST <= numbers < BEFORE:
        raise AiortcVersionError(
            f"aiortc must be from {FIRST} on and before {BEFORE}, got {installed}"
        )


class _Tap(JitterBuffer):
    """Hands packets on instead of collecting them."""

    def __init__(self, take: Callable[[RtpPacket], None]) -> None:
        super().__init__(capacity=1)
        self._take = take

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        self._take(packet)
        return False, None


def tap_packets(receiver: RTCRtpReceiver, take: Callable[[RtpPacket], None]) -> None:
    """Get each RTP packet as it arrives; RTCP reports go on as before.

    Raises:
        AiortcVersionError: when the receiver has no such buffer.
    """
    if not isinstance(getattr(receiver, BUFFER, None), JitterBuffer):
        raise AiortcVersionError(f"RTCRtpReceiver has no {BUFFER} in aiortc {version('aiortc')}")
    setattr(receiver, BUFFER, _Tap(take))


def watch_feedback(
    sender: RTCRtpSender, *, keyframe: Callable[[], None], bitrate: Callable[[int], None]
) -> None:
    """Hear when a receiver lost the picture (PLI, FIR) and what its line can carry (REMB).

    Raises:
        AiortcVersionError: when the sender has no such handler.
    """
    handler: Callable[[AnyRtcpPacket], Awaitable[None]] | None = getattr(sender, FEEDBACK, None)
    if handler is None:
        raise AiortcVersionError(f"RTCRtpSender has no {FEEDBACK} in aiortc {version('aiortc')}")

    async def watch(packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpPsfbPacket):
            if packet.fmt in (RTCP_PSFB_PLI, RTCP_PSFB_FIR):
                keyframe()
            elif packet.fmt == RTCP_PSFB_APP and (bits := _remb(packet, sender._ssrc)):
                bitrate(bits)
        await handler(packet)

    setattr(sender, FEEDBACK, watch)


def _remb(packet: RtcpPsfbPacket, ssrc: int) -> int:
    """Bits a second that a REMB message has for a sender; 0 for none."""
    try:
        bits, ssrcs = unpack_remb_fci(packet.fci)
    except ValueError:
        return 0
    return bits if ssrc in ssrcs else 0


def ice_connections(pc: RTCPeerConnection) -> list[Connection]:
    """The ICE connections of a peer connection, one for each transport."""
    transports = [each.receiver.transport.transport for each in pc.getTransceivers()]
    if pc.sctp is not None:
        transports.append(pc.sctp.transport.transport)
    return list({id(each): each._connection for each in transports}.values())


async def listen_on(pc: RTCPeerConnection, addresses: Sequence[str]) -> None:
    """Gather host candidates at these addresses and no others; before the local description.

    Raises:
        AiortcVersionError: when nothing can be told where to listen.
        StreamerError: when none of the addresses can be had.
    """
    for connection in ice_connections(pc):
        if not isinstance(getattr(connection, "_local_candidates", None), list):
            raise AiortcVersionError(f"aioice {version('aioice')} gathers in another way")
        connection._local_candidates_start = True
        found = await connection.get_component_candidates(1, list(addresses))
        if not found:
            raise StreamerError(f"none of the addresses {', '.join(addresses)} can be listened on")
        connection._local_candidates += found
        connection._local_candidates_end = True


async def has_consent(pc: RTCPeerConnection) -> bool:
    """Ask the client once whether it is there (RFC 7675); takes half a second when it is not."""
    for connection in ice_connections(pc):
        password = connection.remote_password
        for pair in tuple(connection._nominated.values()):
            if password is None:
                continue
            request = connection.build_request(pair, nominate=False)
            try:
                await pair.protocol.request(
                    request,
                    pair.remote_addr,
                    integrity_key=password.encode(),
                    retransmissions=0,
                )
            except stun.TransactionError:
                continue
            return True
    return False
