"""A network as a torch program (.pt2), which runs without our model code."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from export.errors import ExportError
from export.network import ExportNetwork, check_inputs
from export.onnx_file import example_input

PROGRAM_SUFFIX = ".pt2"


def write_program(network: ExportNetwork, folder: Path) -> Path:
    """Export a network to FOLDER/STEM.pt2, with the weights that it reads and no others.

    Raises:
        ExportError: when torch cannot trace the module.
    """
    path = folder / f"{network.file_stem}{PROGRAM_SUFFIX}"
    example = tuple(example_input(spec) for spec in network.inputs)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.export(network.module.eval(), example)
            if _unread(program):
                program = torch.export.export(_lean(program), example)
            torch.export.save(program, path)
    except RuntimeError as error:
        path.unlink(missing_ok=True)
        raise ExportError(f"{network.key}: torch cannot export it ({error})") from error
    return path


def _unread(program: torch.export.ExportedProgram) -> set[str]:
    """Name the weights that came along because another network of the same family reads them."""
    signature = program.graph_signature
    held = signature.inputs_to_parameters | signature.inputs_to_buffers
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    return {weight for name, weight in held.items() if not nodes[name].users}


def _lean(program: torch.export.ExportedProgram) -> nn.Module:
    """Give a program's module without the weights that nothing reads."""
    module = program.module()
    for node in list(module.graph.nodes):
        if node.op == "get_attr" and not node.users:
            module.graph.erase_node(node)
    for path in _unread(program):
        owner, _, leaf = path.rpartition(".")
        delattr(module.get_submodule(owner), leaf)
    module.recompile()
    return module


class ProgramRunner:
    """A torch program, eager."""

    def __init__(self, network: ExportNetwork, path: Path) -> None:
        """Load the program of a network."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._module = torch.export.load(path).module()
        self._network = network

    def __call__(self, named: Mapping[str, Tensor]) -> dict[str, Tensor]:
        network = self._network
        given = check_inputs(network.key, network.inputs, named)
        with torch.no_grad():
            results = self._module(*given)
        return dict(zip(network.outputs, results, strict=True))
