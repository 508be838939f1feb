"""`parley train acting`: make dialogues, train the acting network, measure it on held-out ones."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from models.errors import InputError, ModelError
from training.runs.config_file import read_config
from training.runs.folder import RunFolder
from training.runs.loop import Runner, train
from training.runs.memory import keep_freed_memory
from training.runs.processes import open_processes
from training.runs.schedule import Budget
from training.stages.acting.measures import ActingExaminer
from training.stages.acting.rehearsal import short_words
from training.stages.acting.rehearsal_folder import Heard, RehearsalFolder
from training.stages.acting.shipped import begin_with
from training.stages.acting.task import ActingStageConfig, ActingTask
from training.stages.audio.shipped import read_encoder
from training.stages.dit.words import WordTable
from training.stages.options import ConfigOption, DeviceOption, MinutesOption, OutOption

HERE = Path(__file__).parent
USUAL, SMOKE = HERE / "acting.toml", HERE / "smoke.toml"
SMOKE_STEPS, SMOKE_HOURS = 150, 0.05
TEST_HOURS = 0.25

console = Console()


def acting(  # noqa: PLR0913  # a command's options are its arguments
    out: OutOption,
    audio: Annotated[Path, typer.Option(help="Weights of the audio encoder (.safetensors).")],
    config: ConfigOption = USUAL,
    minutes: MinutesOption = 15.0,
    hours: Annotated[
        float, typer.Option(min=0.01, help="Hours of dialogue; more may be added later.")
    ] = 8.0,
    words: Annotated[
        Path | None,
        typer.Option(help="words.txt of the transformer, so that a bundle has one table."),
    ] = None,
    start: Annotated[
        Path | None, typer.Option(help="Begin a new run with an earlier one's weights: its folder.")
    ] = None,
    smoke: Annotated[bool, typer.Option(help="Tiny settings: seconds, to see it learn.")] = False,
    rehearsals: Annotated[
        Path | None, typer.Option(help="Folder of dialogues, by default OUT/rehearsals.")
    ] = None,
    device: DeviceOption = "cpu",
) -> None:
    """Train the acting network: voices and a prompt in, expressions, gaze and heads out."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        settings = read_config(SMOKE if smoke else config, ActingStageConfig)
        hours = SMOKE_HOURS if smoke else hours
        folder = RehearsalFolder(rehearsals or out / "rehearsals", settings.rehearsals)
        encoder = read_encoder(audio)
        with open_processes(device) as processes:
            tested = min(TEST_HOURS, hours)
            if processes.is_first:
                folder.make("test", tested, encoder, lambda _: None)
                folder.make("train", hours, encoder, lambda _: None)
            processes.wait()
            learned, held_out = folder.read("train", hours), folder.read("test", tested)
            table = _table(words, learned, settings.network.words - 2, settings.network.length)
            examiner = ActingExaminer(settings, held_out, table)
            budget = Budget(steps=SMOKE_STEPS) if smoke else Budget(minutes=minutes)
            keep_freed_memory()
            run = RunFolder.open(out, settings)
            task = ActingTask(settings, learned, table, examiner)
            if start is not None:
                begin_with(task.network, start)
            train(task, Runner(run, settings.loop, budget, processes))
            if processes.is_first:
                console.print(f"acting.safetensors and words.txt are in {out}")
    except ModelError as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error


def _table(known: Path | None, learned: list[Heard], most: int, length: int) -> WordTable:
    """Extend a table by the words of these dialogues, so that numbers in use stay what they are."""
    first = list(WordTable.read(known, length).words) if known is not None else []
    texts = [*short_words(), *(text for heard in learned for _, _, text in heard.prompts)]
    found = WordTable.of(texts, most, length).words
    words = [*first, *(word for word in found if word not in first)]
    if len(first) > most:
        raise InputError(f"{known} holds {len(first)} words, the network has room for {most}")
    return WordTable(words[:most], length)
