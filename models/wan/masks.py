"""Which latent frame may attend to which, when a whole sequence is trained in one call.

The streaming form needs no mask: its cache holds just what a chunk may see. These masks state the
same rule for training on whole sequences, so that stream and whole agree.
Source: Self-Forcing (arXiv 2506.08009) and CausVid (arXiv 2412.07772), repository
guandeh17/Self-Forcing (Apache-2.0).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockCausal:
    """A whole sequence seen as a stream of chunks.

    Raises:
        ConfigError: when a chunk has no frame, or the capacity is smaller than a chunk.
    """

    chunk_frames: int
    capacity_frames: int | None = None  # frames seen, own chunk included; None: all of the past
    sink_frames: int = 0
    is_first_frame_alone: bool = False  # the first latent frame is a chunk of its own

    def __post_init__(self) -> None:
        if self.chunk_frames < 1:
            raise ConfigError(f"chunk_frames={self.chunk_frames} must be at least 1")
        if self.capacity_frames is not None and self.capacity_frames < self.chunk_frames:
            raise ConfigError(
                f"capacity_frames={self.capacity_frames} is less than "
                f"chunk_frames={self.chunk_frames}"
            )

    def chunk_sizes(self, frames: int) -> list[int]:
        """Cut a sequence of latent frames into chunks; the last one may be shorter."""
        head = [1] if self.is_first_frame_alone and frames else []
        body = frames - len(head)
        full, rest = divmod(body, self.chunk_frames)
        return head + [self.chunk_frames] * full + ([rest] if rest else [])

    def chunk_ends(self, frames: int) -> Tensor:
        """Give for each of the latent frames [F] where its chunk ends (exclusive)."""
        sizes = torch.tensor(self.chunk_sizes(frames))
        return sizes.cumsum(0).repeat_interleave(sizes)

    def frame_mask(self, frames: int) -> Tensor:
        """Give the mask [F queries, F keys], True where a query may attend.

        A frame sees up to the end of its chunk, back to the capacity before that end, and the sink.
        """
        ends = self.chunk_ends(frames)[:, None]
        key = torch.arange(frames)[None]
        mask = key < ends
        if self.capacity_frames is not None:
            # The sink takes its share of the capacity, as it does in the cache.
            recent = torch.where(
                ends > self.capacity_frames,
                ends - self.capacity_frames + self.sink_frames,
                ends - self.capacity_frames,
            )
            mask = mask & ((key >= recent) | (key < self.sink_frames))
        return mask

    def teacher_forcing_mask(self, frames: int) -> Tensor:
        """Give the mask [2F, 2F] over clean frames followed by the same frames noised.

        Clean frames see clean frames by the block rule; noised ones see their own noised chunk and
        the clean chunks before it.
        """
        ends = self.chunk_ends(frames)
        is_same_chunk = ends[:, None] == ends[None]
        clean = self.frame_mask(frames)
        none = torch.zeros_like(clean)
        top = torch.cat([clean, none], dim=1)
        return torch.cat([top, torch.cat([clean & ~is_same_chunk, is_same_chunk], dim=1)], dim=0)


def token_mask(frame_mask: Tensor, tokens_per_frame: int) -> Tensor:
    """Spread a mask over frames [F, F] to tokens [F * n, F * n]."""
    rows = frame_mask.repeat_interleave(tokens_per_frame, dim=0)
    return rows.repeat_interleave(tokens_per_frame, dim=1)
