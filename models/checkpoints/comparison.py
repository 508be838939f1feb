"""The tensors a network has, against those that files hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

Shape = tuple[int, ...]


class TensorInfo(NamedTuple):
    """What a file's header says of one tensor."""

    shape: Shape
    dtype: torch.dtype
    path: Path

    @property
    def size_bytes(self) -> int:
        elements = 1
        for length in self.shape:
            elements *= length
        return elements * self.dtype.itemsize


class Misshapen(NamedTuple):
    """One tensor that is there but cannot be taken: another shape, or integers for floats."""

    name: str
    expected: Shape
    found: TensorInfo

    def __str__(self) -> str:
        kind = "" if self.found.dtype.is_floating_point else f" {self.found.dtype}"
        shapes = f"expected {list(self.expected)}, found {list(self.found.shape)}{kind}"
        return f"{self.name} ({shapes})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Every difference between a network and files; all empty when they fit."""

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misshapen: tuple[Misshapen, ...]

    @property
    def is_equal(self) -> bool:
        return not (self.missing or self.unexpected or self.misshapen)


def compare(
    wanted: Mapping[str, Tensor], found: Mapping[str, TensorInfo], optional: Collection[str] = ()
) -> Comparison:
    """Compare a network's state dict (the meta device will do) with headers, both by our names.

    Args:
        wanted: names to tensors, of which only shape and dtype are read.
        found: names to headers.
        optional: names that may be missing, because no forward pass reads them.
    """
    return Comparison(
        missing=tuple(name for name in wanted if name not in found and name not in optional),
        unexpected=tuple(name for name in found if name not in wanted),
        misshapen=tuple(
            Misshapen(name, tuple(tensor.shape), found[name])
            for name, tensor in wanted.items()
            if name in found and not _fits(tensor, found[name])
        ),
    )


def _fits(wanted: Tensor, found: TensorInfo) -> bool:
    if tuple(wanted.shape) != found.shape:
        return False
    return found.dtype.is_floating_point or not wanted.is_floating_point()
