"""Opus by PyAV: packets to samples and samples to packets, mono at 48 kHz."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from streamer.media.types import WIRE_RATE, Samples

TIME_BASE = Fraction(1, WIRE_RATE)
PACKET_SAMPLES = WIRE_RATE // 50  # 20 ms
MOST_PAYLOAD_BYTES = 1500  # of a packet; 120 ms of Opus at its highest rate is larger and refused


class OpusDecoder:
    """One sender's decoder: it remembers what came before. Not for several threads."""

    def __init__(self) -> None:
        self._codec = self._open()
        self.failed = 0  # packets that were no Opus

    @staticmethod
    def _open() -> AudioCodecContext:
        codec = AudioCodecContext.create("libopus", "r")
        codec.layout = "mono"  # stereo is mixed down by the decoder
        codec.sample_rate = WIRE_RATE
        return codec

    def decode(self, payload: bytes) -> Samples:
        """Give the samples of one packet; none when it cannot be decoded."""
        if not 0 < len(payload) <= MOST_PAYLOAD_BYTES:  # an empty one would end the stream
            self.failed += 1
            return np.zeros(0, np.float32)
        try:
            frames = self._codec.decode(av.Packet(payload))
            parts = [frame.to_ndarray()[0].astype(np.float32) / 32768 for frame in frames]
        except (av.FFmpegError, ValueError):
            self._codec = self._open()
            parts = []
        if not parts:
            self.failed += 1
            return np.zeros(0, np.float32)
        return np.concatenate(parts)


class OpusEncoder:
    """One mix's encoder. Not for several threads.

    With forward error correction, which a viewer's browser uses where a packet is missing.
    """

    def __init__(self, bitrate: int = 40_000) -> None:
        codec = AudioCodecContext.create("libopus", "w")
        codec.bit_rate = bitrate
        codec.format = "flt"
        codec.layout = "mono"
        codec.sample_rate = WIRE_RATE
        codec.time_base = TIME_BASE
        codec.options = {
            "application": "voip",
            "frame_duration": "20",
            "fec": "1",
            "packet_loss": "5",
        }
        self._codec = codec
        self._position = 0

    def encode(self, samples: Samples) -> list[bytes]:
        """Give the packets of samples [n * 960], one for every 20 ms."""
        packets = []
        for block in np.split(np.ascontiguousarray(samples, np.float32), _blocks(samples)):
            frame = av.AudioFrame.from_ndarray(block[None], format="flt", layout="mono")
            frame.sample_rate = WIRE_RATE
            frame.time_base = TIME_BASE
            frame.pts = self._position
            self._position += PACKET_SAMPLES
            packets += [bytes(packet) for packet in self._codec.encode(frame)]
        return packets


def _blocks(samples: Samples) -> int:
    if len(samples) == 0 or len(samples) % PACKET_SAMPLES:
        raise ValueError(f"want a multiple of {PACKET_SAMPLES} samples, got {len(samples)}")
    return len(samples) // PACKET_SAMPLES
