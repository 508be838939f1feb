"""Where people are in the picture: the masks every binding of voices to people starts from.

Shape letters: B batch, P people, h and w latent size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from models.errors import InputError


class Box(NamedTuple):
    """A rectangle in pixels; right and bottom are exclusive."""

    left: float
    top: float
    right: float
    bottom: float


def box_mask(box: Box, height: int, width: int) -> Tensor:
    """Give [height, width] float32, 1 inside the box, cut to whole pixels as slices are.

    Raises:
        InputError: when the box covers no pixel of the picture.
    """
    left, top = max(int(box.left), 0), max(int(box.top), 0)
    mask = torch.zeros(height, width)
    mask[top : max(int(box.bottom), 0), left : max(int(box.right), 0)] = 1
    if not mask.any():
        raise InputError(
            f"box {tuple(box)} covers no pixel of a {width}x{height} picture; "
            "give left < right and top < bottom inside it"
        )
    return mask


def side_by_side_boxes(people: int, height: int, width: int, margin: float = 0.05) -> list[Box]:
    """Give a box per person when nobody said where they are: equal columns with a margin.

    For two people these are the published halves.
    Source: repository MeiGen-AI/MultiTalk, wan/multitalk.py (Apache-2.0), face_scale.

    Raises:
        InputError: when there is no person, or a column is too narrow to hold one.
    """
    if people < 1:
        raise InputError(f"a scene needs at least one person, got {people}")
    column = width // people
    top, bottom = int(height * margin), int(height * (1 - margin))
    inner_left, inner_right = int(column * margin), int(column * (1 - margin))
    if inner_right <= inner_left or bottom <= top:
        raise InputError(f"a {width}x{height} picture is too small for {people} people")
    return [
        Box(
            int(column * margin + person * column),
            top,
            int(column * (1 - margin) + person * column),
            bottom,
        )
        for person in range(people)
    ]


def with_background(person_masks: Tensor) -> Tensor:
    """Append to masks [P, H, W] the mask of all that is nobody: [P + 1, H, W]."""
    background = (person_masks.sum(0) == 0).to(person_masks.dtype)
    return torch.cat([person_masks, background[None]])


def to_latent_size(masks: Tensor, h: int, w: int) -> Tensor:
    """Resize masks [..., P, H, W] to [..., P, h, w] by nearest pixel and make them 0 or 1."""
    resized = F.interpolate(masks.float().reshape(-1, 1, *masks.shape[-2:]), (h, w), mode="nearest")
    return (resized.reshape(*masks.shape[:-2], h, w) > 0).float()


def check_people(masks: Tensor, people: int, names: Sequence[str] | None = None) -> None:
    """Refuse person masks [B, P, h, w] that a network is not defined for.

    Raises:
        InputError: when their number differs from `people`, one is empty or one is not finite.
    """
    if masks.ndim != 4 or masks.shape[1] != people:
        raise InputError(
            f"person masks have shape {tuple(masks.shape)}, expected [B, {people}, h, w]: "
            f"one mask for each of {people} people"
        )
    if not torch.isfinite(masks).all():
        raise InputError("a person mask holds NaN or infinity; masks lie in [0, 1]")
    for person, covered in enumerate((masks > 0).flatten(2).any(2).all(0).tolist()):
        if not covered:
            who = names[person] if names else f"person {person}"
            raise InputError(
                f"the mask of {who} covers nothing at latent size "
                f"{masks.shape[-1]}x{masks.shape[-2]}; give a larger box or a larger picture"
            )
