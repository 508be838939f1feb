"""Tiny random transformers and inputs: real architecture, no published weights."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from models.anytalker.config import AnyTalkerConfig, AudioBinding
from models.anytalker.dit import AnyTalkerDiT
from models.audio_projection import AudioProjectionConfig
from models.multitalk.config import MultiTalkConfig
from models.multitalk.dit import MultiTalkDiT
from models.multitalk.labels import LabelRanges
from models.people import with_background
from models.wan.config import WanConfig
from models.wan.dit import WanDiT

Net = TypeVar("Net", bound=nn.Module)
H, W = 4, 8  # latent size
TOKENS = H * W // 4  # tokens of one latent frame
CLIP_TOKENS = 5


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def randomized(net: Net, seed: int = 0) -> Net:
    """Give every parameter a seeded value that no symmetry or zero can hide behind."""
    rng = generator(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            scale = 0.5 if parameter.ndim < 2 else parameter[0].numel() ** -0.5
            offset = 1.0 if parameter.ndim == 1 else 0.0
            noise = torch.randn(parameter.shape, generator=rng)
            parameter.copy_(noise * scale + offset * (noise > -9))
    return net.eval()


def wan_config(
    *, image_dim: int | None = 12, in_channels: int = 36, heads: int = 2, layers: int = 2
) -> WanConfig:
    return WanConfig(
        dim=16 * heads,
        ffn_dim=24,
        freq_dim=16,
        text_dim=10,
        text_len=6,
        image_dim=image_dim,
        in_channels=in_channels,
        out_channels=16,
        heads=heads,
        layers=layers,
        patch=(1, 2, 2),
        qk_norm=True,
        cross_attn_norm=True,
        eps=1e-6,
        timestep_dtype=torch.float64,
    )


def audio_config(out_dim: int, tokens: int = 3) -> AudioProjectionConfig:
    return AudioProjectionConfig(
        window=5,
        layers=2,
        channels=4,
        hidden_dim=8,
        out_dim=out_dim,
        tokens=tokens,
        frame_stride=4,
        is_normed=True,
    )


def wan(seed: int = 0) -> WanDiT:
    return randomized(WanDiT(wan_config(image_dim=None, in_channels=16)), seed)


def multitalk(*, heads: int = 2, seed: int = 0) -> MultiTalkDiT:
    cfg = MultiTalkConfig(
        wan=wan_config(heads=heads),
        audio=audio_config(14),
        labels=LabelRanges(interval=4, class_range=24, max_people=8),
        is_audio_query_normed=True,
    )
    return randomized(MultiTalkDiT(cfg), seed)


def anytalker(binding: AudioBinding, *, seed: int = 0) -> AnyTalkerDiT:
    base = wan_config()
    out_dim = base.dim if binding is AudioBinding.JOINT else 14
    cfg = AnyTalkerConfig(
        wan=base, audio=audio_config(out_dim), binding=binding, is_audio_query_normed=True
    )
    return randomized(AnyTalkerDiT(cfg), seed)


class Inputs(NamedTuple):
    """One scene's random inputs, enough for every transformer here."""

    latent: Tensor  # [B, 36, F, h, w]
    prompt: Tensor  # [L, text_dim]
    image: Tensor  # [B, L, image_dim]
    windows: Tensor  # [B, P, T, 5, 2, 4]
    faces: Tensor  # [B, P, L, image_dim]
    regions: Tensor  # [B, P + 1, h, w]
    face_masks: Tensor  # [B, P, h / 2, w / 2]

    def windows_of(self, start: int, stop: int) -> Tensor:
        """Cut the audio of latent frames start..stop - 1 of a stream."""
        first = 0 if start == 0 else 1 + (start - 1) * 4
        return self.windows[:, :, first : 1 + (stop - 1) * 4]


def inputs(*, people: int = 2, frames: int = 4, seed: int = 1, batch: int = 1) -> Inputs:
    rng = generator(seed)

    def noise(*shape: int) -> Tensor:
        return torch.randn(shape, generator=rng)

    return Inputs(
        latent=noise(batch, 36, frames, H, W),
        prompt=noise(4, 10),
        image=noise(batch, CLIP_TOKENS, 12),
        windows=noise(batch, people, 1 + 4 * (frames - 1), 5, 2, 4),
        faces=noise(batch, people, CLIP_TOKENS, 12),
        regions=with_background(columns(people, H, W)).expand(batch, -1, -1, -1),
        face_masks=columns(people, H // 2, W // 2).expand(batch, -1, -1, -1),
    )


def columns(people: int, h: int, w: int) -> Tensor:
    """Give each person a token of the grid as a mask [P, h, w], top rows first."""
    masks = torch.zeros(people, h, w)
    cell_h, cell_w = h // (H // 2), w // (W // 2)
    per_row = W // 2
    for person in range(people):
        row, column = divmod(person, per_row)
        top, left = row * cell_h, column * cell_w
        masks[person, top : top + cell_h, left : left + cell_w] = 1
    return masks
