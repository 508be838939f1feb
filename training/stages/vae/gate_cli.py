"""`parley bench autoencoder`: what a face mesh reads of lips that went through the autoencoder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from models.errors import InputError, ModelError
from training.stages.cells import cells_of_side
from training.stages.judged_lips import mean_r
from training.stages.vae.gate import GatedClip, judge_clips
from training.stages.vae.measures import read_held_out
from training.stages.vae.shipped import read_vae

console = Console()


def autoencoder(
    vae: Annotated[Path, typer.Option(help="Weights (.safetensors), their JSON beside them.")],
    held_out: Annotated[Path, typer.Option(help="Folder of shards of the test split.")],
    clips: Annotated[int, typer.Option(min=1, help="Clips that are judged.")] = 16,
    frames: Annotated[int, typer.Option(min=8, help="Frames of each.")] = 72,
    cell: Annotated[
        int | None,
        typer.Option(metavar="SIDE", help="Only the squares around faces, at so many pixels."),
    ] = None,
) -> None:
    """Judge reconstructions of held-out people: the gate before any transformer is trained."""
    try:
        cells = None if cell is None else cells_of_side(cell, jitter=0.0)
        judged = judge_clips(read_vae(vae), read_held_out(held_out, clips, frames, cells))
        if not judged:
            raise InputError(f"nobody speaks in the clips of {held_out}; render more of them")
    except ModelError as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error
    console.print(_table(judged))


def _table(judged: list[GatedClip]) -> Table:
    table = Table("clip", "lips as drawn, r", "rebuilt, r", "lag", "amplitude")
    for clip in judged:
        shown = (f"{clip.rendered.r:.2f}", f"{clip.rebuilt.r:.2f}", f"{clip.rebuilt.lag_frames}")
        table.add_row(clip.key, *shown, f"{clip.amplitude:.2f}")
    means = (mean_r(clip.rendered for clip in judged), mean_r(clip.rebuilt for clip in judged))
    table.add_row("mean", *(f"{r:.3f}" for r in means))
    return table
