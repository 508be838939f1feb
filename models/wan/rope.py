"""Rotary position embedding on interleaved pairs: three axes for video tokens, one for labels.

Angles are computed, never tabulated, so no position is out of range; they are float64 until their
cosine, because float32 loses whole degrees after an hour of latent frames.

Shape letters: B batch, H heads, N tokens, D head width, F latent frames, h and w token grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

THETA = 10000.0


class Grid(NamedTuple):
    """Token grid of one call: N = frames * h * w, w fastest."""

    frames: int
    h: int
    w: int

    @property
    def tokens_per_frame(self) -> int:
        return self.h * self.w


class Rotation(NamedTuple):
    """Cosines and sines of every pair's angle, float32, broadcastable to [B, H, N, D / 2]."""

    cos: Tensor
    sin: Tensor


class AxisWidths(NamedTuple):
    """How a head's channels are shared between time, height and width."""

    time: int
    height: int
    width: int


def axis_widths(head_dim: int) -> AxisWidths:
    """Split a head width as Wan does: height and width take 2 * floor(D / 6) each, time the rest.

    Source: Wan2.1 technical report (arXiv 2503.20314), repository Wan-Video/Wan2.1,
    wan/modules/model.py (Apache-2.0). 128 gives 44, 42, 42.
    """
    side = 2 * (head_dim // 6)
    return AxisWidths(head_dim - 2 * side, side, side)


def _angles(positions: Tensor, width: int) -> Tensor:
    """Angles [len(positions), width / 2] of one axis in float64."""
    exponents = torch.arange(0, width, 2, dtype=torch.float64, device=positions.device) / width
    return positions.to(torch.float64)[:, None] * THETA**-exponents


def video_rotation(
    frame_positions: Sequence[int], grid: Grid, head_dim: int, device: torch.device
) -> Rotation:
    """Give the rotation [N, D / 2] of a chunk whose latent frames stand at `frame_positions`.

    Positions are absolute in the stream, so a chunk is rotated the same whenever it is made.
    """
    widths = axis_widths(head_dim)
    f, h, w = grid
    time = _angles(torch.tensor(frame_positions, device=device), widths.time)
    rows = _angles(torch.arange(h, device=device), widths.height)
    columns = _angles(torch.arange(w, device=device), widths.width)
    angles = torch.cat(
        [
            time[:, None, None].expand(f, h, w, -1),
            rows[None, :, None].expand(f, h, w, -1),
            columns[None, None, :].expand(f, h, w, -1),
        ],
        dim=-1,
    ).flatten(0, 2)
    return Rotation(angles.cos().float(), angles.sin().float())


def frame_shift_rotation(delta: int, head_dim: int, device: torch.device) -> Rotation:
    """Give the rotation [1, D / 2] that moves an already rotated key by `delta` latent frames.

    Rotations add, so moving a cached key costs one rotation and no projection.
    """
    widths = axis_widths(head_dim)
    time = _angles(torch.tensor([delta], device=device), widths.time)
    still = time.new_zeros(1, (widths.height + widths.width) // 2)
    angles = torch.cat([time, still], dim=-1)
    return Rotation(angles.cos().float(), angles.sin().float())


def label_rotation(labels: Tensor, head_dim: int) -> Rotation:
    """Give the rotation [..., D / 2] of fractional labels [...] over the whole head width.

    Source: MultiTalk (arXiv 2505.22647, section 3.3), repository MeiGen-AI/MultiTalk (Apache-2.0).
    """
    exponents = torch.arange(0, head_dim, 2, dtype=torch.float32, device=labels.device) / head_dim
    angles = labels.float()[..., None] * THETA**-exponents
    return Rotation(angles.cos(), angles.sin())


def rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Turn channel pairs (2i, 2i + 1) of x [B, H, N, D] in float32; keep the dtype of x."""
    pairs = x.float().reshape(*x.shape[:-1], x.shape[-1] // 2, 2)
    even, odd = pairs.unbind(-1)  # each [B, H, N, D/2]
    cos, sin = rotation
    turned = torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1)
    return turned.flatten(-2).to(x.dtype)
