"""`parley train single`: train the transformer on encoded clips of single people."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from models.errors import InputError, ModelError
from models.studio.config import Binding
from models.studio.dit import StudioDiT
from training.runs.config_file import read_config
from training.runs.folder import RunFolder
from training.runs.loop import Runner, train
from training.runs.memory import keep_freed_memory
from training.runs.processes import open_processes
from training.runs.schedule import Budget
from training.stages.dit.banks import dolls, people, words_of
from training.stages.dit.examination import Examiner
from training.stages.dit.gap_reader import GapReader
from training.stages.dit.seen_mouths import seen_by
from training.stages.dit.shipped import PRESETS, WORDS, TrainedDit, read_dit, read_start
from training.stages.dit.task import Denoising, DitStageConfig, DitTask, start_from_reference
from training.stages.dit.unheard import unheard
from training.stages.dit.windows import windows_of
from training.stages.options import (
    ConfigOption,
    DeviceOption,
    MinutesOption,
    OutOption,
    SmokeOption,
    VaeOption,
)

HERE = Path(__file__).parent
USUAL, SMOKE = HERE / "dit.toml", HERE / "smoke.toml"
SMOKE_STEPS = 80

console = Console()


def single(  # noqa: PLR0913  # a command's options are its arguments
    out: OutOption,
    clips: Annotated[
        list[Path] | None, typer.Option(help="Folder of encoded clips; repeatable.")
    ] = None,
    held_out: Annotated[
        Path | None, typer.Option(help="Folder of encoded clips of the test split.")
    ] = None,
    vae: VaeOption = None,
    start: Annotated[
        Path | None, typer.Option(help="Begin a new run with an earlier one's weights: its folder.")
    ] = None,
    unheard_voices: Annotated[
        bool,
        typer.Option(
            "--unheard",
            help="With --start: leave out what those weights know of voices, to compare bindings.",
        ),
    ] = False,
    binding: Annotated[
        Binding | None, typer.Option(help="How voices are bound, when not as the settings say.")
    ] = None,
    config: ConfigOption = USUAL,
    minutes: MinutesOption = 300.0,
    smoke: SmokeOption = False,
    device: DeviceOption = "cpu",
) -> None:
    """Train the transformer: picture, voice and prompt to latents, frame after frame."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    keep_freed_memory()
    try:
        settings = read_config(SMOKE if smoke else config, DitStageConfig)
        settings = dataclasses.replace(settings, binding=binding or settings.binding)
        folder = RunFolder.open(out, settings)
        banks = dolls(out) if smoke else people(clips or [], held_out)
        first = _named(start, settings, is_unheard=unheard_voices)
        network = _first_weights(settings, "dolls" if smoke else "studio", first, out)
        words = words_of(out / WORDS, banks.train, network.studio.text)
        windows = settings.windows
        source = windows_of(banks.train, words, windows)
        examiner = Examiner(
            stage="single",
            words=words,
            windows=windows,
            source=windows_of(banks.held_out, words, windows),
            rolled={"": banks.held_out},
            reader=GapReader.fit(source, seed=0),
        )
        denoising = Denoising(settings.noise, settings.losses)
        seen = seen_by(vae, settings.losses.reading, device)
        task = DitTask(denoising, network, source, examiner, windows.batch, seen)
        budget = Budget(steps=SMOKE_STEPS) if smoke else Budget(minutes=minutes)
        with open_processes(device) as processes:
            train(task, Runner(folder, settings.loop, budget, processes))
    except ModelError as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error
    console.print(f"weights, checkpoint, log and pictures are in {out}")


def _named(start: Path | None, settings: DitStageConfig, *, is_unheard: bool) -> TrainedDit | None:
    """Read the weights that were named, if any."""
    if start is None:
        if is_unheard:
            raise InputError("--unheard leaves something out of --start: name that folder, too")
        return None
    if is_unheard:
        return unheard(read_dit(start), settings.binding, settings.loop.seed)
    return read_start(start, settings.binding)


def _first_weights(
    settings: DitStageConfig, preset: str, first: TrainedDit | None, out: Path
) -> StudioDiT:
    """Give the transformer that a run begins with, and leave it the words it knows."""
    if first is None:
        return _untrained(settings, preset)
    if not (out / WORDS).exists():
        first.words.write(out / WORDS)
    return first.dit


def _untrained(settings: DitStageConfig, preset: str) -> StudioDiT:
    """Build the transformer that a run begins with; it gives the reference picture back."""
    with torch.random.fork_rng():
        torch.manual_seed(settings.loop.seed)
        network = StudioDiT(PRESETS[preset](settings.binding))
    start_from_reference(network)
    return network
