"""From a decoded picture to a scene: find the people, choose the size, place the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from engines.bundle import Bundle
from engines.errors import InputError
from engines.scene.boxes import Box, check_boxes, left_to_right
from engines.scene.detection import Detector
from engines.scene.picture import Picture
from engines.scene.placement import Padding, nearest_size, place
from engines.scene.scene import Caption, Scene, build_scene


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a user says about a scene; None where Parley shall find out."""

    people: int | None = None
    boxes: tuple[Box, ...] | None = None  # in pixels of the upright file, in any order
    size: str | None = None  # WIDTHxHEIGHT
    is_cropped: bool = False
    padding: Padding = "blur"
    caption: Caption = field(default_factory=lambda: Caption(name="scene"))


def prepare_scene(
    bundle: Bundle, picture: Picture, wishes: Wishes, detector: Detector | None
) -> Scene:
    """Make a scene of a picture. The detector is asked only when no boxes are given.

    Raises:
        InputError: when the people do not fit what is wished or what the bundle can do.
    """
    boxes = _people(picture, wishes, detector)
    sizes = bundle.sizes_for(len(boxes))
    if wishes.size is None:
        size = nearest_size(sizes, *picture.size)
    else:
        size = bundle.size(f"{wishes.size}x{len(boxes)}")
    placed = place(
        picture.pixels, boxes, size, is_cropped=wishes.is_cropped, padding=wishes.padding
    )
    return build_scene(placed.pixels, placed.boxes, size, bundle.manifest.region, wishes.caption)


def _people(picture: Picture, wishes: Wishes, detector: Detector | None) -> tuple[Box, ...]:
    """Give the faces in pixels of the decoded picture, left to right."""
    if wishes.boxes is not None:
        width, height = picture.size
        check_boxes(wishes.boxes, width / picture.scale, height / picture.scale)
        boxes = left_to_right([box.moved(picture.scale, 0, 0) for box in wishes.boxes])
        if wishes.people not in (None, len(boxes)):
            raise InputError(f"{len(boxes)} boxes for {wishes.people} people; give one for each")
        return boxes
    if detector is None:
        raise InputError("without a face detector the boxes of the faces must be given")
    return _right_number(picture, detector.find(picture.pixels), wishes.people)


def _right_number(picture: Picture, found: Sequence[Box], people: int | None) -> tuple[Box, ...]:
    in_file = "; ".join(str(box.moved(1 / picture.scale, 0, 0)) for box in found)
    if not found:
        raise InputError(
            "no face was found; use a picture that shows each face from the front, or give the "
            "boxes of the faces"
        )
    if people is not None and len(found) != people:
        raise InputError(
            f"{len(found)} faces were found for {people} people, at {in_file}; "
            "use another picture, or give the boxes of the faces that speak"
        )
    return tuple(found)
