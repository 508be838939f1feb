"""Trained audio encoders as two files: weights, and beside them what they are.

`NAME.safetensors` holds the encoder's tensors in half precision; `NAME.json` its architecture, how
it was trained and what was measured.
"""

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
from models.studio.audio_config import AudioEncoderConfig
from models.studio.audio_encoder import AudioEncoder
from training.runs.checkpoint import save_tensors
from training.runs.config_file import parse_table
from training.runs.folder import write_json


def write_encoder(path: Path, encoder: AudioEncoder, facts: Mapping[str, Any]) -> None:
    """Write `path` (.safetensors) and the JSON beside it; `facts` say where it comes from."""
    tensors = {name: t.to(torch.float16) for name, t in encoder.state_dict().items()}
    described = {"encoder": dataclasses.asdict(encoder.config), **facts}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_tensors(path, tensors, {"format": "parley studio audio encoder"})
    path.chmod(0o644)  # safetensors makes files that only their owner reads
    write_json(path.with_suffix(".json"), described)


def read_encoder(path: Path) -> AudioEncoder:
    """Read an encoder, in float32 and evaluation mode.

    Raises:
        CheckpointError: when a file is missing, damaged, or not of this architecture.
    """
    try:
        described = json.loads(path.with_suffix(".json").read_text())
        config = parse_table(described["encoder"], AudioEncoderConfig, str(path))
        encoder = AudioEncoder(config)
        encoder.load_state_dict(read_tensors(path))
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"cannot read the audio encoder {path}: {error}") from error
    return encoder.eval()
