"""What a picture shows of each face already, so that what is acted goes on from there.

What is acted says where a head should look and what a face should do, as if every picture showed it
from the front and at rest. Who looks aside in the picture would be turned twice as far, who smiles
in it would smile twice.

Shape letters: N cells, S side of a cell, E expressions.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIDE_PX = 40  # of a cell as it is read
CHANNELS = (24, 32, 48, 64)

# Channels of `Motion.values` that bend a picture: browDown left and right, browInnerUp, browOuterUp
# left and right, mouthSmile left and right, mouthFrown left and right. Left is the person's left.
EXPRESSIONS = (41, 42, 43, 44, 45, 23, 24, 25, 26)
MARKS = 3  # the eye on the viewer's left, the other eye, the mouth
YAW, PLACES, SHOWN = slice(0, 1), slice(1, 1 + 2 * MARKS), slice(1 + 2 * MARKS, None)
WIDTH = 1 + 2 * MARKS + len(EXPRESSIONS)

# In a mirror: which number each one is found in, its sign, and what is added.
_MIRRORED = (0, 3, 4, 1, 2, 5, 6, *(7 + place for place in (1, 0, 2, 4, 3, 6, 5, 8, 7)))
_SIGNS = (-1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, *[1.0] * len(EXPRESSIONS))
_SHIFTS = (0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, *[0.0] * len(EXPRESSIONS))


class StillReader(nn.Module):
    """Four convolutions and a linear map; a mirrored face reads as mirrored."""

    mirrored: Tensor
    signs: Tensor
    shifts: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(into, out, 3, stride=2 if n else 1, padding=1)
            for n, (into, out) in enumerate(pairwise((3, *CHANNELS)))
        )
        side = SIDE_PX // 2 ** (len(CHANNELS) - 1)
        self.told = nn.Linear(CHANNELS[-1] * side**2, WIDTH)
        self.register_buffer("mirrored", torch.tensor(_MIRRORED), persistent=False)
        self.register_buffer("signs", torch.tensor(_SIGNS), persistent=False)
        self.register_buffer("shifts", torch.tensor(_SHIFTS), persistent=False)

    def forward(self, cells: Tensor) -> Tensor:
        """Read cells [N, 3, S, S] in -1..1.

        Returns:
            [N, 16]: yaw in radians, > 0 to the viewer's right; x and y of both eyes and the mouth,
            0..1 of the cell; the curves of `EXPRESSIONS`.
        """
        small = F.interpolate(cells, (SIDE_PX, SIDE_PX), mode="bilinear", align_corners=False)
        other = self._read(small.flip(-1))
        return (self._read(small) + self.in_mirror(other)) / 2

    def in_mirror(self, still: Tensor) -> Tensor:
        """Give what is read [N, 16] of a face as of its mirror image."""
        return still.index_select(-1, self.mirrored) * self.signs + self.shifts

    def _read(self, small: Tensor) -> Tensor:
        x = small
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.1)
        read: Tensor = self.told(x.flatten(1))
        return read
