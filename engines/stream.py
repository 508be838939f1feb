"""The rolling stream of one room: voices go in by seat, chunks of video and sound come out.

Every count is in samples at 16 kHz from the stream's start. A chunk that shows samples
[t, t + chunk) has heard up to t + chunk + look-ahead. What was heard ahead is kept, and becomes the
first sound of the next chunk: no sample is lost or played twice.

Shape letters: P people, T video frames of a chunk, H and W picture size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from engines.avatar_engine import AvatarEngine
from engines.errors import DeviceError, InputError
from engines.live_audio import SeatAudio
from engines.manifest import FPS, SAMPLE_RATE
from engines.scene.scene import Scene

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """What one call makes. The arrays belong to whoever receives them."""

    frames: NDArray[np.uint8]  # [T, H, W, 3]
    audio: NDArray[np.float32]  # [P, T * 640], the sound of these frames, by seat
    position: int  # video frames before this chunk
    missing_samples: tuple[int, ...]  # by seat: how much silence stood in for a voice
    parts_ms: dict[str, float]  # audio, denoise, cache, decode, and paste where there are cells


class AvatarStream:
    """One room. Owned by one caller, on one thread; calls block.

    Several streams on one engine may take turns in any order: each owns its buffers, its caches and
    its source of chance, so that a seed and voices give the same bits whatever the others do.

    Args:
        engine: the weights.
        scene: picture and people; a seat for each of them, empty at first.
        prompt: instead of the scene's own.
        seed: of the room's noise.
    """

    def __init__(
        self, engine: AvatarEngine, scene: Scene, *, prompt: str | None = None, seed: int = 0
    ) -> None:
        manifest = engine.bundle.manifest
        self.people = scene.size.people
        self.chunk_samples = manifest.chunk_samples
        self.look_ahead_samples = manifest.look_ahead_samples
        self.frames_per_chunk = manifest.chunk_video_frames
        self._step_counts = {len(steps) for steps in manifest.sampling.schedules}
        self._seats: dict[int, SeatAudio] = {}
        self._ahead = np.zeros((self.people, self.look_ahead_samples), np.float32)
        self._has_begun = False
        self._chunks = 0
        self._failure: str | None = None
        self._noise = np.random.default_rng(seed)
        self._room = engine.open_room(scene)
        if prompt is not None:
            self._room.set_prompt(prompt)

    @property
    def chunk_seconds(self) -> float:
        return self.frames_per_chunk / FPS

    @property
    def position_seconds(self) -> float:
        """How much has been made."""
        return self._chunks * self.chunk_seconds

    @property
    def seated(self) -> frozenset[int]:
        """Seats that somebody has."""
        return frozenset(self._seats)

    @property
    def is_ready(self) -> bool:
        """Whether every seated voice reaches to the end of the next chunk and its look-ahead."""
        needed = self.chunk_samples + (0 if self._has_begun else self.look_ahead_samples)
        return all(seat.queued >= needed for seat in self._seats.values())

    def join(self, seat: int) -> None:
        """Take a seat.

        Raises:
            InputError: when there is no such seat, or somebody has it.
        """
        self._check_number(seat)
        if seat in self._seats:
            raise InputError(f"seat {seat} is taken; leave it first")
        self._seats[seat] = SeatAudio()

    def leave(self, seat: int) -> None:
        """Leave a seat: what it was saying is dropped, and from now on it is silent.

        Raises:
            InputError: when nobody has it.
        """
        self.clear(seat)
        del self._seats[seat]

    def push(self, seat: int, samples: NDArray[Any], sample_rate: int = SAMPLE_RATE) -> None:
        """Queue mono float32 samples [n] at 16 kHz for a seat; any number at a time.

        Raises:
            InputError: when nobody has the seat, or the samples cannot be used.
        """
        self._seat(seat).push(samples, sample_rate)

    def queued_samples(self, seat: int) -> int:
        """Say how much a seat has waiting.

        Raises:
            InputError: when nobody has it.
        """
        return self._seat(seat).queued

    def clear(self, seat: int) -> int:
        """Barge in: drop what a seat has queued and was heard ahead; the next chunk listens.

        Returns the samples that will never be played.

        Raises:
            InputError: when nobody has the seat.
        """
        dropped = self._seat(seat).clear()
        if self._has_begun:
            dropped += self.look_ahead_samples
        self._ahead[seat] = 0
        self._guard(lambda: self._room.hush(seat))
        return dropped

    def set_prompt(self, prompt: str) -> None:
        """Follow another prompt from the next chunk on."""
        self._guard(lambda: self._room.set_prompt(prompt))

    def make_chunk(self, steps: int | None = None) -> Chunk:
        """Make the next chunk; voices that do not reach far enough are silent from there on.

        Args:
            steps: denoising steps, fewer to catch up; None for the bundle's default.

        Raises:
            InputError: when the bundle has no schedule of that many steps; nothing has happened.
            EngineError: when the runtime fails. The room is lost then, and no other room is.
        """
        if steps is not None and steps not in self._step_counts:
            known = " or ".join(map(str, sorted(self._step_counts)))
            raise InputError(f"the bundle has no schedule of {steps} steps; it has {known}")
        self._raise_failure()
        late = self._begin()
        heard, missing = self._take(self.chunk_samples)
        sound = np.concatenate([self._ahead, heard], axis=1)
        made = self._guard(lambda: self._room.make(heard, self._noise, steps))
        self._ahead = sound[:, self.chunk_samples :].copy()
        position = self._chunks * self.frames_per_chunk
        self._chunks += 1
        return Chunk(
            frames=made.frames,
            audio=sound[:, : self.chunk_samples].copy(),
            position=position,
            missing_samples=tuple(a + b for a, b in zip(late, missing, strict=True)),
            parts_ms=made.parts_ms,
        )

    def _begin(self) -> tuple[int, ...]:
        """Hear, once, what lies between the stream's start and the first chunk's share."""
        if self._has_begun or not self.look_ahead_samples:
            self._has_begun = True
            return (0,) * self.people
        self._ahead, missing = self._take(self.look_ahead_samples)
        size = self.chunk_samples
        calls = -(-self.look_ahead_samples // size)
        before = np.zeros((self.people, calls * size), np.float32)
        before[:, -self.look_ahead_samples :] = self._ahead
        self._guard(lambda: self._listen(np.split(before, calls, axis=1)))
        self._has_begun = True
        return missing

    def _listen(self, parts: Sequence[NDArray[np.float32]]) -> None:
        for part in parts:
            self._room.listen(np.ascontiguousarray(part))

    def _take(self, count: int) -> tuple[NDArray[np.float32], tuple[int, ...]]:
        """Take [P, count] from the seats; say what was missing of each that is taken."""
        heard = np.zeros((self.people, count), np.float32)
        missing = [0] * self.people
        for number, seat in self._seats.items():
            heard[number], missing[number] = seat.take(count)
        return heard, tuple(missing)

    def _seat(self, number: int) -> SeatAudio:
        self._check_number(number)
        if number not in self._seats:
            raise InputError(f"nobody has seat {number}; join it first")
        return self._seats[number]

    def _check_number(self, number: int) -> None:
        if not 0 <= number < self.people:
            raise InputError(
                f"there is no seat {number}; the scene has {self.people} people, seats "
                f"0 to {self.people - 1} from left to right"
            )

    def _guard(self, work: Callable[[], Result]) -> Result:
        """Do work on the room; when it fails half-way, the room must not go on."""
        self._raise_failure()
        try:
            return work()
        except InputError:
            raise  # refused before anything was done
        except Exception as error:
            self._failure = f"the stream failed before ({error}); open a new one"
            raise

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise DeviceError(self._failure)

    def close(self) -> None:
        self._room.close()
        self._failure = "the stream is closed"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
