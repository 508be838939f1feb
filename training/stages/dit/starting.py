"""The weights that a later stage begins with."""

from __future__ import annotations

from pathlib import Path

from models.errors import InputError
from training.stages.dit.dit_cli import single
from training.stages.dit.shipped import WEIGHTS

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
