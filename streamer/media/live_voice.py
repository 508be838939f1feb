"""A live voice from its RTP packets to the seat: jitter buffer, clock drift, level, stalls."""

from __future__ import annotations

import math

from streamer.media.drift import DriftEstimator
from streamer.media.jitter import JitterBuffer, RtpAudio
from streamer.media.level import LevelConfig
from streamer.media.opus import OpusDecoder
from streamer.media.playout_delay import DelayConfig
from streamer.media.types import WIRE_RATE
from streamer.media.voice_input import VoiceBlock, VoiceChange, VoiceEvent, VoiceInput

STALL = 1.0  # seconds without a packet; DTX sends one every 0.4 s
MOST_READ = 1.0  # seconds at once; whoever reads later than that skips what is between


class LiveVoice:
    """One sender's Opus as continuous sound by our clock. Owned by one caller; never blocks.

    Whoever owns it calls `read` about every 20 ms, whether anything came or not: a second of our
    time gives 16000 samples.

    Args:
        start: the moment of the first read, in the monotonic seconds of all other calls.
        delay: limits of the jitter buffer.
        level: how loudness is evened out.
    """

    def __init__(
        self,
        start: float,
        *,
        delay: DelayConfig | None = None,
        level: LevelConfig | None = None,
    ) -> None:
        self.jitter = JitterBuffer(OpusDecoder().decode, delay)
        self.drift = DriftEstimator()
        self._input = VoiceInput(WIRE_RATE, level)
        self._restarts = 0
        self._read_until = start
        self._owed = 0.0  # part of a sample
        self._behind = 0.0  # seconds, when it was read last
        self._heard_at = start  # of the last packet
        self.is_stalled = True  # until the first packet
        self._position = 0

    @property
    def has_begun(self) -> bool:
        """Whether anything was ever received."""
        return self.jitter.counts.received > 0

    @property
    def is_speech(self) -> bool:
        return self._input.is_speech

    @property
    def delay(self) -> float:
        """Seconds from a packet's arrival to its sound, without jitter."""
        return self.jitter.target_delay + self._input.delay

    def add(self, packet: RtpAudio, arrival: float) -> None:
        """Take a packet."""
        self._heard_at = arrival
        timestamp = self.jitter.add(packet, arrival)
        if self._restarts != self.jitter.counts.restarts:
            self._restarts = self.jitter.counts.restarts
            self.drift.restart()
        if timestamp is not None:
            self.drift.add(arrival, timestamp)

    def read(self, now: float) -> VoiceBlock:
        """Give the sound from the last call to `now`."""
        elapsed = min(MOST_READ, max(0.0, now - self._read_until))
        self._read_until = now
        speed = self.drift.speed(self._behind)
        self._input.set_speed(speed)
        self._owed += elapsed * WIRE_RATE * speed
        count = math.floor(self._owed)
        self._owed -= count
        block = self._input.push(self.jitter.read(count, now))
        self._behind = self.jitter.behind(now)
        events = [*self._stalls(now), *block.events]
        self._position += len(block.samples)
        return VoiceBlock(block.samples, events)

    def _stalls(self, now: float) -> list[VoiceEvent]:
        is_stalled = now - self._heard_at > STALL or not self.has_begun
        if is_stalled == self.is_stalled:
            return []
        self.is_stalled = is_stalled
        change = VoiceChange.STALLED if is_stalled else VoiceChange.RETURNED
        return [VoiceEvent(change, self._position)]
