"""Trained acting networks as three files: weights in half precision, what they are, their words."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError

from models.checkpoints.compact import read_tensors
from models.errors import CheckpointError
from models.studio.acting import ActingNetwork
from models.studio.acting_config import ActingConfig
from training.runs.checkpoint import save_tensors
from training.runs.config_file import parse_table
from training.runs.folder import write_json
from training.stages.dit.words import WordTable

WEIGHTS, WORDS = "acting.safetensors", "words.txt"


class TrainedActing(NamedTuple):
    """An acting network, float32 and in evaluation mode, with the words it was trained on."""

    network: ActingNetwork
    words: WordTable


def write_acting(
    folder: Path, network: ActingNetwork, words: WordTable, facts: Mapping[str, Any]
) -> Path:
    """Write a network into a folder; `facts` say how it came about."""
    path = folder / WEIGHTS
    tensors = {name: tensor.to(torch.float16) for name, tensor in network.state_dict().items()}
    save_tensors(path, tensors, {"format": "parley studio acting"})
    path.chmod(0o644)  # safetensors makes files that only their owner reads
    words.write(folder / WORDS)
    described = {"network": dataclasses.asdict(network.config), **facts}
    write_json(path.with_suffix(".json"), described)
    return path


def begin_with(network: ActingNetwork, path: Path) -> None:
    """Give a network the weights of an earlier one; what that one had not stays as it is.

    Raises:
        CheckpointError: when the file cannot be read, or its numbers are others.
    """
    file = path / WEIGHTS if path.is_dir() else path
    try:
        tensors = read_tensors(file)
        unknown = network.load_state_dict(tensors, strict=False).unexpected_keys
    except (OSError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"cannot begin with the acting network {file}: {error}") from error
    if unknown:
        raise CheckpointError(f"{file} has what no acting network has: {', '.join(unknown[:3])}")


def read_acting(path: Path) -> TrainedActing:
    """Read a network from its file, or from the folder of its run.

    Raises:
        CheckpointError: when a file is missing, damaged, or not of this architecture.
    """
    file = path / WEIGHTS if path.is_dir() else path
    try:
        described = json.loads(file.with_suffix(".json").read_text())
        network = ActingNetwork(parse_table(described["network"], ActingConfig, str(file)))
        network.load_state_dict(read_tensors(file))
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"cannot read the acting network {file}: {error}; give the folder of a run that was "
            "measured at least once, or an acting.safetensors with its JSON beside it"
        ) from error
    words = WordTable.read(file.with_name(WORDS), network.config.length)
    return TrainedActing(network.eval(), words)
