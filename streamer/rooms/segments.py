"""One thing that a seat says, from its first sample to its last, and how much of it left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamer.media.types import SAMPLE_RATE, Samples


@dataclass(slots=True, eq=False)
class Segment:
    """Counted in samples at 16 kHz. Owned by its seat; blocks of samples point to it."""

    number: int  # of this seat, from 0
    queued: int = 0  # all that came in
    sent: int = 0  # what left to viewers
    is_ended: bool = False  # nothing more will come
    is_over: bool = False  # its speak_ended was told

    @property
    def position_ms(self) -> int:
        return self.sent * 1000 // SAMPLE_RATE

    @property
    def has_all_left(self) -> bool:
        return self.is_ended and self.sent >= self.queued


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Samples [n] that came together."""

    samples: Samples
    segment: Segment | None  # None: silence that was put in, or a live voice
    arrived: float | None  # when a live voice's samples came in; None: no live voice

    def split(self, count: int) -> tuple[Block, Block]:
        """Give the first `count` samples and the rest."""
        return (
            Block(self.samples[:count], self.segment, self.arrived),
            Block(self.samples[count:], self.segment, self.arrived),
        )


def silence(count: int) -> Block:
    """Make samples that belong to nobody."""
    return Block(np.zeros(count, np.float32), None, None)
