"""`parley train single`: train the transformer on encoded clips of single people."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from models.errors import InputError, ModelError
from models.studio.config import studio
from training.runs.config_file import read_config
from training.runs.folder import RunFolder
from training.runs.loop import Runner, train
from training.runs.memory import keep_freed_memory
from training.runs.processes import open_processes
from training.runs.schedule import Budget
from training.stages.dit.gap_reader import GapReader
from training.stages.dit.measures import draw_held_out
from training.stages.dit.smoke import encode_dolls, tiny_studio
from training.stages.dit.task import DitStageConfig, DitTask
from training.stages.dit.windows import ClipBank
from training.stages.dit.words import FIRST_WORD, WordTable

HERE = Path(__file__).parent
USUAL, SMOKE = HERE / "dit.toml", HERE / "smoke.toml"
SMOKE_STEPS = 80
HELD_OUT_BATCHES = 8
WORDS = "words.txt"

console = Console()


def single(  # noqa: PLR0913  # a command's options are its arguments
    out: Annotated[Path, typer.Option(help="Folder of the run; the same command resumes it.")],
    clips: Annotated[
        list[Path] | None, typer.Option(help="Folder of encoded clips; repeatable.")
    ] = None,
    held_out: Annotated[
        Path | None, typer.Option(help="Folder of encoded clips of the test split.")
    ] = None,
    config: Annotated[Path, typer.Option(help="Settings, TOML.")] = USUAL,
    minutes: Annotated[
        float, typer.Option(min=0.01, help="Training time of all sittings together.")
    ] = 300.0,
    smoke: Annotated[bool, typer.Option(help="Tiny settings, dolls instead of people.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Train the transformer: picture, voice and prompt to latents, frame after frame."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    keep_freed_memory()
    try:
        settings = read_config(SMOKE if smoke else config, DitStageConfig)
        network = tiny_studio(settings.binding) if smoke else studio(settings.binding)
        folder = RunFolder.open(out, settings)
        bank, held_bank = _dolls(out) if smoke else _people(clips or [], held_out)
        words = _words(out / WORDS, bank, network.text.words - FIRST_WORD, network.text.length)
        reader = GapReader.fit(bank, words, settings.windows, settings.loop.seed)
        held = draw_held_out(held_bank, words, settings.windows, HELD_OUT_BATCHES, reader)
        budget = Budget(steps=SMOKE_STEPS) if smoke else Budget(minutes=minutes)
        with open_processes(device) as processes:
            runner = Runner(folder, settings.loop, budget, processes)
            train(DitTask(settings, network, bank, words, held), runner)
    except ModelError as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error
    console.print(f"checkpoint, log and pictures are in {out}")


def _words(path: Path, bank: ClipBank, most: int, length: int) -> WordTable:
    """Read the run's table of words, or make it of the prompts at its start."""
    if not path.exists():
        WordTable.of(bank.prompts(), most, length).write(path)
    return WordTable.read(path, length)


def _people(clips: list[Path], held_out: Path | None) -> tuple[ClipBank, ClipBank]:
    if not clips or held_out is None:
        raise InputError(
            "name folders of encoded clips: --clips of the train split and --held-out of the test "
            "split, both made by `parley train encode`"
        )
    return ClipBank(clips), ClipBank([held_out])


def _dolls(out: Path) -> tuple[ClipBank, ClipBank]:
    train, held_out = out / "dolls", out / "held-out-dolls"
    if not held_out.exists():
        encode_dolls(train, held_out)
    return ClipBank([train]), ClipBank([held_out])
