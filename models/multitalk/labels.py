"""Label rotary embedding: the labels of video and audio tokens, for any number of people.

Every token of the video looks at the reference frame. The person it looks at most is its class, how
much is its place in that person's label range. Audio keys carry the middle of their person's range.
Tokens and keys close in label attend to each other; the background has a label far from every key.

Published for two people: ranges [0, 4] and [20, 24], background 12, keys 2 and 22. For N people the
ranges go on at the same distance, [20 p, 20 p + 4], so that any two people are at least as far
apart as in training and the background keeps its distance to every key.

Shape letters: B batch, P people, H heads, N tokens, S tokens of one latent frame, D head width.
Source: MultiTalk (arXiv 2505.22647, section 3.3), repository MeiGen-AI/MultiTalk (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.errors import ConfigError, InputError
from models.wan.attention import attend


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRanges:
    """Label ranges of people in seats 0, 1, 2, ...

    Raises:
        ConfigError: when ranges would overlap each other or the background.
    """

    interval: int  # width of a person's range
    class_range: int  # end of the second person's range; the first begins at 0
    max_people: int

    def __post_init__(self) -> None:
        if not 0 < self.interval < self.background < self.stride:
            raise ConfigError(
                f"interval={self.interval} and class_range={self.class_range} leave no room for a "
                "background label between two people"
            )
        if self.max_people < 2:
            raise ConfigError(f"max_people={self.max_people}; one person alone needs no labels")

    @property
    def stride(self) -> int:
        """Distance between the ranges of neighboring seats."""
        return self.class_range - self.interval

    @property
    def background(self) -> int:
        return self.class_range // 2

    def start(self, seat: int) -> int:
        """Give where the range of a seat begins."""
        return seat * self.stride

    def key_label(self, seat: int) -> float:
        """Give the label of a seat's audio keys: the middle of its range."""
        return self.start(seat) + self.interval / 2

    def check_seats(self, seats: Sequence[int]) -> None:
        """Refuse seats that have no label range of their own.

        Raises:
            InputError: when a seat is taken twice or lies outside the label table.
        """
        if len(set(seats)) != len(seats):
            raise InputError(f"seats {list(seats)}: two people cannot share one seat's labels")
        if not all(0 <= seat < self.max_people for seat in seats):
            raise InputError(
                f"seats {list(seats)} exceed the {self.max_people} label ranges of this model "
                f"(0..{self.max_people - 1}); put fewer people in one picture"
            )


def reference_attention(q: Tensor, reference_k: Tensor, regions: Tensor) -> Tensor:
    """Give how much each token looks at each region of the reference frame: [B, P + 1, N].

    The published map is the softmax over the reference tokens, averaged over a region and over
    heads. That is one attention whose values are the regions' indicator vectors, so no [N, S] map
    is stored. All heads are averaged; the published code leaves the last of an odd number out.

    Args:
        q: [B, H, N, D], rotated queries of self attention.
        reference_k: [B, H, S, D], rotated keys of the reference frame.
        regions: [B, P + 1, S], 1 inside each person, then the background; an empty background looks
            like nothing.
    """
    weights = regions / regions.sum(-1, keepdim=True).clamp(min=1)
    values = weights.transpose(1, 2)[:, None].to(q.dtype).expand(-1, q.shape[1], -1, -1)
    return attend(q, reference_k, values).float().mean(1).transpose(1, 2)


def token_labels(
    maps: Tensor, ranges: LabelRanges, seats: Sequence[int], group_tokens: Sequence[int]
) -> Tensor:
    """Give each token's label [B, N] from its region maps [B, P + 1, N].

    Args:
        maps: from `reference_attention`.
        ranges: the label table.
        seats: the seat of each person, in the order of the maps.
        group_tokens: how many tokens each chunk has. A map is scaled by its own extremes within a
            chunk, so a chunk's labels never depend on a later one. A clip is one chunk.
    """
    starts = torch.tensor([ranges.start(seat) for seat in seats], device=maps.device)
    labels = []
    for group in torch.split(maps, list(group_tokens), dim=2):
        low, high = group.amin(2, keepdim=True), group.amax(2, keepdim=True)
        scaled = (group - low) / (high - low + 1e-8)
        people = scaled[:, :-1] * ranges.interval + starts[:, None]
        background = torch.full_like(people[:, :1], ranges.background)
        candidates = torch.cat([people, background], dim=1)
        labels.append(candidates.gather(1, group.argmax(1, keepdim=True))[:, 0])
    return torch.cat(labels, dim=1)
