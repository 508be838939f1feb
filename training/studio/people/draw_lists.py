"""What is drawn in which pass: runs in the index buffer of one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from training.studio.people.library import Library
from training.studio.people.parts import Part

Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]

_CASTER_CELL_M = 0.011  # shadows need no finer mesh than this
_CASTERS = ("skin", "cloth", "hair", "hat")
_GROWN = 0.02  # fur is drawn where all corners of a triangle have this much


class Span(NamedTuple):
    """A run in the index buffer; `length` counts indices."""

    first: int
    length: int


class DrawLists:
    """Collects index runs; each knows its name."""

    def __init__(self) -> None:
        self.spans: dict[str, Span] = {}
        self._runs: list[Ints] = []
        self._length = 0

    def add(self, name: str, triangles: Ints) -> None:
        """Append triangles [F, 3]."""
        self._runs.append(triangles.ravel())
        self.spans[name] = Span(self._length, triangles.size)
        self._length += triangles.size

    @property
    def indices(self) -> NDArray[np.int32]:
        """All runs in one buffer."""
        return np.concatenate(self._runs).astype(np.int32)


def draw_lists(
    parts: Sequence[Part], rows: Sequence[Ints], textures: Mapping[str, str], library: Library
) -> DrawLists:
    """Sort the triangles of all parts into the lists that the renderer draws.

    Args:
        parts: the skin first.
        rows: for each part its triangles as drawn vertices, [F, 3].
        textures: the hair's picture decides which of its triangles need blending.
        library: where that picture is.
    """
    lists = DrawLists()
    for part, triangles in zip(parts, rows, strict=True):
        if part.name != "hair":
            lists.add(part.name, triangles)
            continue
        # Most hair is either solid or not there: only its edges need the second, blended pass.
        alpha = library.picture(textures["hair"])[..., 3]
        solid, soft = _hair_passes(part, alpha)
        lists.add("hair", triangles[solid])
        lists.add("soft_hair", triangles[soft])
    skin = parts[0]
    if skin.extras is not None:
        for name, weight in zip(("scalp_fur", "beard_fur"), skin.extras.T[:2], strict=True):
            grown = (weight[skin.corners.positions] > _GROWN).all(1)
            lists.add(name, rows[0][grown])
    coarse: list[Ints] = []
    for part, triangles in zip(parts, rows, strict=True):
        if part.name in _CASTERS:
            keep = np.ones(len(triangles), np.bool_)
            if part.name == "hair":
                # Strands that are mostly air throw next to no shadow.
                keep = _is_solid(part, library.picture(textures["hair"])[..., 3])
            coarse.append(_merge_near(part, triangles, keep))
    lists.add("casters", np.concatenate(coarse))
    return lists


def _hair_passes(hair: Part, alpha: NDArray[np.uint8]) -> tuple[Flags, Flags]:
    """Tell which hair triangles have solid pixels, and which have half transparent ones."""
    # Filters widen each sample so that few samples see all of a small triangle.
    most, least = maximum_filter(alpha, 7), minimum_filter(alpha, 7)
    steps = np.array([(i, j, 5 - i - j) for i in range(6) for j in range(6 - i)]) / 5
    y, x = _texels(np.einsum("sk,fkc->sfc", steps, hair.uv[hair.corners.uv]), alpha.shape)
    top, bottom = most[y, x].max(0), least[y, x].min(0)
    return np.asarray(top > 0.5 * 255), np.asarray((top > 0.04 * 255) & (bottom < 0.7 * 255))


def _is_solid(hair: Part, alpha: NDArray[np.uint8]) -> Flags:
    y, x = _texels(hair.uv[hair.corners.uv].mean(1), alpha.shape)
    return np.asarray(alpha[y, x] > 128)


def _texels(uv: NDArray[np.floating], shape: tuple[int, ...]) -> tuple[Ints, Ints]:
    height, width = shape
    x = np.floor(uv[..., 0] * width).astype(np.int64) % width
    y = np.floor(uv[..., 1] * height).astype(np.int64) % height
    return y, x


def _merge_near(part: Part, triangles: Ints, keep: Flags) -> Ints:
    """Coarsen kept triangles [F, 3]: vertices in one cell of a grid become one of them."""
    cells = np.floor(part.vertices[part.corners.positions[keep]] / _CASTER_CELL_M)
    key = cells.astype(np.int64) @ np.array([1, 1 << 20, 1 << 40])
    _, where, cell = np.unique(key.ravel(), return_index=True, return_inverse=True)
    cell = cell.reshape(-1, 3)
    a, b, c = cell.T
    whole = cell[(a != b) & (b != c) & (a != c)]
    return np.unique(triangles[keep].ravel()[where][whole], axis=0)
