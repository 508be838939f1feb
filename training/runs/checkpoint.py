"""One file that a run resumes from: weights, EMA, optimizer state, progress. Replaced atomically.

The file is safetensors: `weights/NAME`, `ema/NAME` and `optimizer/INDEX/SLOT` (INDEX as in
`Optimizer.state_dict()`), and the progress as JSON in its header.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from models.errors import CheckpointError

HEADER = "progress"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run has come."""

    steps: int
    samples: int  # examples seen, of all processes
    seconds: float  # of training, measurements left out


def start() -> Progress:
    """Give the progress of a run that has not begun."""
    return Progress(steps=0, samples=0, seconds=0.0)


def save_checkpoint(
    path: Path,
    progress: Progress,
    network: nn.Module,
    ema: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Write a checkpoint; whoever is killed meanwhile keeps the one before."""
    tensors = {f"weights/{name}": t for name, t in network.state_dict().items()}
    tensors |= {f"ema/{name}": t for name, t in ema.state_dict().items()}
    for index, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{slot}": t for slot, t in slots.items()}
    header = {HEADER: json.dumps(dataclasses.asdict(progress))}
    save_tensors(path, tensors, header)


def save_tensors(path: Path, tensors: dict[str, Tensor], header: dict[str, str]) -> None:
    """Write safetensors to a name of its own first, then move it into place."""
    unfinished = path.with_name(path.name + ".unfinished")
    owned = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    save_file(owned, unfinished, header)
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.replace(path)


def load_checkpoint(
    path: Path, network: nn.Module, ema: nn.Module, optimizer: torch.optim.Optimizer
) -> Progress:
    """Fill networks and optimizer from a checkpoint.

    Raises:
        CheckpointError: when the file is damaged, or of a network or an optimizer of other shapes.
    """
    parts: dict[str, dict[str, Tensor]] = {"weights": {}, "ema": {}, "optimizer": {}}
    try:
        with safe_open(path, "pt") as file:
            progress = Progress(**json.loads(file.metadata()[HEADER]))
            for name in file.keys():  # noqa: SIM118  # the file is no mapping
                part, _, rest = name.partition("/")
                parts[part][rest] = file.get_tensor(name)
        network.load_state_dict(parts["weights"])
        ema.load_state_dict(parts["ema"])
        _load_optimizer(optimizer, parts["optimizer"])
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"cannot resume from {path}: {error}; move the file away to start anew"
        ) from error
    return progress


def load_weights(path: Path, network: nn.Module, part: str = "ema") -> Progress:
    """Fill a network from one part of a checkpoint, "ema" or "weights".

    Raises:
        CheckpointError: when the file is damaged, or of a network of other shapes.
    """
    try:
        with safe_open(path, "pt") as file:
            progress = Progress(**json.loads(file.metadata()[HEADER]))
            prefix = f"{part}/"
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118  # the file is no mapping
            network.load_state_dict({n.removeprefix(prefix): file.get_tensor(n) for n in names})
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"cannot read the {part} weights of {path}: {error}") from error
    return progress


def _load_optimizer(optimizer: torch.optim.Optimizer, flat: dict[str, Tensor]) -> None:
    described = optimizer.state_dict()
    count = sum(len(group["params"]) for group in described["param_groups"])
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in flat.items():
        index, _, slot = name.partition("/")
        state.setdefault(int(index), {})[slot] = tensor
    if state and max(state) >= count:
        raise ValueError(f"the optimizer has {count} parameters, the file state for {max(state)}")
    described["state"] = state
    optimizer.load_state_dict(described)
