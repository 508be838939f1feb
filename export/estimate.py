"""What an export will need of disk and memory, worked out before it begins.

Sizes come from the networks themselves, built without memory for their weights.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from export.errors import SpaceError
from export.recipes import Recipe
from export.request import ExportRequest, Target
from models.checkpoints.network import build_empty

FLOAT32_BYTES = 4
# Of the float32 weights: what stays in the bundle, by precision.
KEPT: Mapping[str, float] = {"fp32": 1.0, "bf16": 0.5, "int8": 0.3, "fp8": 0.3}
# Weights in torch, the constants that the exporter folds, and the runtime that checks the result.
MEMORY_FACTOR = 2.5
# ONNX Runtime's quantizer holds several copies: 3.2 were not enough for 7 GiB of weights.
QUANTIZER_MEMORY_FACTOR = 4.0
MEMORY_INFO = Path("/proc/meminfo")
GIB = 2**30


class Need(NamedTuple):
    """Bytes that an export needs."""

    bundle: int
    scratch: int  # besides the bundle, while the largest network is made
    memory: int
    largest: str  # the network that asks for most memory

    @property
    def disk(self) -> int:
        return self.bundle + self.scratch

    def __str__(self) -> str:
        return (
            f"bundle about {self.bundle / GIB:.2f} GiB, disk while it is made "
            f"{self.disk / GIB:.2f} GiB, memory {self.memory / GIB:.1f} GiB ({self.largest})"
        )


def estimate(recipe: Recipe, request: ExportRequest) -> Need:
    """Work out what a request needs."""
    weights = dict(_weight_bytes(recipe, request))
    if not weights:
        return Need(0, 0, 0, "nothing to make")
    largest = max(weights, key=lambda key: weights[key])
    kept = KEPT[request.precision] if request.target is not Target.OPENVINO else 1.0
    copies = len(request.gpus) if request.target is Target.TENSORRT else 1
    bundle = sum(weights.values()) * kept * copies
    # The plain float32 graph, and the copy that a quantizer or a parser works on.
    scratch = weights[largest] * (1.0 if kept == 1.0 else 2.2)
    factor = QUANTIZER_MEMORY_FACTOR if request.precision == "int8" else MEMORY_FACTOR
    return Need(int(bundle), int(scratch), int(weights[largest] * factor), largest)


def _weight_bytes(recipe: Recipe, request: ExportRequest) -> Iterable[tuple[str, int]]:
    for number, size in enumerate(request.rolled_sizes):
        shape = recipe.shape(size, is_strip=request.cells is not None)
        for piece in recipe.pieces:
            if not any(request.wants(role) for role in piece.roles):
                continue
            built = piece.build(build_empty, shape)
            for network in built.networks:
                if request.wants(network.role) and (network.label is not None or number == 0):
                    yield network.key, network.weight_bytes
            if built.family is not None and request.wants("dit"):
                count = sum(p.numel() for p in built.family.dit.parameters())
                yield f"dit@{shape.label}", count * FLOAT32_BYTES


def require_space(need: Need, out: Path, *, already: int = 0) -> None:
    """Refuse an export that the disk or the memory would not hold.

    Args:
        need: from `estimate`.
        out: where the bundle goes; the nearest folder that exists is asked.
        already: bytes of it that lie there from an earlier run.

    Raises:
        SpaceError: when either falls short, with the numbers.
    """
    folder = next(each for each in (out, *out.absolute().parents) if each.is_dir())
    free = shutil.disk_usage(folder).free
    if free < need.disk - already:
        raise SpaceError(
            f"{out} needs {(need.disk - already) / GIB:.1f} GiB of disk, {free / GIB:.1f} GiB are "
            "free; free some, give another --out, or export fewer --size and --role"
        )
    available = available_memory()
    if available is not None and available < need.memory:
        raise SpaceError(
            f"{need.largest} needs about {need.memory / GIB:.1f} GiB of memory, "
            f"{available / GIB:.1f} GiB are available; close other programs or use a larger machine"
        )


def available_memory() -> int | None:
    """Give the bytes of memory that programs may still take; None where the system does not say."""
    if not MEMORY_INFO.is_file():
        return None
    for line in MEMORY_INFO.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None
