"""Values that AnyTalker's two forms are conditioned on, as they pass from scene to block.

Shape letters: B batch, P people, F latent frames, M audio tokens, L tokens, H heads, D head width,
S tokens of one latent frame.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from models.wan.attention import TextImageKV


class FaceKV(NamedTuple):
    """One layer's keys and values of every face: computed once per scene."""

    k: Tensor  # [B, P, H, L, D]
    v: Tensor


class VoiceKV(NamedTuple):
    """One layer's keys and values of every voice in a chunk: once for all denoising steps."""

    k: Tensor  # joint [B, P, H, T * M, D]; legacy [B, P, F, H, M, D]
    v: Tensor


class IdentityCondition(NamedTuple):
    """What one block is conditioned on."""

    scene: TextImageKV
    faces: FaceKV
    voices: VoiceKV
    masks: Tensor  # [B, P, N], how much each token belongs to each person, in [0, 1]
    frames: int  # latent frames F
    first_sees: int  # joint: audio tokens the stream's first latent frame sees; 0 in later chunks
    latent_tokens: int  # joint: audio tokens each other latent frame sees


def sum_over_people(heard: Tensor, masks: Tensor) -> Tensor:
    """Sum what each person's pair gives [B, P, N, C] where the person is, masks [B, P, N]."""
    return (heard * masks[..., None].to(heard.dtype)).sum(1)


def fold(x: Tensor) -> Tensor:
    """Join batch and people of x [B, P, ...] for one attention over all pairs."""
    return x.flatten(0, 1)


def for_everyone(q: Tensor, people: int) -> Tensor:
    """Repeat queries [B, ...] for each person: [B * P, ...]."""
    return torch.repeat_interleave(q, people, dim=0)
