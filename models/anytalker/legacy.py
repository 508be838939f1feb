"""AnyTalker 14B: audio attention of its own after text and picture, one latent frame at a time.

Shape letters: B batch, P people, F latent frames, S tokens of one latent frame, N = F * S, M audio
tokens, L face tokens, H heads, D head width, C = H * D.
Source: AnyTalker (arXiv 2511.23475), repository HKUST-C4G/AnyTalker, legacy_audio_cross_attn.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.anytalker.condition import (
    FaceKV,
    IdentityCondition,
    VoiceKV,
    fold,
    for_everyone,
    sum_over_people,
)
from models.norms import LayerNorm
from models.wan.attention import (
    SelfAttended,
    TextImageAttention,
    attend,
    merge_heads,
    split_heads,
)
from models.wan.config import WanConfig
from models.wan.dit import WanBlock
from models.wan.rope import Grid


class FaceAudioAttention(nn.Module):
    """Attention from video tokens to [face, voice] of each person; no norms on queries or keys."""

    def __init__(self, cfg: WanConfig, audio_dim: int) -> None:
        super().__init__()
        self.heads = cfg.heads
        self.q_linear = nn.Linear(cfg.dim, cfg.dim)
        self.kv_linear = nn.Linear(audio_dim, 2 * cfg.dim)
        self.k_face = nn.Linear(cfg.dim, cfg.dim)
        self.v_face = nn.Linear(cfg.dim, cfg.dim)
        self.proj = nn.Linear(cfg.dim, cfg.dim)

    def project_faces(self, faces: Tensor) -> FaceKV:
        """Give keys and values of face tokens [B, P, L, C]."""
        return FaceKV(
            split_heads(self.k_face(faces), self.heads), split_heads(self.v_face(faces), self.heads)
        )

    def project_voices(self, tokens: Tensor) -> VoiceKV:
        """Give keys and values of audio tokens [B, P, F, M, audio_dim]."""
        k, v = self.kv_linear(tokens).chunk(2, dim=-1)
        return VoiceKV(split_heads(k, self.heads), split_heads(v, self.heads))

    def forward(self, x: Tensor, condition: IdentityCondition) -> Tensor:
        """Attend x [B, N, C]; people are masked and summed before the one projection."""
        people, frames = condition.masks.shape[1], condition.voices.k.shape[2]
        q = for_everyone(split_heads(self.q_linear(x), self.heads), people)
        bp, h, n, d = q.shape
        q = q.reshape(bp, h, frames, n // frames, d).transpose(1, 2)  # [B * P, F, H, S, D]
        k, v = (
            torch.cat([_face_for_frames(face, voice), fold(voice)], dim=3)
            for face, voice in zip(condition.faces, condition.voices, strict=True)
        )
        heard = merge_heads(attend(q, k, v)).reshape(-1, people, n, h * d)
        y: Tensor = self.proj(sum_over_people(heard, condition.masks))
        return y


def _face_for_frames(face: Tensor, voice: Tensor) -> Tensor:
    """Give face keys or values [B, P, H, L, D] for every latent frame: [B * P, F, H, L', D].

    Face tokens are repeated to the number of audio tokens when those outnumber them, so that a
    voice never outweighs its face by count. Published sizes (257 faces, 32 audio) never do.
    """
    frames, tokens = voice.shape[2], voice.shape[4]
    length = face.shape[3]
    if tokens > length:
        face = face.repeat(1, 1, 1, -(-tokens // length), 1)[:, :, :, :tokens]
    return fold(face)[:, None].expand(-1, frames, -1, -1, -1)


class LegacyBlock(WanBlock[IdentityCondition]):
    """A block with audio attention between text/picture and feed forward."""

    def __init__(self, cfg: WanConfig, audio_dim: int, *, is_query_normed: bool) -> None:
        super().__init__(cfg)
        self.cross_attn = TextImageAttention(cfg)
        self.audio_cross_attn = FaceAudioAttention(cfg, audio_dim)
        self.norm_x = LayerNorm(cfg.dim, cfg.eps) if is_query_normed else nn.Identity()

    def condition(
        self, x: Tensor, condition: IdentityCondition, attended: SelfAttended, grid: Grid
    ) -> Tensor:
        x = x + self.cross_attn(self.norm3(x), condition.scene)
        heard: Tensor = self.audio_cross_attn(self.norm_x(x), condition)
        return x + heard
