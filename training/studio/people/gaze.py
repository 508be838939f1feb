"""Where eyes point, and how lids follow them. Pure geometry, angles in radians."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.studio.performance_data import ARKIT

Floats = NDArray[np.float32]

# How far an eye turns in the head: beyond this people turn the head instead.
YAW_LIMIT = 0.60
UP_LIMIT = 0.26
DOWN_LIMIT = 0.40
_LOOK = {name: ARKIT.index(name) for name in ARKIT if name.startswith("eyeLook")}
# Lid units reach full strength at about these eye angles.
_FULL_UP, _FULL_DOWN, _FULL_SIDE = 0.34, 0.45, 0.60


class EyeAngles(NamedTuple):
    """One eye's direction in the head: yaw > 0 to the viewer's right, pitch > 0 up."""

    yaw: float
    pitch: float


def eye_angles(eye: ArrayLike, target: ArrayLike, head_rotation: NDArray[np.float64]) -> EyeAngles:
    """Give the angles that point an eye at a target, cut at what an eye can do.

    Args:
        eye: the eyeball's center in the world, [3].
        target: the point looked at in the world, [3].
        head_rotation: from head to world axes, [3, 3].
    """
    ahead = head_rotation.T @ (np.asarray(target, np.float64) - np.asarray(eye, np.float64))
    yaw = np.arctan2(ahead[0], ahead[2])
    pitch = np.arctan2(ahead[1], np.hypot(ahead[0], ahead[2]))
    return EyeAngles(
        float(np.clip(yaw, -YAW_LIMIT, YAW_LIMIT)),
        float(np.clip(pitch, -DOWN_LIMIT, UP_LIMIT)),
    )


def direction(angles: EyeAngles) -> NDArray[np.float64]:
    """Give the unit vector [3] of an eye's angles, in head axes."""
    flat = np.cos(angles.pitch)
    return np.array([np.sin(angles.yaw) * flat, np.sin(angles.pitch), np.cos(angles.yaw) * flat])


def with_look(curves: Floats, left: EyeAngles, right: EyeAngles) -> Floats:
    """Give a copy of curves [52] whose eight eyeLook values say where the eyes point."""
    looking = curves.copy()
    for side, outward, angles in (("Left", 1.0, left), ("Right", -1.0, right)):
        out = angles.yaw * outward / _FULL_SIDE
        looking[_LOOK[f"eyeLookOut{side}"]] = max(out, 0.0)
        looking[_LOOK[f"eyeLookIn{side}"]] = max(-out, 0.0)
        looking[_LOOK[f"eyeLookUp{side}"]] = max(angles.pitch, 0.0) / _FULL_UP
        looking[_LOOK[f"eyeLookDown{side}"]] = max(-angles.pitch, 0.0) / _FULL_DOWN
    return np.clip(looking, 0.0, 1.0).astype(np.float32)
