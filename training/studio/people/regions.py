"""Where hair and beard grow on the base mesh, and which of its vertices serve as landmarks.

The regions are drawn on the unshaped base mesh, so they follow the face wherever a shape moves it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from training.studio.people.library import Library

Floats = NDArray[np.float32]

BODY_VERTICES = 13_380  # the skin comes first in the base mesh
UPPER_LIP = 474  # inner midpoints of the lips: 0.2 mm apart at rest
LOWER_LIP = 523
EYE_VERTICES = (slice(14_598, 14_670), slice(14_670, 14_742))  # left, right eyeball

_HAIRLINE_PROXIES = ("short02", "short04")
_HAIRLINE_M = (0.012, 0.024)  # scalp is fully hairy this near to those meshes, bare that far


def _ramp(values: NDArray[np.floating], low: float, high: float) -> Floats:
    """Rise smoothly from 0 at `low` to 1 at `high` (which may be the smaller)."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def scalp(library: Library) -> Floats:
    """Give how hairy each skin vertex of the head is, [13380], 0..1."""
    vertices = library.base.vertices
    body = vertices[:BODY_VERTICES]
    hair = np.concatenate([library.proxy(name).fit(vertices) for name in _HAIRLINE_PROXIES])
    distance, _ = cKDTree(hair).query(body)
    above = _ramp(body[:, 1], 0.688, 0.745)  # thin out toward the ears
    # The front hair of a proxy overhangs the forehead; hair grows no lower than this.
    front = _ramp(body[:, 2], 0.115, 0.095) + _ramp(body[:, 1], 0.792, 0.806)
    on_ears = _sample(library.picture("masks/mpfb_ears.jpg", 512), vertex_uv(library)) > 0.3
    to_ear, _ = cKDTree(body[on_ears]).query(body)
    ears = _ramp(to_ear, 0.007, 0.002)
    near = _ramp(distance, _HAIRLINE_M[1], _HAIRLINE_M[0])
    return np.asarray(near * above * np.clip(front, 0, 1) * (1 - ears), np.float32)


def beard(library: Library, style: str, *, has_sideburns: bool = True) -> Floats:
    """Give how thickly a style of beard grows on each skin vertex, [13380], 0..1.

    Without sideburns it thins out before the ears, for heads on which no hair meets it.
    """
    x, y, z = np.abs(library.base.vertices[:BODY_VERTICES] * [[1, 1, 1]]).T
    # Lines in meters on the base mesh: lips at y 0.661, nose base 0.682, chin 0.622, ear x 0.07.
    mustache = (
        _ramp(y, 0.665, 0.668)
        * _ramp(y, 0.684, 0.679)
        * _ramp(x, 0.033, 0.024)
        * _ramp(z, 0.12, 0.13)
    )
    chin = _ramp(x, 0.026, 0.018) * _ramp(y, 0.650, 0.645) * _ramp(z, 0.09, 0.11)
    cheek_line = 0.664 + np.clip(x - 0.028, 0, 0.05) * 0.85
    jaw = _ramp(y, cheek_line + 0.008, cheek_line - 0.012) * _ramp(z, 0.046, 0.070)
    if not has_sideburns:
        jaw = jaw * np.maximum(_ramp(y, 0.692, 0.660), _ramp(z, 0.085, 0.115))
    jaw = jaw * (1 - _ramp(x, 0.030, 0.022) * _ramp(y, 0.642, 0.650))
    throat = _ramp(y, 0.605, 0.622)
    sides = _ramp(x, 0.026, 0.036) * _ramp(y, 0.655, 0.640)  # mustache's way down to the chin
    full = np.maximum(np.maximum(jaw, chin) * throat, np.maximum(mustache, sides * jaw * throat))
    growths = {
        "none": np.zeros_like(x),
        "mustache": mustache,
        "goatee": np.maximum(mustache, chin * throat),
        "stubble": full,
        "short_beard": full,
        "full_beard": full,
    }
    bare = _lips(library)
    return np.asarray(growths[style] * (1 - bare), np.float32)


