"""A TFLite network on the CPU, whole or a part of it.

A part is cut out of the file in memory: operators that this runtime does not know (MediaPipe's own)
are then computed outside, between two parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_FILE_IDENTIFIER = b"TFL3"


class LiteRtNetwork:
    """One network with float inputs and outputs in a fixed order; not for two threads at once."""

    def __init__(self, model: bytes) -> None:
        self._interpreter = Interpreter(model_content=model, num_threads=1)
        self._interpreter.allocate_tensors()
        self._inputs = [each["index"] for each in self._interpreter.get_input_details()]
        self._outputs = [each["index"] for each in self._interpreter.get_output_details()]

    def run(self, *inputs: Floats) -> list[Floats]:
        """Compute every output from every input, in the file's order; blocks for milliseconds."""
        for index, value in zip(self._inputs, inputs, strict=True):
            self._interpreter.set_tensor(index, value)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


def load_network(path: Path) -> LiteRtNetwork:
    """Load a network whole."""
    return LiteRtNetwork(path.read_bytes())


def load_part(model: bytes, inputs: Sequence[int], outputs: Sequence[int]) -> LiteRtNetwork:
    """Load the part of a network that leads from some of its tensors to others, by tensor number.

    The numbers hold for one file only: check its hash first.
    """
    whole: Any = schema.ModelT.InitFromPackedBuf(model, 0)
    graph = whole.subgraphs[0]
    graph.inputs, graph.outputs = list(inputs), list(outputs)
    maker = {tensor: i for i, each in enumerate(graph.operators) for tensor in each.outputs}
    needed: set[int] = set()
    pending = list(outputs)
    while pending:
        tensor = pending.pop()
        operator = None if tensor in inputs else maker.get(tensor)
        if operator is not None and operator not in needed:
            needed.add(operator)
            pending.extend(graph.operators[operator].inputs)
    graph.operators = [graph.operators[i] for i in sorted(needed)]
    whole.signatureDefs = None  # they name tensors that the part lacks
    builder = flatbuffers.Builder(len(model))
    builder.Finish(whole.Pack(builder), _FILE_IDENTIFIER)
    return LiteRtNetwork(bytes(builder.Output()))
