"""Exact labels of a rendered frame: masks, boxes, landmarks, lip gap, head and eyes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.studio.people.pose import Pose
from training.studio.performance_data import Floats
from training.studio.stage.camera import Camera

Pixels = NDArray[np.uint8]
_FACE_MARGIN = 0.04  # of the box: the outermost labelled vertices lie inside the outline


class Box(NamedTuple):
    """Pixels from (left, top) up to but not including (right, bottom)."""

    left: int
    top: int
    right: int
    bottom: int


class PersonTruth(NamedTuple):
    """What is known about one person in one frame."""

    curves: Floats  # [52] as drawn: eyeLook values come from the gaze
    lip_gap_mm: float  # distance of the inner lips; below 0 they are pressed together
    head: Floats  # [3, 3] rotation from head to world axes
    gaze: Floats  # [2, 3] unit directions of the left and right eye, world
    landmarks: Floats  # [K, 2] pixels, named by Renderer.landmark_names
    face: Box  # of the whole face, hidden parts included, cut at the picture's edges
    visible: Box | None  # of every pixel that shows this person, hair and clothes included


class FrameTruth(NamedTuple):
    """Labels of one frame."""

    mask: Pixels  # [H, W], 0 background, i + 1 the person at index i
    people: tuple[PersonTruth, ...]


class Frame(NamedTuple):
    """A picture and its labels."""

    picture: Pixels  # [H, W, 3]
    truth: FrameTruth


def box_of_mask(mask: NDArray[np.bool_]) -> Box | None:
    """Bound the true pixels of a mask [H, W]; None when there are none."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def box_of_points(points: ArrayLike, camera: Camera, margin: float = 0.0) -> Box:
    """Bound pixel positions [J, 2], widened by a share of the size, cut at the picture's edges."""
    at = np.asarray(points, np.float64)
    low, high = at.min(0), at.max(0)
    extra = (high - low) * margin
    limit = [camera.width, camera.height]
    left, top = np.clip(np.floor(low - extra), 0, limit)
    right, bottom = np.clip(np.ceil(high + extra), 0, limit)
    return Box(int(left), int(top), int(right), int(bottom))


def label(pose: Pose, camera: Camera, mask: Pixels, number: int) -> PersonTruth:
    """Label one person; `number` is the person's value in mask [H, W]."""
    return PersonTruth(
        curves=pose.curves,
        lip_gap_mm=pose.lip_gap_mm,
        head=pose.bones[2, :3, :3],
        gaze=pose.gaze,
        landmarks=camera.project(pose.landmarks),
        face=box_of_points(camera.project(pose.face), camera, _FACE_MARGIN),
        visible=box_of_mask(mask == number),
    )
