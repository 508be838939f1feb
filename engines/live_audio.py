"""One seat's voice, waiting to be heard: any block goes in, exact numbers of samples come out."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError
from engines.manifest import SAMPLE_RATE

Samples = NDArray[np.float32]
LOUDEST = 8.0  # full scale is 1; more than 18 dB above it is no voice but a wrong format


class Taken(NamedTuple):
    """Samples for a chunk."""

    samples: Samples  # [count], what was missing is silence at the end
    missing: int  # how many samples were


class SeatAudio:
    """A queue of samples at 16 kHz. Owned by one stream; not for several threads.

    Full policy: refuse. Whoever pushes faster than real time must wait, or it would take memory
    without end and speak minutes after it was cleared.
    """

    def __init__(self, most_seconds: float = 120.0) -> None:
        self._blocks: deque[Samples] = deque()
        self._most = int(most_seconds * SAMPLE_RATE)
        self.queued = 0  # samples

    def push(self, samples: NDArray[Any], sample_rate: int = SAMPLE_RATE) -> None:
        """Queue mono float32 samples [n], full scale 1; they are copied.

        Raises:
            InputError: when the rate, the type or the shape is wrong, a sample is not finite or far
                beyond full scale, or the queue is full.
        """
        if sample_rate != SAMPLE_RATE:
            raise InputError(
                f"audio must be at {SAMPLE_RATE} Hz, got {sample_rate}; resample it before"
            )
        if not isinstance(samples, np.ndarray) or samples.dtype != np.float32 or samples.ndim != 1:
            raise InputError(
                f"audio must be mono float32 [n] with full scale 1, got {_describe(samples)}"
            )
        loudest = float(np.abs(samples).max(initial=0.0))  # NaN where any sample is NaN
        if not loudest <= LOUDEST:
            raise InputError(
                f"audio holds samples up to {loudest:g} where full scale is 1; it is no "
                "clean float32 audio, and PCM16 must be divided by 32768"
            )
        if self.queued + len(samples) > self._most:
            raise InputError(
                f"{self.queued / SAMPLE_RATE:.1f} s are queued and {self._most / SAMPLE_RATE:g} s "
                "is the limit; push no faster than this seat speaks"
            )
        if len(samples):
            self._blocks.append(samples.copy())
            self.queued += len(samples)

    def take(self, count: int) -> Taken:
        """Take `count` samples from the front; what is missing is silence."""
        out = np.zeros(count, np.float32)
        filled = 0
        while self._blocks and filled < count:
            block = self._blocks.popleft()
            used = min(len(block), count - filled)
            out[filled : filled + used] = block[:used]
            filled += used
            if used < len(block):
                self._blocks.appendleft(block[used:])
        self.queued -= filled
        return Taken(out, count - filled)

    def clear(self) -> int:
        """Drop all that is queued; say how many samples it was."""
        dropped, self.queued = self.queued, 0
        self._blocks.clear()
        return dropped


def _describe(samples: object) -> str:
    if isinstance(samples, np.ndarray):
        return f"{samples.dtype}{list(samples.shape)}"
    return type(samples).__name__
