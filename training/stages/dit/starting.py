"""The weights that a later stage begins with."""

from __future__ import annotations

from pathlib import Path

import torch

from models.errors import InputError
from training.stages.dit.dit_cli import single
from training.stages.dit.seen_mouths import SeenMouths
from training.stages.dit.shipped import WEIGHTS
from training.stages.vae.shipped import READER, read_reader, read_vae

SINGLE = "single"  # folder of the stage before, inside a smoke run


def named(start: Path | None) -> Path:
    """Give the start that was named.

    Raises:
        InputError: when none was.
    """
    if start is None:
        raise InputError("name the weights to begin with: --start, the folder of an earlier stage")
    return start


def smoke_start(out: Path, start: Path | None) -> Path:
    """Give the start of a smoke run: the one named, or a first stage trained on dolls here."""
    if start is not None:
        return start
    if not (out / SINGLE / WEIGHTS).exists():
        single(out / SINGLE, smoke=True)
    return out / SINGLE


def seen_by(vae: Path | None, reading: float, device: str) -> SeenMouths | None:
    """Read what shows mouths to a stage's losses; None when no autoencoder was named.

    Raises:
        CheckpointError: when the autoencoder, or its lip reader beside it, cannot be read.
    """
    if vae is None:
        return None
    reader = read_reader(vae.with_name(READER))
    return SeenMouths(read_vae(vae), reader, reading).to(torch.device(device))
