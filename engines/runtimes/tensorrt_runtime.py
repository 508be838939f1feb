"""TensorRT engines through TensorRT's own API (11, and 10 from 10.16), on one CUDA stream.

An engine runs on the GPU architecture and the TensorRT version it was built by, and on no other:
the manifest says which, and a stale engine is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from engines.errors import ArtifactError, DeviceError, InputError
from engines.manifest import Flavor, Format, Hardware, NetworkEntry, TensorEntry
from engines.rotation import Tables, turn
from engines.runtimes.base import (
    Array,
    Buffer,
    check_binding,
    check_signature,
    check_value,
    one_after_another,
    tensors,
)
from engines.runtimes.cuda_device import CudaDevice, Rows
from engines.runtimes.hardware import check_hardware

LIBRARIES = ("tensorrt", "tensorrt_rtx")


class Device(Protocol):
    """Memory and one stream of a GPU."""

    @property
    def gpu(self) -> str: ...

    @property
    def compute_capability(self) -> str: ...

    @property
    def stream(self) -> int: ...

    def allocate(self, size_bytes: int) -> int:
        """Give the address of that many zeros."""
        ...

    def free(self, address: int) -> None: ...

    def upload(self, address: int, value: Array) -> None: ...

    def download(self, address: int, into: Array) -> None: ...

    def copy_rows(self, to: Rows, source: Rows, width_bytes: int, rows: int) -> None: ...

    def synchronize(self) -> None: ...

    def close(self) -> None: ...


class TensorRtRuntime:
    """TensorRT, or TensorRT-RTX where that is what is installed, on the first GPU.

    `trt` and `device` stand in for both in tests.

    Raises:
        DeviceError: when there is no GPU.
        ModuleNotFoundError: when neither library is installed.
    """

    formats: tuple[Format, ...] = ("tensorrt",)
    flavors: tuple[Flavor, ...] = ("inplace", "slice")
    name = "tensorrt"

    def __init__(self, trt: Any = None, device: Device | None = None) -> None:
        self._device = CudaDevice() if device is None else device
        self._trt = _library() if trt is None else trt
        trt = self._trt
        self._runtime = trt.Runtime(trt.Logger(trt.Logger.WARNING))
        self._buffers: list[TensorRtBuffer] = []

    @property
    def hardware(self) -> Hardware:
        """What this machine is, in the manifest's words."""
        return Hardware(
            compute_capability=self._device.compute_capability,
            gpu=self._device.gpu,
            runtime_version=f"{self._trt.__name__} {self._trt.__version__}",
        )

    def describe(self) -> str:
        return f"{self.name} {self._trt.__version__}, {self._device.gpu}"

    def allocate(self, spec: TensorEntry) -> TensorRtBuffer:
        buffer = TensorRtBuffer(self._device, spec)
        self._buffers.append(buffer)
        return buffer

    def load(self, path: Path, entry: NetworkEntry) -> TensorRtNetwork:
        check_hardware(entry, self.hardware)
        engine = self._runtime.deserialize_cuda_engine(path.read_bytes())
        if engine is None:
            raise ArtifactError(
                f"TensorRT {self._trt.__version__} cannot load {path}; "
                "run `parley export --target tensorrt` on this machine"
            )
        return TensorRtNetwork(engine, self._device, entry)

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        return work

    def beside(self, first: Callable[[], None], second: Callable[[], None]) -> tuple[float, float]:
        return one_after_another(self, first, second)

    def synchronize(self) -> None:
        self._device.synchronize()

    def close(self) -> None:
        for buffer in self._buffers:
            self._device.free(buffer.address)
        self._buffers.clear()
        self._device.close()


def _library() -> Any:
    """Import what is installed; the two share their API, and the names differ by what is there."""
    installed = [name for name in LIBRARIES if find_spec(name)]
    return import_module((installed or LIBRARIES)[0])


class TensorRtBuffer:
    """One tensor on the GPU. `blend` goes through the host: a latent is small."""

    def __init__(self, device: Device, spec: TensorEntry) -> None:
        self.spec = spec
        self._device = device
        self.itemsize = 2 if spec.dtype == "bfloat16" else np.dtype(spec.dtype).itemsize
        self.address = device.allocate(math.prod(spec.shape) * self.itemsize)

    def write(self, value: Array) -> None:
        check_value(self.spec, value)
        self._device.upload(self.address, np.ascontiguousarray(value))

    def read(self) -> Array:
        value = np.empty(self.spec.shape, self.spec.dtype)
        self._device.download(self.address, value)
        return value

    def copy_tokens(self, source: Buffer, first: int, count: int) -> None:
        other = _of(source)
        batch, heads, tokens, width = self.spec.shape
        token = width * self.itemsize
        to = Rows(self.address + first * token, tokens * token)
        rows = Rows(other.address, other.spec.shape[2] * token)
        self._device.copy_rows(to, rows, count * token, batch * heads)

    def turn_tokens(self, first: int, table: Tables) -> None:
        value = self.read()
        value[:, :, first:] = turn(value[:, :, first:], table)
        self.write(value)

    def blend(self, keep: float, source: Buffer, weight: float) -> None:
        value = source.read() * np.float32(weight)
        if keep:
            value += self.read() * np.float32(keep)
        self.write(value)


def _of(buffer: Buffer) -> TensorRtBuffer:
    if not isinstance(buffer, TensorRtBuffer):
        raise InputError(f"{type(buffer).__name__} is memory of another runtime")
    return buffer


class TensorRtNetwork:
    """One engine. Each binding is an execution context with its addresses set once."""

    def __init__(self, engine: Any, device: Device, entry: NetworkEntry) -> None:
        self.entry = entry
        self._engine = engine
        self._device = device
        self._inputs, self._outputs = tensors(entry.inputs), tensors(entry.outputs)
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        found = {name: tuple(engine.get_tensor_shape(name)) for name in names}
        check_signature(entry, {**self._inputs, **self._outputs}, found)

    def bind(self, inputs: Mapping[str, Buffer], outputs: Mapping[str, Buffer]) -> TensorRtCall:
        check_binding(self.entry, self._inputs, inputs)
        check_binding(self.entry, self._outputs, outputs)
        context = self._engine.create_execution_context()
        if context is None:
            raise DeviceError(f"no GPU memory is left for {self.entry.key}; close a room")
        for name, buffer in (*inputs.items(), *outputs.items()):
            context.set_tensor_address(name, _of(buffer).address)
        return TensorRtCall(self.entry.key, context, self._device)

    def close(self) -> None:
        del self._engine


class TensorRtCall:
    """One execution context."""

    def __init__(self, key: str, context: Any, device: Device) -> None:
        self._key = key
        self._context = context
        self._device = device

    def run(self) -> None:
        if not self._context.execute_async_v3(self._device.stream):
            raise DeviceError(f"TensorRT failed in {self._key}; its log says why")
