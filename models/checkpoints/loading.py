"""From published files into a network's memory, tensor by tensor: it is never there twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from models.checkpoints.advice import how_to_complete, how_to_mend
from models.checkpoints.checkpoint import Checkpoint
from models.checkpoints.comparison import compare
from models.checkpoints.errors import MismatchError, MissingFilesError
from models.checkpoints.lora import Lora, LoraFile
from models.checkpoints.network import Network, build_empty, find_files, read_headers
from models.errors import ConfigError

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where weights go and in which type; decided here and nowhere else."""

    dtype: torch.dtype
    device: torch.device
    exceptions: Mapping[str, torch.dtype] = field(default_factory=dict)  # by start of the name

    def __post_init__(self) -> None:
        for dtype in (self.dtype, *self.exceptions.values()):
            if not dtype.is_floating_point:
                raise ConfigError(f"weights are loaded in a floating type, got {dtype}")

    def dtype_of(self, name: str) -> torch.dtype:
        """Give the type for a tensor: of the longest exception that its name starts with."""
        starts = [start for start in self.exceptions if name.startswith(start)]
        return self.exceptions[max(starts, key=len)] if starts else self.dtype


def load_network(
    network: Network[M], directory: Path, placement: Placement, loras: Sequence[Lora] = ()
) -> M:
    """Build a network and fill it from its published files, LoRAs merged.

    Peak memory is the network's own in its type, and about three times its largest tensor.
    Training mode and gradients are as the network's class leaves them.

    Args:
        network: from `models.checkpoints.presets`.
        directory: where the files are; see `find_files`.
        placement: types and device.
        loras: merged in order.

    Raises:
        MissingFilesError: when files are not there, with the commands that fetch them.
        MismatchError: when tensors are missing, unexpected or misshapen, all of them listed.
        LoraError: when a LoRA does not fit.
        CheckpointError: when a file cannot be read or two contradict each other.
    """
    files = find_files(network, directory)
    absent = [name for each in files for name in each.absent]
    if absent:
        raise MissingFilesError(network.name, absent, how_to_complete(files, directory))
    checkpoint = read_headers(network, files)
    module = build_empty(network)
    comparison = compare(module.state_dict(), checkpoint.header, network.optional)
    if not comparison.is_equal:
        advice = how_to_mend(network, comparison, checkpoint, directory)
        raise MismatchError(network.name, comparison, advice)
    shapes = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    fill(module, checkpoint, placement, [LoraFile(lora, shapes) for lora in loras])
    return module


def fill(
    module: nn.Module, checkpoint: Checkpoint, placement: Placement, loras: Sequence[LoraFile] = ()
) -> None:
    """Give every tensor of a module on the meta device its memory and its values.

    Tensors that the checkpoint does not have become zeros: `load_network` lets only those pass
    that no forward pass reads.

    Raises:
        ConfigError: when the module computes a buffer as it is built, which the meta device loses.
    """
    wanted = module.state_dict()
    for name, tensor in checkpoint.tensors(wanted.keys()):
        changes = [lora for lora in loras if name in lora.changed]
        _put(module, name, _placed(name, tensor, placement, changes))
    for name in wanted.keys() - checkpoint.places.keys():
        empty = torch.zeros(wanted[name].shape)
        _put(module, name, _placed(name, empty, placement, ()))
    lost = [name for name, buffer in module.named_buffers() if buffer.is_meta]
    if lost:
        raise ConfigError(
            f"{type(module).__name__} has the buffers {', '.join(lost)}, which no checkpoint holds;"
            " build them on a real device, also under torch.device('meta')"
        )
    module.to(placement.device)  # buffers outside the state dict; every weight is there already


def _placed(name: str, tensor: Tensor, placement: Placement, loras: Sequence[LoraFile]) -> Tensor:
    """Copy a tensor out of its file: type, device, LoRAs."""
    dtype = placement.dtype_of(name) if tensor.is_floating_point() else tensor.dtype
    if not loras:
        return _copied(tensor, placement.device, dtype)
    weight = _copied(tensor, placement.device, torch.float32)
    for lora in loras:
        lora.merge_into(name, weight)
    return weight.to(dtype)


def _copied(tensor: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    return tensor.to(device, dtype, copy=True, memory_format=torch.contiguous_format)


def _put(module: nn.Module, name: str, value: Tensor) -> None:
    """Replace a parameter or buffer by one with memory."""
    owner_name, _, leaf = name.rpartition(".")
    owner = module.get_submodule(owner_name)
    old = getattr(owner, leaf)
    if isinstance(old, nn.Parameter):
        value = nn.Parameter(value, requires_grad=old.requires_grad)
    setattr(owner, leaf, value)
