"""ONNX Runtime: the portable default on CPUs, and its CUDA and TensorRT providers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from engines.errors import ArtifactError, DeviceError, InputError
from engines.manifest import Flavor, Format, NetworkEntry, TensorEntry
from engines.rotation import Tables, turn
from engines.runtimes.base import (
    Array,
    Buffer,
    CpuOptions,
    check_binding,
    check_signature,
    check_value,
    one_after_another,
    tensors,
)
from engines.runtimes.host_memory import HostBuffer

logger = logging.getLogger(__name__)

Provider = Literal["cpu", "cuda", "tensorrt"]
PROVIDERS: Mapping[Provider, tuple[str, ...]] = MappingProxyType(
    {
        "cpu": ("CPUExecutionProvider",),
        "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider"),
        "tensorrt": (
            "TensorrtExecutionProvider",
            "CUDAExecutionProvider",
            "CPUExecutionProvider",
        ),
    }
)
WARNING = 2  # of ONNX Runtime's own log
# A network of fewer operations computes on one thread. Two of them would wait for each other at
# each of its hundred small steps: our acting and audio networks took 4 or 20 ms a chunk, by chance.
FEW_FLOPS = 200_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OrtOptions:
    """Where ONNX Runtime computes."""

    cpu: CpuOptions
    provider: Provider
    gpu: int = 0  # of the providers with one


class OrtRuntime:
    """ONNX Runtime on one provider.

    Threads sleep between calls instead of spinning: a server has other work for the cores, and two
    sessions that spin against each other cost more than waking up. The memory arena stays on: with
    static shapes it plans once, and measured 96 MiB where plain allocation took 129 to 147.

    Raises:
        DeviceError: when the provider is not in the installed package or finds no GPU.
    """

    formats: tuple[Format, ...] = ("onnx",)

    def __init__(self, options: OrtOptions) -> None:
        import onnxruntime

        self._ort = onnxruntime
        self.options = options
        on_cpu: tuple[Flavor, ...] = ("slice", "inplace")
        self.flavors = on_cpu if options.provider == "cpu" else on_cpu[::-1]
        self.name = (
            "onnxruntime" if options.provider == "cpu" else f"onnxruntime-{options.provider}"
        )
        wanted = PROVIDERS[options.provider][0]
        if wanted not in onnxruntime.get_available_providers():
            raise DeviceError(
                f"the installed onnxruntime has no {wanted}; install parley-avatar[gpu] as "
                "pyproject.toml says, or choose --runtime onnxruntime"
            )

    def describe(self) -> str:
        cpu = self.options.cpu
        return f"{self.name} {self._ort.__version__}, {cpu.threads} threads"

    def allocate(self, spec: TensorEntry) -> HostBuffer | OrtDeviceBuffer:
        if self.options.provider == "cpu":
            return HostBuffer(spec)
        return OrtDeviceBuffer(self._ort, spec, self.options.gpu)

    def load(self, path: Path, entry: NetworkEntry) -> OrtNetwork:
        settings = self._ort.SessionOptions()
        is_small = entry.flops is not None and entry.flops < FEW_FLOPS
        settings.intra_op_num_threads = 1 if is_small else self.options.cpu.threads
        settings.inter_op_num_threads = 1
        settings.log_severity_level = WARNING + 1
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = self._ort.InferenceSession(
                str(path), settings, providers=list(PROVIDERS[self.options.provider])
            )
        except Exception as error:  # its errors share no base but Exception
            raise ArtifactError(
                f"ONNX Runtime {self._ort.__version__} cannot load {path}: {_line(error)}"
            ) from error
        if session.get_providers()[0] != PROVIDERS[self.options.provider][0]:
            raise DeviceError(
                f"{self.name} finds no usable GPU for {path.name}; check the driver and the CUDA "
                "libraries, or choose --runtime onnxruntime"
            )
        return OrtNetwork(self._ort, session, entry)

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        return work  # the provider's own CUDA graph hides nothing that a caller must repeat

    def beside(self, first: Callable[[], None], second: Callable[[], None]) -> tuple[float, float]:
        return one_after_another(self, first, second)

    def synchronize(self) -> None:
        return None  # every run ends synchronized

    def close(self) -> None:
        return None


class OrtNetwork:
    """One session."""

    # Any: onnxruntime publishes no types.
    def __init__(self, ort: Any, session: Any, entry: NetworkEntry) -> None:
        self.entry = entry
        self._ort = ort
        self._session = session
        self._inputs, self._outputs = tensors(entry.inputs), tensors(entry.outputs)
        for side, found in (
            (self._inputs, session.get_inputs()),
            (self._outputs, session.get_outputs()),
        ):
            check_signature(entry, side, {each.name: tuple(each.shape) for each in found})

    def bind(self, inputs: Mapping[str, Buffer], outputs: Mapping[str, Buffer]) -> OrtCall:
        check_binding(self.entry, self._inputs, inputs)
        check_binding(self.entry, self._outputs, outputs)
        binding = self._session.io_binding()
        values = []
        for bind, buffers in (
            (binding.bind_ortvalue_input, inputs),
            (binding.bind_ortvalue_output, outputs),
        ):
            for name, buffer in buffers.items():
                value = self._value(buffer)
                bind(name, value)
                values.append(value)
        return OrtCall(self.entry.key, self._session, binding, values)

    def _value(self, buffer: Buffer) -> Any:
        match buffer:
            case HostBuffer():  # shares the memory of the array
                return self._ort.OrtValue.ortvalue_from_numpy(buffer.array)
            case OrtDeviceBuffer():
                return buffer.value
            case _:
                raise InputError(f"{type(buffer).__name__} is memory of another runtime")

    def close(self) -> None:
        del self._session


class OrtCall:
    """One binding of a session."""

    def __init__(self, key: str, session: Any, binding: Any, values: list[Any]) -> None:
        self._key = key
        self._session = session
        self._binding = binding
        self._values = values  # a binding borrows its values: someone must keep them

    def run(self) -> None:
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:  # as above
            raise DeviceError(f"ONNX Runtime failed in {self._key}: {_line(error)}") from error


class OrtDeviceBuffer:
    """One tensor on a GPU.

    ONNX Runtime copies whole tensors only. So `blend` goes through the host, which a latent can
    afford; a ring of past keys cannot, and wants a bundle of the `inplace` flavor.
    """

    def __init__(self, ort: Any, spec: TensorEntry, gpu: int) -> None:
        self.spec = spec
        self.value = ort.OrtValue.ortvalue_from_shape_and_type(
            list(spec.shape), np.dtype(spec.dtype), "cuda", gpu
        )
        self.value.update_inplace(np.zeros(spec.shape, spec.dtype))

    def write(self, value: Array) -> None:
        check_value(self.spec, value)
        self.value.update_inplace(np.ascontiguousarray(value))

    def read(self) -> Array:
        value: Array = self.value.numpy()
        return value

    def copy_tokens(self, source: Buffer, first: int, count: int) -> None:
        value = self.read()
        value[:, :, first : first + count] = source.read()[:, :, :count]
        self.write(value)

    def turn_tokens(self, first: int, table: Tables) -> None:
        value = self.read()
        value[:, :, first:] = turn(value[:, :, first:], table)
        self.write(value)

    def blend(self, keep: float, source: Buffer, weight: float) -> None:
        value = source.read() * np.float32(weight)
        if keep:
            value += self.read() * np.float32(keep)
        self.write(value)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
