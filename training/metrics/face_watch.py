"""Follow faces from frame to frame: landmarks say where to look next, the detector finds the rest.

A face turned into profile keeps its crop as long as the landmark network still believes in it; a
lost face is searched for in every following frame.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from training.metrics.face_crop import FaceCrop
from training.metrics.face_detector import DetectedFace, FaceDetector, overlap
from training.metrics.face_mesh import MESH_POINTS, MIN_PRESENCE, FaceMesh, MeshedFace, Points

SEARCH_EVERY_FRAMES = 12
FORGET_AFTER_FRAMES = 75  # a followed face that no search confirms for so long was none
SAME_FACE = 0.3  # intersection over union of two boxes


class FollowedFace(NamedTuple):
    """Where to look for a face, and since how many frames no search confirmed it."""

    crop: FaceCrop
    unconfirmed_frames: int


class Watch(NamedTuple):
    """What is known between two frames. A value: `see` returns the next one."""

    frame: int = 0
    followed: tuple[FollowedFace, ...] = ()
    most: int = 0  # faces ever seen at once


class FaceWatcher:
    """Finds the faces of a video, frame by frame; owns the two networks."""

    def __init__(self, assets: Path | None = None) -> None:
        self._detector = FaceDetector(assets)
        self._mesh = FaceMesh(assets)

    def see(self, picture: Image.Image, watch: Watch) -> tuple[list[MeshedFace], Watch]:
        """Find the faces of the next frame, in any order; blocks for milliseconds a face."""
        ages = [each.unconfirmed_frames + 1 for each in watch.followed]
        faces = [self._mesh.find(picture, each.crop) for each in watch.followed]
        believed = sum(face.presence >= MIN_PRESENCE for face in faces)
        if watch.frame % SEARCH_EVERY_FRAMES == 0 or believed < watch.most:
            found = self._detector.find(picture)
            ages = [
                0 if _is_among(face, found) else age for face, age in zip(faces, ages, strict=True)
            ]
            new = [each for each in found if not _is_known(each, faces)]
            faces += [self._refine(picture, each.crop) for each in new]
            ages += [0] * len(new)
        kept = _distinct(faces, ages)
        followed = tuple(FollowedFace(face.crop, age) for face, age in kept)
        next_watch = Watch(watch.frame + 1, followed, max(watch.most, len(kept)))
        return [face for face, _ in kept], next_watch

    def _refine(self, picture: Image.Image, crop: FaceCrop) -> MeshedFace:
        """Look twice: a detector's crop is looser than the one that the landmarks give."""
        first = self._mesh.find(picture, crop)
        return self._mesh.find(picture, first.crop) if first.presence >= MIN_PRESENCE else first


def face_box(face: MeshedFace) -> Points:
    """Give the box around a mesh [4]."""
    mesh = face.points[:MESH_POINTS]
    return np.concatenate([mesh.min(0), mesh.max(0)])


def _is_among(face: MeshedFace, found: list[DetectedFace]) -> bool:
    return any(_is_same(face_box(face), each.box) for each in found)


def _is_known(found: DetectedFace, faces: list[MeshedFace]) -> bool:
    return any(
        _is_same(face_box(face), found.box) for face in faces if face.presence >= MIN_PRESENCE
    )


def _is_same(first: Points, second: Points) -> bool:
    return bool(overlap(first, second[None])[0] > SAME_FACE)


def _distinct(faces: list[MeshedFace], ages: list[int]) -> list[tuple[MeshedFace, int]]:
    """Keep sure faces, one of each that overlap, and none that is unconfirmed for too long."""
    kept: list[tuple[MeshedFace, int]] = []
    for face, age in sorted(zip(faces, ages, strict=True), key=lambda each: each[1]):
        is_believed = face.presence >= MIN_PRESENCE and age <= FORGET_AFTER_FRAMES
        if is_believed and not any(_is_same(face_box(face), face_box(other)) for other, _ in kept):
            kept.append((face, age))
    return kept
