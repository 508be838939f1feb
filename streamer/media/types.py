"""What the rooms of the streamer share: rates, arrays, and what a room asks of a generator.

Shape letters: P people, T video frames of a chunk, H and W picture size, n samples.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000  # voices as the engine hears them
WIRE_RATE = 48_000  # Opus
FPS = 25
SAMPLES_PER_FRAME = SAMPLE_RATE // FPS  # 640

Samples: TypeAlias = NDArray[np.float32]  # [n], mono, full scale 1
Frame: TypeAlias = NDArray[np.uint8]  # [H, W, 3], RGB


class ChunkLike(Protocol):
    """What one call of a generator makes. The arrays belong to whoever receives them."""

    @property
    def frames(self) -> NDArray[np.uint8]:
        """Pictures [T, H, W, 3], RGB."""
        ...

    @property
    def audio(self) -> NDArray[np.float32]:
        """The sound of these frames by seat, [P, T * 640] at 16 kHz."""
        ...

    @property
    def position(self) -> int:
        """Video frames before this chunk."""
        ...

    @property
    def missing_samples(self) -> tuple[int, ...]:
        """By seat: how much silence stood in for a voice."""
        ...

    @property
    def parts_ms(self) -> dict[str, float]:
        """Time by part of the work."""
        ...


class Generator(Protocol):
    """Voices go in by seat, chunks of video and sound come out. One owner, one thread; blocks."""

    @property
    def people(self) -> int: ...

    @property
    def width(self) -> int:
        """Of the picture, in pixels."""
        ...

    @property
    def height(self) -> int:
        """Of the picture, in pixels."""
        ...

    @property
    def chunk_samples(self) -> int: ...

    @property
    def look_ahead_samples(self) -> int: ...

    @property
    def frames_per_chunk(self) -> int: ...

    def join(self, seat: int) -> None:
        """Take a seat that nobody has."""
        ...

    def leave(self, seat: int) -> None:
        """Leave a seat; what it was saying is dropped."""
        ...

    def push(self, seat: int, samples: NDArray[Any]) -> None:
        """Queue mono float32 samples [n] at 16 kHz for a seat; any number at a time."""
        ...

    def queued_samples(self, seat: int) -> int: ...

    def clear(self, seat: int) -> int:
        """Drop what a seat has queued and was heard ahead; return how many samples."""
        ...

    def set_prompt(self, prompt: str) -> None: ...

    def make_chunk(self, steps: int | None = None) -> ChunkLike:
        """Make the next chunk; voices that do not reach far enough are silent from there on."""
        ...

    def close(self) -> None: ...
