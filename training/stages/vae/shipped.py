"""What the stage leaves: the autoencoder with a JSON beside it, and the reader of mouths."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from models.checkpoints.compact import read_tensors
from models.errors import CheckpointError
from models.studio.vae import StudioVAE
from models.studio.vae_config import StudioVAEConfig
from training.runs.checkpoint import save_tensors
from training.runs.config_file import parse_table
from training.stages.vae.lip_reader import LipReader

READER = "lip_reader.safetensors"  # beside the autoencoder's weights


def write_vae(path: Path, vae: StudioVAE, facts: Mapping[str, Any]) -> None:
    """Write `path` (.safetensors) and the JSON beside it; `facts` say where it comes from."""
    tensors = {
        name: tensor.contiguous().to(torch.float16) for name, tensor in vae.state_dict().items()
    }
    described = {"vae": dataclasses.asdict(vae.cfg), **facts}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_tensors(path, tensors, {"format": "parley studio autoencoder"})
    path.with_suffix(".json").write_text(json.dumps(described, indent=1) + "\n")


def write_reader(path: Path, reader: LipReader) -> None:
    """Write `path` (.safetensors): what later stages compare mouths with."""
    tensors = {name: t.contiguous().to(torch.float16) for name, t in reader.state_dict().items()}
    save_tensors(path, tensors, {"format": "parley lip reader"})


def read_reader(path: Path) -> LipReader:
    """Read a lip reader, in float32 and evaluation mode.

    Raises:
        CheckpointError: when the file is missing, damaged, or not one.
    """
    reader = LipReader()
    try:
        reader.load_state_dict(read_tensors(path))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"cannot read the lip reader {path}: {error}") from error
    return reader.eval().requires_grad_(False)


def read_vae(path: Path) -> StudioVAE:
    """Read an autoencoder, in float32 and evaluation mode.

    Raises:
        CheckpointError: when a file is missing, damaged, or not of this architecture.
    """
    try:
        described = json.loads(path.with_suffix(".json").read_text())
        vae = StudioVAE(parse_table(described["vae"], StudioVAEConfig, str(path)))
        vae.load_state_dict(read_tensors(path))
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"cannot read the autoencoder {path}: {error}") from error
    return vae.eval().requires_grad_(False)
