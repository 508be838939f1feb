"""A network as an ONNX file: exported, tidied, written with its weights beside it, checked.

Weights always lie in a file of their own, so that no graph meets protobuf's limit of 2 GiB.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import onnx
import torch
from onnx import TensorProto
from torch import Tensor

from export.errors import ExportError
from export.network import ExportNetwork
from export.shapes import TensorSpec

DATA_SUFFIX = ".data"
FILE_SUFFIX = ".onnx"
SMALLEST_EXTERNAL_BYTES = 1024
TORCH_TYPES: Mapping[int, torch.dtype] = {
    TensorProto.FLOAT: torch.float32,
    TensorProto.FLOAT16: torch.float16,
    TensorProto.BFLOAT16: torch.bfloat16,
    TensorProto.INT64: torch.int64,
    TensorProto.INT32: torch.int32,
    TensorProto.UINT8: torch.uint8,
    TensorProto.BOOL: torch.bool,
}


def write_onnx(network: ExportNetwork, folder: Path) -> Path:
    """Export a network to FOLDER/STEM.onnx and STEM.onnx.data; give the path of the first.

    Raises:
        ExportError: when torch cannot trace the module, or names or shapes came out otherwise.
    """
    path = folder / f"{network.file_stem}{FILE_SUFFIX}"
    remove(path)
    program = _traced(network)
    program.model.metadata_props["parley.network"] = network.key
    program.save(str(path), external_data=True)
    del program
    check_signature(network, path)
    return path


def remove(path: Path) -> None:
    """Delete an ONNX file and its weights, if they are there."""
    for each in (path, data_file(path)):
        each.unlink(missing_ok=True)


def data_file(path: Path) -> Path:
    """Give where the weights of an ONNX file lie."""
    return path.with_name(path.name + DATA_SUFFIX)


def save(model: onnx.ModelProto, path: Path) -> None:
    """Write a model, its weights in a file of their own beside it."""
    remove(path)
    onnx.save(
        model,
        path,
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=data_file(path).name,
        size_threshold=SMALLEST_EXTERNAL_BYTES,
    )


def check_signature(network: ExportNetwork, path: Path) -> None:
    """Compare the file's inputs and outputs with what the network says of itself.

    Raises:
        ExportError: when they differ.
    """
    graph = onnx.load(path, load_external_data=False).graph
    found = {each.name: _shape(each) for each in graph.input}
    wanted = {spec.name: spec.shape for spec in network.inputs}
    if found != wanted:
        wrong = sorted(k for k in found.keys() | wanted.keys() if found.get(k) != wanted.get(k))
        name = wrong[0]
        raise ExportError(
            f"{network.key}: input {name} came out as {found.get(name)}, not {wanted.get(name)}"
        )
    names = [each.name for each in graph.output]
    if names != list(network.outputs):
        raise ExportError(f"{network.key}: outputs came out as {names}")


def output_specs(path: Path) -> tuple[TensorSpec, ...]:
    """Read names, shapes and types of an ONNX file's outputs."""
    graph = onnx.load(path, load_external_data=False).graph
    return tuple(
        TensorSpec(each.name, _shape(each), TORCH_TYPES[each.type.tensor_type.elem_type])
        for each in graph.output
    )


def _shape(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    return tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)


def _traced(network: ExportNetwork) -> torch.onnx.ONNXProgram:
    example = tuple(example_input(spec) for spec in network.inputs)
    names = [spec.name for spec in network.inputs]
    said = io.StringIO()  # torch talks to the terminal, which is not its to talk to
    try:
        with warnings.catch_warnings(), redirect_stdout(said), redirect_stderr(said):
            warnings.simplefilter("ignore")
            with torch.no_grad():
                program = torch.onnx.export(
                    network.module.eval(),
                    example,
                    input_names=names,
                    output_names=list(network.outputs),
                    opset_version=network.opset,
                    dynamo=True,
                    verbose=False,
                )
    except (torch.onnx.OnnxExporterError, RuntimeError) as error:
        raise ExportError(f"{network.key}: torch cannot export it ({error})") from error
    if program is None:
        raise ExportError(f"{network.key}: torch exported nothing")
    return program


def example_input(spec: TensorSpec) -> Tensor:
    """Give an input that a network can be traced or tried with: a mask hides nothing."""
    zeros = spec.zeros()
    return torch.ones_like(zeros) if spec.dtype == torch.bool else zeros
