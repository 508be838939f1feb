"""Weights in the safetensors format."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from models.checkpoints.comparison import TensorInfo
from models.checkpoints.errors import WeightFileError
from models.checkpoints.weight_file import batches

# Names of types in a header.
DTYPES = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
}


class SafetensorsFile:
    """A safetensors file whose header has been read. The library checks it against the length.

    Raises:
        WeightFileError: when the file is truncated or corrupt, or holds a type nobody computes in.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header: Mapping[str, TensorInfo] = self._read_header()

    def tensors(self, names: Collection[str]) -> Iterator[tuple[str, Tensor]]:
        """Yield the named tensors as `WeightFile.tensors` says."""
        for batch in batches(self.header, names):
            with safe_open(self.path, framework="pt") as file:
                for name in batch:
                    yield name, file.get_tensor(name)

    def _read_header(self) -> dict[str, TensorInfo]:
        header = {}
        try:
            with safe_open(self.path, framework="pt") as file:
                for name in file.offset_keys():
                    part = file.get_slice(name)
                    dtype = self._dtype(name, part.get_dtype())
                    header[name] = TensorInfo(tuple(part.get_shape()), dtype, self.path)
        except (SafetensorError, OSError) as error:
            reason = f"is truncated or corrupt ({error}); download it again"
            raise WeightFileError(self.path, reason) from error
        return header

    def _dtype(self, tensor: str, written: str) -> torch.dtype:
        if written not in DTYPES:
            known = ", ".join(DTYPES)
            raise WeightFileError(
                self.path, f"holds {tensor} as {written}; expected one of {known}"
            )
        return DTYPES[written]
