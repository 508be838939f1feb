"""How the studio transformer hears: audio tokens, faces, and both published ways to bind them.

Shape letters: B batch, P people, T video frames, F latent frames, M audio tokens of a latent frame,
L face tokens, S tokens of one latent frame, N = F * S, H heads, D head width, C channels.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.anytalker.condition import fold, for_everyone, sum_over_people
from models.multitalk.audio_attention import AudioAttention, AudioKV
from models.multitalk.labels import LabelRanges
from models.norms import LayerNorm
from models.studio.config import Binding, StudioConfig
from models.studio.motion import Motion, MotionLayout
from models.studio.vae_config import FRAMES_PER_LATENT
from models.wan.attention import attend, merge_heads, split_heads
from models.wan.config import WanConfig


class FaceKV(NamedTuple):
    """One layer's keys and values of every face: computed once per scene."""

    k: Tensor  # [B, P, H, L, D]
    v: Tensor  # [B, P, H, L, D]


class AudioTokens(nn.Module):
    """Compresses what is heard and told of a latent frame's four video frames into a few tokens.

    Every token sees all four frames, as MultiTalk's audio adapter compresses a window.
    """

    def __init__(self, cfg: StudioConfig) -> None:
        super().__init__()
        self.tokens = cfg.audio_tokens
        self.layout = MotionLayout()
        width = cfg.audio_features + cfg.motion_channels + cfg.motion_groups
        self.enter = nn.Linear(FRAMES_PER_LATENT * width, 2 * cfg.audio_dim)
        self.leave = nn.Linear(2 * cfg.audio_dim, cfg.audio_tokens * cfg.audio_dim)
        self.norm = LayerNorm(cfg.audio_dim)

    def forward(self, features: Tensor, motion: Motion) -> Tensor:
        """Give tokens [B, P, F, M, audio_dim] of features [B, P, 4 F, audio_features]."""
        both = torch.cat([features, self.layout(motion)], dim=-1)
        b, p, frames, width = both.shape
        by_latent = both.reshape(b, p, frames // FRAMES_PER_LATENT, FRAMES_PER_LATENT * width)
        hidden = nn.functional.gelu(self.enter(by_latent), approximate="tanh")
        tokens: Tensor = self.norm(
            self.leave(hidden).reshape(*by_latent.shape[:3], self.tokens, -1)
        )
        return tokens


class Movement(nn.Module):
    """What is told of faces' motion as scale and shift of every layer's tokens.

    Attention mixes four tokens of a voice into a face; lids, brows and heads follow sooner when
    what moves them reaches the face's own tokens at once. With labels, speech is left to attention,
    for it is what labels bind.

    Source: feature-wise linear modulation (arXiv 1709.07871).
    """

    def __init__(self, cfg: StudioConfig) -> None:
        super().__init__()
        self.layout = MotionLayout()
        self.hears_speech = cfg.binding is Binding.IDENTITY
        self.shape = (cfg.wan.layers, 2 * cfg.wan.dim)
        width = cfg.motion_channels + cfg.motion_groups
        self.enter = nn.Linear(FRAMES_PER_LATENT * width, cfg.movement_dim)
        self.middle = nn.Linear(cfg.movement_dim, cfg.movement_dim)
        self.leave = nn.Linear(cfg.movement_dim, self.shape[0] * self.shape[1])
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, motion: Motion) -> tuple[Tensor, ...]:
        """Give each layer's [B, P, F, 2 C] of motion [B, P, 4 F, ...]."""
        known = motion.known
        if not self.hears_speech:
            known = known * torch.tensor([0.0, 1.0, 1.0], device=known.device)
        told = self.layout(Motion(motion.values, known))
        b, p, frames, width = told.shape
        by_latent = told.reshape(b, p, frames // FRAMES_PER_LATENT, FRAMES_PER_LATENT * width)
        hidden = nn.functional.silu(self.enter(by_latent))
        hidden = hidden + nn.functional.silu(self.middle(hidden))
        moved: Tensor = self.leave(hidden).reshape(*hidden.shape[:3], *self.shape)
        return moved.unbind(3)


def moved_tokens(x: Tensor, normed: Tensor, movement: Tensor, shares: Tensor) -> Tensor:
    """Add to tokens x [B, N, C] what movement [B, P, F, 2 C] makes of them, by shares [B, P, n]."""
    b, _, frames, _ = movement.shape
    spread = torch.einsum("bpfc,bpn->bfnc", movement, shares.to(movement.dtype))
    scale, shift = spread.reshape(b, frames * shares.shape[2], -1).chunk(2, dim=-1)
    return x + normed * scale + shift


class FaceEncoder(nn.Module):
    """Tokens of a face crop, for identity attention."""

    def __init__(self, cfg: StudioConfig) -> None:
        super().__init__()
        patch = cfg.face_side_px // cfg.face_tokens_side
        inner = patch // 4
        self.trunk = nn.Sequential(
            nn.Conv2d(3, 64, 4, 4),
            nn.GELU(approximate="tanh"),
            nn.Conv2d(64, cfg.audio_dim, inner, inner),
            nn.GELU(approximate="tanh"),
            nn.Conv2d(cfg.audio_dim, cfg.audio_dim, 1),
        )
        self.norm = LayerNorm(cfg.audio_dim)

    def forward(self, faces: Tensor) -> Tensor:
        """Give tokens [B, P, L, audio_dim] of crops [B, P, 3, side, side] in -1..1."""
        b, p = faces.shape[:2]
        tokens = self.trunk(fold(faces)).flatten(2).transpose(1, 2)
        normed: Tensor = self.norm(tokens)
        return normed.reshape(b, p, *normed.shape[1:])


class LabelHearing(AudioAttention):
    """MultiTalk's audio attention; tokens get their label from where people sit in the picture.

    Source: MultiTalk (arXiv 2505.22647, section 3.3).
    """

    def hear(self, x: Tensor, voices: AudioKV, labels: Tensor) -> Tensor:
        """Attend x [B, N, C] to all voices; labels [B, N]."""
        heard: Tensor = self(x, voices, labels)
        return heard


class IdentityHearing(nn.Module):
    """AnyTalker's attention over (face, voice) pairs, each counted where its face is.

    Source: AnyTalker (arXiv 2511.23475, section 3.2).
    """

    def __init__(self, cfg: WanConfig, audio_dim: int) -> None:
        super().__init__()
        self.heads = cfg.heads
        self.q = nn.Linear(cfg.dim, cfg.dim)
        self.kv = nn.Linear(audio_dim, 2 * cfg.dim)
        self.face_kv = nn.Linear(audio_dim, 2 * cfg.dim)
        self.o = nn.Linear(cfg.dim, cfg.dim)

    def project(self, tokens: Tensor) -> AudioKV:
        """Give keys and values of audio tokens [B, P, F, M, audio_dim] as [B, P, F, H, M, D]."""
        k, v = self.kv(tokens).chunk(2, dim=-1)
        return AudioKV(split_heads(k, self.heads), split_heads(v, self.heads))

    def project_faces(self, faces: Tensor) -> FaceKV:
        """Give keys and values of face tokens [B, P, L, audio_dim]."""
        k, v = self.face_kv(faces).chunk(2, dim=-1)
        return FaceKV(split_heads(k, self.heads), split_heads(v, self.heads))

    def hear(self, x: Tensor, voices: AudioKV, faces: FaceKV, people: Tensor) -> Tensor:
        """Attend x [B, N, C] to every pair; people [B, P, N] says how much each counts where."""
        count, frames = voices.k.shape[1:3]
        q = split_heads(self.q(x), self.heads)  # [B, H, N, D]
        b, h, n, d = q.shape
        q = q.reshape(b, h, frames, n // frames, d).transpose(1, 2)  # [B, F, H, S, D]
        q = for_everyone(q, count)
        k, v = (
            torch.cat([fold(face)[:, None].expand(-1, frames, -1, -1, -1), fold(voice)], dim=3)
            for face, voice in zip(faces, voices, strict=True)
        )
        heard = merge_heads(attend(q, k, v)).flatten(1, 2)  # [B * P, N, C]
        by_person = heard.reshape(b, count, n, h * d)
        y: Tensor = self.o(sum_over_people(by_person, people))
        return y


def picture_labels(people: Tensor, ranges: LabelRanges) -> Tensor:
    """Give each token's label [B, n] from who covers it in the picture, people [B, P, n] in 0..1.

    A token that is half covered gets a label half way to the background's. The people of a studio
    scene keep their places, so where the picture shows somebody is where the video does;
    MultiTalk's adaptive localization finds the same by attention.
    """
    keys = torch.tensor([ranges.key_label(seat) for seat in range(people.shape[1])])
    offsets = (keys - ranges.background).to(people)
    return (people * offsets[None, :, None]).sum(1) + ranges.background
