"""The toy bundle's networks as torch programs, traced from the few ONNX operators they use."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
import torch.nn.functional as F
from onnx import NodeProto, helper, numpy_helper
from torch import Tensor, nn

from engines.bundle import Bundle, open_bundle
from engines.manifest import NetworkEntry, describe_file, write_manifest

Attributes = dict[str, Any]
Operator = Callable[[Sequence[Tensor], Attributes], tuple[Tensor, ...]]
TYPES = {1: torch.float32, 2: torch.uint8, 7: torch.int64}


def _axes(x: Sequence[Tensor]) -> list[int]:
    return [int(each) for each in x[1].tolist()]


def _reduced(reduce: Callable[[Tensor, list[int], bool], Tensor]) -> Operator:
    return lambda x, a: (reduce(x[0], _axes(x), bool(a.get("keepdims", 1))),)


def _unsqueezed(x: Sequence[Tensor], _: Attributes) -> tuple[Tensor]:
    return (x[0].unsqueeze(_axes(x)[0]),)


def _split(x: Sequence[Tensor], a: Attributes) -> tuple[Tensor, ...]:
    axis: int = a["axis"]
    if len(x) > 1:
        return torch.split(x[0], _axes(x), axis)
    return torch.chunk(x[0], a["num_outputs"], axis)


def _sliced(x: Sequence[Tensor], _: Attributes) -> tuple[Tensor]:
    start, stop, axis = (int(each.item()) for each in x[1:4])
    return (x[0].narrow(axis, start, stop - start),)


OPERATORS: dict[str, Operator] = {
    "Add": lambda x, _: (x[0] + x[1],),
    "AveragePool": lambda x, _: (F.avg_pool2d(x[0], 16),),
    "Cast": lambda x, a: (x[0].to(TYPES[a["to"]]),),
    "Clip": lambda x, _: (x[0].clamp(x[1], x[2]),),
    "Concat": lambda x, a: (torch.cat(list(x), a["axis"]),),
    "Div": lambda x, _: (x[0] / x[1],),
    "Identity": lambda x, _: (x[0],),
    "MatMul": lambda x, _: (x[0] @ x[1],),
    "Mul": lambda x, _: (x[0] * x[1],),
    "ReduceMax": _reduced(torch.amax),
    "ReduceMean": _reduced(torch.mean),
    "Reshape": lambda x, _: (x[0].reshape(_axes(x)),),
    "Round": lambda x, _: (x[0].round(),),
    "Slice": _sliced,
    "Softmax": lambda x, _: (x[0].softmax(-1),),
    "Split": _split,
    "Sqrt": lambda x, _: (x[0].sqrt(),),
    "Sub": lambda x, _: (x[0] - x[1],),
    "Sum": lambda x, _: (sum(x[1:], start=x[0]),),
    "Tanh": lambda x, _: (x[0].tanh(),),
    "Tile": lambda x, _: (x[0].repeat(_axes(x)),),
    "Transpose": lambda x, a: (x[0].permute(a["perm"]),),
    "Unsqueeze": _unsqueezed,
    "Where": lambda x, _: (torch.where(x[0], x[1], x[2]),),
}


class Traced(nn.Module):
    """An ONNX graph, its operators done by torch one after another."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        graph = onnx.load(path).graph
        self.nodes: list[NodeProto] = list(graph.node)
        self.names = [each.name for each in graph.input]
        self.outputs = [each.name for each in graph.output]
        self.constants = {
            each.name: torch.from_numpy(numpy_helper.to_array(each).copy())
            for each in graph.initializer
        }

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        known = self.constants | dict(zip(self.names, tensors, strict=True))
        for node in self.nodes:
            attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
            made = OPERATORS[node.op_type]([known[name] for name in node.input], attributes)
            known |= zip(node.output, made, strict=True)
        return tuple(known[name].clone() for name in self.outputs)


def as_programs(bundle: Bundle, folder: Path) -> Bundle:
    """Write a copy of a toy bundle whose networks are torch programs."""
    shutil.copytree(bundle.folder, folder)
    networks = tuple(_program(folder, entry) for entry in bundle.manifest.networks)
    write_manifest(bundle.manifest.model_copy(update={"networks": networks}), folder)
    return open_bundle(folder)


def _program(folder: Path, entry: NetworkEntry) -> NetworkEntry:
    source = folder / entry.files[0].path
    target = source.with_suffix(".pt2")
    example = tuple(
        torch.zeros(each.shape, dtype=getattr(torch, each.dtype)) for each in entry.inputs
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(Traced(source).eval(), example), target)
    source.unlink()
    return entry.model_copy(update={"format": "torch", "files": (describe_file(folder, target),)})
