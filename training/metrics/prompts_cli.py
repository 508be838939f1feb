"""`parley bench prompts`: what prompts change in the faces that a bundle makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from models.errors import ModelError
from training.metrics.prompt_effects import Summary, summary
from training.metrics.prompt_films import Studio, bundled_scenes

console = Console()


def prompts(
    bundle: Annotated[Path, typer.Option(help="The bundle that is asked.")],
    out: Annotated[Path, typer.Option(help="Folder for films, pictures and prompts.json.")],
    scene: Annotated[
        list[str] | None, typer.Option(help="A scene of the bundle; repeatable. Default: all.")
    ] = None,
) -> None:
    """Ask people to smile, frown, nod and turn in mid-stream; measure it on their faces."""
    try:
        scenes = bundled_scenes(bundle, scene or [])
        effects = Studio(bundle, out, console.print).measure(scenes)
    except ModelError as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error
    found = summary(effects)
    report = {
        "acts": [each._asdict() for each in found],
        "effects": [{**each._asdict(), "size": each.size} for each in effects],
    }
    (out / "prompts.json").write_text(json.dumps(report, indent=1) + "\n")
    console.print(_table(found))


def _table(found: list[Summary]) -> Table:
    table = Table(title="What prompts change, medians over scenes")
    for title in ("prompt", "measure", "scenes", "change", "in deviations", "right", "others"):
        table.add_column(title, justify="left" if title in {"prompt", "measure"} else "right")
    for each in found:
        table.add_row(
            each.act,
            each.measure,
            str(each.scenes),
            f"{each.change:+.4f}",
            f"{each.size:+.2f}",
            f"{each.right:.2f}",
            f"{each.others:+.4f}",
        )
    return table
