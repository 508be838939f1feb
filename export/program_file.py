"""A network as a torch program (.pt2), which runs without our model code."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from export.network import ExportNetwork, check_inputs
from export.onnx_file import example_input

PROGRAM_SUFFIX = ".pt2"


def write_program(network: ExportNetwork, folder: Path) -> Path:
    """Export a network to FOLDER/STEM.pt2."""
    path = folder / f"{network.file_stem}{PROGRAM_SUFFIX}"
    example = tuple(example_input(spec) for spec in network.inputs)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(network.module.eval(), example), path)
    return path


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
