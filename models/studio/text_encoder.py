"""The studio's prompt encoder: a table of words and two small transformer layers.

It learns with the transformer it serves. Prompts describe what the studio can show, in a few
hundred words, so there is nothing a large language model would add.

Shape letters: B batch, L words, R rows, C channels, H heads, D head width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.errors import InputError
from models.norms import LayerNorm
from models.studio.config import TextEncoderConfig
from models.wan.attention import attend, merge_heads, split_heads

PADDING = 0


class _Attention(nn.Module):
    """Attention of queries to words; padding is not seen."""

    def __init__(self, cfg: TextEncoderConfig) -> None:
        super().__init__()
        self.heads = cfg.heads
        self.q = nn.Linear(cfg.dim, cfg.dim)
        self.kv = nn.Linear(cfg.dim, 2 * cfg.dim)
        self.o = nn.Linear(cfg.dim, cfg.dim)

    def forward(self, queries: Tensor, words: Tensor, mask: Tensor) -> Tensor:
        """Attend queries [B, R, C] to words [B, L, C] where mask [B, 1, R, L] is True."""
        k, v = self.kv(words).chunk(2, dim=-1)
        q, k, v = (split_heads(x, self.heads) for x in (self.q(queries), k, v))
        y: Tensor = self.o(merge_heads(attend(q, k, v, mask)))
        return y


class _Layer(nn.Module):
    def __init__(self, cfg: TextEncoderConfig) -> None:
        super().__init__()
        self.norm1 = LayerNorm(cfg.dim)
        self.attention = _Attention(cfg)
        self.norm2 = LayerNorm(cfg.dim)
        self.ffn = nn.Sequential(
            nn.Linear(cfg.dim, 4 * cfg.dim),
            nn.GELU(approximate="tanh"),
            nn.Linear(4 * cfg.dim, cfg.dim),
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        normed = self.norm1(x)
        x = x + self.attention(normed, normed, mask)
        return x + self.ffn(self.norm2(x))  # type: ignore[no-any-return]  # Sequential is untyped


class TextEncoder(nn.Module):
    """Words to rows: layers over the words, then learned queries that read them."""

    def __init__(self, cfg: TextEncoderConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.words = nn.Embedding(cfg.words, cfg.dim)
        self.places = nn.Parameter(torch.randn(cfg.length, cfg.dim) * 0.02)
        self.layers = nn.ModuleList(_Layer(cfg) for _ in range(cfg.layers))
        self.norm = LayerNorm(cfg.dim)
        self.queries = nn.Parameter(torch.randn(cfg.rows, cfg.dim) * 0.02)
        self.read = _Attention(cfg)
        nn.init.normal_(self.words.weight, 0, 0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Encode word numbers [B, L], 0 where there is none, as [B, R, C].

        An empty prompt is as good as any: its first padding counts as a word.

        Raises:
            InputError: when there are more or fewer places than the encoder has.
        """
        if tokens.ndim != 2 or tokens.shape[1] != self.cfg.length:
            raise InputError(
                f"word numbers have shape {tuple(tokens.shape)}, expected [B, {self.cfg.length}]; "
                "pad with 0"
            )
        is_word = tokens != PADDING
        is_word = torch.cat([torch.ones_like(is_word[:, :1]), is_word[:, 1:]], dim=1)
        seen = is_word[:, None, None]  # [B, 1, 1, L]
        length, rows = self.cfg.length, self.cfg.rows
        x = self.words(tokens) + self.places
        for layer in self.layers:
            x = layer(x, seen.expand(-1, 1, length, length))
        queries = self.queries.expand(len(tokens), -1, -1)
        read: Tensor = self.read(queries, self.norm(x), seen.expand(-1, 1, rows, length))
        return read
