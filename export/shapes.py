"""The sizes an exported transformer is fixed to, and the named tensors of a network.

Shape letters: B batch (rooms), P people, F latent frames of a chunk, n tokens of one latent frame,
N tokens of a chunk, S cached tokens, h and w latent size.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from export.errors import RequestError


class Flavor(StrEnum):
    """How a transformer's past goes in and out."""

    SLICE = "slice"  # past in, the chunk's own keys and values out; the host writes the ring
    INPLACE = "inplace"  # the whole cache in and out at one address, written at `write_index`


class TensorSpec(NamedTuple):
    """One static input or output of a network."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype = torch.float32

    @property
    def size_bytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize

    def zeros(self) -> Tensor:
        """Give a tensor of this shape and type."""
        return torch.zeros(self.shape, dtype=self.dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkShape:
    """Every number that shapes one variant of a transformer's graph.

    Raises:
        RequestError: when a number is not positive, the window is not a multiple of the chunk, or
            the picture does not divide into tokens.
    """

    batch: int
    people: int
    width_px: int
    height_px: int
    latent_stride: int  # pixels of height or width in one latent pixel
    patch: tuple[int, int]  # latent pixels of one token
    chunk_frames: int
    window_frames: int
    sink_frames: int
    is_strip: bool = False  # the picture is a row of square cells, one a person

    def __post_init__(self) -> None:
        numbers = (self.batch, self.people, self.chunk_frames, self.window_frames, self.sink_frames)
        if min(numbers) < 1:
            raise RequestError(
                "batch, people, chunk, window and sink must be at least 1, "
                f"got {', '.join(map(str, numbers))}"
            )
        if self.window_frames % self.chunk_frames:
            raise RequestError(
                f"window_frames={self.window_frames} is not a multiple of "
                f"chunk_frames={self.chunk_frames}: a write to the ring would wrap"
            )
        for name, px, patch in zip(
            ("height", "width"), (self.height_px, self.width_px), self.patch, strict=True
        ):
            if px < 1 or px % (self.latent_stride * patch):
                raise RequestError(
                    f"{name} {px} is not a multiple of {self.latent_stride * patch} pixels, "
                    "the side of a token"
                )

    @property
    def cells(self) -> int:
        """How many pictures a picture is made of, side by side."""
        return self.people if self.is_strip else 1

    @property
    def label(self) -> str:
        """The size as it stands in a network's key."""
        return f"{self.width_px}x{self.height_px}x{self.people}"

    @property
    def latent_h(self) -> int:
        return self.height_px // self.latent_stride

    @property
    def latent_w(self) -> int:
        return self.width_px // self.latent_stride

    @property
    def tokens_per_frame(self) -> int:
        return (self.latent_h // self.patch[0]) * (self.latent_w // self.patch[1])

    @property
    def chunk_tokens(self) -> int:
        """N."""
        return self.chunk_frames * self.tokens_per_frame

    @property
    def past_tokens(self) -> int:
        """S: what a chunk may see beside itself, sink and window."""
        return (self.sink_frames + self.window_frames) * self.tokens_per_frame

    @property
    def video_frames(self) -> int:
        """Video frames of a chunk that does not start a stream."""
        return 4 * self.chunk_frames

    def latent(self, channels: int) -> tuple[int, ...]:
        """Give the shape [B, C, F, h, w]."""
        return (self.batch, channels, self.chunk_frames, self.latent_h, self.latent_w)
