"""Weights stored in 16 bits, computed with in 32: half the size on disk, the same speed.

A float32 weight becomes a float16 one behind a Cast node, which runtimes fold into a float32
constant when they load the network. Weights are rounded once, to 11 bits; sums stay float32.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from export.onnx_file import SMALLEST_EXTERNAL_BYTES, data_file, save

MOST_BYTES = 2**31  # larger files are left as they are: converting needs them in memory twice
SUFFIX = "_half"
# Of quantized tensors: runtimes look for these as plain constants.
EXACT_SUFFIXES = ("_scale", "_zero_point")


def store_half(path: Path) -> int:
    """Store an ONNX file's float32 weights in float16, in place; give how many.

    Small tensors, scales of quantized ones, and whatever float16 cannot hold stay as they are.
    What torch noted about where nodes come from is dropped with it.
    """
    weights = data_file(path)
    if weights.is_file() and weights.stat().st_size > MOST_BYTES:
        return 0
    model = onnx.load(path)
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or tensor.name.endswith(EXACT_SUFFIXES):
            continue
        exact = numpy_helper.to_array(tensor)
        if exact.nbytes < SMALLEST_EXTERNAL_BYTES or not _fits(exact):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(exact.astype(np.float16), name + SUFFIX))
        casts.append(onnx.helper.make_node("Cast", [name + SUFFIX], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del value.metadata_props[:]
    del graph.value_info[:]
    save(model, path)
    return len(casts)


def _fits(exact: NDArray[Any]) -> bool:
    return bool(np.abs(exact).max() <= np.finfo(np.float16).max)
