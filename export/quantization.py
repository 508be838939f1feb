"""8-bit forms of exported networks for ONNX Runtime.

Transformers: int8 weights per channel, activations quantized as they come (dynamic). Decoders:
quantize and dequantize nodes around convolutions (static), with ranges from calibration data.

Weights take 7 of their 8 bits. Processors without VNNI instructions add pairs of products in 16
bits, which saturate silently: a transformer of 256 channels was off by 0.066 with 8 bits and by
0.0045 with 7, at the same speed. A bundle made on one machine must be right on every other.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from torch import Tensor

from export.errors import ExportError
from export.onnx_file import remove, save

# Beyond the blocks weights are few and their errors reach everything.
KEPT_WHOLE = ("time_embedding", "time_projection", "head.head")
# Convolutions whose outputs are pixels, or places in the reference picture: a step is seen. And
# small ones whose errors reach everything: where latents enter, how much reference is let in, and
# where a latent becomes four video frames.
KEPT_CONVOLUTIONS = (
    "decoder.flow",
    "decoder.out",
    "decoder.head",
    "decoder.enter",
    "decoder.gate16",
    "decoder.gate8",
    "decoder.gate4",
    "decoder.split",
)


def quantize_matmuls(source: Path, target: Path, kept: Iterable[str] = KEPT_WHOLE) -> int:
    """Quantize a transformer's matrix products by weights to int8; give how many.

    Args:
        source: an ONNX file.
        target: the file to write; its weights go beside it.
        kept: products whose node's module path holds one of these stay as they are.

    Raises:
        ExportError: when no product could be quantized.
    """
    remove(target)
    plain = without_value_info(source, target.with_suffix(".plain.onnx"))
    try:
        spared = _spared(plain, "MatMul", kept)
        with quieted():
            quantize_dynamic(
                plain,
                target,
                op_types_to_quantize=["MatMul"],
                nodes_to_exclude=spared,
                per_channel=True,
                weight_type=QuantType.QInt8,
                reduce_range=True,
                use_external_data_format=True,
            )
    finally:
        remove(plain)
    return _counted(target, "MatMulInteger")


def quantize_convolutions(
    source: Path,
    target: Path,
    samples: Iterable[Mapping[str, Tensor]],
    kept: Iterable[str] = KEPT_CONVOLUTIONS,
) -> int:
    """Quantize a decoder's convolutions to int8 with ranges from samples; give how many.

    Args:
        source: an ONNX file.
        target: the file to write; its weights go beside it.
        samples: inputs by name, as the network meets them: states included, from real streams.
        kept: convolutions whose module path holds one of these stay as they are.

    Raises:
        ExportError: when nothing could be quantized.
    """
    remove(target)
    plain = without_value_info(source, target.with_suffix(".plain.onnx"))
    try:
        with quieted():
            quantize_static(
                plain,
                target,
                Samples(samples, _input_names(plain)),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv"],
                nodes_to_exclude=_spared(plain, "Conv", kept),
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
                use_external_data_format=True,
                extra_options={"ActivationSymmetric": False, "DedicatedQDQPair": True},
            )
    finally:
        remove(plain)
    return _counted(target, "DequantizeLinear")


class Samples(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime publishes no types
    """Calibration inputs, one call after another."""

    def __init__(self, samples: Iterable[Mapping[str, Tensor]], names: frozenset[str]) -> None:
        self._left: Iterator[Mapping[str, Tensor]] = iter(samples)
        self._names = names

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """Give the next call's inputs, None at the end."""
        sample = next(self._left, None)
        if sample is None:
            return None
        return {name: sample[name].numpy() for name in self._names}


def without_value_info(source: Path, target: Path) -> Path:
    """Write a copy without the shapes between nodes, which the quantizer infers otherwise."""
    model = onnx.load(source)
    del model.graph.value_info[:]
    save(model, target)
    return target


def module_path(node: onnx.NodeProto) -> str:
    """Give where in the module a node comes from, as torch noted it; empty where it did not."""
    for prop in node.metadata_props:
        if prop.key == "pkg.torch.onnx.name_scopes":
            return str(prop.value)
    return ""


def _is_kept(node: onnx.NodeProto, kept: Iterable[str]) -> bool:
    path = module_path(node)
    return any(part in path for part in kept)


def _spared(path: Path, op_type: str, kept: Iterable[str]) -> list[str]:
    graph = onnx.load(path, load_external_data=False).graph
    parts = tuple(kept)
    return [n.name for n in graph.node if n.op_type == op_type and _is_kept(n, parts)]


def _input_names(path: Path) -> frozenset[str]:
    return frozenset(each.name for each in onnx.load(path, load_external_data=False).graph.input)


def _counted(path: Path, op_type: str) -> int:
    graph = onnx.load(path, load_external_data=False).graph
    count = len([node for node in graph.node if node.op_type == op_type])
    if not count:
        remove(path)
        raise ExportError(f"{path.name}: nothing was quantized; its weights are no constants")
    return count


@contextmanager
def quieted() -> Iterator[None]:
    """Keep ONNX Runtime's advice on preprocessing, made for other graphs, out of the log."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
