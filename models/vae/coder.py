"""Encoder and decoder of the Wan VAE: both a convolution, a chain of layers and a head.

Shape letters: B batch, C channels, T frames of this call, h, w size of the coder's input.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from models.vae.blocks import ChannelNorm, FrameAttention, ResidualBlock
from models.vae.causal import CausalConv3d, LayerCache, StreamCache
from models.vae.config import PICTURE_CHANNELS, WanVAEConfig
from models.vae.resample import Downsample, Upsample


class Coder(nn.Module, ABC):
    """A chain of layers with a past, one half of the VAE.

    A subclass registers its modules in the order in which they run, so that the names of its causal
    convolutions, taken in that order, name the tensors of its cache.
    """

    conv1: CausalConv3d
    head: nn.ModuleDict

    @abstractmethod
    def layers(self) -> list[nn.Module]:
        """Give the layers between the first convolution and the head in the order they run."""

    def forward(self, x: Tensor, past: StreamCache | None) -> tuple[Tensor, StreamCache]:
        """Run x [B, C, T, h, w] behind its past.

        `past` is None at the start of a stream, where T must be 1. Later T is any number of latent
        frames' worth; the shapes of the returned cache do not depend on it.
        """
        x, conv1 = self.conv1(x, None if past is None else past.conv1)
        kept: list[LayerCache] = []
        for index, layer in enumerate(self.layers()):
            x, layer_cache = layer(x, None if past is None else past.layers[index])
            kept.append(layer_cache)
        norm, conv = self.head.values()
        x, head = conv(F.silu(norm(x)), None if past is None else past.head)
        return x, StreamCache(conv1, tuple(kept), head)


class Encoder(Coder):
    """Pictures to the mean and log variance of unnormalized latents.

    Source: `Encoder3d` of Wan-Video/Wan2.1, wan/modules/vae.py, Apache-2.0.
    """

    def __init__(self, cfg: WanVAEConfig) -> None:
        super().__init__()
        widths = [cfg.dim * mult for mult in (1, *cfg.dim_mult)]
        self.conv1 = CausalConv3d(PICTURE_CHANNELS, widths[0], (3, 3, 3))
        self.downsamples = nn.ModuleList()
        for level, (width_in, width) in enumerate(pairwise(widths)):
            self.downsamples.append(ResidualBlock(width_in, width))
            for _ in range(cfg.num_res_blocks - 1):
                self.downsamples.append(ResidualBlock(width, width))
            if level < len(cfg.temporal_downsample):
                is_temporal = cfg.temporal_downsample[level]
                self.downsamples.append(Downsample(width, is_temporal=is_temporal))
        self.middle = build_middle(widths[-1])
        self.head = build_head(widths[-1], 2 * cfg.z_dim)

    def layers(self) -> list[nn.Module]:
        return [*self.downsamples, *self.middle]


class Decoder(Coder):
    """Unnormalized latents to pictures.

    Source: `Decoder3d` of Wan-Video/Wan2.1, wan/modules/vae.py, Apache-2.0.
    """

    def __init__(self, cfg: WanVAEConfig) -> None:
        super().__init__()
        widths = [cfg.dim * mult for mult in reversed(cfg.dim_mult)]
        self.conv1 = CausalConv3d(cfg.z_dim, widths[0], (3, 3, 3))
        self.middle = build_middle(widths[0])
        self.upsamples = nn.ModuleList()
        width_in = widths[0]
        for level, width in enumerate(widths):
            self.upsamples.append(ResidualBlock(width_in, width))
            for _ in range(cfg.num_res_blocks):
                self.upsamples.append(ResidualBlock(width, width))
            if level < len(cfg.temporal_downsample):
                is_temporal = cfg.temporal_downsample[-1 - level]
                self.upsamples.append(Upsample(width, is_temporal=is_temporal))
            width_in = width // 2
        self.head = build_head(widths[-1], PICTURE_CHANNELS)

    def layers(self) -> list[nn.Module]:
        return [*self.middle, *self.upsamples]


def build_middle(width: int) -> nn.ModuleList:
    """Build the layers at the coarsest level."""
    return nn.ModuleList(
        [ResidualBlock(width, width), FrameAttention(width), ResidualBlock(width, width)]
    )


def build_head(width: int, out_channels: int) -> nn.ModuleDict:
    """Build the last norm and convolution under their published positions (1 is the SiLU)."""
    conv = CausalConv3d(width, out_channels, (3, 3, 3))
    return nn.ModuleDict({"0": ChannelNorm(width, 3), "2": conv})
