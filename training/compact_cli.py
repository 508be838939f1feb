"""Store a trained network in 8 bits a number, as a repository can carry it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from safetensors import SafetensorError

from models.checkpoints.compact import pack, read_tensors
from training.runs.checkpoint import save_tensors


def compact(
    weights: Annotated[Path, typer.Argument(help="A .safetensors of a training stage.")],
    out: Annotated[Path, typer.Option(help="The .safetensors to write.")],
) -> None:
    """Store a trained network in 8 bits a number; every command reads it like the original."""
    try:
        tensors = read_tensors(weights)
    except (OSError, SafetensorError) as error:
        raise typer.BadParameter(f"cannot read {weights}: {error}") from error
    save_tensors(out, pack(tensors), {"format": "parley compact"})
    out.chmod(0o644)
    described = weights.with_suffix(".json")
    if described.is_file():
        out.with_suffix(".json").write_bytes(described.read_bytes())
    before, after = (path.stat().st_size / 2**20 for path in (weights, out))
    typer.echo(f"{out}: {after:.1f} MiB, was {before:.1f} MiB")