def _lips(library: Library) -> Floats:
    """Mark the vertices [13380] that the lip and mouth pictures cover."""
    uv = vertex_uv(library)
    lips = _sample(library.picture("masks/mpfb_lips.jpg", 1024), uv)
    inside = _sample(library.picture("masks/mpfb_inside-mouth.jpg", 1024), uv)
    return np.asarray(np.clip(lips + inside, 0, 1), np.float32)


def mouth(library: Library) -> Floats:
    """Mark the skin vertices [13380] inside the mouth, 0..1."""
    return _sample(library.picture("masks/mpfb_inside-mouth.jpg", 1024), vertex_uv(library))


def face(library: Library) -> NDArray[np.int64]:
    """Give the skin vertices of the face proper, from chin to hairline, without ears."""
    return np.flatnonzero(
        _sample(library.picture("masks/mpfb_face.jpg", 512), vertex_uv(library)) > 0.5
    )


def vertex_uv(library: Library) -> Floats:
    """Give one texture coordinate [13380, 2] for each skin vertex."""
    corners = library.base.groups["body"]
    uv = np.zeros((BODY_VERTICES, 2), np.float32)
    uv[corners.positions.ravel()] = library.base.uv[corners.uv.ravel()]
    return uv


def _sample(picture: NDArray[np.uint8], uv: Floats) -> Floats:
    size = picture.shape[0]
    at = np.clip((uv * size).astype(np.int64), 0, size - 1)
    return np.asarray(picture[at[:, 1], at[:, 0], 0] / 255.0, np.float32)


class Landmarks(NamedTuple):
    """Base vertices whose projections label a frame."""

    names: tuple[str, ...]
    ids: tuple[int, ...]


def landmarks(library: Library) -> Landmarks:
    """Find the mouth corners, lip midpoints, eye corners, lid midpoints, nose tip and chin."""
    vertices = library.base.vertices
    body = vertices[:BODY_VERTICES]
    found: dict[str, int] = {"upper_lip": UPPER_LIP, "lower_lip": LOWER_LIP}
    lips = np.flatnonzero(
        _sample(library.picture("masks/mpfb_lips.jpg", 1024), vertex_uv(library)) > 0.5
    )
    lips = lips[body[lips, 2] > 0.13]
    for side, sign in (("left", 1), ("right", -1)):
        found[f"mouth_{side}"] = int(lips[np.argmax(sign * body[lips, 0])])
        center = vertices[EYE_VERTICES[0 if sign > 0 else 1]].mean(0)
        offset = body - center
        rim = np.flatnonzero((np.linalg.norm(offset, axis=1) < 0.021) & (offset[:, 2] > 0.002))
        for name, axis, direction in (("outer", 0, sign), ("inner", 0, -sign)):
            found[f"eye_{side}_{name}"] = int(rim[np.argmax(direction * offset[rim, axis])])
        for lid, unit in (("upper_lid", "eyeBlink"), ("lower_lid", "eyeSquint")):
            found[f"{lid}_{side}"] = _lid(library, f"{unit}{side.title()}", center, lid)
    middle = np.flatnonzero(
        (np.abs(body[:, 0]) < 0.002) & (body[:, 1] > 0.61) & (body[:, 1] < 0.74)
    )
    found["nose_tip"] = int(middle[np.argmax(body[middle, 2])])
    low = middle[(body[middle, 2] > 0.12) & (body[middle, 1] < 0.64)]
    found["chin"] = int(low[np.argmax(body[low, 2])])
    return Landmarks(tuple(found), tuple(found.values()))


def _lid(library: Library, unit: str, center: Floats, lid: str) -> int:
    """Pick the edge vertex of a lid, straight above or below the pupil."""
    from_center = library.base.vertices[:BODY_VERTICES] - center
    up = 1 if lid == "upper_lid" else -1
    radius = np.linalg.norm(from_center, axis=1)
    near = np.flatnonzero(
        (np.abs(from_center[:, 0]) < 0.004)
        & (from_center[:, 1] * up > 0)
        & (from_center[:, 2] > 0.006)
        & (radius < 0.019)
    )
    return int(near[np.argmin(np.abs(from_center[near, 1]))])
