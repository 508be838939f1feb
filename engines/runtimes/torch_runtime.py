"""Torch programs (.pt2) on a CUDA GPU, with CUDA graphs; on the CPU for parity only.

Networks come from torch.export, so that no model definition is imported. What needs a GPU is in
torch_cuda.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from enum import StrEnum
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
    one_after_another,
    tensors,
)
from engines.runtimes.torch_cuda import Recording, at_once, attention_kernels


class TorchMode(StrEnum):
    """How programs are run."""

    BEST = "torch"  # on a GPU compiled and in CUDA graphs, on a CPU as they are
    EAGER = "torch-eager"  # operator by operator
    GRAPHS = "torch-graphs"  # the same kernels in CUDA graphs
    COMPILED = "torch-compile"  # by torch.compile, without CUDA graphs


class TorchRuntime:
    """Torch on the first GPU, or on the CPU where there is none.

    A program takes its tensors and returns them in the manifest's order: their names have dots and
    are no Python names. Outputs are copied into bound buffers, a device copy each, which a captured
    graph does at memory speed.

    Args:
        options: threads, which count on the CPU alone.
        mode: how programs are run.
        backend: of torch.compile; another than its default stands in for it in tests.

    Raises:
        DeviceError: when CUDA graphs are asked for and there is no GPU.
        ModuleNotFoundError: when torch is not installed.
    """

    formats: tuple[Format, ...] = ("torch",)
    flavors: tuple[Flavor, ...] = ("inplace", "slice")

    def __init__(
        self, options: CpuOptions, mode: TorchMode = TorchMode.BEST, backend: str = "inductor"
    ) -> None:
        import torch

        self._torch: Any = torch  # its types are incomplete
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.name = mode.value
        if mode is TorchMode.GRAPHS and not self.is_on_gpu:
            raise DeviceError(
                "CUDA graphs need a GPU, and torch finds none; choose --runtime torch-eager or "
                "torch-compile"
            )
        is_best = mode is TorchMode.BEST and self.is_on_gpu
        self._is_compiled = is_best or mode is TorchMode.COMPILED
        self._has_graphs = is_best or mode is TorchMode.GRAPHS
        self._threads = options.threads
        self._backend = backend
        self._beside: Any = None  # the stream of what runs beside the main one
        if not self.is_on_gpu:
            torch.set_num_threads(options.threads)

    @property
    def is_on_gpu(self) -> bool:
        return bool(self._device.type == "cuda")

    def describe(self) -> str:
        where = f"{self._threads} threads"
        if self.is_on_gpu:
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
            module = self._torch.compile(
                module, fullgraph=True, dynamic=False, backend=self._backend
            )
        return TorchNetwork(self._torch, module, entry, self._kernels)

    def _kernels(self) -> AbstractContextManager[None]:
        return attention_kernels(self._torch, is_on_gpu=self.is_on_gpu)

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Capture `work` in a CUDA graph in its first calls; on the CPU nothing would be gained."""
        return Recording(self._torch, work) if self._has_graphs else work

    def beside(self, first: Callable[[], None], second: Callable[[], None]) -> tuple[float, float]:
        if not self.is_on_gpu:
            return one_after_another(self, first, second)
        if self._beside is None:
            self._beside = self._torch.cuda.Stream()
        return at_once(self._torch, self._beside, first, second)

    def synchronize(self) -> None:
        if self.is_on_gpu:
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
        self.value.copy_(self._torch.from_numpy(np.require(value, requirements=["C", "W"])))

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

    def __init__(
        self,
        torch: Any,
        module: Any,
        entry: NetworkEntry,
        kernels: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.entry = entry
        self._torch = torch
        self._module = module
        self._kernels = kernels
        self._inputs, self._outputs = tensors(entry.inputs), tensors(entry.outputs)

    def bind(self, inputs: Mapping[str, Buffer], outputs: Mapping[str, Buffer]) -> TorchCall:
        check_binding(self.entry, self._inputs, inputs)
        check_binding(self.entry, self._outputs, outputs)
        arguments = {name: _of(inputs[name]).value for name in self._inputs}
        results = [_of(outputs[name]).value for name in self._outputs]
        return TorchCall(self._torch, self, arguments, results)

    def call(self, arguments: Mapping[str, Any]) -> tuple[Any, ...]:
        """Run the program on values in the manifest's order."""
        with self._kernels():
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
        except (RuntimeError, ValueError, AssertionError) as error:  # a guard asserts
            line = " ".join(str(error).split())[:300]
            raise DeviceError(f"torch failed in {self._network.entry.key}: {line}") from error
