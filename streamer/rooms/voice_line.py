"""What one seat has waiting, and how it keeps the distance that a chunk needs.

A chunk is ordered when its voices reach to its end and its look-ahead: `needed` samples. A line
that begins with less gets silence in front, so that from then on every chunk finds what it needs. A
live voice that has more than that is late for good unless something goes: quiet parts first,
anything when it is too much.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from streamer.media.types import SAMPLE_RATE, Samples
from streamer.rooms.segments import Block, Segment, silence

QUIET_RMS = 0.01  # -40 dB of full scale
EASY_EXCESS = SAMPLE_RATE // 50  # 20 ms: below it nothing is done
MOST_EXCESS = SAMPLE_RATE * 12 // 100  # 120 ms: above it even speech is cut
MOST_LIVE = 2 * SAMPLE_RATE  # a live voice that nobody takes keeps its newest 2 s
FADE = 80  # 5 ms, where speech is cut


class VoiceLine:
    """A queue of samples at 16 kHz with the segments that they belong to.

    Full policy: a live voice drops its oldest; for spoken segments the seat refuses before.
    """

    def __init__(self) -> None:
        self._blocks: deque[Block] = deque()
        self._is_flowing = False
        self.is_live = False
        self.queued = 0
        self.dropped = 0  # samples of a live voice, to keep it from getting late

    def push(self, block: Block) -> None:
        """Queue samples; they are not copied."""
        self._blocks.append(block)
        self.queued += len(block.samples)
        if self.is_live and self.queued > MOST_LIVE:
            self._cut(self.queued - MOST_LIVE)

    def prepare(self, needed: int, heard: int) -> None:
        """Before a chunk that will use `needed` samples: bring the line to that distance.

        Args:
            needed: samples, look-ahead included.
            heard: how many of them the generator has heard before. A line that begins was silent
                then, and must stay so; of one that goes on, they must stay where they are.
        """
        if not self._blocks:
            self._is_flowing = False
        elif not self._is_flowing:
            self._is_flowing = True
            wanted = 0 if self._is_last_complete() else needed - self.queued
            self._blocks.appendleft(silence(max(wanted, heard)))
            self.queued += max(wanted, heard)
        elif self.is_live:
            self._correct(needed, heard)

    def _correct(self, needed: int, heard: int) -> None:
        excess = self.queued - needed
        if excess > MOST_EXCESS or (excess > EASY_EXCESS and self._is_quiet(heard, excess)):
            self._cut(excess, heard)

    def hear(self, count: int) -> Samples:
        """Give the generator the first `count` samples; what is missing is silence for good.

        So what was heard is what will be said, and the next chunk finds the distance it needs.
        """
        samples = self.peek(count)
        if self._is_flowing and self.queued < count:
            missing = count - self.queued
            self._blocks.append(silence(missing))
            self.queued += missing
        return samples

    def _is_last_complete(self) -> bool:
        segment = self._blocks[-1].segment
        return segment is not None and segment.is_ended

    def _is_quiet(self, start: int, count: int) -> bool:
        front = self.peek(start + count)[start:]
        return bool(np.sqrt(np.mean(np.square(front))) < QUIET_RMS)

    def _cut(self, count: int, kept: int = 0) -> None:
        """Drop `count` samples behind the first `kept`, without a click."""
        first = self._pop(kept)
        self._pop(count)
        self.dropped += count
        if self._blocks:
            block = self._blocks[0]
            samples = block.samples.copy()
            ramp = np.linspace(0, 1, min(FADE, len(samples)), dtype=np.float32)
            samples[: len(ramp)] *= ramp
            self._blocks[0] = Block(samples, block.segment, block.arrived)
        self._blocks.extendleft(reversed(first))
        self.queued += sum(len(block.samples) for block in first)

    def take(self, count: int) -> tuple[Block, ...]:
        """Take the first `count` samples, or all there are; nothing before `prepare` let it begin.

        A line that runs dry begins anew: it gets its distance back when it has something again.
        """
        if not self._is_flowing:
            return ()
        if self.queued < count:
            self._is_flowing = False
        return self._pop(count)

    def _pop(self, count: int) -> tuple[Block, ...]:
        taken: list[Block] = []
        while self._blocks and count:
            block = self._blocks.popleft()
            if len(block.samples) > count:
                block, rest = block.split(count)
                self._blocks.appendleft(rest)
            taken.append(block)
            count -= len(block.samples)
            self.queued -= len(block.samples)
        return tuple(taken)

    def peek(self, count: int) -> Samples:
        """Copy the first `count` samples; what is missing, or has not begun, is silence."""
        out = np.zeros(count, np.float32)
        if not self._is_flowing:
            return out
        filled = 0
        for block in self._blocks:
            if filled >= count:
                break
            part = block.samples[: count - filled]
            out[filled : filled + len(part)] = part
            filled += len(part)
        return out

    def clear(self) -> int:
        """Drop all; say how many samples it was."""
        dropped, self.queued = self.queued, 0
        self._blocks.clear()
        self._is_flowing = False
        return dropped

    def segments(self) -> set[Segment]:
        return {block.segment for block in self._blocks if block.segment is not None}
