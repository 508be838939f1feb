"""Fetching a picture from where a flow points: one function, in two forms.

`sampled` is torch's own and trains fast. `gathered` is the same in plain indexing: ONNX Runtime's
GridSample takes longer on a CPU than all convolutions of the decoder, and Gather hardly anything.
It fetches from a table that `neighbors` makes of pictures once and for all.

Shape letters: B pictures, N = B * T frames that look at them, T next to each other, C channels,
H, W size, n = N * H * W places.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Warp = Callable[[Tensor, Tensor], Tensor]
"""(pictures [B, C, H, W], flow [N, 2, H, W]: across, then down, in pixels) -> [N, C, H, W].

Bilinear; beyond the edges lies the edge. Instead of pictures `gathered` wants their `neighbors`.
"""

FEW_CHANNELS = 16  # of pictures: so few are mixed by matrices, for sums over them come in tiny runs


def sampled(x: Tensor, flow_px: Tensor) -> Tensor:
    """Fetch by grid_sample; see `Warp`."""
    count, _, height, width = flow_px.shape
    across, down = _places(flow_px)
    grid = torch.stack(
        [
            (across + 0.5 + flow_px[:, 0]) * (2 / width) - 1,
            (down + 0.5 + flow_px[:, 1]) * (2 / height) - 1,
        ],
        dim=-1,
    )
    x = repeat(x, count // len(x))
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


def neighbors(x: Tensor) -> Tensor:
    """List every pixel of x [B, C, H, W] with those right, below, and below right of it.

    Gives [B, H, W, 4 C].
    """
    wide = F.pad(x, (0, 1, 0, 1), mode="replicate").permute(0, 2, 3, 1)
    own, right = wide[:, :-1, :-1], wide[:, :-1, 1:]
    below, both = wide[:, 1:, :-1], wide[:, 1:, 1:]
    return torch.cat([own, right, below, both], dim=-1)


def gathered(table: Tensor, flow_px: Tensor) -> Tensor:
    """Fetch by rows of a table [B, H, W, 4 C] from `neighbors`, and mix; see `Warp`."""
    batch, height, width, fourfold = table.shape
    count, channels = len(flow_px), fourfold // 4
    across, down = _places(flow_px)
    column = (across + flow_px[:, 0]).clamp(0, width - 1)
    row = (down + flow_px[:, 1]).clamp(0, height - 1)
    left, top = column.floor(), row.floor()
    first = torch.arange(count, device=table.device) // (count // batch) * (height * width)
    index = (top * width + left).to(torch.int64) + first[:, None, None]
    near = table.reshape(-1, fourfold).index_select(0, index.flatten())  # [n, 4 C]
    far, low = (column - left).flatten(), (row - top).flatten()
    both = far * low
    shares = torch.stack([1 - far - low + both, far - both, low - both, both], dim=-1)  # [n, 4]
    if channels < FEW_CHANNELS:
        spread = torch.eye(4, device=table.device).repeat_interleave(channels, dim=1)
        summed = torch.eye(channels, device=table.device).repeat(4, 1)
        mixed = (near * (shares @ spread)) @ summed
    else:
        mixed = (near.reshape(-1, 4, channels) * shares[..., None]).sum(1)
    return mixed.reshape(count, height, width, channels).permute(0, 3, 1, 2)


def _places(flow_px: Tensor) -> tuple[Tensor, Tensor]:
    height, width = flow_px.shape[2:]
    across = torch.arange(width, device=flow_px.device, dtype=flow_px.dtype)
    down = torch.arange(height, device=flow_px.device, dtype=flow_px.dtype)
    return across[None, None, :], down[None, :, None]


def repeat(x: Tensor, times: int) -> Tensor:
    """Repeat every entry of x [B, ...] to [B * times, ...], copies next to each other."""
    spread = x[:, None].expand(-1, times, *(-1,) * (x.ndim - 1))
    return spread.flatten(0, 1)
