"""One frame of one person: blend shapes, bones and eyes, and the labels that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from training.studio.people.figure import Figure
from training.studio.people.gaze import direction, eye_angles, with_look
from training.studio.performance_data import Floats
from training.studio.stage.camera import rotation, to_4x4, translation

_NECK_SHARE = 0.4  # of a head turn happens in the neck, the rest at the skull
_ARM_DOWN_RAD = np.radians(28.0)  # the base mesh stands with arms spread
BREATH_M = np.array([0.0, 0.0010, 0.0032], np.float32)  # how a full breath moves the chest
_MM = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Where a person sits: the point between the eyes, and which way the body faces."""

    eyes_m: tuple[float, float, float]  # world
    yaw_rad: float  # 0 faces the viewer, > 0 to the viewer's right

    def to_world(self, figure: Figure) -> NDArray[np.float64]:
        """Give the matrix from the figure's own axes to the world."""
        turn = to_4x4(rotation(self.yaw_rad, 0.0, 0.0))
        return np.asarray(translation(self.eyes_m) @ turn @ translation(-figure.eyes_center))


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a person does in one video frame; the fields of a Performance at one index."""

    curves: Floats  # [52]
    head_rad: Floats  # [3] yaw, pitch, roll
    gaze_target: Floats  # [3] world
    breath: float
    lean_m: Floats  # [3]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """A posed person: what the renderer uploads, and exact labels."""

    moving: Floats  # [R_moving, 6] position and normal before bones
    bones: Floats  # [5, 4, 4] to the world
    breath_m: Floats  # [3] times the breath attribute
    gaze: Floats  # [2, 3] unit directions of the left and right eye, world
    eyes: Floats  # [2, 3] eyeball centers, world
    curves: Floats  # [52] as drawn, with eyeLook from the gaze
    lip_gap_mm: float  # between the inner lips; below 0 they are pressed together
    landmarks: Floats  # [K, 3] world
    face: Floats  # [J, 3] world, points that bound the face


class Poser:
    """Poses one figure; keeps the matrix that sums triangle normals."""

    def __init__(self, figure: Figure) -> None:
        self._figure = figure
        triangles = figure.skin_triangles
        count = len(triangles)
        ones = np.ones(3 * count, np.float32)
        self._sum = sparse.csr_matrix(
            (ones, (triangles.T.ravel(), np.tile(np.arange(count), 3))),
            shape=(int(triangles.max()) + 1, count),
        )

    def pose(self, moment: Moment, seat: Seat) -> Pose:
        """Pose the figure for one frame."""
        figure = self._figure
        bones = self._bones(moment, seat)
        head = bones[2]
        centers = (figure.joints.eye_left, figure.joints.eye_right)
        eyes = np.stack([_apply(head, eye) for eye in centers])
        angles = [eye_angles(eye, moment.gaze_target, head[:3, :3]) for eye in eyes]
        curves = with_look(moment.curves, *angles)
        vertices = self._blend(curves)
        upper, lower = figure.lip_rows
        return Pose(
            moving=self._drawn(vertices),
            bones=bones.astype(np.float32),
            breath_m=BREATH_M * np.float32(moment.breath),
            gaze=np.stack([head[:3, :3] @ direction(a) for a in angles]).astype(np.float32),
            eyes=eyes.astype(np.float32),
            curves=curves,
            lip_gap_mm=float(vertices[upper, 1] - vertices[lower, 1]) * _MM,
            landmarks=_apply(head, vertices[figure.landmark_rows]),
            face=_apply(head, vertices[figure.face_rows]),
        )

    def _bones(self, moment: Moment, seat: Seat) -> NDArray[np.float64]:
        joints = self._figure.joints
        yaw, pitch, roll = (float(angle) for angle in moment.head_rad)
        torso = seat.to_world(self._figure) @ translation(moment.lean_m)
        turns = [
            rotation(yaw * share, pitch * share, roll * share)
            for share in (_NECK_SHARE, 1 - _NECK_SHARE)
        ]
        neck = torso @ to_4x4(turns[0], joints.neck)
        head = neck @ to_4x4(turns[1], joints.head)
        left = torso @ to_4x4(rotation(0, 0, -_ARM_DOWN_RAD), joints.shoulder_left)
        right = torso @ to_4x4(rotation(0, 0, _ARM_DOWN_RAD), joints.shoulder_right)
        return np.stack([torso, neck, head, left, right])

    def _blend(self, curves: Floats) -> Floats:
        """Give the moving vertices [M, 3] under curves [52]."""
        active = np.flatnonzero(curves > 1e-4)
        if not len(active):
            return self._figure.rest
        moved = curves[active] @ self._figure.deltas[active]
        return np.asarray(self._figure.rest + moved.reshape(-1, 3))

    def _drawn(self, vertices: Floats) -> Floats:
        triangles = self._figure.skin_triangles
        a, b, c = (vertices[triangles[:, i]] for i in range(3))
        normals = self._figure.rest_normals.copy()
        sums = self._sum @ _cross(b - a, c - a)
        length = np.sqrt(np.einsum("ij,ij->i", sums, sums))
        normals[: len(sums)] = sums / np.maximum(length, 1e-12)[:, None]
        return np.concatenate([vertices, normals], 1)[self._figure.drawn_from]


def _cross(u: Floats, v: Floats) -> Floats:
    """Cross products row by row; np.cross takes four times as long."""
    out = np.empty_like(u)
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        out[:, i] = u[:, j] * v[:, k] - u[:, k] * v[:, j]
    return out


def _apply(matrix: NDArray[np.float64], points: ArrayLike) -> Floats:
    return np.asarray(np.asarray(points) @ matrix[:3, :3].T + matrix[:3, 3], np.float32)
