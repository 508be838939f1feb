"""A generator without a network: a mouth bar for each seat, as open as its voice is loud.

What a frame shows can be read back from its pixels, also after encoding, so load tests and tests of
skew, latency and of who speaks need no weights. The same voices give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError
from engines.live_audio import SeatAudio
from streamer.media.types import SAMPLES_PER_FRAME, Frame, Samples

BACKGROUND = (24, 28, 36)
SKIN = ((150, 60, 60), (60, 120, 60), (60, 70, 160), (130, 120, 50))  # by seat, in turns
MOUTH = (245, 245, 245)
BAR_WIDTH, BAR_HEIGHT = 0.3, 0.8  # of a panel
MOUTH_LEVEL = 200.0  # gray; brighter is mouth, darker is skin, with room for a codec's errors
LOUDEST = 0.25  # RMS at which the mouth is wide open


@dataclass(frozen=True, slots=True, kw_only=True)
class NullChunk:
    """What one call makes. The arrays belong to whoever receives them."""

    frames: NDArray[np.uint8]  # [T, H, W, 3]
    audio: NDArray[np.float32]  # [P, T * 640]
    position: int  # video frames before this chunk
    missing_samples: tuple[int, ...]  # by seat
    parts_ms: dict[str, float]


class NullGenerator:
    """Draws voices. Counts, looks ahead, queues and refuses as the real stream does.

    Args:
        people: seats, side by side from left to right.
        size: width and height of the picture in pixels.
        chunk_frames: video frames of one call.
        look_ahead_samples: how much later sound a chunk waits for.

    Raises:
        InputError: when nobody could be drawn, or a chunk would be empty.
    """

    def __init__(
        self,
        people: int = 1,
        size: tuple[int, int] = (256, 256),
        chunk_frames: int = 8,
        look_ahead_samples: int = 1280,
    ) -> None:
        self.width, self.height = size
        if people < 1 or chunk_frames < 1 or look_ahead_samples < 0:
            raise InputError(
                f"want 1 person and 1 frame at least and no negative look-ahead, got {people} "
                f"people, {chunk_frames} frames and {look_ahead_samples} samples"
            )
        if self.width < 16 * people or self.height < 16:
            raise InputError(
                f"{people} people need {16 * people}x16 pixels at least, "
                f"got {self.width}x{self.height}"
            )
        self.people = people
        self.frames_per_chunk = chunk_frames
        self.chunk_samples = chunk_frames * SAMPLES_PER_FRAME
        self.look_ahead_samples = look_ahead_samples
        self.prompt = ""
        self._seats: dict[int, SeatAudio] = {}
        self._ahead = np.zeros((people, look_ahead_samples), np.float32)
        self._has_begun = False
        self._chunks = 0
        self._is_closed = False

    def join(self, seat: int) -> None:
        """Take a seat.

        Raises:
            InputError: when there is no such seat, or somebody has it.
        """
        if not 0 <= seat < self.people:
            raise InputError(f"there is no seat {seat}; seats are 0 to {self.people - 1}")
        if seat in self._seats:
            raise InputError(f"seat {seat} is taken; leave it first")
        self._seats[seat] = SeatAudio()

    def leave(self, seat: int) -> None:
        """Leave a seat; what it was saying is dropped.

        Raises:
            InputError: when nobody has it.
        """
        self.clear(seat)
        del self._seats[seat]

    def push(self, seat: int, samples: NDArray[Any]) -> None:
        """Queue mono float32 samples [n] at 16 kHz.

        Raises:
            InputError: when nobody has the seat, or the samples cannot be used.
        """
        self._seat(seat).push(samples)

    def queued_samples(self, seat: int) -> int:
        """Say how much a seat has waiting.

        Raises:
            InputError: when nobody has it.
        """
        return self._seat(seat).queued

    def clear(self, seat: int) -> int:
        """Drop what a seat has queued and was heard ahead; return how many samples.

        Raises:
            InputError: when nobody has the seat.
        """
        dropped = self._seat(seat).clear()
        if self._has_begun:
            dropped += self.look_ahead_samples
        self._ahead[seat] = 0
        return dropped

    def set_prompt(self, prompt: str) -> None:
        """Remember it; nothing is drawn differently."""
        self.prompt = prompt

    def make_chunk(self, steps: int | None = None) -> NullChunk:
        """Draw the next chunk; fewer steps change nothing.

        Raises:
            InputError: after close().
        """
        if self._is_closed:
            raise InputError("the generator is closed")
        late = (0,) * self.people
        if not self._has_begun:
            self._ahead, late = self._take(self.look_ahead_samples)
            self._has_begun = True
        heard, missing = self._take(self.chunk_samples)
        sound = np.concatenate([self._ahead, heard], axis=1)
        self._ahead = sound[:, self.chunk_samples :].copy()
        audio = sound[:, : self.chunk_samples].copy()
        position = self._chunks * self.frames_per_chunk
        self._chunks += 1
        return NullChunk(
            frames=self._draw(audio),
            audio=audio,
            position=position,
            missing_samples=tuple(a + b for a, b in zip(late, missing, strict=True)),
            parts_ms={"audio": 0.0, "denoise": 0.0, "cache": 0.0, "decode": 0.0},
        )

    def close(self) -> None:
        self._is_closed = True

    def _seat(self, number: int) -> SeatAudio:
        if number not in self._seats:
            raise InputError(f"nobody has seat {number}; join it first")
        return self._seats[number]

    def _take(self, count: int) -> tuple[NDArray[np.float32], tuple[int, ...]]:
        heard = np.zeros((self.people, count), np.float32)
        missing = [0] * self.people
        for number, seat in self._seats.items():
            heard[number], missing[number] = seat.take(count)
        return heard, tuple(missing)

    def _draw(self, audio: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Draw [T, H, W, 3] for the sound [P, T * 640] of the same frames."""
        frames = np.empty((self.frames_per_chunk, self.height, self.width, 3), np.uint8)
        frames[:] = BACKGROUND
        for seat in range(self.people):
            left, right, top, bottom = bar_box(self.width, self.height, seat, self.people)
            frames[:, top:bottom, left:right] = SKIN[seat % len(SKIN)]
            for frame, sound in zip(frames, np.split(audio[seat], len(frames)), strict=True):
                rows = round(opening(sound) * (bottom - top))
                frame[bottom - rows : bottom, left:right] = MOUTH
        return frames


def opening(sound: Samples) -> float:
    """How far the mouth is open for one frame's sound [640], 0 to 1."""
    return min(1.0, float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) / LOUDEST)


def bar_box(width: int, height: int, seat: int, people: int) -> tuple[int, int, int, int]:
    """Left, right, top and bottom of a seat's mouth bar, in pixels."""
    panel = width / people
    center = (seat + 0.5) * panel
    left, right = round(center - panel * BAR_WIDTH / 2), round(center + panel * BAR_WIDTH / 2)
    top = round(height * (1 - BAR_HEIGHT) / 2)
    return left, right, top, height - top


def read_opening(picture: Frame, seat: int, people: int) -> float:
    """Read from a picture [H, W, 3], also a decoded one, how far a seat's mouth is open."""
    left, right, top, bottom = bar_box(picture.shape[1], picture.shape[0], seat, people)
    margin = (right - left) // 4  # a codec blurs the bar's sides
    column = picture[top:bottom, left + margin : right - margin].mean(axis=(1, 2))
    return float((column > MOUTH_LEVEL).mean())
