"""What a stream asks of an architecture: chunk by chunk, pictures out of voices."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class Moves(NamedTuple):
    """What is still to be done to the pictures of a chunk: what was acted and they do not show."""

    turns: NDArray[np.float32]  # [P, T, 3] yaw, pitch, roll of heads in radians
    expressions: NDArray[np.float32]  # [P, T, E] of `face_bend.EXPRESSIONS`, -1..1
    marks: NDArray[np.float32]  # [P, 3, 2] left and right eye, mouth, 0..1 of each cell


class Made(NamedTuple):
    """One chunk of video and what its parts cost."""

    frames: NDArray[np.uint8]  # [T, H, W, 3], owned by the receiver
    parts_ms: dict[str, float]
    moves: Moves | None = None


class Room(Protocol):
    """One stream's state on shared networks. Owned by one stream; calls block."""

    def make(
        self, samples: NDArray[np.float32], noise: np.random.Generator, steps: int | None
    ) -> Made:
        """Make the next chunk.

        Args:
            samples: [P, T * 640], the chunk's length, ending the look-ahead after the chunk.
            noise: the room's own source of chance.
            steps: denoising steps; None for the bundle's default.
        """
        ...

    def listen(self, samples: NDArray[np.float32]) -> None:
        """Hear [P, T * 640] without making a picture: what comes before the first chunk."""
        ...

    def hush(self, person: int) -> None:
        """Forget what this person was saying, as after a second of silence."""
        ...

    def set_prompt(self, prompt: str) -> None:
        """Follow another prompt from the next chunk on."""
        ...

    def close(self) -> None:
        """Give the room's memory back."""
        ...
