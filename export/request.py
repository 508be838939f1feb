"""What an export is asked for, checked before anything heavy begins."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from engines.manifest import CellRule, Size
from export.conversations import ReadyConversation
from export.errors import RequestError
from export.scenes import ReadyScene
from export.weights import Weights


class Target(StrEnum):
    """What runs the bundle."""

    ONNX = "onnx"
    OPENVINO = "openvino"
    TENSORRT = "tensorrt"
    TORCH = "torch"


PRECISIONS: Mapping[Target, tuple[str, ...]] = {
    Target.ONNX: ("fp32", "int8"),
    Target.OPENVINO: ("fp32", "bf16"),
    Target.TENSORRT: ("bf16", "fp8"),
    Target.TORCH: ("fp32", "bf16", "fp8"),
}
MOST_TIMESTEP = 1000.0
SIZE = re.compile(r"(\d+)x(\d+)x(\d+)")


class PictureSize(NamedTuple):
    """A picture and the people in it."""

    width: int
    height: int
    people: int

    @classmethod
    def of(cls, size: Size) -> PictureSize:
        """Take over a manifest's size."""
        return cls(size.width, size.height, size.people)

    @property
    def key(self) -> str:
        return f"{self.width}x{self.height}x{self.people}"


def parse_size(text: str) -> PictureSize:
    """Read WIDTHxHEIGHTxPEOPLE, as in 448x256x2.

    Raises:
        RequestError: when the text says anything else.
    """
    found = SIZE.fullmatch(text)
    if found is None:
        raise RequestError(f"size {text!r} is not WIDTHxHEIGHTxPEOPLE, as in 448x256x2")
    return PictureSize(*map(int, found.groups()))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """One run of `parley export`.

    Raises:
        RequestError: when the target does not know the precision, or there is nothing to make.
    """

    preset: str
    weights: Weights
    target: Target
    precision: str
    out: Path
    sizes: tuple[PictureSize, ...]
    roles: frozenset[str]  # empty: all
    gpus: tuple[str, ...]  # of the target tensorrt
    parity_chunks: int
    schedules: tuple[tuple[float, ...], ...]  # timesteps; the first is the default
    scenes: tuple[ReadyScene, ...] = ()
    card: str = ""  # what is said of the model besides its name and sizes
    conversations: tuple[ReadyConversation, ...] = ()
    cells: CellRule | None = None  # None: whole pictures are rolled
    remembers: bool = True  # False: a chunk sees no chunk before it

    def __post_init__(self) -> None:
        known = PRECISIONS[self.target]
        if self.precision not in known:
            raise RequestError(
                f"the target {self.target} knows {' and '.join(known)}, not {self.precision}"
            )
        if not self.sizes or len(set(self.sizes)) != len(self.sizes):
            raise RequestError(f"give one or more sizes, each once; got {self.sizes}")
        keys = {size.key for size in self.sizes}
        for scene in self.scenes:
            if scene.size.key not in keys:
                raise RequestError(
                    f"the scene {scene.folder.name} is for {scene.size.key}; add --size "
                    f"{scene.size.key} or leave the scene out"
                )
        for steps in self.schedules:
            falls = all(a > b for a, b in pairwise(steps))
            if not steps or not falls or not 0 < steps[-1] <= steps[0] <= MOST_TIMESTEP:
                raise RequestError(
                    f"timesteps {', '.join(f'{each:g}' for each in steps)} do not fall within "
                    f"0 to {MOST_TIMESTEP:g}, as 1000,500 do"
                )
        if len({len(each) for each in self.schedules}) != len(self.schedules):
            raise RequestError(f"two schedules have the same number of steps: {self.schedules}")
        if self.target is Target.TENSORRT and not self.gpus:
            raise RequestError(
                "the target tensorrt needs a GPU to build for: --gpu SM89, SM90, SM120, ... or any"
            )

    @property
    def timesteps(self) -> tuple[float, ...]:
        return self.schedules[0]

    @property
    def rolled_sizes(self) -> tuple[PictureSize, ...]:
        """Sizes at which networks are made, each once: of pictures, or of their cells."""
        return tuple(dict.fromkeys(self.rolled(size) for size in self.sizes))

    def rolled(self, size: PictureSize) -> PictureSize:
        """Give the size at which networks see a size of the video."""
        if self.cells is None:
            return size
        side = self.cells.side
        return PictureSize(side * size.people, side, size.people)

    def pictures(self, label: str | None) -> tuple[Tensor, ...]:
        """Give what networks of one size see of the scenes: [1, 3, H, W] in -1..1.

        Where no scene has so many people, cells of several scenes make up strips.
        """
        found = tuple(
            scene.tensor(self.cells)
            for scene in self.scenes
            if self.rolled(PictureSize.of(scene.size)).key == label
        )
        people = [size.people for size in self.rolled_sizes if size.key == label]
        if found or self.cells is None or not people:
            return found
        side = self.cells.side
        strips = [scene.tensor(self.cells) for scene in self.scenes]
        cells = [cell for strip in strips for cell in torch.split(strip, side, dim=3)]
        whole = len(cells) - len(cells) % people[0]
        return tuple(
            torch.cat(cells[first : first + people[0]], dim=3)
            for first in range(0, whole, people[0])
        )

    def wants(self, role: str) -> bool:
        """Say whether networks of a role are to be made."""
        return not self.roles or role in self.roles

    @property
    def fingerprint(self) -> str:
        """What must be the same for a half-written bundle to be gone on with."""
        facts = (self.preset, self.weights, self.target, self.precision, self.timesteps)
        pictures = [hashlib.sha256(scene.picture.tobytes()).digest() for scene in self.scenes]
        facts_of_parity = (self.parity_chunks, self.gpus, pictures, self.cells)
        return hashlib.sha256(repr((facts, facts_of_parity)).encode()).hexdigest()[:16]
