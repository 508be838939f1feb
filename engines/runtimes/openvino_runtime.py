"""OpenVINO: faster on CPUs than ONNX Runtime, where the package is installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engines.errors import ArtifactError, DeviceError, InputError
from engines.manifest import Flavor, Format, NetworkEntry, TensorEntry
from engines.runtimes.base import (
    Buffer,
    CpuOptions,
    check_binding,
    check_signature,
    one_after_another,
    tensors,
)
from engines.runtimes.host_memory import HostBuffer

BFLOAT16 = "bf16"


class OpenVinoRuntime:
    """OpenVINO on the CPU. Multiplies in bfloat16 where a network's precision says bf16.

    Raises:
        DeviceError: when OpenVINO finds no CPU it knows.
    """

    formats: tuple[Format, ...] = ("openvino", "onnx")
    flavors: tuple[Flavor, ...] = ("slice",)  # it has no rule for TensorScatter
    name = "openvino"

    def __init__(self, options: CpuOptions) -> None:
        import openvino

        self._openvino = openvino
        self._threads = options.threads
        self._core = openvino.Core()
        if "CPU" not in self._core.available_devices:
            raise DeviceError("OpenVINO finds no CPU here; choose --runtime onnxruntime")

    def describe(self) -> str:
        version = self._openvino.__version__.partition("-")[0]
        return f"{self.name} {version}, {self._threads} threads"

    def allocate(self, spec: TensorEntry) -> HostBuffer:
        return HostBuffer(spec)

    def load(self, path: Path, entry: NetworkEntry) -> OpenVinoNetwork:
        precision = BFLOAT16 if BFLOAT16 in entry.precision else "f32"
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": self._threads,
            "INFERENCE_PRECISION_HINT": precision,
            "ENABLE_CPU_PINNING": False,
        }
        try:
            model = self._core.compile_model(str(path), "CPU", settings)
        except RuntimeError as error:
            raise ArtifactError(f"OpenVINO cannot load {path}: {_line(error)}") from error
        return OpenVinoNetwork(self._openvino, model, entry)

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        return work

    def beside(self, first: Callable[[], None], second: Callable[[], None]) -> tuple[float, float]:
        return one_after_another(self, first, second)

    def synchronize(self) -> None:
        return None

    def close(self) -> None:
        return None


class OpenVinoNetwork:
    """One compiled model; each binding is an infer request of its own."""

    # Any: OpenVINO's own types are incomplete.
    def __init__(self, openvino: Any, model: Any, entry: NetworkEntry) -> None:
        self.entry = entry
        self._openvino = openvino
        self._model = model
        self._inputs, self._outputs = tensors(entry.inputs), tensors(entry.outputs)
        for side, ports in ((self._inputs, model.inputs), (self._outputs, model.outputs)):
            found = {self._name(port, side): tuple(port.shape) for port in ports}
            check_signature(entry, side, found)

    @staticmethod
    def _name(port: Any, side: Mapping[str, TensorEntry]) -> str:
        """A port may have several names; one of them is the manifest's."""
        names = sorted(port.names)
        known: list[str] = [name for name in names if name in side]
        return known[0] if known else str(names[0])

    def bind(self, inputs: Mapping[str, Buffer], outputs: Mapping[str, Buffer]) -> OpenVinoCall:
        check_binding(self.entry, self._inputs, inputs)
        check_binding(self.entry, self._outputs, outputs)
        request = self._model.create_infer_request()
        for name, buffer in (*inputs.items(), *outputs.items()):
            if not isinstance(buffer, HostBuffer):
                raise InputError(f"{type(buffer).__name__} is memory of another runtime")
            request.set_tensor(name, self._openvino.Tensor(buffer.array, shared_memory=True))
        return OpenVinoCall(self.entry.key, request)

    def close(self) -> None:
        del self._model


class OpenVinoCall:
    """One infer request."""

    def __init__(self, key: str, request: Any) -> None:
        self._key = key
        self._request = request

    def run(self) -> None:
        try:
            self._request.infer()
        except RuntimeError as error:
            raise DeviceError(f"OpenVINO failed in {self._key}: {_line(error)}") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
