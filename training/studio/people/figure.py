"""A person as vertex arrays: all parts in one buffer, with the face's blend shapes beside it.

Shape letters: M vertices that blend shapes move, R vertices as drawn (a vertex on a texture seam
counts twice), F triangles. The first rows of the drawn vertices are those of the moving part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.studio.people import accessories, regions
from training.studio.people.accessories import SolidMesh
from training.studio.people.draw_lists import Span, draw_lists
from training.studio.people.identity import Identity
from training.studio.people.library import Library
from training.studio.people.mesh import Corners
from training.studio.people.parts import HEAD, Part, PartBuilder
from training.studio.performance_data import ARKIT

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Joints(NamedTuple):
    """Pivots at rest, [3] each, meters."""

    neck: Floats
    head: Floats
    shoulder_left: Floats
    shoulder_right: Floats
    eye_left: Floats
    eye_right: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One person ready to be posed and drawn."""

    identity: Identity
    joints: Joints
    rest: Floats  # [M, 3] moving vertices at rest, skin first
    rest_normals: Floats  # [M, 3]
    deltas: Floats  # [52, M * 3]
    skin_triangles: Ints  # [F, 3] whose normals change with the face
    drawn_from: Ints  # [R_moving] which moving vertex a drawn one copies
    still: Floats  # [R_still, 6] position and normal of the parts without blend shapes
    attributes: Floats  # [R, 10] uv 2, bone weights 4, breath, scalp, beard, occlusion
    indices: NDArray[np.int32]
    spans: Mapping[str, Span]
    textures: Mapping[str, str]  # part -> picture
    skin_ids: Ints  # [M_skin] base vertices of the moving skin
    landmark_names: tuple[str, ...]
    landmark_rows: Ints  # moving vertices
    lip_rows: tuple[int, int]
    face_rows: Ints  # moving vertices whose projections bound the face

    @property
    def eyes_center(self) -> Floats:
        """The point between the eyes at rest, [3]."""
        return np.asarray((self.joints.eye_left + self.joints.eye_right) / 2, np.float32)


def build_figure(identity: Identity, library: Library, below_eyes_m: float = 0.6) -> Figure:
    """Shape, dress and bind one person; what lies lower than `below_eyes_m` is left out."""
    builder = PartBuilder(identity, library, below_eyes_m)
    skin, skin_ids = builder.skin()
    textures: dict[str, str] = {}
    moving = [skin]
    for name, mesh in (("brow", identity.brow), ("lash", identity.lash), ("teeth", "Teeth_Base")):
        part, proxy = builder.proxy(name, mesh, moves=True, is_rigid=True)
        textures[name] = f"proxies/{proxy.texture}"
        moving.append(part)
    moving.append(builder.tongue())
    still = [builder.eye("eye_left"), builder.eye("eye_right")]
    cloth, garment = builder.proxy("cloth", identity.garment, moves=False, is_rigid=False)
    textures["cloth"] = f"proxies/{garment.texture}"
    still.append(cloth)
    worn = builder.hair()
    if worn is not None:
        textures["hair"] = f"proxies/{worn[1].texture}"
        still.append(worn[0])
    anchors = accessories.find_anchors(builder.body, library, worn[0].vertices if worn else None)
    still += [_rigid(mesh) for mesh in accessories.build(identity, anchors)]
    return _assemble(builder, moving, still, textures, skin_ids)


def _rigid(mesh: SolidMesh) -> Part:
    count = len(mesh.vertices)
    return Part(
        name=mesh.name,
        vertices=mesh.vertices,
        corners=Corners(mesh.triangles, np.zeros_like(mesh.triangles)),
        uv=np.zeros((1, 2), np.float32),
        weights=np.tile(np.array(HEAD, np.float32), (count, 1)),
        breath=np.zeros(count, np.float32),
    )


class _Drawn(NamedTuple):
    """One part's vertices as drawn: those on texture seams are doubled."""

    vertex: Ints  # [R] which vertex of the part
    triangles: Ints  # [F, 3] into the rows of this part
    attributes: Floats  # [R, 10]


def _split_seams(part: Part) -> _Drawn:
    pairs = np.stack([part.corners.positions.ravel(), part.corners.uv.ravel()], 1)
    unique, inverse = np.unique(pairs, axis=0, return_inverse=True)
    vertex = unique[:, 0]
    extras = part.extras
    if extras is None:
        extras = np.tile(np.array([0, 0, 1], np.float32), (len(part.vertices), 1))
    columns = (
        part.uv[unique[:, 1]],
        part.weights[vertex, 1:],
        part.breath[vertex, None],
        extras[vertex],
    )
    attributes = np.concatenate(columns, 1).astype(np.float32)
    return _Drawn(vertex, inverse.reshape(-1, 3), attributes)


def _assemble(
    builder: PartBuilder,
    moving: list[Part],
    still: list[Part],
    textures: dict[str, str],
    skin_ids: Ints,
) -> Figure:
    parts = [*moving, *still]
    drawn = [_split_seams(part) for part in parts]
    starts = np.cumsum([0, *(len(d.vertex) for d in drawn)])
    bases = np.cumsum([0, *(len(part.vertices) for part in moving)])
    rows = [d.triangles + start for d, start in zip(drawn, starts, strict=False)]
    lists = draw_lists(parts, rows, textures, builder.library)
    still_rows = [
        np.concatenate([part.vertices[d.vertex], part.normals[d.vertex]], 1)
        for part, d in zip(still, drawn[len(moving) :], strict=True)
    ]
    row_of = {int(vertex): row for row, vertex in enumerate(skin_ids)}
    marks = regions.landmarks(builder.library)
    face = [row_of[int(i)] for i in regions.face(builder.library) if int(i) in row_of]
    deltas = np.concatenate([part.deltas for part in moving if part.deltas is not None], 1)
    return Figure(
        identity=builder.identity,
        joints=_joints(builder),
        rest=np.concatenate([part.vertices for part in moving]),
        rest_normals=np.concatenate([part.normals for part in moving]),
        deltas=np.ascontiguousarray(deltas.reshape(len(ARKIT), -1)),
        skin_triangles=moving[0].corners.positions,
        drawn_from=np.concatenate(
            [d.vertex + base for d, base in zip(drawn[: len(moving)], bases, strict=False)]
        ),
        still=np.concatenate(still_rows).astype(np.float32),
        attributes=np.concatenate([d.attributes for d in drawn]),
        indices=lists.indices,
        spans=lists.spans,
        textures=textures,
        skin_ids=skin_ids,
        landmark_names=marks.names,
        landmark_rows=np.array([row_of[i] for i in marks.ids], np.int64),
        lip_rows=(row_of[regions.UPPER_LIP], row_of[regions.LOWER_LIP]),
        face_rows=np.array(face, np.int64),
    )


def _joints(builder: PartBuilder) -> Joints:
    names = ("neck", "head", "l-shoulder", "r-shoulder")
    centers = [builder.library.base.center_of(f"joint-{name}", builder.body) for name in names]
    return Joints(*centers, *(np.asarray(eye, np.float32) for eye in builder.eyes))
