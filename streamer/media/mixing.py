"""What one viewer hears: every seat but their own, limited softly, at 48 kHz."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from streamer.media.resampling import Upsampler
from streamer.media.types import SAMPLE_RATE, WIRE_RATE, Samples

KNEE = 0.7  # full scale is 1; below the knee nothing is changed


def soft_limit(samples: Samples) -> Samples:
    """Leave what is below the knee as it is, and bend what is above so that it stays below 1."""
    over = np.abs(samples) - KNEE
    room = 1.0 - KNEE
    bent = KNEE + room * np.tanh(np.maximum(over, 0) / room)
    return np.where(over > 0, np.copysign(bent, samples), samples).astype(np.float32)


def mix_minus(voices: NDArray[np.float32], without: Collection[int] = ()) -> Samples:
    """Sum voices [P, n] of all seats but `without`, and limit the sum softly."""
    heard = [voice for seat, voice in enumerate(voices) if seat not in without]
    total = np.sum(heard, axis=0) if heard else np.zeros(voices.shape[1])
    return soft_limit(np.asarray(total, np.float32))


class Mix:
    """One mix as a stream: voices at 16 kHz go in, 48 kHz comes out, delayed by 1 ms.

    Every block of n samples gives exactly 3 n.
    """

    def __init__(self, without: Collection[int] = ()) -> None:
        self.without = frozenset(without)
        ratio = WIRE_RATE // SAMPLE_RATE
        self._up = Upsampler(SAMPLE_RATE, ratio)
        # The first block gives fewer, by the kernel's delay: silence stands in for it once.
        self._spare = np.zeros(round(self._up.delay * SAMPLE_RATE) * ratio, np.float32)

    def process(self, voices: NDArray[np.float32]) -> Samples:
        """Mix voices [P, n] to [3 n]."""
        count = voices.shape[1] * WIRE_RATE // SAMPLE_RATE
        ready = np.concatenate([self._spare, self._up.process(mix_minus(voices, self.without))])
        self._spare = ready[count:]
        return np.asarray(np.clip(ready[:count], -1.0, 1.0), np.float32)
