"""MultiTalk's audio attention: every latent frame hears its own moment of every voice.

Shape letters: B batch, P people, F latent frames, S tokens of one latent frame, N = F * S, M audio
tokens, H heads, D head width, C = H * D.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.multitalk.labels import LabelRanges
from models.wan.attention import attend, merge_heads, split_heads
from models.wan.config import WanConfig
from models.wan.rope import label_rotation, rotate


class AudioKV(NamedTuple):
    """One layer's keys and values of a chunk's voices: computed once for all denoising steps."""

    k: Tensor  # [B, F, H, P * M, D], label-rotated when there is more than one voice
    v: Tensor  # [B, F, H, P * M, D]


class AudioAttention(nn.Module):
    """Attention from video tokens to the audio tokens of the same latent frame.

    Source: MultiTalk (arXiv 2505.22647, section 3.3), repository MeiGen-AI/MultiTalk,
    wan/modules/attention.py (Apache-2.0).
    """

    def __init__(self, cfg: WanConfig, audio_dim: int) -> None:
        super().__init__()
        self.heads = cfg.heads
        self.head_dim = cfg.head_dim
        self.q_linear = nn.Linear(cfg.dim, cfg.dim)
        self.kv_linear = nn.Linear(audio_dim, 2 * cfg.dim)
        self.proj = nn.Linear(cfg.dim, cfg.dim)

    def project(self, tokens: Tensor, key_labels: Sequence[float] | None) -> AudioKV:
        """Give keys and values of audio tokens [B, P, F, M, audio_dim].

        Args:
            tokens: audio tokens.
            key_labels: one label per person; None for a lone voice, which needs none.
        """
        k, v = self.kv_linear(tokens).chunk(2, dim=-1)  # [B, P, F, M, C]
        k, v = split_heads(k, self.heads), split_heads(v, self.heads)  # [B, P, F, H, M, D]
        if key_labels is not None:
            labels = torch.tensor(key_labels, device=k.device)[:, None, None, None]
            k = rotate(k, label_rotation(labels, self.head_dim))
        b, p, f, h, m, d = k.shape
        by_frame = (0, 2, 3, 1, 4, 5)
        return AudioKV(
            k.permute(by_frame).reshape(b, f, h, p * m, d),
            v.permute(by_frame).reshape(b, f, h, p * m, d),
        )

    def forward(self, x: Tensor, kv: AudioKV, labels: Tensor | None) -> Tensor:
        """Attend x [B, N, C]; labels [B, N] bind tokens to people, None for a lone voice."""
        q = split_heads(self.q_linear(x), self.heads)  # [B, H, N, D]
        if labels is not None:
            q = rotate(q, label_rotation(labels[:, None], self.head_dim))
        b, h, n, d = q.shape
        frames = kv.k.shape[1]
        q = q.reshape(b, h, frames, n // frames, d).transpose(1, 2)  # [B, F, H, S, D]
        y: Tensor = self.proj(merge_heads(attend(q, kv.k, kv.v)).reshape(b, n, h * d))
        return y


def key_labels(ranges: LabelRanges, seats: Sequence[int]) -> list[float] | None:
    """Give the key label of each person, or None when there is only one voice."""
    if len(seats) == 1:
        return None
    return [ranges.key_label(seat) for seat in seats]
