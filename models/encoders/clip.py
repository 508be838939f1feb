"""CLIP image tower: a reference picture into the image tokens of the diffusion transformers.

Shape letters: B pictures, N tokens (1 class token + patches), C channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.errors import ConfigError, InputError
from models.norms import LayerNorm

# Channel statistics of CLIP's training pictures in [0, 1] (arXiv 2103.00020, openai/CLIP, MIT).
PICTURE_MEAN = (0.48145466, 0.4578275, 0.40821073)
PICTURE_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipConfig:
    """Widths of one image tower."""

    image_px: int  # side of the square that pictures are resized to
    patch_px: int
    channels: int
    feedforward_channels: int
    output_channels: int  # of the head, which no system here uses
    heads: int
    layers: int
    norm_eps: float

    def __post_init__(self) -> None:
        if self.image_px % self.patch_px:
            raise ConfigError(
                f"image_px={self.image_px} is not a multiple of patch_px={self.patch_px}"
            )
        if self.channels % self.heads:
            raise ConfigError(f"channels={self.channels} is not a multiple of heads={self.heads}")
        if self.layers < 2:
            raise ConfigError(f"layers={self.layers}: the last is left out, so at least 2")

    @property
    def tokens(self) -> int:
        """Tokens a picture becomes: the class token and one for each patch."""
        return 1 + (self.image_px // self.patch_px) ** 2


def clip_vit_h14() -> ClipConfig:
    """Give the image tower of every Wan 2.1 image-to-video model (xlm-roberta ViT-H/14)."""
    return ClipConfig(
        image_px=224,
        patch_px=14,
        channels=1280,
        feedforward_channels=5120,
        output_channels=1024,
        heads=16,
        layers=32,
        norm_eps=1e-5,
    )


class ClipAttention(nn.Module):
    """Plain self attention with one projection for queries, keys and values."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.to_qkv = nn.Linear(config.channels, 3 * config.channels)
        self.proj = nn.Linear(config.channels, config.channels)

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.to_qkv(x).unflatten(-1, (3, self.heads, -1))  # [B, N, 3, H, D]
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        y: Tensor = self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return y


class ClipBlock(nn.Module):
    """Attention and feed-forward, each behind a norm and added to its input."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.norm1 = LayerNorm(config.channels, eps=config.norm_eps)
        self.attn = ClipAttention(config)
        self.norm2 = LayerNorm(config.channels, eps=config.norm_eps)
        self.mlp = nn.Sequential(
            nn.Linear(config.channels, config.feedforward_channels),
            nn.GELU(),
            nn.Linear(config.feedforward_channels, config.channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        y: Tensor = x + self.mlp(self.norm2(x))
        return y


class ClipImageTower(nn.Module):
    """The published image tower, frozen. The last block, post_norm and head are there unused.

    Source: CLIP, arXiv 2103.00020; Wan-Video/Wan2.1, wan/modules/clip.py (Apache-2.0).
    """

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.config = config
        c = config.channels
        self.cls_embedding = nn.Parameter(torch.zeros(1, 1, c))
        self.pos_embedding = nn.Parameter(torch.zeros(1, config.tokens, c))
        self.head = nn.Parameter(torch.zeros(c, config.output_channels))
        self.patch_embedding = nn.Conv2d(3, c, config.patch_px, stride=config.patch_px, bias=False)
        self.pre_norm = LayerNorm(c, eps=config.norm_eps)
        self.transformer = nn.Sequential(*(ClipBlock(config) for _ in range(config.layers)))
        self.post_norm = LayerNorm(c, eps=config.norm_eps)
        self.requires_grad_(False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Run all but the last block on prepared pictures [B, 3, px, px], px the tower's image_px.

        Returns the tokens [B, N, C], without the post norm.

        Raises:
            InputError: when the pictures are not of this tower's size.
        """
        return self.blocks(pictures, self.config.layers - 1)

    def blocks(self, pictures: Tensor, count: int) -> Tensor:
        """Run the first `count` blocks on prepared pictures, [B, N, C]."""
        side = self.config.image_px
        if pictures.ndim != 4 or tuple(pictures.shape[1:]) != (3, side, side):
            raise InputError(
                f"pictures: expected [B, 3, {side}, {side}], got {tuple(pictures.shape)}; "
                "position embeddings are not interpolated, prepare_pictures() resizes instead"
            )
        patches = self.patch_embedding(pictures.to(self.pos_embedding.dtype))
        x = patches.flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_embedding.expand(x.shape[0], -1, -1), x], dim=1)
        y: Tensor = self.pre_norm(x + self.pos_embedding)
        for block in list(self.transformer)[:count]:
            y = block(y)
        return y


def prepare_pictures(pictures: Tensor, config: ClipConfig) -> Tensor:
    """Resize pictures [B, 3, height, width] in [-1, 1] and give them CLIP's mean and deviation.

    Squeezed to a square (bicubic, no antialiasing), not cropped, as upstream does.

    Raises:
        InputError: when the shape is another, or a value is not finite.
    """
    if pictures.ndim != 4 or pictures.shape[1] != 3 or pictures.numel() == 0:
        raise InputError(
            f"pictures: expected [B, 3, height, width] in [-1, 1], got {tuple(pictures.shape)}"
        )
    if not pictures.is_floating_point() or not bool(pictures.isfinite().all()):
        raise InputError(f"pictures: expected finite floats in [-1, 1], got {pictures.dtype}")
    side = (config.image_px, config.image_px)
    square = F.interpolate(pictures.float(), size=side, mode="bicubic", align_corners=False)
    mean = torch.tensor(PICTURE_MEAN, device=pictures.device)[:, None, None]
    std = torch.tensor(PICTURE_STD, device=pictures.device)[:, None, None]
    return (square * 0.5 + 0.5 - mean) / std


@torch.no_grad()
def image_context(tower: ClipImageTower, pictures: Tensor) -> Tensor:
    """Encode pictures [B, 3, height, width] in [-1, 1] into image tokens [B, N, C].

    Raises:
        InputError: when the shape is another, or a value is not finite.
    """
    prepared = prepare_pictures(pictures, tower.config)
    tokens: Tensor = tower(prepared.to(tower.pos_embedding.device))
    return tokens


def rename(name: str) -> str | None:
    """Map a published tensor name to ours: without `visual.`; None for the text tower."""
    return name.removeprefix("visual.") if name.startswith("visual.") else None
