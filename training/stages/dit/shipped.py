"""Trained transformers as three files: weights in half precision, what they are, their words.

`parley export` reads the same files: dit.safetensors and words.txt.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError

from models.checkpoints.compact import read_tensors
from models.errors import CheckpointError, InputError
from models.studio.config import Binding, StudioConfig, studio
from models.studio.dit import StudioDiT
from training.runs.checkpoint import save_tensors
from training.runs.folder import write_json
from training.stages.dit.smoke import tiny_studio
from training.stages.dit.words import WordTable

WEIGHTS, WORDS = "dit.safetensors", "words.txt"
PRESETS: Mapping[str, Callable[[Binding], StudioConfig]] = {"studio": studio, "dolls": tiny_studio}


class TrainedDit(NamedTuple):
    """A transformer, float32 and in evaluation mode, with the words it was trained on."""

    dit: StudioDiT
    words: WordTable
    preset: str
    facts: Mapping[str, Any]  # what its run wrote: stage, steps, measures


def preset_of(config: StudioConfig) -> str:
    """Name the preset of a transformer's numbers.

    Raises:
        CheckpointError: when no preset has these numbers.
    """
    for name, preset in PRESETS.items():
        if preset(config.binding) == config:
            return name
    raise CheckpointError("this transformer's numbers are those of no preset")


def write_dit(folder: Path, dit: StudioDiT, words: WordTable, facts: Mapping[str, Any]) -> Path:
    """Write a transformer into a folder; `facts` say how it came about."""
    tensors = {name: tensor.to(torch.float16) for name, tensor in dit.state_dict().items()}
    preset, binding = preset_of(dit.studio), dit.studio.binding.value
    path = folder / WEIGHTS
    words.write(folder / WORDS)
    write_json(path.with_suffix(".json"), {"preset": preset, "binding": binding, **facts})
    save_tensors(path, tensors, {"format": "parley studio transformer"})
    return path


def read_dit(path: Path) -> TrainedDit:
    """Read a transformer from its file, or from the folder of its run.

    Raises:
        CheckpointError: when a file is missing, damaged, or not of this architecture.
    """
    file = path / WEIGHTS if path.is_dir() else path
    try:
        described = json.loads(file.with_suffix(".json").read_text())
        preset, binding = described.pop("preset"), Binding(described.pop("binding"))
        config = PRESETS[preset](binding)
        dit = StudioDiT(config)
        dit.load_state_dict(read_tensors(file))
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"cannot read the transformer {file}: {error}; give the folder of a run that was "
            "measured at least once, or a dit.safetensors with its JSON beside it"
        ) from error
    words = WordTable.read(file.with_name(WORDS), config.text.length)
    return TrainedDit(dit.eval(), words, preset, described)


def read_start(start: Path, binding: Binding) -> TrainedDit:
    """Read the weights of the stage before, for training.

    Raises:
        InputError: when they bind voices in another way.
        CheckpointError: when they cannot be read.
    """
    trained = read_dit(start)
    if trained.dit.studio.binding is not binding:
        raise InputError(
            f"{start} binds voices by {trained.dit.studio.binding}, this stage by {binding}; begin "
            f"with a stage trained with binding = {binding.value!r}"
        )
    return trained
