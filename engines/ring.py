"""Which slot of the cache a latent frame takes, and which slots a chunk may look at.

The cache has `sink` slots that are never overwritten and `window` slots behind them, each as wide
as the tokens of a latent frame. Attention does not care for order, and positions are in the
rotation, so nothing is ever shifted. Two flavors of networks see the same past:

slice    past keys come in, S tokens, and the chunk's new ones go out; the host writes them over the
         oldest, at slot sink + ((f - 1) mod window) for frame f >= 1.
inplace  the network writes the chunk's keys into the cache itself, while it is still being
         denoised. So the cache has room for one more chunk, and goes round window + chunk slots.

Shape letters: N tokens of a chunk, n of a latent frame, S cached tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """The layout of a cache, in latent frames.

    Raises:
        InputError: when chunks do not fill the window evenly, so that one would wrap.
    """

    sink: int
    window: int
    chunk: int
    tokens: int  # of a latent frame: n
    is_inplace: bool

    def __post_init__(self) -> None:
        if self.chunk < 1 or self.window % self.chunk or self.sink < 1:
            raise InputError(
                f"a ring of {self.sink} sink and {self.window} window frames does not hold whole "
                f"chunks of {self.chunk}"
            )

    @property
    def cached_tokens(self) -> int:
        """S: of the sink and the window."""
        return (self.sink + self.window) * self.tokens

    @property
    def new_tokens(self) -> int:
        """N."""
        return self.chunk * self.tokens

    def positions(self, chunk_number: int) -> range:
        """Give the frame positions of chunk 0, 1, 2...; the stream begins at frame 1."""
        first = 1 + chunk_number * self.chunk
        return range(first, first + self.chunk)

    def first_token(self, chunk_number: int) -> int:
        """Say where in the cache a chunk's keys stand."""
        slots = self.window + (self.chunk if self.is_inplace else 0)
        return (self.sink + chunk_number * self.chunk % slots) * self.tokens

    def is_filling(self, chunk_number: int) -> bool:
        """Say whether the mask of this chunk still differs from the one before."""
        return chunk_number * self.chunk <= self.window

    def mask(self, chunk_number: int) -> BoolArray:
        """Give [1, 1, N, S + N], True where a chunk may look: what is filled, and itself."""
        mask = self._nothing()
        filled = min(chunk_number * self.chunk, self.window)
        if self.is_inplace:
            mask[..., : (self.sink + filled) * self.tokens + self.new_tokens] = True
        else:
            mask[..., : (self.sink + filled) * self.tokens] = True
            mask[..., self.cached_tokens :] = True
        return mask

    def sink_mask(self) -> BoolArray:
        """Give the mask under which the sink is made: each latent frame sees itself alone."""
        mask = self._nothing()
        own = 0 if self.is_inplace else self.cached_tokens
        frame = np.arange(self.new_tokens) // self.tokens
        mask[0, 0, :, own : own + self.new_tokens] = frame[:, None] == frame[None, :]
        return mask

    def _nothing(self) -> BoolArray:
        return np.zeros((1, 1, self.new_tokens, self.cached_tokens + self.new_tokens), np.bool_)
