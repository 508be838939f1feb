"""fp8 (E4M3) quantize and dequantize nodes around a transformer's matrix products, for TensorRT.

Weights are stored in fp8 with a scale for each output channel; activations get one scale each,
from the largest value that a rollout in torch showed. Embeddings, modulation and head keep their
type. TensorRT builds such a graph with fp8 kernels: its networks say their types themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import torch
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn

from export.errors import ExportError
from export.onnx_file import save
from export.quantization import module_path

LARGEST = 448.0  # of E4M3
BLOCKS = "blocks."


@contextmanager
def watched(module: nn.Module) -> Iterator[dict[str, float]]:
    """Note the largest input of every linear layer in the blocks, by module path, meanwhile."""
    seen: dict[str, float] = {}

    def note(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(_layer: nn.Module, given: tuple[Tensor, ...]) -> None:
            seen[name] = max(seen.get(name, 0.0), float(given[0].detach().abs().amax()))

        return hook

    layers = [
        (name, layer)
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Linear) and BLOCKS in name
    ]
    handles = [layer.register_forward_pre_hook(note(name)) for name, layer in layers]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def quantize_fp8(source: Path, target: Path, largest: Mapping[str, float]) -> int:
    """Write a graph whose block products are fp8; give how many there are.

    Args:
        source: an ONNX file of a transformer in any floating type.
        target: the file to write; its weights go beside it.
        largest: from `watched`: the largest input of each linear layer.

    Raises:
        ExportError: when no product is one of a watched layer, or a layer only ever saw zeros.
    """
    model = onnx.load(source)
    graph = model.graph
    weights = {each.name: each for each in graph.initializer}
    nodes: list[NodeProto] = []
    count = 0
    for node in graph.node:
        layer = _layer(node, largest)
        if layer is not None and node.input[1] in weights:
            if largest[layer] == 0:
                raise ExportError(f"{layer} only saw zeros; calibrate with a real rollout")
            nodes.extend(_wrapped(graph, node, weights[node.input[1]], largest[layer]))
            count += 1
        nodes.append(node)
    if not count:
        raise ExportError(f"{source.name}: no matrix product of a watched layer found")
    del graph.node[:]
    graph.node.extend(nodes)
    _drop_unused(graph)
    save(model, target)
    return count


def _layer(node: NodeProto, largest: Mapping[str, float]) -> str | None:
    """Give the watched linear layer a product belongs to: torch notes the path of modules."""
    if node.op_type != "MatMul":
        return None
    path = [part.strip(" '\"[]") for part in module_path(node).split(",")]
    return next((part for part in path if part in largest), None)


def _wrapped(
    graph: GraphProto, node: NodeProto, weight: TensorProto, largest: float
) -> list[NodeProto]:
    """Point a product at quantized inputs; give the nodes that come before it."""
    value, name = numpy_helper.to_array(weight), node.name
    kind = weight.data_type
    scales = np.maximum(np.abs(value.astype(np.float32)).max(axis=0), 1e-12) / LARGEST
    scales = scales.astype(value.dtype)  # what the runtime will divide by
    rounded = value.astype(np.float32) / scales.astype(np.float32)
    rounded = np.clip(rounded, -LARGEST, LARGEST).astype(ml_dtypes.float8_e4m3fn)
    zero = helper.make_tensor(f"{name}_zero", TensorProto.FLOAT8E4M3FN, [], [0.0])
    stored = TensorProto(
        name=f"{name}_w8",
        data_type=TensorProto.FLOAT8E4M3FN,
        dims=rounded.shape,
        raw_data=rounded.tobytes(),
    )
    step = helper.make_tensor(f"{name}_x_scale", kind, [], [largest / LARGEST])
    steps = numpy_helper.from_array(scales, f"{name}_w_scale")
    graph.initializer.extend([zero, stored, step, steps])
    x, x8, x_back, w_back = node.input[0], f"{name}_x8", f"{name}_x", f"{name}_w"
    node.input[0], node.input[1] = x_back, w_back
    return [
        helper.make_node("QuantizeLinear", [x, step.name, zero.name], [x8], f"{name}_q"),
        helper.make_node("DequantizeLinear", [x8, step.name], [x_back], f"{name}_dq"),
        helper.make_node(
            "DequantizeLinear", [stored.name, steps.name], [w_back], f"{name}_w_dq", axis=1
        ),
    ]


def _drop_unused(graph: GraphProto) -> None:
    used = {name for node in graph.node for name in node.input}
    kept = [each for each in graph.initializer if each.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def calibrate(module: nn.Module, rolls: Iterator[object]) -> dict[str, float]:
    """Run rollouts of a torch module to their end; give the largest input of each linear layer."""
    with watched(module) as seen, torch.inference_mode():
        for _ in rolls:
            pass
    return seen
