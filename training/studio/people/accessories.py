"""Glasses, earrings and hats as meshes of our own, fitted to a head at rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.studio.people import regions
from training.studio.people.identity import Identity
from training.studio.people.library import Library

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class SolidMesh(NamedTuple):
    """Triangles without texture."""

    name: str
    vertices: Floats  # [P, 3]
    triangles: Ints  # [F, 3]


class Anchors(NamedTuple):
    """Where things are worn on one head, meters."""

    eyes: tuple[Floats, Floats]  # left, right
    brow_z: float  # how far the brows and the nose bridge stand out
    bridge_y: float
    ears: tuple[Floats, Floats]  # where the temples of glasses rest
    lobes: tuple[Floats, Floats]
    head: Floats  # [P, 3] surface of head and hair


def find_anchors(body: Floats, library: Library, hair: Floats | None) -> Anchors:
    """Find the anchors on a body [N, 3] and, when there is a hair mesh, its vertices [P, 3]."""
    eyes = [body[rows].mean(0) for rows in regions.EYE_VERTICES]
    base = library.base.vertices
    skin = body[: regions.BODY_VERTICES]
    ears: list[Floats] = []
    lobes: list[Floats] = []
    for side in ("l", "r"):
        ids = library.target(f"ears/{side}-ear-scale-incr").ids
        ids = ids[ids < regions.BODY_VERTICES]
        lobes.append(skin[ids[np.argmin(base[ids, 1])]])
        top = np.sort(base[ids, 1])[-1] - 0.012
        near_top = ids[np.abs(base[ids, 1] - top) < 0.006]
        ears.append(skin[near_top[np.argmax(base[near_top, 2])]])
    level = np.abs(skin[:, 1] - eyes[0][1]) < 0.022
    front = skin[level & (np.abs(skin[:, 0]) < 0.055)]
    head = skin[skin[:, 1] > float(eyes[0][1]) - 0.03]
    if hair is not None:
        head = np.concatenate([head, hair[hair[:, 1] > float(eyes[0][1]) - 0.03]])
    bridge = skin[(np.abs(skin[:, 0]) < 0.004) & level]
    return Anchors(
        eyes=(eyes[0], eyes[1]),
        brow_z=float(np.percentile(front[:, 2], 97)),
        bridge_y=float(bridge[np.argmin(bridge[:, 2] + (bridge[:, 2] < eyes[0][2])), 1]),
        ears=(ears[0], ears[1]),
        lobes=(lobes[0], lobes[1]),
        head=head,
    )


def build(identity: Identity, anchors: Anchors) -> Iterator[SolidMesh]:
    """Make whatever an identity wears."""
    if identity.glasses != "none":
        yield _merge("glasses", _glasses(identity.glasses, anchors))
    if identity.earrings != "none":
        yield _merge("earrings", _earrings(identity.earrings, anchors))
    if identity.hat != "none":
        yield _hat(identity.hat, anchors)


def _glasses(style: str, anchors: Anchors) -> Iterator[tuple[Floats, Ints]]:
    thickness = {"round": 0.0016, "square": 0.0022, "thin": 0.0009}[style]
    half = (anchors.eyes[0][0] - anchors.eyes[1][0]) / 2
    wide = min(float(half) - 0.0085, 0.0245)
    tall = wide * {"round": 0.98, "square": 0.72, "thin": 0.66}[style]
    power = {"round": 1.0, "square": 0.55, "thin": 0.75}[style]  # superellipse
    front = anchors.brow_z + 0.003
    turn = np.linspace(0, 2 * np.pi, 33)[:-1]
    unit = np.stack([np.cos(turn), np.sin(turn)], 1)
    outline = np.sign(unit) * np.abs(unit) ** power * [wide, tall]
    for side, eye, ear in zip((1, -1), anchors.eyes, anchors.ears, strict=True):
        ring = np.empty((len(outline), 3), np.float32)
        ring[:, :2] = outline + np.array((eye[0], eye[1] - 0.003))
        # Lenses wrap a little around the face.
        ring[:, 2] = front - 2.2 * np.maximum(side * (ring[:, 0] - eye[0]), 0) ** 2 * 8
        yield _tube(ring, thickness, is_closed=True)
        hinge = np.array([eye[0] + side * wide, eye[1] + tall * 0.35, ring[:, 2].min()])
        outside = np.array([ear[0] + side * 0.002, hinge[1], (hinge[2] * 0.35 + ear[2] * 0.65)])
        behind = np.array([ear[0] + side * 0.001, min(ear[1], hinge[1] + 0.004), ear[2] - 0.004])
        yield _tube(np.stack([hinge, outside, behind]).astype(np.float32), thickness, False)
    middle = [anchors.eyes[0][0] - wide, 0.0, anchors.eyes[1][0] + wide]
    height = anchors.eyes[0][1]
    arc = [[x, height + 0.001 + 0.003 * (x == 0.0), front + 0.001] for x in middle]
    yield _tube(np.array(arc, np.float32), thickness, is_closed=False)


def _earrings(style: str, anchors: Anchors) -> Iterator[tuple[Floats, Ints]]:
    for side, lobe in zip((1, -1), anchors.lobes, strict=True):
        center = lobe + np.array([side * 0.0015, 0.003, 0.001])
        if style == "studs":
            yield _ball(center.astype(np.float32), 0.0026)
            continue
        turn = np.linspace(0, 2 * np.pi, 25)[:-1]
        ring = np.stack([0 * turn, -0.011 + 0.011 * np.cos(turn), 0.011 * np.sin(turn)], 1)
        yield _tube((center + ring).astype(np.float32), 0.0010, is_closed=True)


def _hat(style: str, anchors: Anchors) -> SolidMesh:
    """Wrap the head, hair included, in rings; a headband has two edges, a beanie goes on up."""
    points = anchors.head
    center = (anchors.eyes[0] + anchors.eyes[1]) / 2 + np.array([0, 0.0, -0.085])
    tilt = 0.45  # meters up for each meter forward: the rim sits higher in front
    relative = points - center
    height = relative[:, 1] - tilt * relative[:, 2]
    angle = np.arctan2(relative[:, 0], relative[:, 2])
    radius = np.hypot(relative[:, 0], relative[:, 2])
    steps = 48
    top = float(height.max())
    low = 0.022
    levels = [low, low + 0.028] if style == "headband" else list(np.linspace(low, top * 0.72, 10))
    rings: list[Floats] = []
    for index, level in enumerate(levels):
        near = np.abs(height - level) < 0.014
        reach = np.zeros(steps)
        slots = ((angle[near] / (2 * np.pi) % 1) * steps).astype(int) % steps
        np.maximum.at(reach, slots, radius[near])
        filled = np.flatnonzero(reach)
        reach = np.interp(np.arange(steps), filled, reach[filled], period=steps)
        wide = np.stack([np.roll(reach, k) for k in range(-3, 4)])
        reach = (wide.max(0) + wide.mean(0)) / 2
        extra = 0.004 if style == "headband" else 0.006 + 0.003 * (index == 0)
        turn = (np.arange(steps) + 0.5) / steps * 2 * np.pi
        ring = np.stack([np.sin(turn), np.zeros(steps), np.cos(turn)], 1) * (reach + extra)[:, None]
        ring[:, 1] = level + tilt * ring[:, 2]
        rings.append((ring + center).astype(np.float32))
    rows = [_shrunk(rings[0], 0.93), *rings]
    rows += (
        [_shrunk(rings[-1], 0.93)] if style == "headband" else _crown(rings[-1], top - levels[-1])
    )
    vertices = np.concatenate(rows)
    return SolidMesh("hat", vertices, _grid(len(rows), steps, is_closed=False))


def _shrunk(ring: Floats, share: float) -> Floats:
    return np.asarray(ring.mean(0) + (ring - ring.mean(0)) * share, np.float32)


def _crown(ring: Floats, rise: float) -> list[Floats]:
    """Close a beanie: rings that shrink and rise over the last one."""
    lift = max(rise, 0.0) + 0.006
    turns = np.radians([20, 40, 58, 74, 89])
    return [
        _shrunk(ring, float(np.cos(turn))) + np.array([0, lift * np.sin(turn), 0], np.float32)
        for turn in turns
    ]


def _tube(path: Floats, radius: float, is_closed: bool) -> tuple[Floats, Ints]:
    """Sweep a hexagon along a path [K, 3]."""
    ahead = np.roll(path, -1, 0) - np.roll(path, 1, 0)
    if not is_closed:
        ahead[0], ahead[-1] = path[1] - path[0], path[-1] - path[-2]
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    side = np.cross(ahead, [0.0, 0.13, 1.0])
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    up = np.cross(side, ahead)
    turn = np.linspace(0, 2 * np.pi, 7)[:-1]
    around = side[:, None] * np.cos(turn)[:, None] + up[:, None] * np.sin(turn)[:, None]
    vertices = (path[:, None] + around * radius).reshape(-1, 3).astype(np.float32)
    return vertices, _grid(len(path), 6, is_closed)


def _grid(rows: int, columns: int, is_closed: bool) -> Ints:
    """Give the triangles of a sheet of rows, whose columns close around."""
    row = np.arange(rows if is_closed else rows - 1)[:, None]
    column = np.arange(columns)[None]
    after, beside = (row + 1) % rows, (column + 1) % columns
    a, b = row * columns + column, row * columns + beside
    c, d = after * columns + beside, after * columns + column
    return np.stack([a, b, c, a, c, d], -1).reshape(-1, 3).astype(np.int64)


def _ball(center: Floats, radius: float) -> tuple[Floats, Ints]:
    rows = np.linspace(0.02, np.pi - 0.02, 7)
    turn = np.linspace(0, 2 * np.pi, 9)[:-1]
    points = np.stack(
        [
            np.sin(rows)[:, None] * np.cos(turn),
            np.repeat(np.cos(rows)[:, None], len(turn), 1),
            np.sin(rows)[:, None] * np.sin(turn),
        ],
        -1,
    )
    vertices = (center + radius * points.reshape(-1, 3)).astype(np.float32)
    return vertices, _grid(len(rows), len(turn), is_closed=False)


def _merge(name: str, pieces: Iterator[tuple[Floats, Ints]]) -> SolidMesh:
    vertices: list[Floats] = []
    triangles: list[Ints] = []
    count = 0
    for points, faces in pieces:
        vertices.append(points)
        triangles.append(faces + count)
        count += len(points)
    return SolidMesh(name, np.concatenate(vertices), np.concatenate(triangles))
