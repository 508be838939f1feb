"""Running an exported network with torch tensors in and out, whatever runs it.

These are for measuring parity, not for speed: every call copies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import onnxruntime
import torch
from torch import Tensor

from export.errors import CompileError, ExportError
from export.network import ExportNetwork, check_inputs
from export.openvino_file import load_openvino

Runner = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
"""Named inputs to named outputs; see `ExportNetwork` for the names."""


class OrtRunner:
    """ONNX Runtime on the CPU."""

    def __init__(self, network: ExportNetwork, path: Path, threads: int = 2) -> None:
        """Load the ONNX file of a network.

        Raises:
            ExportError: when ONNX Runtime refuses it.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions have no other common base
            raise ExportError(
                f"{network.key}: ONNX Runtime refuses {path.name} ({error})"
            ) from error
        self._network = network

    def __call__(self, named: Mapping[str, Tensor]) -> dict[str, Tensor]:
        network = self._network
        given = check_inputs(network.key, network.inputs, named)
        feeds = {
            spec.name: tensor.numpy() for spec, tensor in zip(network.inputs, given, strict=True)
        }
        # An input that no output depends on does not exist in the file.
        present = {each.name for each in self._session.get_inputs()}
        feeds = {name: value for name, value in feeds.items() if name in present}
        results = self._session.run(list(network.outputs), feeds)
        return {
            name: torch.from_numpy(value)
            for name, value in zip(network.outputs, results, strict=True)
        }


class OpenVinoRunner:
    """OpenVINO on the CPU, in the precision that its compiler is told."""

    def __init__(
        self, network: ExportNetwork, path: Path, precision: str = "f32", threads: int = 2
    ) -> None:
        """Compile an ONNX or OpenVINO file; precision is "f32" or "bf16".

        Raises:
            CompileError: when OpenVINO refuses it.
        """
        settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            # Off: they change numbers without being asked to.
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0",
            "KV_CACHE_PRECISION": "f32",
        }
        try:
            self._compiled = load_openvino().Core().compile_model(path, "CPU", settings)
        except RuntimeError as error:
            raise CompileError(f"{network.key}: OpenVINO refuses {path.name} ({error})") from error
        self._network = network

    def __call__(self, named: Mapping[str, Tensor]) -> dict[str, Tensor]:
        network = self._network
        given = check_inputs(network.key, network.inputs, named)
        # A tensor may go by several names; any one alone may be the compiler's own.
        present = {name for each in self._compiled.inputs for name in each.names}
        feeds = {
            spec.name: tensor.numpy()
            for spec, tensor in zip(network.inputs, given, strict=True)
            if spec.name in present
        }
        results = self._compiled(feeds)
        return {name: torch.from_numpy(results[name].copy()) for name in network.outputs}
