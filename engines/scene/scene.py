"""A scene: one picture at a size of the bundle, and who is where in it. A value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError
from engines.manifest import RegionRule, Size
from engines.scene.boxes import Box, check_boxes, left_to_right
from engines.scene.regions import Masks, person_masks

LEAST_FACE_PX = 20  # at the model's size; below, there is no mouth to move


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a stream starts from. Arrays are read-only."""

    name: str
    size: Size
    picture: NDArray[np.uint8]  # [H, W, 3]
    boxes: tuple[Box, ...]  # of the faces, person 0 first, left to right
    masks: Masks  # [P, H, W]
    prompt: str
    people_names: tuple[str, ...]  # one a person, or none


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """What is said about a scene beside its picture."""

    name: str
    prompt: str = ""
    people_names: tuple[str, ...] = ()


def build_scene(
    picture: NDArray[np.uint8],
    boxes: tuple[Box, ...],
    size: Size,
    rule: RegionRule,
    caption: Caption,
) -> Scene:
    """Put a scene together from a picture that has its size already.

    Raises:
        InputError: when boxes and size disagree, a face is too small, or names are not one each.
    """
    if picture.shape != (size.height, size.width, 3) or picture.dtype != np.uint8:
        raise InputError(
            f"the picture must be uint8[{size.height}, {size.width}, 3], got "
            f"{picture.dtype}{list(picture.shape)}"
        )
    if len(boxes) != size.people:
        raise InputError(f"{len(boxes)} boxes for {size.people} people; give one for each")
    if caption.people_names and len(caption.people_names) != size.people:
        raise InputError(f"{len(caption.people_names)} names for {size.people} people")
    check_boxes(boxes, size.width, size.height)
    if left_to_right(boxes) != boxes:
        raise InputError("people count from left to right; put the boxes in this order")
    for person, box in enumerate(boxes):
        if min(box.width, box.height) < LEAST_FACE_PX:
            raise InputError(
                f"the face of person {person} has {box.width:.0f}x{box.height:.0f} pixels at "
                f"{size.width}x{size.height}, it needs {LEAST_FACE_PX}; use a closer picture"
            )
    masks = person_masks(boxes, rule, size.width, size.height)
    kept = picture.copy()
    for array in (kept, masks):
        array.setflags(write=False)
    return Scene(
        name=caption.name,
        size=size,
        picture=kept,
        boxes=boxes,
        masks=masks,
        prompt=caption.prompt,
        people_names=caption.people_names,
    )
