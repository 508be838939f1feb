"""Torch programs (.pt2) on a CUDA GPU, with CUDA graphs; on the CPU for parity only.

The one file of the server's packages that knows torch. Networks come from torch.export, so that no
model definition is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engines.errors import ArtifactError, DeviceError, InputError
from engines.manifest import Flavor, Format, NetworkEntry, TensorEntry
from engines.rotation import Tables
from engines.runtimes.base import (
    Array,
    Buffer,
    CpuOptions,
    check_binding,
    check_value,
    tensors,
)

WARM_UP_RUNS = 3  # before a capture: libraries allocate workspaces in their first runs


class TorchRuntime:
    """Torch on the first GPU, or on the CPU where there is none.

    A program takes its tensors and returns them in the manifest's order: their names have dots and
    are no Python names. Outputs are copied into bound buffers, a device copy each, which a captured
    graph does at memory speed.
    """

    formats: tuple[Format, ...] = ("torch",)
    flavors: tuple[Flavor, ...] = ("inplace", "slice")
    name = "torch"

    def __init__(self, options: CpuOptions, *, is_compiled: bool = True) -> None:
        import torch

        self._torch = torch
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._is_compiled = is_compiled and self._device.type == "cuda"
        self._threads = options.threads
        if self._device.type == "cpu":
            torch.set_num_threads(options.threads)

    def describe(self) -> str:
        where = f"{self._threads} threads"
        if self._device.type == "cuda":
            where = self._torch.cuda.get_device_name(self._device)
        return f"{self.name} {self._torch.__version__}, {where}"

    def allocate(self, spec: TensorEntry) -> TorchBuffer:
        dtype = getattr(self._torch, spec.dtype)
        return TorchBuffer(
            self._torch, spec, self._torch.zeros(spec.shape, dtype=dtype, device=self._device)
        )

    def load(self, path: Path, entry: NetworkEntry) -> TorchNetwork:
        try:
            module: Any = self._torch.export.load(path).module().to(self._device)
        except Exception as error:  # what a damaged archive raises depends on where it is damaged
            line = " ".join(str(error).split())[:300]
            raise ArtifactError(
                f"torch {self._torch.__version__} cannot load {path}: {line}; export the bundle "
                "with the torch that is installed here"
            ) from error
        if self._is_compiled:
            module = self._torch.compile(module, fullgraph=True)
        return TorchNetwork(self._torch, module, entry)

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Capture `work` in a CUDA graph at its first call; on the CPU there is nothing to gain."""
        if self._device.type == "cpu":
            return work
        return _Recording(self._torch, work)

    def synchronize(self) -> None:
        if self._device.type == "cuda":
            self._torch.cuda.synchronize()

    def close(self) -> None:
        return None


class TorchBuffer:
    """One tensor on torch's device."""

    # Any: mypy must pass where torch is not installed.
    def __init__(self, torch: Any, spec: TensorEntry, value: Any) -> None:
        self.spec = spec
        self.value = value
        self._torch = torch

    def write(self, value: Array) -> None:
        check_value(self.spec, value)
        self.value.copy_(self._torch.from_numpy(np.ascontiguousarray(value)))

    def read(self) -> Array:
        value: Array = self.value.cpu().numpy()
        return value

    def copy_tokens(self, source: Buffer, first: int, count: int) -> None:
        self.value[:, :, first : first + count].copy_(_of(source).value[:, :, :count])

    def turn_tokens(self, first: int, table: Tables) -> None:
        keys = self.value[:, :, first:]
        even, odd = keys[..., 0::2].float(), keys[..., 1::2].float()
        cos, sin = (self._torch.from_numpy(each).to(keys.device) for each in table)
        turned = self._torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1)
        keys.copy_(turned.flatten(-2))

    def blend(self, keep: float, source: Buffer, weight: float) -> None:
        if keep:
            self.value.mul_(keep).add_(_of(source).value, alpha=weight)
        else:
            self._torch.mul(_of(source).value, weight, out=self.value)


def _of(buffer: Buffer) -> TorchBuffer:
    if not isinstance(buffer, TorchBuffer):
        raise InputError(f"{type(buffer).__name__} is memory of another runtime")
    return buffer


class TorchNetwork:
    """One exported program."""

    def __init__(self, torch: Any, module: Any, entry: NetworkEntry) -> None:
        self.entry = entry
        self._torch = torch
        self._module = module
        self._inputs, self._outputs = tensors(entry.inputs), tensors(entry.outputs)

    def bind(self, inputs: Mapping[str, Buffer], outputs: Mapping[str, Buffer]) -> TorchCall:
        check_binding(self.entry, self._inputs, inputs)
        check_binding(self.entry, self._outputs, outputs)
        arguments = {name: _of(inputs[name]).value for name in self._inputs}
        results = [_of(outputs[name]).value for name in self._outputs]
        return TorchCall(self._torch, self, arguments, results)

    def call(self, arguments: Mapping[str, Any]) -> tuple[Any, ...]:
        """Run the program on values in the manifest's order."""
        values = self._module(*arguments.values())
        return tuple(values) if isinstance(values, tuple | list) else (values,)

    def close(self) -> None:
        del self._module


class TorchCall:
    """One program and the tensors it works on."""

    def __init__(
        self, torch: Any, network: TorchNetwork, arguments: Mapping[str, Any], results: list[Any]
    ) -> None:
        self._torch = torch
        self._network = network
        self._arguments = arguments
        self._results = results

    def run(self) -> None:
        try:
            with self._torch.no_grad():
                values = self._network.call(self._arguments)
                for result, value in zip(self._results, values, strict=True):
                    if value.data_ptr() != result.data_ptr():  # an inplace cache is itself
                        result.copy_(value)
        except (RuntimeError, ValueError) as error:
            line = " ".join(str(error).split())[:300]
            raise DeviceError(f"torch failed in {self._network.entry.key}: {line}") from error


class _Recording:
    """Work captured once and replayed: one launch for all the kernels of all the steps.

    The work changes its own input, so nothing may run for warming up alone: the first calls are
    done eagerly, on the stream that will capture, and count; a capture does nothing by itself.
    """

    def __init__(self, torch: Any, work: Callable[[], None]) -> None:
        self._torch = torch
        self._work = work
        self._calls = 0
        self._stream = torch.cuda.Stream()
        self._graph: Any = None

    def __call__(self) -> None:
        if self._graph is None and self._calls >= WARM_UP_RUNS:
            graph = self._torch.cuda.CUDAGraph()
            with self._torch.cuda.graph(graph, stream=self._stream):
                self._work()
            self._graph = graph
        if self._graph is not None:
            self._graph.replay()
            return
        self._calls += 1
        self._stream.wait_stream(self._torch.cuda.current_stream())
        with self._torch.cuda.stream(self._stream):
            self._work()
        self._torch.cuda.current_stream().wait_stream(self._stream)
