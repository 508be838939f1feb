"""Counts one RTP stream packet by packet: frames, freezes, losses, jitter. No clock of its own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

FREEZE_S = 0.2  # longer than this without a new frame is a freeze
HEADER_BYTES = 12
JITTER_SHARE = 16  # RFC 3550, section 6.4.1: the estimate moves by a sixteenth
SEQUENCES, TIMESTAMPS = 1 << 16, 1 << 32


@dataclass(slots=True, kw_only=True)
class StreamLook:
    """What came since the last look."""

    frames: int = 0
    packets: int = 0
    lost: int = 0  # packets that were sent and did not come, again neither
    payload_bytes: int = 0
    freezes: int = 0
    frozen_s: float = 0.0
    longest_gap_s: float = 0.0
    jitter_s: float = 0.0  # as it is now

    def told(self) -> dict[str, Any]:
        return asdict(self)


class StreamCount:
    """One stream. A frame is all packets of one timestamp; it counts when its first one comes."""

    def __init__(self, clock_hz: int) -> None:
        self._clock_hz = clock_hz
        self._look = StreamLook()
        self.first_packet_at: float | None = None
        self.first_frame_at: float | None = None  # when it was complete
        self._newest: int | None = None  # sequence number, extended beyond 16 bits
        self._expected = 0  # packets, up to the newest
        self._received = 0
        self._lost_before = 0
        self._timestamp: int | None = None  # of the newest frame
        self._frame_at = 0.0
        self._is_told_frozen = False  # the present freeze is counted already
        self._frozen_from = 0.0  # what of it is counted already
        self._jitter_s = 0.0

    def take(self, sequence: int, timestamp: int, marker: bool, size: int, now: float) -> None:
        """Count a packet.

        Args:
            sequence: its RTP sequence number, 16 bits.
            timestamp: its RTP timestamp, 32 bits.
            marker: whether it is the last one of its frame.
            size: bytes of its payload.
            now: when it came, in seconds.
        """
        if self.first_packet_at is None:
            self.first_packet_at = now
        self._look.packets += 1
        self._look.payload_bytes += size
        self._number(sequence)
        if self._timestamp is None:
            self._begin(timestamp, now)
        else:
            ahead = (timestamp - self._timestamp + TIMESTAMPS // 2) % TIMESTAMPS - TIMESTAMPS // 2
            if ahead > 0:  # else it belongs to this frame, or comes late for an older one
                self._next(ahead, timestamp, now)
        if marker and self.first_frame_at is None:
            self.first_frame_at = now

    def look(self, now: float) -> StreamLook:
        """Give what was counted since the last look; a freeze that lasts is counted once."""
        look, self._look = self._look, StreamLook()
        if self._timestamp is not None:
            self._freeze(look, now)
        lost = max(0, self._expected - self._received)
        look.lost = max(0, lost - self._lost_before)  # a packet sent again makes up for a loss
        self._lost_before = lost
        look.jitter_s = self._jitter_s
        return look

    def _number(self, sequence: int) -> None:
        self._received += 1
        if self._newest is None:
            self._newest = sequence
            self._expected = 1
            return
        ahead = (sequence - self._newest + SEQUENCES // 2) % SEQUENCES - SEQUENCES // 2
        if ahead > 0:
            self._newest += ahead
            self._expected += ahead

    def _begin(self, timestamp: int, now: float) -> None:
        self._timestamp, self._frame_at = timestamp, now
        self._look.frames += 1

    def _next(self, ahead: int, timestamp: int, now: float) -> None:
        self._freeze(self._look, now)
        gap = now - self._frame_at
        self._look.longest_gap_s = max(self._look.longest_gap_s, gap)
        self._jitter_s += (abs(gap - ahead / self._clock_hz) - self._jitter_s) / JITTER_SHARE
        self._is_told_frozen = False
        self._begin(timestamp, now)

    def _freeze(self, look: StreamLook, now: float) -> None:
        gap = now - self._frame_at
        if gap <= FREEZE_S:
            return
        if not self._is_told_frozen:
            look.freezes += 1
            self._is_told_frozen = True
            self._frozen_from = self._frame_at
        look.frozen_s += now - self._frozen_from
        look.longest_gap_s = max(look.longest_gap_s, gap)
        self._frozen_from = now
