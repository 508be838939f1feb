"""A stream's cache as the host keeps it, for measuring: fixed slots, written in turn.

Slot 0 is the sink. Behind it is a ring of slots of one latent frame. Attention does not care about
order and positions are in the keys, so nothing is ever shifted; a mask says what is filled.

Shape letters: B batch, H heads, N tokens of a chunk, n tokens of one latent frame, D head width.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from export.dit import Form
from export.errors import RequestError
from export.families.family import kv_names
from export.shapes import ChunkShape, Flavor
from models.wan.config import WanConfig


class Ring:
    """The cache of one stream in either flavor. Mutable; one owner."""

    def __init__(self, cfg: WanConfig, shape: ChunkShape, form: Form) -> None:
        if shape.sink_frames != 1:
            raise RequestError(f"a ring has one sink frame, got {shape.sink_frames}")
        self.shape = shape
        self.is_inplace = form.flavor is Flavor.INPLACE
        n, own = shape.tokens_per_frame, shape.chunk_frames if self.is_inplace else 0
        # In place, the chunk being made has a slot, too: the window must not lose one to it.
        self.ring_frames = shape.window_frames + own
        tokens = (shape.sink_frames + self.ring_frames) * n
        size = (shape.batch, cfg.heads, tokens, cfg.head_dim)
        self.names = kv_names("past", cfg.layers)
        self.kept = kv_names("present" if self.is_inplace else "new", cfg.layers)
        self.caches = {name: torch.zeros(size, dtype=form.dtype) for name in self.names}
        self.is_filled = torch.zeros(tokens // n, dtype=torch.bool)
        self.next_frame = 0

    @property
    def slot(self) -> int:
        """Where the next chunk is written."""
        if self.next_frame == 0:
            return 0
        return 1 + (self.next_frame - 1) % self.ring_frames

    def inputs(self) -> dict[str, Tensor]:
        """Give the network's inputs that say how the next chunk stands in the stream."""
        n, frames = self.shape.tokens_per_frame, self.shape.chunk_frames
        made = 1 if self.next_frame == 0 else frames  # the sink is one frame alone
        own = torch.arange(frames) < made
        if self.is_inplace:
            slots = self.is_filled.clone()
            slots[self.slot : self.slot + frames] = own
        else:
            slots = torch.cat([self.is_filled, own])
        mask = slots.repeat_interleave(n).expand(1, 1, frames * n, -1).contiguous()
        given = {"mask": mask, **self.caches}
        if self.is_inplace:
            given["write_index"] = torch.full((self.shape.batch,), self.slot * n)
        return given

    def keep(self, outputs: Mapping[str, Tensor]) -> None:
        """Write the clean pass's keys and values, and go on to the next chunk."""
        n, slot = self.shape.tokens_per_frame, self.slot
        made = 1 if self.next_frame == 0 else self.shape.chunk_frames
        for name, kept in zip(self.names, self.kept, strict=True):
            if self.is_inplace:
                self.caches[name] = outputs[kept].clone()
            else:
                self.caches[name][:, :, slot * n : (slot + made) * n] = outputs[kept][
                    :, :, : made * n
                ]
        self.is_filled[slot : slot + made] = True
        self.next_frame += made

    def positions(self) -> list[int]:
        """Give the frame positions of the next chunk; the sink stands at 0."""
        if self.next_frame == 0:
            return [0] * self.shape.chunk_frames
        return list(range(self.next_frame, self.next_frame + self.shape.chunk_frames))
