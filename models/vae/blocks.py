"""Residual and attention blocks of the Wan VAE, which keep the picture's size.

Called like every layer, `y, kept = layer(x, past)`; see `causal`, also for the shape letters.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.vae.causal import CausalConv3d, LayerCache


class ChannelNorm(nn.Module):
    """Scale the channels of every pixel to root mean square 1, then by a learned gamma.

    Source: `RMS_norm` of Wan-Video/Wan2.1, wan/modules/vae.py, Apache-2.0.
    """

    def __init__(self, channels: int, axes: int) -> None:
        """Normalize over `channels` of tensors with `axes` axes behind the channels."""
        super().__init__()
        self.scale = channels**0.5
        self.gamma = nn.Parameter(torch.ones(channels, *[1] * axes))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize x [B, C, ...] over C."""
        y: Tensor = F.normalize(x, dim=1) * self.scale * self.gamma
        return y


class ResidualBlock(nn.Module):
    """Norm, SiLU, 3x3x3 convolution, twice, around a shortcut.

    Source: `ResidualBlock` of Wan-Video/Wan2.1, wan/modules/vae.py, Apache-2.0.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        # Keys are the published positions; 1, 4 (SiLU) and 5 (dropout) hold no weights.
        self.residual = nn.ModuleDict(
            {
                "0": ChannelNorm(in_channels, axes=3),
                "2": CausalConv3d(in_channels, out_channels, (3, 3, 3)),
                "3": ChannelNorm(out_channels, axes=3),
                "6": CausalConv3d(out_channels, out_channels, (3, 3, 3)),
            }
        )
        is_same_width = in_channels == out_channels
        self.shortcut = nn.Identity() if is_same_width else nn.Conv3d(in_channels, out_channels, 1)

    def forward(self, x: Tensor, past: LayerCache | None) -> tuple[Tensor, LayerCache]:
        """Map x [B, C, T, h, w] to [B, C', T, h, w]; keeps two frames before each convolution."""
        norm1, conv1, norm2, conv2 = self.residual.values()
        past1, past2 = (None, None) if past is None else past
        y, kept1 = conv1(F.silu(norm1(x)), past1)
        y, kept2 = conv2(F.silu(norm2(y)), past2)
        return self.shortcut(x) + y, (kept1, kept2)


class FrameAttention(nn.Module):
    """One head of attention among the pixels of each frame.

    Source: `AttentionBlock` of Wan-Video/Wan2.1, wan/modules/vae.py, Apache-2.0.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels, axes=2)
        self.to_qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.proj = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor, past: LayerCache | None) -> tuple[Tensor, LayerCache]:
        """Map x [B, C, T, h, w] to the same shape; keeps nothing and reads no past."""
        frames = x.transpose(1, 2).flatten(0, 1)  # [B*T, C, h, w]
        qkv = self.to_qkv(self.norm(frames)).flatten(2).transpose(1, 2)  # [B*T, h*w, 3*C]
        q, k, v = qkv.unsqueeze(1).chunk(3, dim=-1)  # each [B*T, 1 head, h*w, C]
        y = F.scaled_dot_product_attention(q, k, v).squeeze(1)  # [B*T, h*w, C]
        y = self.proj(y.transpose(1, 2).reshape(frames.shape))  # [B*T, C, h, w]
        return x + y.reshape(x.shape[0], -1, *y.shape[1:]).transpose(1, 2), ()
