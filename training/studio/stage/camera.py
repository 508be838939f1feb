"""The camera and the matrices of the scene.

World axes: x to the viewer's right, y up, z toward the viewer; meters. The camera sits at the
origin and looks along -z, so the point (0, 0, 0) is what someone looks at who looks at the camera.
Matrices are [4, 4] and act on column vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.errors import ConfigError

Floats = NDArray[np.float32]

NEAR_M = 0.1
FAR_M = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A pinhole camera at the origin of the world."""

    width: int
    height: int
    fov_y_rad: float
    pitch_rad: float  # > 0 looks up

    def __post_init__(self) -> None:
        if self.width < 32 or self.height < 32 or self.width % 32 or self.height % 32:
            raise ConfigError(f"picture size {self.width}x{self.height}: expected multiples of 32")
        if not 0.05 < self.fov_y_rad < 1.6:
            raise ConfigError(f"fov_y_rad={self.fov_y_rad}: expected 0.05..1.6")

    def view_projection(self) -> Floats:
        """Give the matrix from world to clip space."""
        scale = 1 / np.tan(self.fov_y_rad / 2)
        project = np.zeros((4, 4))
        project[0, 0] = scale * self.height / self.width
        project[1, 1] = scale
        project[2, 2] = (FAR_M + NEAR_M) / (NEAR_M - FAR_M)
        project[2, 3] = 2 * FAR_M * NEAR_M / (NEAR_M - FAR_M)
        project[3, 2] = -1.0
        return np.asarray(project @ to_4x4(rotation(0.0, self.pitch_rad, 0.0)), np.float32)

    def project(self, points: ArrayLike) -> Floats:
        """Give pixel positions [..., 2] of world points [..., 3]; (0, 0) is the top left corner."""
        world = np.asarray(points, np.float64)
        clip = np.concatenate([world, np.ones((*world.shape[:-1], 1))], -1)
        clip = clip @ self.view_projection().astype(np.float64).T
        device = clip[..., :2] / clip[..., 3:]
        size = np.array([self.width, self.height])
        return np.asarray((device * [0.5, -0.5] + 0.5) * size, np.float32)


def rotation(yaw_rad: float, pitch_rad: float, roll_rad: float) -> NDArray[np.float64]:
    """Rotate [3, 3] by roll, then pitch, then yaw, for a face that looks along +z.

    yaw > 0 turns it to the viewer's right (+x), pitch > 0 up (+y), and roll > 0 tips the top of
    the head to the viewer's left (-x).
    """
    cy, sy = np.cos(yaw_rad), np.sin(yaw_rad)
    cp, sp = np.cos(-pitch_rad), np.sin(-pitch_rad)
    cr, sr = np.cos(roll_rad), np.sin(roll_rad)
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    tip = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(turn @ nod @ tip)


def to_4x4(linear: NDArray[np.float64], pivot: ArrayLike = (0, 0, 0)) -> NDArray[np.float64]:
    """Give the matrix that applies a linear map [3, 3] about a pivot [3]."""
    matrix = np.eye(4)
    center = np.asarray(pivot, np.float64)
    matrix[:3, :3] = linear
    matrix[:3, 3] = center - linear @ center
    return matrix


def translation(offset: ArrayLike) -> NDArray[np.float64]:
    """Give the matrix that moves by offset [3]."""
    matrix = np.eye(4)
    matrix[:3, 3] = np.asarray(offset, np.float64)
    return matrix


def light_projection(direction: Floats, center: Floats, radius_m: float) -> Floats:
    """Give the matrix from world to the shadow map of a far light, parallel rays.

    Args:
        direction: unit vector [3] from the scene toward the light.
        center: the middle [3] of the volume that the map covers.
        radius_m: how far the volume reaches from there.
    """
    forward = -np.asarray(direction, np.float64)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    view = np.eye(4)
    view[:3, :3] = np.stack([right, np.cross(right, forward), -forward])
    view[:3, 3] = -view[:3, :3] @ np.asarray(center, np.float64)
    depth = 3 * radius_m
    return np.asarray(np.diag([1 / radius_m, 1 / radius_m, -1 / depth, 1.0]) @ view, np.float32)
