"""Weights written by torch.save (.pth, .pt, .bin), read without running any code in them."""

from __future__ import annotations

import pickle
import re
import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from models.checkpoints.comparison import TensorInfo
from models.checkpoints.errors import WeightFileError
from models.checkpoints.weight_file import batches

# What torch's reader of pickles says of bytes that end, or never were a pickle.
BROKEN = (
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    AttributeError,
    struct.error,
)


class TorchFile:
    """A file of torch.save whose header has been read.

    Files since torch 1.6 are mapped, so that their data is not read for the header. Older ones
    cannot be mapped: they are read whole, for the header and once more for the tensors.

    Args:
        path: the file.
        containers: keys under which the tensors may stand when they are not at the top, the best
            first, such as `model` beside an optimizer.
        is_mapped: whether the file can be mapped.

    Raises:
        WeightFileError: when the file is truncated or corrupt, asks to run code, or holds no
            tensors where they should be.
    """

    def __init__(self, path: Path, containers: Sequence[str], *, is_mapped: bool) -> None:
        self.path = path
        self._containers = tuple(containers)
        self._is_mapped = is_mapped
        self.header: Mapping[str, TensorInfo] = {
            name: TensorInfo(tuple(tensor.shape), tensor.dtype, path)
            for name, tensor in self._load().items()
        }

    def tensors(self, names: Collection[str]) -> Iterator[tuple[str, Tensor]]:
        """Yield the named tensors as `WeightFile.tensors` says."""
        wanted = [name for name in self.header if name in names]
        for batch in batches(self.header, names) if self._is_mapped else [wanted]:
            state = self._load()
            for name in batch:
                yield name, state[name]

    def _load(self) -> dict[str, Tensor]:
        try:
            loaded: object = torch.load(
                self.path, map_location="cpu", weights_only=True, mmap=self._is_mapped
            )
        except pickle.UnpicklingError as error:
            raise WeightFileError(self.path, _why_not_unpickled(str(error))) from error
        except BROKEN as error:
            detail = str(error) or type(error).__name__
            raise WeightFileError(self.path, _corrupt(detail)) from error
        return self._state(loaded)

    def _state(self, loaded: object) -> dict[str, Tensor]:
        """Find the tensors by name: at the top, or under the first container that is there."""
        if not isinstance(loaded, Mapping):
            kind = type(loaded).__name__
            raise WeightFileError(self.path, f"holds a {kind}; expected tensors by name")
        inside = next((loaded[key] for key in self._containers if key in loaded), loaded)
        if not isinstance(inside, Mapping) or not _are_tensors(inside):
            keys = ", ".join(map(str, list(loaded)[:8]))
            hint = f", if need be under {' or '.join(self._containers)}" if self._containers else ""
            raise WeightFileError(
                self.path, f"holds {keys}; expected nothing but tensors by name{hint}"
            )
        return dict(inside)


def _are_tensors(state: Mapping[object, object]) -> bool:
    return bool(state) and all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    )


def _why_not_unpickled(text: str) -> str:
    """Say in a sentence what torch says in a page."""
    wanted = re.search(r"(?:GLOBAL|class) ([\w.]+)", text)
    if wanted is None:
        detail = re.search(r"WeightsUnpickler error: (.*)", text)
        return _corrupt(detail.group(1) if detail else text)
    return (
        f"wants {wanted.group(1)} called when it is loaded, which weights never need and which "
        "could run anything; take a safetensors file, or one from another source"
    )


def _corrupt(detail: str) -> str:
    first_line = (detail.splitlines() or ["unknown"])[0]
    return f"is truncated or corrupt ({first_line}); download it again"
