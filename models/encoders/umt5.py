"""umT5 encoder: prompt tokens into the text context of the diffusion transformers.

Shape letters: B prompts, N tokens, H heads, D head width, C channels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.errors import ConfigError, InputError
from models.norms import RMSNorm

FARTHEST_TOKENS = 128  # all longer distances share the last bucket
NORM_EPS = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Umt5Config:
    """Widths of one umT5 encoder."""

    vocabulary: int
    channels: int
    attention_channels: int
    feedforward_channels: int
    heads: int
    layers: int
    buckets: int  # of relative distance, half for each direction
    is_bias_shared: bool  # one table of distances for all blocks (T5) or one each (umT5)

    def __post_init__(self) -> None:
        if self.attention_channels % self.heads:
            raise ConfigError(
                f"attention_channels={self.attention_channels} is not a multiple of "
                f"heads={self.heads}"
            )
        if self.buckets % 4 or self.buckets // 4 >= FARTHEST_TOKENS:
            raise ConfigError(
                f"buckets={self.buckets} must be a multiple of 4 below {4 * FARTHEST_TOKENS}"
            )


def umt5_xxl() -> Umt5Config:
    """Give the encoder of every Wan 2.1 model (11.4 GB in bfloat16)."""
    return Umt5Config(
        vocabulary=256384,
        channels=4096,
        attention_channels=4096,
        feedforward_channels=10240,
        heads=64,
        layers=24,
        buckets=32,
        is_bias_shared=False,
    )


def relative_position_bucket(distance: Tensor, buckets: int) -> Tensor:
    """Map distances (key index minus query index, any shape) to bucket numbers.

    The lower half of the buckets is for keys before the query, the upper half for those after.
    In each, the first half holds exact distances and the rest grow by a constant factor.

    Source: T5, arXiv 1910.10683, section 2.1; google-research/text-to-text-transfer-transformer
    (Apache-2.0).
    """
    half = buckets // 2
    exact = half // 2
    size = distance.abs()
    # The order of these float32 operations decides a few distances that fall on a border.
    grown = torch.log(size.clamp(min=1).float() / exact) / math.log(FARTHEST_TOKENS / exact)
    far = (exact + (grown * (half - exact)).long()).clamp(max=half - 1)
    return torch.where(size < exact, size, far) + (distance > 0).long() * half


class DistanceBias(nn.Module):
    """A learned number per head for each bucket of distance, added to the attention scores."""

    def __init__(self, config: Umt5Config) -> None:
        super().__init__()
        self.buckets = config.buckets
        self.embedding = nn.Embedding(config.buckets, config.heads)

    def forward(self, tokens: int) -> Tensor:
        """Give the bias [1, H, N, N] among `tokens` tokens."""
        index = torch.arange(tokens, device=self.embedding.weight.device)
        bucket = relative_position_bucket(index[None, :] - index[:, None], self.buckets)
        bias: Tensor = self.embedding(bucket)  # [N, N, H]
        return bias.permute(2, 0, 1)[None]


class Umt5Attention(nn.Module):
    """Attention without the usual 1 / sqrt(D): T5 folds it into the weights."""

    def __init__(self, config: Umt5Config) -> None:
        super().__init__()
        self.heads = config.heads
        self.q = nn.Linear(config.channels, config.attention_channels, bias=False)
        self.k = nn.Linear(config.channels, config.attention_channels, bias=False)
        self.v = nn.Linear(config.channels, config.attention_channels, bias=False)
        self.o = nn.Linear(config.attention_channels, config.channels, bias=False)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Attend x [B, N, C] with bias [B or 1, H, N, N], which also masks."""
        q, k, v = (
            linear(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for linear in (self.q, self.k, self.v)
        )  # each [B, H, N, D]
        scores = q @ k.transpose(-2, -1) + bias
        weights = scores.float().softmax(dim=-1).to(v.dtype)
        y: Tensor = self.o((weights @ v).transpose(1, 2).flatten(2))
        return y


class GatedFeedForward(nn.Module):
    """Two parallel projections, one through a tanh GELU, multiplied."""

    def __init__(self, config: Umt5Config) -> None:
        super().__init__()
        wide = config.feedforward_channels
        self.gate = nn.Sequential(
            nn.Linear(config.channels, wide, bias=False), nn.GELU(approximate="tanh")
        )
        self.fc1 = nn.Linear(config.channels, wide, bias=False)
        self.fc2 = nn.Linear(wide, config.channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.fc2(self.fc1(x) * self.gate(x))
        return y


class Umt5Block(nn.Module):
    """Attention and feed-forward, each behind a norm and added to its input."""

    def __init__(self, config: Umt5Config) -> None:
        super().__init__()
        self.norm1 = RMSNorm(config.channels, NORM_EPS)
        self.attn = Umt5Attention(config)
        self.norm2 = RMSNorm(config.channels, NORM_EPS)
        self.ffn = GatedFeedForward(config)
        self.pos_embedding = None if config.is_bias_shared else DistanceBias(config)

    def forward(self, x: Tensor, mask: Tensor, shared_bias: Tensor | None) -> Tensor:
        """Run x [B, N, C] with the additive key mask [B, 1, 1, N]."""
        own = self.pos_embedding
        bias = mask if own is None else own(x.shape[1]) + mask
        if shared_bias is not None:
            bias = bias + shared_bias
        x = x + self.attn(self.norm1(x), bias)
        y: Tensor = x + self.ffn(self.norm2(x))
        return y


class Umt5Encoder(nn.Module):
    """The encoder half of umT5, in Wan's layout, frozen.

    Source: umT5, arXiv 2304.09151; Wan-Video/Wan2.1, wan/modules/t5.py (Apache-2.0). Activations
    leave the range of float16 in the large network: load it in bfloat16 or float32.
    """

    def __init__(self, config: Umt5Config) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocabulary, config.channels)
        self.blocks = nn.ModuleList(Umt5Block(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.channels, NORM_EPS)
        self.pos_embedding = DistanceBias(config) if config.is_bias_shared else None
        self.requires_grad_(False)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Encode ids [B, N], with mask [B, N] nonzero on real tokens, into [B, N, C].

        Rows of padding hold numbers too; context() leaves them out.

        Raises:
            InputError: when the shapes differ, a prompt has no token, or an id is unknown.
        """
        self._check(ids, mask)
        return self.encode(ids, mask)

    def encode(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Encode as `forward` does, tokens unchecked: a traced graph cannot raise."""
        x: Tensor = self.token_embedding(ids)
        key_mask = torch.zeros_like(mask, dtype=x.dtype)
        key_mask = key_mask.masked_fill(mask == 0, torch.finfo(x.dtype).min)[:, None, None, :]
        shared = None if self.pos_embedding is None else self.pos_embedding(ids.shape[1])
        for block in self.blocks:
            x = block(x, key_mask, shared)
        y: Tensor = self.norm(x)
        return y

    def _check(self, ids: Tensor, mask: Tensor) -> None:
        if ids.ndim != 2 or ids.shape != mask.shape:
            got = f"{tuple(ids.shape)} and {tuple(mask.shape)}"
            raise InputError(f"ids and mask: expected two equal [B, N], got {got}")
        if not bool((mask != 0).any(dim=1).all()):
            raise InputError("mask: expected at least one token a prompt, got a prompt without")
        least, most = int(ids.min()), int(ids.max())
        if least < 0 or most >= self.config.vocabulary:
            raise InputError(
                f"ids: expected 0..{self.config.vocabulary - 1}, got {least}..{most}; "
                "is this the tokenizer of this checkpoint?"
            )


@torch.no_grad()
def text_context(encoder: Umt5Encoder, ids: Tensor, mask: Tensor) -> list[Tensor]:
    """Encode prompts, ids and mask [B, N], into one context [tokens, C] each, padding left out.

    Raises:
        InputError: as Umt5Encoder.forward() does.
    """
    ids, mask = (x.to(encoder.token_embedding.weight.device) for x in (ids, mask))
    hidden = encoder(ids, mask)
    return [row[real != 0] for row, real in zip(hidden, mask, strict=True)]


def rename(name: str) -> str | None:
    """Map a published tensor name to ours: the same; None for a tensor of something else."""
    ours = ("token_embedding.", "blocks.", "norm.", "pos_embedding.")
    return name if name.startswith(ours) else None
