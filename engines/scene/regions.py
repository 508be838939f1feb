"""From boxes of faces to what belongs to whom: masks of people, regions of tokens, crops of faces.

Shape letters: P people, H and W picture size, n tokens of a latent frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engines.errors import InputError
from engines.manifest import RegionRule
from engines.scene.boxes import Box

Masks = NDArray[np.bool_]


def person_masks(boxes: Sequence[Box], rule: RegionRule, width: int, height: int) -> Masks:
    """Give [P, H, W]: each face's box, grown by the rule; the nearer face has what two claim."""
    rows, columns = np.arange(height)[:, None] + 0.5, np.arange(width)[None, :] + 0.5
    masks = np.zeros((len(boxes), height, width), np.bool_)
    distances = np.full((len(boxes), height, width), np.inf)
    for person, box in enumerate(boxes):
        across = (columns > box.left - rule.sideways * box.width) & (
            columns < box.right + rule.sideways * box.width
        )
        down = (rows > box.top - rule.above * box.height) & (
            rows < box.bottom + rule.below * box.height
        )
        masks[person] = across & down
        distance = np.abs(columns - box.center_x) / box.width
        distances[person] = np.where(masks[person], distance, np.inf)
    nearest = distances.argmin(0)
    own: Masks = masks & (nearest == np.arange(len(boxes))[:, None, None])
    return own


def token_regions(masks: Masks, token_px: int) -> NDArray[np.float32]:
    """Give [P, n] in 0..1: how much of each token's square belongs to the person.

    Raises:
        InputError: when a person fills no token by half.
    """
    people, height, width = masks.shape
    squares = masks.reshape(people, height // token_px, token_px, width // token_px, token_px)
    regions: NDArray[np.float32] = squares.mean((2, 4), np.float32).reshape(people, -1)
    for person in np.flatnonzero(regions.max(1) < 0.5):
        raise InputError(
            f"person {person} is too small: nothing of them fills a square of {token_px} pixels; "
            "use a closer picture or a larger size"
        )
    return regions


def face_crops(
    pixels: NDArray[np.uint8], boxes: Sequence[Box], side_px: int
) -> NDArray[np.float32]:
    """Cut each face as a square by its longer side: [P, 3, side, side] in -1..1.

    At the picture's border the square is moved, not cut.
    Source: AnyTalker (arXiv 2511.23475), repository HKUST-C4G/AnyTalker.
    """
    image = Image.fromarray(pixels)
    crops = []
    for box in boxes:
        side = min(max(box.width, box.height), image.width, image.height)
        left = min(max(box.center_x - side / 2, 0), image.width - side)
        top = min(max((box.top + box.bottom - side) / 2, 0), image.height - side)
        square = (left, top, left + side, top + side)
        crop = image.transform(
            (side_px, side_px), Image.Transform.EXTENT, square, Image.Resampling.BICUBIC
        )
        crops.append(np.asarray(crop, np.float32).transpose(2, 0, 1) / 127.5 - 1)
    return np.stack(crops)
