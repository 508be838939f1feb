"""AnyTalker 1.3B: text, picture and all (face, voice) pairs in one cross attention.

Every person is a pair: the tokens of the face lead, the tokens of the voice follow, in one softmax.
The result of each pair counts where its face is; summing over pairs allows any number of people.

Shape letters: B batch, P people, F latent frames, T video frames, S tokens of one latent frame,
N = F * S, M audio tokens, L face tokens, H heads, D head width, C = H * D.
Source: AnyTalker (arXiv 2511.23475), repository HKUST-C4G/AnyTalker.
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
from models.wan.attention import (
    SelfAttended,
    TextImageAttention,
    attend,
    merge_heads,
    qk_norm,
    split_heads,
)
from models.wan.config import WanConfig
from models.wan.dit import WanBlock
from models.wan.rope import Grid


class JointAttention(TextImageAttention):
    """Text, picture and pairs share queries and the output projection."""

    def __init__(self, cfg: WanConfig) -> None:
        super().__init__(cfg)
        self.k_face = nn.Linear(cfg.dim, cfg.dim)
        self.v_face = nn.Linear(cfg.dim, cfg.dim)
        self.norm_k_face = qk_norm(cfg)
        self.k_audio = nn.Linear(cfg.dim, cfg.dim)
        self.v_audio = nn.Linear(cfg.dim, cfg.dim)
        self.norm_k_audio = qk_norm(cfg)

    def project_faces(self, faces: Tensor) -> FaceKV:
        """Give keys and values of face tokens [B, P, L, C]."""
        return FaceKV(
            split_heads(self.norm_k_face(self.k_face(faces)), self.heads),
            split_heads(self.v_face(faces), self.heads),
        )

    def project_voices(self, tokens: Tensor) -> VoiceKV:
        """Give keys and values of audio tokens [B, P, T, M, C]."""
        flat = tokens.flatten(2, 3)
        return VoiceKV(
            split_heads(self.norm_k_audio(self.k_audio(flat)), self.heads),
            split_heads(self.v_audio(flat), self.heads),
        )

    def attend_all(self, x: Tensor, condition: IdentityCondition) -> Tensor:
        """Attend x [B, N, C] to text, picture and every pair; one output projection."""
        q = self.query(x)
        y = self.read(q, condition.scene) + self._hear(q, condition)
        projected: Tensor = self.o(y)
        return projected

    def _hear(self, q: Tensor, condition: IdentityCondition) -> Tensor:
        """Sum over people of masked attention to [face, voice]: [B, N, C].

        A latent frame hears the video frames it stands for. The first of a stream, a single video
        frame, hears all its clip in the published network; in a stream, all its chunk brings.
        """
        people, frames = condition.masks.shape[1], condition.frames
        faces = FaceKV(*(fold(x) for x in condition.faces))
        voices = VoiceKV(*(fold(x) for x in condition.voices))  # [B * P, H, T * M, D]
        q = for_everyone(q, people)  # [B * P, H, N, D]
        heard = []
        if condition.first_sees:
            per_frame = q.shape[2] // frames
            first = VoiceKV(*(x[:, :, : condition.first_sees] for x in voices))
            heard.append(_hear_frames(q[:, :, :per_frame], faces, first, 1))
            q, frames = q[:, :, per_frame:], frames - 1
        if frames:
            tail = frames * condition.latent_tokens
            later = VoiceKV(*(x[:, :, x.shape[2] - tail :] for x in voices))
            heard.append(_hear_frames(q, faces, later, frames))
        everyone = torch.cat(heard, dim=1)  # [B * P, N, C]
        return sum_over_people(everyone.reshape(-1, people, *everyone.shape[1:]), condition.masks)


def _hear_frames(q: Tensor, faces: FaceKV, voices: VoiceKV, frames: int) -> Tensor:
    """Attend q [B * P, H, F * S, D], each latent frame to the faces and its own share of voices."""
    q = _by_frame(q, frames)
    k, v = (
        torch.cat([face[:, None].expand(-1, frames, -1, -1, -1), _by_frame(voice, frames)], dim=3)
        for face, voice in zip(faces, voices, strict=True)
    )
    return merge_heads(attend(q, k, v)).flatten(1, 2)


def _by_frame(x: Tensor, frames: int) -> Tensor:
    """Cut x [B, H, F * S, D] to [B, F, H, S, D]."""
    b, h, n, d = x.shape
    return x.reshape(b, h, frames, n // frames, d).transpose(1, 2)


class JointBlock(WanBlock[IdentityCondition]):
    """A block whose one cross attention holds text, picture and people."""

    def __init__(self, cfg: WanConfig) -> None:
        super().__init__(cfg)
        self.cross_attn = JointAttention(cfg)

    def condition(
        self, x: Tensor, condition: IdentityCondition, attended: SelfAttended, grid: Grid
    ) -> Tensor:
        return x + self.cross_attn.attend_all(self.norm3(x), condition)
