"""The sound of a room, frame by frame, from what is leaving now to what is ordered.

Sound is the master: a frame's voices leave when it is due, with a new picture or under the last
one. So a late picture costs frames and never delay, and whoever is interrupted takes nothing from
the others.

Shape letters: P people, n samples at 16 kHz.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.media.types import SAMPLES_PER_FRAME
from streamer.rooms.segments import Block
from streamer.rooms.voice_line import VoiceLine

Voices = NDArray[np.float32]  # [P, n]


class SoundFrame(NamedTuple):
    """What sounds during one frame."""

    voices: Voices  # [P, 640]
    blocks: tuple[tuple[Block, ...], ...]  # by seat: whose samples they are


class Timeline:
    """Frames are numbered from the room's start. Owned by one room, on one thread."""

    def __init__(self, people: int) -> None:
        self.lines = [VoiceLine() for _ in range(people)]
        self._frames: deque[SoundFrame] = deque()
        self._silent_until = [0] * people  # frame before which a seat says nothing new
        self._heard_to = 0  # samples from the room's start that the generator knows
        self.first = 0  # the next frame to leave

    @property
    def end(self) -> int:
        """The frame after the last whose sound is known."""
        return self.first + len(self._frames)

    def extend(self, end: int, look_ahead: int) -> None:
        """Take voices from the lines up to a frame; `look_ahead` more samples will be heard."""
        if end <= self.end:
            return
        for number, line in enumerate(self.lines):
            start = max(self.end, self._silent_until[number])
            if start < end:
                heard = max(0, self._heard_to - start * SAMPLES_PER_FRAME)
                line.prepare((end - start) * SAMPLES_PER_FRAME + look_ahead, heard)
        while self.end < end:
            self._frames.append(self._take_frame())

    def _take_frame(self) -> SoundFrame:
        voices = np.zeros((len(self.lines), SAMPLES_PER_FRAME), np.float32)
        blocks: list[tuple[Block, ...]] = []
        for number, line in enumerate(self.lines):
            is_silent = self.end < self._silent_until[number]
            taken = () if is_silent else line.take(SAMPLES_PER_FRAME)
            if taken:
                samples = np.concatenate([block.samples for block in taken])
                voices[number, : len(samples)] = samples
            blocks.append(taken)
        return SoundFrame(voices, tuple(blocks))

    def hear(self, start: int, stop: int) -> Voices:
        """Give the samples [start, stop), counted from the room's start: [P, stop - start].

        Past the end it is what the lines will say there; where they have nothing yet, they will be
        silent. What has left is gone: start must not lie before `first`.
        """
        end = self.end * SAMPLES_PER_FRAME
        first = self.first * SAMPLES_PER_FRAME
        nothing = np.zeros((len(self.lines), 0), np.float32)
        known = np.concatenate([nothing, *(frame.voices for frame in self._frames)], axis=1)
        out = np.zeros((len(self.lines), stop - start), np.float32)
        from_known = known[:, max(start - first, 0) : max(stop - first, 0)]
        out[:, : from_known.shape[1]] = from_known
        for number, line in enumerate(self.lines):
            begins = max(end, self._silent_until[number] * SAMPLES_PER_FRAME)
            if begins < stop:
                ahead = line.hear(stop - begins)
                place = max(begins, start)
                out[number, place - start :] = ahead[place - begins :]
        self._heard_to = max(self._heard_to, stop)
        return out

    def leave(self) -> SoundFrame:
        """Give the next frame's sound; from the lines as they are, if nobody has ordered it."""
        if not self._frames:
            self._frames.append(self._take_frame())
        frame = self._frames.popleft()
        self.first += 1
        return frame

    def hush(self, number: int) -> int:
        """Take a seat's voice out of every frame that has not left, and drop what waits.

        Returns how many samples nobody will hear.
        """
        dropped = self.lines[number].clear()
        for index, frame in enumerate(self._frames):
            if frame.blocks[number]:
                dropped += sum(len(block.samples) for block in frame.blocks[number])
                voices = frame.voices.copy()
                voices[number] = 0
                blocks = (*frame.blocks[:number], (), *frame.blocks[number + 1 :])
                self._frames[index] = SoundFrame(voices, blocks)
        return dropped

    def be_silent_until(self, number: int, frame: int) -> None:
        """Keep what a seat says from now on until a frame."""
        self._silent_until[number] = max(self._silent_until[number], frame)
