"""What every file of weights offers: its header without its data, and its tensors in turn.

Data is read through a memory map that is dropped every few megabytes. The pages of a map count as
this process's memory while it stands, so one map for a whole file would look, and under a memory
limit behave, like a second copy of the weights.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from torch import Tensor

from models.checkpoints.comparison import TensorInfo

BATCH_BYTES = 32 * 2**20


class WeightFile(Protocol):
    """A file whose header has been read."""

    @property
    def path(self) -> Path: ...

    @property
    def header(self) -> Mapping[str, TensorInfo]:
        """Names, shapes and types, in the order of the data."""
        ...

    def tensors(self, names: Collection[str]) -> Iterator[tuple[str, Tensor]]:
        """Yield the named tensors in the order of the data, on the CPU.

        A tensor may lie in the map: copy it before asking for the next one, or the map stays.
        Its memory is not to be written.
        """
        ...


def batches(header: Mapping[str, TensorInfo], names: Collection[str]) -> Iterator[list[str]]:
    """Group names, in the order of the data, so that one batch's data is about BATCH_BYTES."""
    batch: list[str] = []
    size_bytes = 0
    for name, info in header.items():
        if name not in names:
            continue
        batch.append(name)
        size_bytes += info.size_bytes
        if size_bytes >= BATCH_BYTES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch
