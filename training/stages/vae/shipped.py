"""Trained autoencoders as two files: weights in half precision, and beside them what they are."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from models.errors import CheckpointError
from models.studio.vae import StudioVAE
from models.studio.vae_config import StudioVAEConfig
from training.runs.checkpoint import save_tensors
from training.runs.config_file import parse_table


def write_vae(path: Path, vae: StudioVAE, facts: Mapping[str, Any]) -> None:
    """Write `path` (.safetensors) and the JSON beside it; `facts` say where it comes from."""
    tensors = {
        name: tensor.contiguous().to(torch.float16) for name, tensor in vae.state_dict().items()
    }
    described = {"vae": dataclasses.asdict(vae.cfg), **facts}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_tensors(path, tensors, {"format": "parley studio autoencoder"})
    path.with_suffix(".json").write_text(json.dumps(described, indent=1) + "\n")


def read_vae(path: Path) -> StudioVAE:
    """Read an autoencoder, in float32 and evaluation mode.

    Raises:
        CheckpointError: when a file is missing, damaged, or not of this architecture.
    """
    try:
        described = json.loads(path.with_suffix(".json").read_text())
        vae = StudioVAE(parse_table(described["vae"], StudioVAEConfig, str(path)))
        vae.load_state_dict({name: t.float() for name, t in load_file(path).items()})
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"cannot read the autoencoder {path}: {error}") from error
    return vae.eval().requires_grad_(False)
