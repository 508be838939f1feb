"""Read MakeHuman shape targets: how far some vertices move when a trait is at full strength."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError

METERS_PER_UNIT = 0.1  # MakeHuman counts in decimeters; y points up, z out of the face


class SparseDelta(NamedTuple):
    """Displacements of a few vertices of the base mesh."""

    ids: NDArray[np.int64]  # [K]
    offsets: NDArray[np.float32]  # [K, 3] meters

    def add_to(self, vertices: NDArray[np.float32], weight: float) -> None:
        """Move vertices [N, 3] in place by `weight` times this delta."""
        vertices[self.ids] += self.offsets * np.float32(weight)


def parse_target(lines: Iterable[str]) -> SparseDelta:
    """Parse lines of `vertex dx dy dz`; empty lines and lines that begin with # are skipped.

    Raises:
        InputError: when a line has another form.
    """
    ids: list[int] = []
    offsets: list[list[float]] = []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            vertex, dx, dy, dz = words
            offset = [float(dx), float(dy), float(dz)]
            ids.append(int(vertex))
        except ValueError as error:
            raise InputError(
                f"target line {number}: expected 'vertex dx dy dz', got {line.strip()!r}"
            ) from error
        offsets.append(offset)
    meters = np.array(offsets, np.float32).reshape(-1, 3) * np.float32(METERS_PER_UNIT)
    return SparseDelta(np.array(ids, np.int64), meters)


def read_target(path: Path) -> SparseDelta:
    """Read a `.target` or `.target.gz` file."""
    if path.suffix == ".gz":
        with gzip.open(path, "rt") as packed:
            return parse_target(packed)
    with path.open() as plain:
        return parse_target(plain)


# The two ends of a trait, as the last part of two target names.
_OPPOSITES = (
    ("decr", "incr"),
    ("down", "up"),
    ("in", "out"),
    ("backward", "forward"),
    ("concave", "convex"),
    ("compress", "uncompress"),
)


class Trait(NamedTuple):
    """One face trait with two opposite ends; left and right halves move together."""

    key: str  # such as "nose/hump"
    low: tuple[str, ...]  # target names at negative strength
    high: tuple[str, ...]  # target names at positive strength


def pair_traits(region: str, names: Iterable[str]) -> list[Trait]:
    """Pair target names of one region into traits, in the order of their keys."""
    known = set(names)
    ends: dict[str, tuple[list[str], list[str]]] = {}
    for name in sorted(known):
        stem, _, end = name.rpartition("-")
        high = dict(_OPPOSITES).get(end)
        if high is None or f"{stem}-{high}" not in known:
            continue
        side = stem[2:] if stem.startswith(("l-", "r-")) else stem
        pair = ends.setdefault(f"{region}/{side.removeprefix(f'{region}-')}", ([], []))
        pair[0].append(f"{region}/{name}")
        pair[1].append(f"{region}/{stem}-{high}")
    return [Trait(key, tuple(low), tuple(high)) for key, (low, high) in sorted(ends.items())]
