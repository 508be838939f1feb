"""How long before its first frame is due a chunk must be ordered. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

WINDOW = 32  # chunks
QUANTILE = 0.9
MARGIN_S = 0.02
LEAST_S = 0.04
EASE_S = 0.03  # too long by less it is kept: every change costs a live voice


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """Seconds from the order to the first frame, learned from how long the last chunks took.

    Never more than a chunk: with the chunk itself that is two, and generation must not run further
    ahead of the viewers, nor a voice get later. A slower machine loses frames instead.
    """

    chunk_s: float
    seconds: float = LEAST_S
    recent_s: tuple[float, ...] = ()  # newest last

    def observe(self, took_s: float) -> Lead:
        """Learn from one chunk; `took_s` from its order to its pictures, waiting included."""
        recent = (*self.recent_s, took_s)[-WINDOW:]
        ranked = sorted(recent)
        slow = ranked[min(math.ceil(QUANTILE * len(ranked)), len(ranked)) - 1]
        wanted = min(max(slow + MARGIN_S, LEAST_S), self.chunk_s)
        is_kept = self.seconds - EASE_S <= wanted <= self.seconds
        return replace(self, recent_s=recent, seconds=self.seconds if is_kept else wanted)
