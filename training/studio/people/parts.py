"""Cut the parts of one person out of the base mesh, and fit what the person wears.

Shape letters: N base vertices, P vertices of a part.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.studio.people import regions
from training.studio.people.identity import Identity
from training.studio.people.library import Library
from training.studio.people.mesh import Corners, Proxy, vertex_normals
from training.studio.people.shape import rest_body
from training.studio.people.wardrobe import HAIR
from training.studio.performance_data import ARKIT

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_BESIDE_M = 0.42
_UPPER_TEETH = 15_060  # base vertices from here on carry the upper teeth, those before the lower
# The base mesh hides its upper teeth behind the lip and bares the lower ones. People who talk show
# the edges of the upper row, and of the lower one little more than a dark hint.
_TEETH_NARROW = 0.90
_UPPER_EDGE_M = 0.0017  # how far the upper row reaches below the line of the closed lips
_LOWER_EDGE_M = 0.0050  # how far below that line the lower row begins
_LIT_MOUTH_M, _DARK_MOUTH_M = 0.002, 0.014  # light fades over this depth behind the lips
_TONGUE_LOWER_M = np.array([0, 0.007, 0.004], np.float32)  # the base mesh's fills the mouth
_TONGUE_OUT_M = np.array([0, 0.014, 0.013], np.float32)  # what brings its tip between the teeth
_DARK_TONGUE_M = 0.022
_DARK_TEETH_M = 0.014  # so far behind them teeth are in the dark of the cheeks
_FRONT_TEETH_M = 0.004  # behind the foremost point: the incisors
_FRINGE_ABOVE_EYES_M = 0.026
_FRINGE_BESIDE_EYES_M = 0.016
HEAD = (0.0, 0.0, 1.0, 0.0, 0.0)
_GROUPS = {
    "eye_left": "helper-l-eye",
    "eye_right": "helper-r-eye",
}


@dataclass(slots=True, kw_only=True)
class Part:
    """Some vertices drawn with one material."""

    name: str
    vertices: Floats  # [P, 3]
    corners: Corners
    uv: Floats
    weights: Floats  # [P, 5]
    breath: Floats  # [P]
    deltas: Floats | None = None  # [52, P, 3]
    extras: Floats | None = None  # [P, 3] scalp, beard, occlusion
    normals: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.normals = vertex_normals(self.vertices, self.corners.positions)


class PartBuilder:
    """Cuts the parts of one person out of the base mesh and its proxies."""

    def __init__(self, identity: Identity, library: Library, below_eyes_m: float) -> None:
        self.identity = identity
        self.library = library
        self.body = rest_body(identity, library)
        self.weights, self.chest = library.bone_weights
        self.eyes = [self.body[rows].mean(0) for rows in regions.EYE_VERTICES]
        self.bottom = float(self.eyes[0][1]) - below_eyes_m

    def skin(self) -> tuple[Part, Ints]:
        """Cut out the visible skin; also give which base vertices it is made of."""
        corners = self.library.base.groups["body"]
        hidden = self.library.proxy(self.identity.garment).hidden
        points = self.body[corners.positions]
        visible = (
            (points[..., 1].max(1) > self.bottom)
            & (np.abs(points[..., 0]).min(1) < _BESIDE_M)
            & ~hidden[corners.positions].all(1)
        )
        part, ids = self._from_base("skin", corners.keep(visible))
        scalp = regions.scalp(self.library)
        growth = regions.beard(
            self.library, self.identity.beard, has_sideburns=self.identity.hair != "bald"
        )
        shade = self._shade_under_chin() * self._shade_in_mouth()
        part.extras = np.stack([scalp[ids], growth[ids], shade[ids]], 1)
        part.deltas = self.library.units[:, ids]
        return part, ids

    def _shade_under_chin(self) -> Floats:
        """Give how open to the sky each skin vertex is, [13380]; the throat is not."""
        x, y, z = self.library.base.vertices[: regions.BODY_VERTICES].T
        throat = np.exp(-(((y - 0.60) / 0.035) ** 2)) * (z < 0.125) * (np.abs(x) < 0.09)
        return np.asarray(1 - 0.5 * throat, np.float32)

    def _shade_in_mouth(self) -> Floats:
        """Give how much light reaches each skin vertex of the mouth, [13380]; 1 outside of it."""
        vertices = self.library.base.vertices[: regions.BODY_VERTICES]
        behind = vertices[[regions.UPPER_LIP, regions.LOWER_LIP], 2].mean() - vertices[:, 2]
        dark = np.clip((behind - _LIT_MOUTH_M) / _DARK_MOUTH_M, 0, 1) * regions.mouth(self.library)
        return np.asarray(1 - 0.84 * dark, np.float32)

    def eye(self, name: str) -> Part:
        return self._from_base(name, self.library.base.groups[_GROUPS[name]], HEAD)[0]

    def tongue(self) -> Part:
        part, ids = self._from_base("tongue", self.library.base.groups["helper-tongue"], HEAD)
        part.vertices = part.vertices - _TONGUE_LOWER_M
        part.deltas = self.library.units[:, ids].copy()
        part.deltas[ARKIT.index("tongueOut")] += _TONGUE_OUT_M
        behind = part.vertices[:, 2].max() - part.vertices[:, 2]
        light = np.clip(1 - behind / _DARK_TONGUE_M, 0, 1)
        none = np.zeros_like(light)
        part.extras = np.stack([none, none, 0.12 + 0.88 * light], 1)
        return part

    def proxy(self, name: str, mesh: str, *, moves: bool, is_rigid: bool) -> tuple[Part, Proxy]:
        """Fit a proxy; `moves` carries the face units over, `is_rigid` ties it to the head."""
        proxy = self.library.proxy(mesh)
        vertices = proxy.fit(self.body)
        corners = proxy.corners
        corners = corners.keep(vertices[corners.positions, 1].max(1) > self.bottom)
        if name == "teeth":
            vertices = _fit_teeth(vertices, proxy, self.body)
            corners = corners.keep(_faces_forward(vertices, corners.positions))
        ids, local = np.unique(corners.positions, return_inverse=True)
        weights = np.tile(np.array(HEAD, np.float32), (len(ids), 1))
        if not is_rigid:
            weights = np.clip(proxy.carry(self.weights)[ids], 0, None)
            weights /= np.maximum(weights.sum(1, keepdims=True), 1e-6)
        part = Part(
            name=name,
            vertices=vertices[ids],
            corners=Corners(local.reshape(-1, 3), corners.uv),
            uv=proxy.uv,
            weights=weights,
            breath=proxy.carry(self.chest[:, None])[ids, 0] * (not is_rigid),
        )
        if name == "teeth":
            # Back teeth are in the dark of the cheeks.
            behind = part.vertices[:, 2].max() - part.vertices[:, 2]
            light = np.clip((_DARK_TEETH_M - behind) / (_DARK_TEETH_M - _FRONT_TEETH_M), 0, 1)
            none = np.zeros_like(light)
            part.extras = np.stack([none, none, 0.06 + 0.94 * light], 1)
        if moves:
            refs, shares = proxy.refs[ids], proxy.weights[ids]
            units = self.library.units
            part.deltas = sum(
                (units[:, refs[:, k]] * shares[None, :, k, None] for k in range(3)),
                start=np.zeros((len(ARKIT), len(ids), 3), np.float32),
            )
        return part, proxy

    def hair(self) -> tuple[Part, Proxy] | None:
        mesh = HAIR[self.identity.hair].mesh
        if mesh is None:
            return None
        part, proxy = self.proxy("hair", mesh, moves=False, is_rigid=False)
        head_y = float(self.library.base.center_of("joint-head", self.body)[1])
        part.weights[part.vertices[:, 1] > head_y - 0.02] = HEAD
        part.breath *= 0
        if HAIR[self.identity.hair].has_fringe:
            part.vertices = self._cut_fringe(part.vertices)
            part.normals = vertex_normals(part.vertices, part.corners.positions)
        if self.identity.is_mirrored:
            part.vertices = part.vertices * np.array([-1, 1, 1], np.float32)
            part.weights = part.weights[:, [0, 1, 2, 4, 3]]
            part.corners = Corners(part.corners.positions[:, ::-1], part.corners.uv[:, ::-1])
            part.normals = vertex_normals(part.vertices, part.corners.positions)
        return part, proxy

    def _cut_fringe(self, hair: Floats) -> Floats:
        """Draw up what hangs before the eyes, so that it ends above the brows."""
        level = float(self.eyes[0][1]) + _FRINGE_ABOVE_EYES_M
        reach = float(self.eyes[0][0]) + _FRINGE_BESIDE_EYES_M
        beside = np.clip((reach + 0.012 - np.abs(hair[:, 0])) / 0.012, 0, 1)
        before = np.clip((hair[:, 2] - float(self.eyes[0][2]) + 0.03) / 0.02, 0, 1)
        raised = level + np.minimum(hair[:, 1] - level, 0) * 0.08
        cut = hair.copy()
        low = hair[:, 1] < level
        cut[low, 1] += ((raised - hair[:, 1]) * beside * before)[low]
        return cut

    def _from_base(
        self, name: str, corners: Corners, weights: tuple[float, ...] | None = None
    ) -> tuple[Part, Ints]:
        ids, local = np.unique(corners.positions, return_inverse=True)
        bone_weights = self.weights[ids]
        if weights is not None:
            bone_weights = np.tile(np.array(weights, np.float32), (len(ids), 1))
        part = Part(
            name=name,
            vertices=self.body[ids],
            corners=Corners(local.reshape(-1, 3), corners.uv),
            uv=self.library.base.uv,
            weights=bone_weights,
            breath=self.chest[ids] if weights is None else np.zeros(len(ids), np.float32),
        )
        return part, ids


def _fit_teeth(teeth: Floats, proxy: Proxy, body: Floats) -> Floats:
    """Shift both rows to where a speaking mouth shows them, and narrow the arch."""
    line = float(body[[regions.UPPER_LIP, regions.LOWER_LIP], 1].mean())
    is_upper = proxy.refs[:, 0] >= _UPPER_TEETH
    fitted = teeth.copy()
    for row, sign, edge in ((is_upper, -1, _UPPER_EDGE_M), (~is_upper, 1, _LOWER_EDGE_M)):
        front = teeth[row & (teeth[:, 2] > teeth[row, 2].max() - _FRONT_TEETH_M), 1]
        tip = float((sign * front).max() * sign)
        fitted[row, 1] += np.float32(line - edge - tip)
    fitted[:, 0] *= np.float32(_TEETH_NARROW)
    return np.asarray(fitted, np.float32)


def _faces_forward(vertices: Floats, triangles: Ints) -> NDArray[np.bool_]:
    """Tell which triangles someone before the face could see through the open mouth."""
    a, b, c = (vertices[triangles[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    return np.asarray(normal[:, 2] > -0.8 * np.linalg.norm(normal, axis=1))
