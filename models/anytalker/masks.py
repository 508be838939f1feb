"""Masks AnyTalker makes of face boxes: which tokens belong to whom, and what the picture gives.

Shape letters: P people, H and W picture size, h and w latent size, F latent frames.
Source: AnyTalker (arXiv 2511.23475), repository HKUST-C4G/AnyTalker.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from models.errors import InputError
from models.people import Box

WIDTH_SCALE = 1.2  # a face box is widened before it marks what may move
HEIGHT_SCALE = 1.1


def square_box(box: Box, height: int, width: int) -> Box:
    """Make a face box square by its longer side, moved (not cut) to lie inside the picture.

    Raises:
        InputError: when the box has no area.
    """
    side = max(box.right - box.left, box.bottom - box.top)
    if box.right <= box.left or box.bottom <= box.top:
        raise InputError(f"face box {tuple(box)} has no area; give left < right and top < bottom")
    side = min(side, width, height)
    left = min(max((box.left + box.right - side) / 2, 0), width - side)
    top = min(max((box.top + box.bottom - side) / 2, 0), height - side)
    return Box(left, top, left + side, top + side)


def largest_left_to_right(boxes: Sequence[Box], people: int) -> list[Box]:
    """Keep the `people` largest boxes in order of their left edge: voice i belongs to box i.

    Raises:
        InputError: when fewer faces were found than there are voices.
    """
    if len(boxes) < people:
        raise InputError(
            f"{len(boxes)} faces found for {people} voices; use a picture that shows every face, "
            "or give the boxes"
        )
    by_area = sorted(boxes, key=lambda b: (b.right - b.left) * (b.bottom - b.top), reverse=True)
    return sorted(by_area[:people], key=lambda b: b.left)


def expand_mask(mask: Tensor, width_scale: float, height_scale: float) -> Tensor:
    """Grow the rectangle that a mask [H, W] covers about its center, cut at the borders.

    What the rectangle holds is stretched with it, so a mask of another shape keeps its shape.

    Raises:
        InputError: when the mask covers nothing.
    """
    rows, columns = (mask > 0.5).any(1).nonzero(), (mask > 0.5).any(0).nonzero()
    if not len(rows):
        raise InputError("a face mask covers no pixel; give a box inside the picture")
    if width_scale == height_scale == 1:
        return mask
    top, bottom = int(rows[0]), int(rows[-1])
    left, right = int(columns[0]), int(columns[-1])
    new_top, new_bottom = _grown(top, bottom, height_scale, mask.shape[0])
    new_left, new_right = _grown(left, right, width_scale, mask.shape[1])
    held = mask[top : bottom + 1, left : right + 1]
    size = (new_bottom - new_top + 1, new_right - new_left + 1)
    expanded = torch.zeros_like(mask)
    expanded[new_top : new_bottom + 1, new_left : new_right + 1] = _bilinear(held[None], *size)[0]
    return expanded


def _grown(first: int, last: int, scale: float, size: int) -> tuple[int, int]:
    """Scale the inclusive span [first, last] about its center and cut it to [0, size)."""
    center, half = (first + last) / 2, int((last - first + 1) * scale) / 2
    return max(int(center - half), 0), min(int(center + half), size - 1)


def picture_mask(
    face_masks: Tensor,
    frames: int,
    size: tuple[int, int],
    scales: tuple[float, float] = (WIDTH_SCALE, HEIGHT_SCALE),
) -> Tensor:
    """Give the four mask channels [4, F, h, w] that go with the image latent.

    The first latent frame is given whole. In later ones the (widened) faces are marked, bilinear at
    latent size, several people summed.

    Args:
        face_masks: [P, H, W] square face boxes, 0 or 1.
        frames: latent frames F.
        size: latent height and width.
        scales: how much wider and higher than its face a person may move.
    """
    marked = _bilinear(_expanded(face_masks, scales).sum(0, keepdim=True), *size)[0]
    mask = marked.expand(4, frames, *size).clone()
    mask[:, 0] = 1
    return mask


def token_masks(
    face_masks: Tensor,
    size: tuple[int, int],
    scales: tuple[float, float] = (WIDTH_SCALE, HEIGHT_SCALE),
) -> Tensor:
    """Give how much each token belongs to each person, [P, h / 2, w / 2] in [0, 1].

    Not thresholded: a token on the border belongs to its person in part.

    Args:
        face_masks: [P, H, W] square face boxes, 0 or 1.
        size: latent height and width, even.
        scales: how much wider and higher than its face a person may move.
    """
    return _bilinear(_expanded(face_masks, scales), size[0] // 2, size[1] // 2)


def _expanded(face_masks: Tensor, scales: tuple[float, float]) -> Tensor:
    return torch.stack([expand_mask(mask, *scales) for mask in face_masks])


def _bilinear(masks: Tensor, h: int, w: int) -> Tensor:
    resized = F.interpolate(masks[None].float(), (h, w), mode="bilinear", align_corners=False)
    return resized[0]
