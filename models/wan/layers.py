"""Small layers of the Wan transformer: embeddings, projections, modulation, output head.

Shape letters: B batch, G timestep groups (1, or one per latent frame), N tokens, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.norms import LayerNorm


class TokenProjection(nn.Module):
    """Projects CLIP tokens to the transformer's width (published as `img_emb`, `audio_ref_emb`)."""

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.proj = nn.Sequential(
            nn.LayerNorm(in_dim),
            nn.Linear(in_dim, in_dim),
            nn.GELU(),
            nn.Linear(in_dim, out_dim),
            nn.LayerNorm(out_dim),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Project tokens [..., in_dim] to [..., out_dim]."""
        projected: Tensor = self.proj(tokens)
        return projected


def timestep_embedding(timestep: Tensor, width: int, dtype: torch.dtype) -> Tensor:
    """Embed timesteps [...] in [0, 1000] as [..., width] float32: cosines, then sines.

    Source: repository Wan-Video/Wan2.1, wan/modules/model.py (Apache-2.0).

    Args:
        timestep: any shape.
        width: cosines and sines together.
        dtype: in which angles are computed; float32 is off by up to 1e-4 near timestep 1000.
    """
    half = width // 2
    exponents = -torch.arange(half, dtype=dtype, device=timestep.device) / half
    angles = timestep.to(dtype)[..., None] * torch.pow(10000, exponents)
    return torch.cat([angles.cos(), angles.sin()], dim=-1).float()


def per_group(x: Tensor, groups: int) -> Tensor:
    """View tokens [B, N, C] as [B, G, N / G, C], so that a modulation [B, G, 1, C] applies."""
    return x.reshape(x.shape[0], groups, -1, x.shape[-1])


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Shift and scale normed tokens x [B, N, C] by [B, G, 1, C] in float32; keep the dtype."""
    grouped = per_group(x.float(), shift.shape[1])
    return (grouped * (1 + scale) + shift).flatten(1, 2).to(x.dtype)


def gated_residual(x: Tensor, y: Tensor, gate: Tensor) -> Tensor:
    """Add y to x, both [B, N, C], through a gate [B, G, 1, C] in float32; keep the dtype of x."""
    gated = per_group(y.float(), gate.shape[1]) * gate
    return (x.float() + gated.flatten(1, 2)).to(x.dtype)


class Head(nn.Module):
    """Norm, modulation and linear map from tokens to patches of velocity."""

    def __init__(self, dim: int, patch_channels: int, eps: float) -> None:
        super().__init__()
        self.norm = LayerNorm(dim, eps=eps, elementwise_affine=False)
        self.head = nn.Linear(dim, patch_channels)
        self.modulation = nn.Parameter(torch.randn(1, 2, dim) / dim**0.5)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Map tokens x [B, N, C] and the time embedding [B, G, C] to [B, N, patch_channels]."""
        shift, scale = (self.modulation.float()[:, None] + time[:, :, None]).unsqueeze(3).unbind(2)
        projected: Tensor = self.head(modulate(self.norm(x), shift, scale))
        return projected
