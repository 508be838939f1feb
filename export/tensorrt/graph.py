"""What an exported graph must look like so that TensorRT makes one layer of every attention.

Measured with TensorRT-RTX 1.7.1 and its parser:
- two attentions that share their queries crash the builder once it has merged the two scalings, so
  every further one takes queries times a power of four and a scale divided by it, which is exact;
- keys and values of one attention must have the same width, so narrow values are padded with zeros
  and the result is cut;
- bytes may leave a network, but no layer takes them: what is laid out after it was made bytes is
  laid out before instead.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from export.errors import ExportError

QUERY_FACTOR = 4.0  # its square root is exact, too: the parser splits a scale between q and k


def prepare(model: onnx.ModelProto) -> None:
    """Rewrite a graph for TensorRT's parser; results stay the same."""
    graph = model.graph
    shapes = value_shapes(graph)
    types = value_types(graph)
    uses: Counter[str] = Counter()
    nodes: list[NodeProto] = []
    for node in graph.node:
        if node.op_type != "Attention":
            nodes.append(node)
            continue
        query = _origin(graph, node.input[0])
        nodes.extend(_separated(graph, node, uses[query], (shapes, types)))
        uses[query] += 1
    del graph.node[:]
    graph.node.extend(_bytes_last(nodes))


def _bytes_last(nodes: list[NodeProto]) -> list[NodeProto]:
    """Put every cast to bytes behind the transposition that follows it."""
    ordered = list(nodes)
    for index, cast in enumerate(nodes):
        is_bytes = any(a.name == "to" and a.i == TensorProto.UINT8 for a in cast.attribute)
        if cast.op_type != "Cast" or not is_bytes:
            continue
        places = [at for at, node in enumerate(nodes) if cast.output[0] in node.input]
        if len(places) != 1 or nodes[places[0]].op_type != "Transpose":
            continue
        turn = nodes[places[0]]
        result = turn.output[0]
        turn.input[0], turn.output[0] = cast.input[0], f"{result}_real"
        cast.input[0], cast.output[0] = turn.output[0], result
        ordered[index], ordered[places[0]] = turn, cast
    return ordered


def value_shapes(graph: GraphProto) -> dict[str, tuple[int, ...]]:
    """Give the static shape of every value that has one."""
    known = {
        value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
    return known | {each.name: tuple(each.dims) for each in graph.initializer}


def value_types(graph: GraphProto) -> dict[str, int]:
    """Give the element type of every value."""
    known = {
        value.name: value.type.tensor_type.elem_type
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
    return known | {each.name: each.data_type for each in graph.initializer}


def _origin(graph: GraphProto, name: str) -> str:
    """Follow a value back through nodes that only lay it out anew."""
    makers = {output: node for node in graph.node for output in node.output}
    laid_out = {"Reshape", "Transpose", "Unsqueeze", "Squeeze", "Identity"}
    while name in makers and makers[name].op_type in laid_out:
        name = makers[name].input[0]
    return name


def _separated(
    graph: GraphProto,
    node: NodeProto,
    earlier: int,
    known: tuple[dict[str, tuple[int, ...]], dict[str, int]],
) -> list[NodeProto]:
    """Give an attention with queries of its own, and values as wide as its keys."""
    shapes, types = known
    query, key, value = node.input[:3]
    width = shapes[key][-1]
    before: list[NodeProto] = []
    after: list[NodeProto] = []
    if earlier:
        factor = QUERY_FACTOR**earlier
        constant = _scalar(graph, f"{node.name}_query_factor", factor, types[query])
        scaled = f"{query}_for_{node.name}"
        before.append(helper.make_node("Mul", [query, constant], [scaled], f"{node.name}_query"))
        node.input[0] = scaled
        _set_scale(node, width, factor)
    narrow = shapes[value][-1]
    if narrow != width:
        if narrow > width:
            raise ExportError(f"{node.name}: values of width {narrow} for keys of width {width}")
        padded, result = f"{value}_for_{node.name}", node.output[0]
        before.append(_padded(graph, node.name, (value, padded), width - narrow))
        node.input[2] = padded
        node.output[0] = f"{result}_wide"
        after.append(_cut(graph, node.name, (node.output[0], result), narrow))
    return [*before, node, *after]


def _set_scale(node: NodeProto, width: int, factor: float) -> None:
    scale = width**-0.5
    for attribute in list(node.attribute):
        if attribute.name == "scale":
            scale = attribute.f
            node.attribute.remove(attribute)
    node.attribute.append(helper.make_attribute("scale", scale / factor))


def _padded(graph: GraphProto, name: str, ends: tuple[str, str], missing: int) -> NodeProto:
    pads = _integers(graph, f"{name}_pads", [0, 0, 0, 0, 0, 0, 0, missing])
    return helper.make_node("Pad", [ends[0], pads], [ends[1]], f"{name}_pad", mode="constant")


def _cut(graph: GraphProto, name: str, ends: tuple[str, str], width: int) -> NodeProto:
    bounds = [
        _integers(graph, f"{name}_{what}", [number])
        for what, number in (("start", 0), ("stop", width), ("axis", 3))
    ]
    return helper.make_node("Slice", [ends[0], *bounds], [ends[1]], f"{name}_cut")


def _integers(graph: GraphProto, name: str, values: list[int]) -> str:
    graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), name))
    return name


def _scalar(graph: GraphProto, name: str, value: float, data_type: int) -> str:
    graph.initializer.append(helper.make_tensor(name, data_type, [], [value]))
    return name
