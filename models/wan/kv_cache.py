"""The rolling key/value cache of a stream: a sink that stays, a window that moves. A value.

A stream is made chunk by chunk. For each chunk, in this order:

    past = cache.make_room(chunk_frames)     # evict and, if need be, rebase: once per chunk
    dit.denoise(..., past)                   # every denoising step reads the same past
    cache = past.append(clean_keys_values)   # the pass over the clean chunk fixes its keys

Keys are stored after rotary embedding, by the frame position they had when they were made.
Positions count up from 0 until `max_position`; then the window is moved back to follow the sink
directly and counting goes on from there (`rebase`). Within the window nothing changes, since rotary
attention depends on differences of positions only, and window keys are turned by that same
difference. Only the distance to the sink shrinks to what it was when the window first filled. Each
key is turned at most once per rebase, and evicted soon after, so rounding does not build up over
days.

Shape letters: B batch, H heads, S cached tokens, D head width.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from models.errors import ConfigError, InputError
from models.wan.rope import frame_shift_rotation, rotate

PUBLISHED_POSITIONS = 1024  # size of the rotary table in every published Wan-based repository


class LayerKV(NamedTuple):
    """Keys and values of one layer, oldest token first."""

    k: Tensor  # [B, H, S, D], rotated
    v: Tensor  # [B, H, S, D]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSpec:
    """How much of a stream its next chunk may see.

    Source: sink tokens, StreamingLLM (arXiv 2309.17453); rolling cache, Self-Forcing
    (arXiv 2506.08009), where capacity is `local_attn_size` and None is -1.

    Raises:
        ConfigError: when sink, capacity and positions leave no room for a chunk.
    """

    sink_frames: int  # first latent frames of the stream, never evicted
    capacity_frames: int | None  # sink + window + the chunk being made; None keeps everything
    max_position: int = PUBLISHED_POSITIONS  # frame positions stay below this

    def __post_init__(self) -> None:
        if self.sink_frames < 0:
            raise ConfigError(f"sink_frames={self.sink_frames} is negative")
        if self.capacity_frames is None:
            return
        if self.capacity_frames <= self.sink_frames:
            raise ConfigError(
                f"capacity_frames={self.capacity_frames} must exceed sink_frames={self.sink_frames}"
            )
        if self.capacity_frames > self.max_position:
            raise ConfigError(
                f"capacity_frames={self.capacity_frames} exceeds max_position={self.max_position}"
            )


@dataclass(frozen=True, slots=True)
class KVCache:
    """A stream's past. Methods return a new value; tensors are never written to."""

    spec: CacheSpec
    layers: tuple[LayerKV, ...] = ()  # empty before the first chunk
    frames: int = 0  # latent frames held
    next_position: int = 0  # frame position of the next latent frame
    tokens_per_frame: int = 0

    def layer(self, index: int) -> LayerKV | None:
        """Give one layer's keys and values, or None at the start of a stream."""
        return self.layers[index] if self.layers else None

    def positions(self, chunk_frames: int) -> range:
        """Give the frame positions of the next chunk."""
        return range(self.next_position, self.next_position + chunk_frames)

    def make_room(self, chunk_frames: int) -> KVCache:
        """Evict what the next chunk may not see and keep its positions in range.

        Raises:
            InputError: when the chunk does not fit beside the sink, or an unbounded stream has used
                up its positions.
        """
        return self._evicted(chunk_frames)._in_range(chunk_frames)

    def append(self, kv: tuple[LayerKV, ...], chunk_frames: int) -> KVCache:
        """Add the clean chunk's keys and values, one LayerKV [B, H, N, D] a layer.

        Raises:
            InputError: when token counts do not fit what the cache holds.
        """
        tokens = kv[0].k.shape[2]
        if tokens % chunk_frames or self.tokens_per_frame not in (0, tokens // chunk_frames):
            raise InputError(
                f"chunk of {tokens} tokens in {chunk_frames} latent frames does not fit a cache of "
                f"{self.tokens_per_frame} tokens a frame; a stream keeps one resolution"
            )
        layers = kv
        if self.layers:
            layers = tuple(
                LayerKV(torch.cat([old.k, new.k], dim=2), torch.cat([old.v, new.v], dim=2))
                for old, new in zip(self.layers, kv, strict=True)
            )
        return replace(
            self,
            layers=layers,
            frames=self.frames + chunk_frames,
            next_position=self.next_position + chunk_frames,
            tokens_per_frame=tokens // chunk_frames,
        )

    def _evicted(self, chunk_frames: int) -> KVCache:
        capacity, sink = self.spec.capacity_frames, self.spec.sink_frames
        if capacity is None:
            return self
        window = capacity - sink - chunk_frames
        if window < 0:
            if self.frames == 0 and chunk_frames <= capacity:
                return self  # the first chunk is itself (part of) the sink
            raise InputError(
                f"a chunk of {chunk_frames} latent frames does not fit beside {sink} sink frames "
                f"in a capacity of {capacity}; enlarge capacity_frames or shorten the chunk"
            )
        if self.frames <= sink + window:
            return self
        cut = self.tokens_per_frame
        layers = tuple(
            LayerKV(*(_keep(x, sink * cut, window * cut) for x in layer)) for layer in self.layers
        )
        return replace(self, layers=layers, frames=sink + window)

    def _in_range(self, chunk_frames: int) -> KVCache:
        if self.next_position + chunk_frames <= self.spec.max_position:
            return self
        if self.frames + chunk_frames > self.spec.max_position:
            raise InputError(
                f"a stream that keeps all its {self.frames} latent frames cannot go past "
                f"max_position={self.spec.max_position}; give it a capacity_frames"
            )
        return self.rebase()

    def rebase(self) -> KVCache:
        """Move the window back so that it follows the sink; attention within it is unchanged."""
        delta = self.frames - self.next_position
        sink_tokens = min(self.spec.sink_frames, self.frames) * self.tokens_per_frame
        if delta == 0 or not self.layers:
            return replace(self, next_position=self.frames)
        first = self.layers[0].k
        turn = frame_shift_rotation(delta, first.shape[3], first.device)
        layers = tuple(
            LayerKV(
                torch.cat([k[:, :, :sink_tokens], rotate(k[:, :, sink_tokens:], turn)], dim=2), v
            )
            for k, v in self.layers
        )
        return replace(self, layers=layers, next_position=self.frames)


def _keep(x: Tensor, first: int, last: int) -> Tensor:
    """Keep the first and the last tokens of x [B, H, S, D]."""
    return torch.cat([x[:, :, :first], x[:, :, x.shape[2] - last :]], dim=2)
