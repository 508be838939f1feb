"""PCM16 of a bot at its rate, as float samples at 16 kHz."""

from __future__ import annotations

import numpy as np
import soxr

from streamer.errors import InvalidInput
from streamer.media.types import SAMPLE_RATE, Samples

RATES = (16_000, 24_000, 48_000)
FULL_SCALE = 32768.0


class PcmReader:
    """One segment's bytes, little-endian mono; a sample may be split between two messages.

    Raises:
        InvalidInput: when the rate is not one of 16000, 24000 and 48000.
    """

    def __init__(self, rate: int) -> None:
        if rate not in RATES:
            raise InvalidInput(f"speech comes at 16000, 24000 or 48000 Hz, got {rate}")
        self.rate = rate
        self._half = b""
        # soxr holds 11 to 19 ms back, which speech that comes ahead of time never feels, and is
        # quick enough for the event loop. Between equal rates it only copies.
        self._resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")

    def read(self, data: bytes) -> Samples:
        """Take bytes; return the samples [n] that are ready."""
        data = self._half + data
        whole = len(data) & ~1
        self._half = data[whole:]
        samples = np.frombuffer(data[:whole], "<i2").astype(np.float32) / np.float32(FULL_SCALE)
        return self._resample(samples, is_last=False)

    def finish(self) -> Samples:
        """Return what the resampler still holds."""
        return self._resample(np.zeros(0, np.float32), is_last=True)

    def _resample(self, samples: Samples, *, is_last: bool) -> Samples:
        return np.asarray(self._resampler.resample_chunk(samples, last=is_last), np.float32)
