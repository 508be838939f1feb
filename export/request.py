"""What an export is asked for, checked before anything heavy begins."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from export.errors import RequestError
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
SIZE = re.compile(r"(\d+)x(\d+)x(\d+)")


class PictureSize(NamedTuple):
    """A picture and the people in it."""

    width: int
    height: int
    people: int

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
    timesteps: tuple[float, ...]

    def __post_init__(self) -> None:
        known = PRECISIONS[self.target]
        if self.precision not in known:
            raise RequestError(
                f"the target {self.target} knows {' and '.join(known)}, not {self.precision}"
            )
        if not self.sizes or len(set(self.sizes)) != len(self.sizes):
            raise RequestError(f"give one or more sizes, each once; got {self.sizes}")
        if self.target is Target.TENSORRT and not self.gpus:
            raise RequestError(
                "the target tensorrt needs a GPU to build for: --gpu SM89, SM90, SM120, ... or any"
            )

    def wants(self, role: str) -> bool:
        """Say whether networks of a role are to be made."""
        return not self.roles or role in self.roles

    @property
    def fingerprint(self) -> str:
        """What must be the same for a half-written bundle to be gone on with."""
        facts = (self.preset, self.weights, self.target, self.precision, self.timesteps)
        facts_of_parity = (self.parity_chunks, self.gpus)
        return hashlib.sha256(repr((facts, facts_of_parity)).encode()).hexdigest()[:16]
