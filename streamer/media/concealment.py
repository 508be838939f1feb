"""What is heard where a packet is missing: the voice goes on for a moment and fades.

The Opus decoder that PyAV offers has no call for its own concealment (an empty packet ends the
stream instead), so the last period of what was heard is repeated, as G.711 Appendix I does.
"""

from __future__ import annotations

import numpy as np

from streamer.media.time_scale import (
    LEAST_LAG,
    MOST_LAG,
    NEEDED,
    OVERLAP,
    best_lag,
    crossfade,
)
from streamer.media.types import WIRE_RATE, Samples

HISTORY = NEEDED + OVERLAP
HOLD = WIRE_RATE // 50  # 20 ms at full level
FADE_VOICED = WIRE_RATE // 10  # then to silence in 100 ms
FADE_UNVOICED = WIRE_RATE // 25  # a hiss that is repeated begins to buzz: 40 ms
VOICED = 0.6  # likeness of two periods
SEAM = WIRE_RATE // 200  # 5 ms in which the voice that is back takes over
STEP_DECAY = WIRE_RATE // 1000  # 1 ms in which a step at the beginning is smoothed


class Concealer:
    """Remembers the last sound at 48 kHz and continues it. Owned by one jitter buffer."""

    def __init__(self) -> None:
        self._history = np.zeros(HISTORY, np.float32)
        self._cycle = np.zeros(LEAST_LAG, np.float32)
        self._fade = FADE_VOICED
        self._step = 0.0
        self._concealed: int | None = None  # samples since the last real one; None when there

    @property
    def is_concealing(self) -> bool:
        return self._concealed is not None

    def real(self, samples: Samples) -> Samples:
        """Take what did arrive [n]; after a gap its first 5 ms grow out of what stood in."""
        if self._concealed is not None and len(samples):
            size = min(SEAM, len(samples))
            stand_in = self.extend(size)
            samples = np.concatenate([crossfade(stand_in, samples[:size]), samples[size:]])
            self._concealed = None
        self._history = np.concatenate([self._history, samples])[-HISTORY:]
        return samples

    def extend(self, count: int) -> Samples:
        """Go on without the sender for `count` samples."""
        if self._concealed is None:
            self._begin()
        done = self._concealed or 0
        at = np.arange(done, done + count)
        gain = np.clip(1 - (at - HOLD) / self._fade, 0, 1)
        step = self._step * np.exp(-at / STEP_DECAY)
        self._concealed = done + count
        return ((self._cycle[at % len(self._cycle)] + step) * gain).astype(np.float32)

    def silence(self, count: int) -> Samples:
        """Be silent on purpose: the sender said nothing. What was on fades out in 5 ms."""
        out = np.zeros(count, np.float32)
        if self._concealed is None:
            size = min(SEAM, count)
            out[:size] = crossfade(self.extend(size), out[:size])
        self._concealed = HOLD + FADE_VOICED  # nothing is left to continue
        return out

    def _begin(self) -> None:
        lag, score = best_lag(self._history[::-1].copy())  # what the end looks like, backwards
        lag = min(max(lag, LEAST_LAG), MOST_LAG)
        self._fade = FADE_VOICED if score >= VOICED else FADE_UNVOICED
        end = self._history[-lag:]
        before = self._history[-lag - OVERLAP : -lag]
        size = min(OVERLAP, lag) // 2
        # The end of the cycle leads into its beginning.
        self._cycle = np.concatenate([end[:-size], crossfade(end[-size:], before[-size:])])
        self._step = float(self._history[-1] - before[-1])
