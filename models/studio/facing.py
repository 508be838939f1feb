"""Which way heads look in a picture, so that they are turned from there.

What is acted says where a head should look, as if every picture showed it from the front. Somebody
who looks aside in the picture already would be turned twice as far.

Shape letters: N cells, S side of a cell, P people, T video frames.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIDE_PX = 40  # of a cell as it is read
CHANNELS = (24, 32, 48, 64)


class FacingReader(nn.Module):
    """Four convolutions and a linear map; a mirrored head looks exactly as far the other way."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(into, out, 3, stride=2 if n else 1, padding=1)
            for n, (into, out) in enumerate(pairwise((3, *CHANNELS)))
        )
        side = SIDE_PX // 2 ** (len(CHANNELS) - 1)
        self.to_yaw = nn.Linear(CHANNELS[-1] * side**2, 1, bias=False)

    def forward(self, cells: Tensor) -> Tensor:
        """Give yaws [N], radians, > 0 to the viewer's right, of cells [N, 3, S, S] in -1..1."""
        small = F.interpolate(cells, (SIDE_PX, SIDE_PX), mode="bilinear", align_corners=False)
        return (self._read(small) - self._read(small.flip(-1))) / 2

    def _read(self, small: Tensor) -> Tensor:
        x = small
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.1)
        yaw: Tensor = self.to_yaw(x.flatten(1))
        return yaw[:, 0]


def still_to_turn(turns: Tensor, facing: Tensor) -> Tensor:
    """Take from acted turns what the picture shows already.

    A head that looks aside in its picture stays as it is while it should look that way and no
    further; what should look the other way sets out from where it is.

    Args:
        turns: [P, T, 3] yaw, pitch, roll in radians, from the front.
        facing: [P] yaw in the picture.

    Returns:
        [P, T, 3], from the picture.
    """
    yaw, rest = turns[..., :1], turns[..., 1:]
    done = facing[:, None, None].maximum(yaw.clamp(max=0)).minimum(yaw.clamp(min=0))
    return torch.cat([yaw - done, rest], dim=-1)
