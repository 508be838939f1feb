"""The jitter buffer of one voice: RTP packets in, continuous sound out, always equally late.

Sound comes out by our clock, whatever arrives. A packet that is missing is concealed and its time
passes; one that comes too late is dropped. So an outage costs sound but never delay. The delay
follows the measured jitter by cutting out or repeating single periods of the voice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from streamer.media.concealment import Concealer
from streamer.media.playout_delay import DelayConfig, PlayoutDelay
from streamer.media.time_scale import NEEDED, lengthen, shorten
from streamer.media.types import WIRE_RATE, Samples

MOST_PACKETS = 250  # 5 s of usual packets; more is an attack or a fault
TOLERANCE = WIRE_RATE * 12 // 1000  # 12 ms off the target are left alone
URGENT = WIRE_RATE * 60 // 1000  # further off, also an audible cut is better than the delay
LEAP = WIRE_RATE * 300 // 1000  # further off, go there at once
RESTART = 3 * WIRE_RATE  # a timestamp this far from its time is another stream's
FORGET_SSRC = 2.0  # seconds in which stragglers of the stream before are dropped


class RtpAudio(NamedTuple):
    """What the buffer needs of an RTP packet."""

    sequence: int  # 16 bits
    timestamp: int  # 32 bits, at 48 kHz
    ssrc: int
    payload: bytes


@dataclass(slots=True)
class JitterCounts:
    """What happened since the beginning."""

    received: int = 0
    duplicate: int = 0
    late: int = 0  # dropped, their time had passed
    lost: int = 0  # never came, or came too late
    undecodable: int = 0
    overflow: int = 0  # dropped, too many at once
    restarts: int = 0
    concealed_samples: int = 0
    silent_samples: int = 0  # the sender left them out on purpose
    removed_samples: int = 0  # to be earlier
    inserted_samples: int = 0  # to be later


class JitterBuffer:
    """One sender's packets. Owned by one caller on one thread; never blocks.

    Args:
        decode: gives the samples at 48 kHz of a payload, none when it is damaged.
        config: limits of the delay.
    """

    def __init__(
        self, decode: Callable[[bytes], Samples], config: DelayConfig | None = None
    ) -> None:
        self._decode = decode
        self.delay = PlayoutDelay(config or DelayConfig())
        self.counts = JitterCounts()
        self._concealer = Concealer()
        self._packets: dict[int, tuple[int, bytes]] = {}  # timestamp, payload by sequence number
        self._ready = np.zeros(0, np.float32)  # decoded, not read yet
        self._next = 0  # timestamp behind `_ready`
        self._played: int | None = None  # sequence number decoded last
        self._ssrc: int | None = None
        self._old_ssrc: tuple[int, float] | None = None
        self._newest = (0, 0)  # sequence number and timestamp, unwrapped
        self._has_begun = False  # whether sound has come out

    @property
    def target_delay(self) -> float:
        """Seconds a packet that came without jitter waits."""
        return self.delay.target

    def behind(self, now: float) -> float:
        """Seconds by which what is heard at `now` is later than it should be."""
        if not self.delay.has_begun or not self._has_begun:
            return 0.0
        return (self.delay.heard_at(now) - self._unread) / WIRE_RATE

    def add(self, packet: RtpAudio, arrival: float) -> int | None:
        """Take a packet that came at `arrival`, in monotonic seconds.

        Returns its unwrapped timestamp, for whoever measures clocks; None where it is of no use.
        """
        if self._is_straggler(packet, arrival):
            return None
        self.counts.received += 1
        sequence, timestamp = self._unwrap(packet, arrival)
        if sequence in self._packets:
            self.counts.duplicate += 1
            return None
        self.delay.add(arrival, timestamp)
        if self._has_begun and timestamp + WIRE_RATE * 120 // 1000 <= self._next:
            self.counts.late += 1  # also a packet of the longest kind would be over
        elif self._played is not None and sequence <= self._played:
            self.counts.late += 1
        else:
            self._packets[sequence] = (timestamp, packet.payload)
            if len(self._packets) > MOST_PACKETS:
                del self._packets[min(self._packets)]
                self.counts.overflow += 1
        return timestamp

    def read(self, count: int, now: float) -> Samples:
        """Give the next `count` samples, up to what is due at `now`; silence before the first."""
        if not self.delay.has_begun:
            return np.zeros(count, np.float32)
        due = self.delay.heard_at(now) - count  # what should be read next
        if not self._has_begun:
            first = min((t for t, _ in self._packets.values()), default=None)
            if first is None or first >= due + count:
                return np.zeros(count, np.float32)
            self._has_begun = True
            self._next = due
        self._steer(count, due)
        while len(self._ready) < count:
            self._ready = np.concatenate([self._ready, self._more(count - len(self._ready), due)])
        out, self._ready = self._ready[:count], self._ready[count:]
        return out

    @property
    def _unread(self) -> int:
        return self._next - len(self._ready)

    def _is_straggler(self, packet: RtpAudio, arrival: float) -> bool:
        """Follow a change of the stream; say whether a packet is of the one before."""
        if packet.ssrc == self._ssrc:
            return False
        if self._old_ssrc is not None:
            old, until = self._old_ssrc
            if packet.ssrc == old and arrival < until:
                return True
        if self._ssrc is not None:
            self._old_ssrc = (self._ssrc, arrival + FORGET_SSRC)
            self._restart()
        self._ssrc = packet.ssrc
        self._newest = (packet.sequence, packet.timestamp)
        return False

    def _restart(self) -> None:
        self.counts.restarts += 1
        self._packets.clear()
        self._played = None
        self.delay.restart()
        self._has_begun = False
        if len(self._ready):
            self._ready = np.zeros(0, np.float32)

    def _unwrap(self, packet: RtpAudio, arrival: float) -> tuple[int, int]:
        """Continue the counters of 16 and 32 bits beyond their ends."""
        newest_sequence, newest_timestamp = self._newest
        ahead = ((packet.sequence - newest_sequence + 0x8000) & 0xFFFF) - 0x8000
        later = ((packet.timestamp - newest_timestamp + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
        sequence, timestamp = newest_sequence + ahead, newest_timestamp + later
        if self.delay.has_begun:
            off = (arrival - self.delay.base) * WIRE_RATE - timestamp
            if abs(off) > RESTART and self._is_no_straggler(ahead, off):
                self._restart()
                self._newest = (packet.sequence, packet.timestamp)
                return self._newest
        if ahead > 0:
            self._newest = (sequence, timestamp)
        return sequence, timestamp

    @staticmethod
    def _is_no_straggler(ahead: int, off: float) -> bool:
        """Old packets let go after a long outage are late and in order; a restart is not."""
        return off < 0 or abs(ahead) > 1000 or off > 10 * RESTART

    def _steer(self, count: int, due: int) -> None:
        """Move towards where the target delay wants the next sample to be."""
        behind = due - self._unread
        if abs(behind) <= TOLERANCE:
            return
        if abs(behind) > LEAP:
            self._leap(due)
            return
        self._gather(count + NEEDED)
        if len(self._ready) < NEEDED:
            return  # nothing to cut; where packets are missing, time is made up there
        before = len(self._ready)
        least = -1.0 if abs(behind) > URGENT else 0.7
        if behind > 0:
            self._ready = shorten(self._ready, least)
            self.counts.removed_samples += before - len(self._ready)
        else:
            self._ready = lengthen(self._ready, least)
            self.counts.inserted_samples += len(self._ready) - before

    def _leap(self, due: int) -> None:
        """Go to where time is now: a path became much shorter or longer, or nobody read."""
        self.counts.removed_samples += max(0, due - self._unread)
        self.counts.inserted_samples += max(0, self._unread - due)
        self._ready = np.zeros(0, np.float32)
        self._next = due
        self._concealer.extend(1)  # what comes next is joined without a click

    def _gather(self, count: int) -> None:
        """Decode ahead up to `count` samples, as far as packets follow without a gap."""
        while len(self._ready) < count:
            first = self._first()
            if first is None or self._packets[first][0] > self._next:
                return
            self._ready = np.concatenate([self._ready, self._take(first)])

    def _first(self) -> int | None:
        """The sequence number to be heard next."""
        return min(self._packets, default=None)

    def _more(self, count: int, due: int) -> Samples:
        """Give some samples, at least one: of a packet, or of what stands in for one."""
        while (first := self._first()) is not None and self._packets[first][0] <= self._next:
            made = self._take(first)
            if len(made):
                return made
        gap = count
        if first is not None:
            gap = min(count, self._packets[first][0] - self._next)
            if self._played is None or first == self._played + 1:
                self.counts.silent_samples += gap
                self._next += gap
                return self._concealer.silence(gap)
        elif self._unread > due + TOLERANCE:
            # Nothing is there, and the delay shall grow anyway: let time stand still for a while.
            self.counts.inserted_samples += gap
            return self._concealer.extend(gap)
        self.counts.concealed_samples += gap
        self._next += gap
        return self._concealer.extend(gap)

    def _take(self, sequence: int) -> Samples:
        """Decode a packet; give what of it is not over yet, none when nothing is."""
        timestamp, payload = self._packets.pop(sequence)
        if self._played is not None:
            self.counts.lost += sequence - self._played - 1
        self._played = sequence
        samples = self._decode(payload)
        if not len(samples):
            self.counts.undecodable += 1
            return samples
        samples = samples[self._next - timestamp :]
        if not len(samples):
            self.counts.late += 1
            return samples
        self._next += len(samples)
        return self._concealer.real(samples)
