"""A sender, a network and a reader on a clock of their own: loss, jitter, outages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from streamer.media.jitter import JitterBuffer, RtpAudio
from streamer.media.types import WIRE_RATE, Samples

PACKET = 960
TICK = 0.02
BASE_DELAY = 0.03  # seconds, of the path


def speech_like(seconds: float, seed: int = 0) -> Samples:
    """A voice with a wandering pitch and syllables, at 48 kHz; no part is like others."""
    rng = np.random.default_rng(seed)
    count = round(seconds * WIRE_RATE)
    t = np.arange(count) / WIRE_RATE
    knots = np.arange(0, seconds + 0.2, 0.1)
    pitch = np.interp(t, knots, rng.uniform(110, 200, len(knots)))
    phase = 2 * np.pi * np.cumsum(pitch) / WIRE_RATE
    voice = sum(
        np.interp(t, knots, rng.uniform(0.1, 1, len(knots))) * np.sin(k * phase) / k
        for k in (1, 2, 3, 5, 8)
    )
    syllables = rng.uniform(0.3, 1, len(knots))
    syllables[6::8] = syllables[7::8] = 0.0  # it pauses
    loud = np.interp(t, knots, syllables)
    return np.asarray(0.15 * loud * voice, np.float32)


@dataclass(kw_only=True)
class Link:
    """Sends a signal packet by packet and reads what the buffer makes of it."""

    signal: Samples
    transit: Callable[[int], float | None] = lambda _: BASE_DELAY  # None: lost
    first_sequence: int = 65530  # wraps soon
    first_timestamp: int = (1 << 32) - 5000  # too
    skipped: set[int] = field(default_factory=set)  # packets the sender leaves out on purpose
    sender_ppm: float = 0.0

    def decode(self, payload: bytes) -> Samples:
        at = int.from_bytes(payload[:4], "big") * PACKET
        return self.signal[at : at + PACKET]

    def arrivals(self) -> list[tuple[float, RtpAudio]]:
        """What comes out of the network, as it arrives."""
        sent, sequence = [], self.first_sequence
        for number in range(len(self.signal) // PACKET):
            if number in self.skipped:
                continue
            at = (number + 1) * PACKET / WIRE_RATE / (1 + self.sender_ppm * 1e-6)
            transit = self.transit(number)
            packet = RtpAudio(
                sequence & 0xFFFF,
                (self.first_timestamp + number * PACKET) & 0xFFFFFFFF,
                1234,
                number.to_bytes(4, "big"),
            )
            sequence += 1
            if transit is not None:
                sent.append((at + transit, packet))
        return sorted(sent, key=lambda each: each[0])

    def play(self, buffer: JitterBuffer, seconds: float | None = None) -> Samples:
        """Read every 20 ms of our clock; sample k of what comes out is heard at k / 48000."""
        waiting = self.arrivals()[::-1]
        end = len(self.signal) / WIRE_RATE if seconds is None else seconds
        out = []
        for tick in range(1, round(end / TICK) + 1):
            now = tick * TICK + 1e-6
            while waiting and waiting[-1][0] <= now:
                arrival, packet = waiting.pop()
                buffer.add(packet, arrival)
            out.append(buffer.read(round(TICK * WIRE_RATE), now))
        return np.concatenate(out)


def delay_at(signal: Samples, heard: Samples, second: float, most: float = 0.8) -> float:
    """By how many seconds what is heard at a moment is later than it was said, by correlation."""
    start, size = round(second * WIRE_RATE), WIRE_RATE // 4
    piece = heard[start : start + size].astype(np.float64)
    reach = round(most * WIRE_RATE)
    area = signal[max(0, start - reach) : start + size].astype(np.float64)
    length = 1 << (len(area) + size).bit_length()
    products = np.fft.irfft(np.fft.rfft(area, length) * np.conj(np.fft.rfft(piece, length)), length)
    sums = np.concatenate([[0.0], np.cumsum(area**2)])
    energy = np.sqrt(sums[size:] - sums[:-size] + 1e-9)
    scores = products[: len(energy)] / energy / (np.linalg.norm(piece) + 1e-9)
    best = int(np.argmax(scores))
    assert scores[best] > 0.8, f"what is heard at {second} s was never said"
    return (start - max(0, start - reach) - best) / WIRE_RATE
