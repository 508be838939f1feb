"""Buffers in the host's memory, for runtimes that compute on the CPU."""

from __future__ import annotations

import numpy as np

from engines.errors import DeviceError
from engines.manifest import TensorEntry
from engines.rotation import Tables, turn
from engines.runtimes.base import Array, Buffer, check_value

ALIGNMENT = 64  # a cache line, and what the widest vector loads like


class HostBuffer:
    """One tensor in an aligned numpy array; `array` is the memory itself.

    Raises:
        DeviceError: for a dtype that numpy does not have.
    """

    def __init__(self, spec: TensorEntry) -> None:
        if spec.dtype == "bfloat16":
            raise DeviceError(f"{spec.name} is bfloat16, which the CPU runtimes do not take")
        self.spec = spec
        dtype = np.dtype(spec.dtype)
        size = int(np.prod(spec.shape)) * dtype.itemsize
        raw = np.zeros(size + ALIGNMENT, np.uint8)
        skipped = -raw.ctypes.data % ALIGNMENT
        self.array: Array = raw[skipped : skipped + size].view(dtype).reshape(spec.shape)

    def write(self, value: Array) -> None:
        check_value(self.spec, value)
        self.array[...] = value

    def read(self) -> Array:
        return self.array

    def copy_tokens(self, source: Buffer, first: int, count: int) -> None:
        self.array[:, :, first : first + count] = source.read()[:, :, :count]

    def turn_tokens(self, first: int, table: Tables) -> None:
        self.array[:, :, first:] = turn(self.array[:, :, first:], table)

    def blend(self, keep: float, source: Buffer, weight: float) -> None:
        value = source.read() * np.float32(weight)
        if keep:
            value += self.array * np.float32(keep)
        self.array[...] = value
