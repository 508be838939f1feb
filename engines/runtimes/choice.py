"""Which runtime runs a bundle on this machine, and why."""

from __future__ import annotations

import os
from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from engines.errors import ArtifactError, DeviceError
from engines.manifest import Format, Manifest
from engines.runtimes.base import CpuOptions, Runtime
from engines.runtimes.openvino_runtime import OpenVinoRuntime
from engines.runtimes.ort import OrtOptions, OrtRuntime
from engines.runtimes.tensorrt_runtime import LIBRARIES, TensorRtRuntime
from engines.runtimes.torch_runtime import TorchMode, TorchRuntime

RuntimeName = Literal[
    "onnxruntime",
    "onnxruntime-cuda",
    "onnxruntime-tensorrt",
    "openvino",
    "torch",
    "torch-eager",
    "torch-graphs",
    "torch-compile",
    "tensorrt",
]
RUNTIMES: tuple[RuntimeName, ...] = get_args(RuntimeName)
FORMATS: dict[RuntimeName, tuple[Format, ...]] = {
    "onnxruntime": OrtRuntime.formats,
    "onnxruntime-cuda": OrtRuntime.formats,
    "onnxruntime-tensorrt": OrtRuntime.formats,
    "openvino": OpenVinoRuntime.formats,
    "torch": TorchRuntime.formats,
    "torch-eager": TorchRuntime.formats,
    "torch-graphs": TorchRuntime.formats,
    "torch-compile": TorchRuntime.formats,
    "tensorrt": TensorRtRuntime.formats,
}
EXTRAS: dict[str, str] = {
    "openvino": "pip install 'parley-avatar[openvino]'",
    "torch": "pip install torch",
    "tensorrt": "pip install 'parley-avatar[tensorrt]'",
    "onnxruntime": "pip install parley-avatar",
}
MOST_THREADS = 8  # a chunk's layers are too small to feed more
GPU_DEVICE = Path("/dev/nvidiactl")


class Choice(NamedTuple):
    """A runtime and the reason to take it."""

    runtime: RuntimeName
    reason: str


class Machine(NamedTuple):
    """What a choice depends on."""

    packages: frozenset[str]  # runtimes' packages that are installed
    has_gpu: bool


def this_machine() -> Machine:
    """Look for packages and a GPU, without importing or starting anything."""
    known = ("onnxruntime", "openvino", "torch", *LIBRARIES)
    found = {name.removesuffix("_rtx") for name in known if find_spec(name)}
    return Machine(frozenset(found), GPU_DEVICE.exists())


def default_threads() -> int:
    """Give a thread for each core this process may use, up to eight."""
    return min(len(os.sched_getaffinity(0)), MOST_THREADS)


def choose(manifest: Manifest, machine: Machine) -> Choice:
    """Choose the fastest runtime that can run this bundle here.

    Raises:
        ArtifactError: when the bundle is for a GPU and this machine has none.
        DeviceError: when the package it needs is not installed.
    """
    held = {entry.format for entry in manifest.networks if entry.role == "dit"}
    if machine.has_gpu:
        if "tensorrt" in held and "tensorrt" in machine.packages:
            return Choice("tensorrt", "the bundle has TensorRT engines and there is a GPU")
        if "torch" in held and "torch" in machine.packages:
            return Choice("torch", "the bundle has torch programs and there is a GPU")
    if "openvino" in held and "openvino" in machine.packages:
        return Choice("openvino", "the bundle has OpenVINO networks and OpenVINO is installed")
    if "onnx" in held and "onnxruntime" in machine.packages:
        why = "OpenVINO is not installed" if "openvino" in held else "the bundle has ONNX networks"
        return Choice("onnxruntime", why)
    raise _nothing_fits(manifest, held, machine)


def _nothing_fits(
    manifest: Manifest, held: Collection[Format], machine: Machine
) -> ArtifactError | DeviceError:
    formats = " and ".join(sorted(held))
    if not machine.has_gpu and not {"onnx", "openvino"} & set(held):
        made_for = next((e.hardware.gpu for e in manifest.networks if e.hardware), "a GPU")
        return ArtifactError(
            f"the bundle {manifest.name} holds {formats} networks for {made_for}, and this machine "
            "has no NVIDIA GPU; use a bundle exported with --target onnx"
        )
    advice = " or ".join(EXTRAS["onnxruntime" if each == "onnx" else each] for each in sorted(held))
    return DeviceError(f"nothing here can run {formats} networks; {advice}")


def start(name: RuntimeName, threads: int) -> Runtime:
    """Start a runtime.

    Raises:
        InputError: when the number of threads makes no sense.
        DeviceError: when its package is not installed or the machine does not fit.
    """
    cpu = CpuOptions(threads=threads)
    try:
        match name:
            case "onnxruntime":
                return OrtRuntime(OrtOptions(cpu=cpu, provider="cpu"))
            case "onnxruntime-cuda":
                return OrtRuntime(OrtOptions(cpu=cpu, provider="cuda"))
            case "onnxruntime-tensorrt":
                return OrtRuntime(OrtOptions(cpu=cpu, provider="tensorrt"))
            case "openvino":
                return OpenVinoRuntime(cpu)
            case "torch" | "torch-eager" | "torch-graphs" | "torch-compile":
                return TorchRuntime(cpu, TorchMode(name))
            case "tensorrt":
                return TensorRtRuntime()
    except ModuleNotFoundError as error:
        package = name.partition("-")[0]
        raise DeviceError(
            f"the runtime {name} needs the package {error.name}: {EXTRAS[package]}"
        ) from error
