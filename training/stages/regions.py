"""Where a person's region lies around the face: from the face's box alone.

Of a stranger's picture no more is known, so training knows no more.

Shape letters: P people, H and W picture size, h and w token grid.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIDEWAYS, ABOVE, BELOW = 0.75, 0.5, 1.5  # growth of a face's box, in its widths and heights
Regions = NDArray[np.float32]


def face_regions(boxes: NDArray[np.float64], size: tuple[int, int], token_px: int) -> Regions:
    """Give [P, h, w]: the share of each token's square that is in the person's region, 0..1.

    What two people claim belongs to the one whose face is nearer across.

    Args:
        boxes: [P, 4] faces as left, top, right, bottom in pixels.
        size: width and height of the picture, multiples of `token_px`.
        token_px: side of a token's square.
    """
    width, height = size
    rows, columns = np.arange(height)[:, None] + 0.5, np.arange(width)[None, :] + 0.5
    claimed = np.zeros((len(boxes), height, width), np.bool_)
    distance = np.full(claimed.shape, np.inf)
    for person, (left, top, right, bottom) in enumerate(boxes):
        wide, high = right - left, bottom - top
        across = (columns > left - SIDEWAYS * wide) & (columns < right + SIDEWAYS * wide)
        down = (rows > top - ABOVE * high) & (rows < bottom + BELOW * high)
        claimed[person] = across & down
        away = np.broadcast_to(np.abs(columns - (left + right) / 2) / wide, (height, width))
        distance[person] = np.where(claimed[person], away, np.inf)
    own = claimed & (distance.argmin(0) == np.arange(len(boxes))[:, None, None])
    squares = own.reshape(len(boxes), height // token_px, token_px, width // token_px, token_px)
    return np.asarray(squares.mean((2, 4)), np.float32)
