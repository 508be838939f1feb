"""What `parley bench gpu` measures, the most telling first, so that a time limit cuts the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from export.errors import RequestError
from export.request import PictureSize


class Mode(StrEnum):
    """How the modules are run."""

    EAGER = "eager"
    GRAPHS = "graphs"  # eager kernels in CUDA graphs
    COMPILED = "compiled"  # blocks by torch.compile
    BEST = "compiled+graphs"


PRECISIONS = ("bf16", "fp8")
STEPS = (4, 2)
SIZES = ("832x480", "640x368", "512x512", "448x256")
PEOPLE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One line of the table."""

    model: str
    size: PictureSize
    precision: str
    mode: Mode
    steps: int

    @property
    def name(self) -> str:
        where = f"{self.size.width}x{self.size.height}"
        return f"{self.model} {where} {self.precision} {self.mode} {self.steps}+1"


def grid(
    models: Sequence[str],
    sizes: Sequence[str],
    modes: Iterable[Mode],
    precisions: Sequence[str],
    steps: Sequence[int],
) -> list[Case]:
    """List all cases: a model's weights are made once, and turned into fp8 once.

    Raises:
        RequestError: when a size is not WIDTHxHEIGHT or a precision is unknown.
    """
    unknown = sorted(set(precisions) - set(PRECISIONS))
    if unknown:
        raise RequestError(f"precision {unknown[0]} is not one of {', '.join(PRECISIONS)}")
    ordered = list(modes)
    return [
        Case(model=model, size=_size(size), precision=precision, mode=mode, steps=count)
        for model in models
        for precision in sorted(set(precisions), key=PRECISIONS.index)
        for size in sizes
        for mode in ordered
        for count in steps
    ]


def _size(text: str) -> PictureSize:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise RequestError(f"size {text!r} is not WIDTHxHEIGHT, as in 832x480")
    return PictureSize(int(width), int(height), PEOPLE)
