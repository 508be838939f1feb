"""Architecture numbers of a Wan diffusion transformer and the published presets."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from models.errors import ConfigError

VAE_FRAME_STRIDE = 4  # video frames a latent frame stands for, after the first
VAE_PIXEL_STRIDE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class WanConfig:
    """Numbers of one Wan2.1 transformer (repository Wan-Video/Wan2.1, Apache-2.0).

    Raises:
        ConfigError: when heads do not divide the width, or the head width is odd.
    """

    dim: int
    ffn_dim: int
    freq_dim: int  # width of the sinusoidal timestep embedding
    text_dim: int
    text_len: int  # prompts are zero-padded to this many rows, and the padding IS attended
    image_dim: int | None  # CLIP token width; None for weights without an image branch
    in_channels: int  # noisy latent + mask + image latent
    out_channels: int
    heads: int
    layers: int
    patch: tuple[int, int, int]
    qk_norm: bool
    cross_attn_norm: bool
    eps: float
    timestep_dtype: torch.dtype  # in which the weights' authors computed timestep angles

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise ConfigError(f"dim={self.dim} is not a multiple of heads={self.heads}")
        if self.head_dim % 2:
            raise ConfigError(
                f"head width {self.head_dim} (dim={self.dim} / heads={self.heads}) is odd; "
                "rotary embedding turns pairs"
            )
        if self.patch[0] != 1:
            raise ConfigError(f"patch={self.patch}: latent frames are never merged, use (1, h, w)")
        if self.freq_dim % 2:
            raise ConfigError(f"freq_dim={self.freq_dim} is odd; it holds cosines and sines")

    @property
    def head_dim(self) -> int:
        return self.dim // self.heads

    @property
    def patch_area(self) -> int:
        return self.patch[0] * self.patch[1] * self.patch[2]


def wan_i2v_14b() -> WanConfig:
    """Give the Wan2.1 image-to-video 14B transformer, the base of MultiTalk and AnyTalker 14B."""
    return WanConfig(
        dim=5120,
        ffn_dim=13824,
        freq_dim=256,
        text_dim=4096,
        text_len=512,
        image_dim=1280,
        in_channels=36,
        out_channels=16,
        heads=40,
        layers=40,
        patch=(1, 2, 2),
        qk_norm=True,
        cross_attn_norm=True,
        eps=1e-6,
        timestep_dtype=torch.float64,
    )


def wan_inp_1_3b() -> WanConfig:
    """Give the Wan2.1-Fun InP 1.3B transformer, the base of AnyTalker 1.3B."""
    return replace(wan_i2v_14b(), dim=1536, ffn_dim=8960, heads=12, layers=30)


def wan_t2v_1_3b() -> WanConfig:
    """Give the Wan2.1 text-to-video 1.3B transformer, the network of Self-Forcing."""
    return replace(wan_inp_1_3b(), image_dim=None, in_channels=16)
