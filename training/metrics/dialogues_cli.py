"""`parley bench dialogues`: rendered dialogues made again by a bundle, judged beside the truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from models.errors import ModelError
from training.metrics.dialogues import Dialogue, Shown, Summary, judge_dialogues, summary

console = Console()


def dialogues(
    shards: Annotated[
        list[Path], typer.Argument(help="Shards of rendered clips, or folders of them.")
    ],
    bundle: Annotated[Path, typer.Option(help="The bundle that makes them again.")],
    out: Annotated[Path, typer.Option(help="Folder for films and dialogues.json.")],
    clips: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    option: Annotated[
        list[str] | None, typer.Option(help="One more option of `parley render`; repeatable.")
    ] = None,
) -> None:
    """Make held-out dialogues again from a picture and voices; judge both alike."""
    try:
        found = judge_dialogues(shards, bundle, clips, out, option or [], console.print)
    except ModelError as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error
    true, made = (summary([_of(each, side) for each in found]) for side in ("true", "made"))
    (out / "dialogues.json").write_text(json.dumps(_described(found, true, made), indent=1) + "\n")
    console.print(_table(len(found), true, made))


def _of(dialogue: Dialogue, side: str) -> Shown:
    shown: Shown = getattr(dialogue, side)
    return shown


def _described(found: list[Dialogue], true: Summary, made: Summary) -> dict[str, object]:
    def plain(shown: Shown) -> dict[str, object]:
        people = [person._asdict() for person in shown.people]
        return {**shown._asdict(), "people": people}

    return {
        "true": true._asdict(),
        "made": made._asdict(),
        "clips": [
            {"name": each.name, "true": plain(each.true), "made": plain(each.made)}
            for each in found
        ],
    }


def _table(count: int, true: Summary, made: Summary) -> Table:
    table = Table(title=f"{count} dialogues")
    table.add_column("")
    table.add_column("made", justify="right")
    table.add_column("true", justify="right")
    names = {
        "lip_r": "lip sync r, mean",
        "lip_r_median": "lip sync r, median",
        "lag_within_one": "people within one frame",
        "bilabials": "P, B, M closed",
        "silence": "mouth in silence, of that in speech",
        "binding": "binding",
        "same_person": "looks of the same person",
        "interactivity": "interactivity",
        "published": "interactivity, published formula",
    }
    for key, name in names.items():
        values = (getattr(each, key) for each in (made, true))
        table.add_row(name, *("-" if value is None else f"{value:.3f}" for value in values))
    return table
