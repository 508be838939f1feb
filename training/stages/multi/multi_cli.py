"""`parley train multi`: teach a trained transformer to keep several people apart."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from models.errors import ModelError
from models.studio.config import Binding
from training.runs.config_file import read_config
from training.runs.folder import RunFolder
from training.runs.loop import Runner, train
from training.runs.memory import keep_freed_memory
from training.runs.processes import open_processes
from training.runs.schedule import Budget
from training.stages.dit.examination import log_start
from training.stages.dit.seen_mouths import seen_by
from training.stages.dit.shipped import read_start
from training.stages.dit.starting import named, smoke_start
from training.stages.dit.task import Denoising, DitTask
from training.stages.multi.config import MultiStageConfig, train_only
from training.stages.multi.stage_data import examiner_of, people_banks, smoke_banks, source_of
from training.stages.options import (
    DeviceOption,
    HeldOutOption,
    MinutesOption,
    OutOption,
    ScenesOption,
    SinglesOption,
    SmokeOption,
    VaeOption,
)

HERE = Path(__file__).parent
Way = Literal["anytalker", "multitalk"]
SMOKE = HERE / "smoke.toml"
SMOKE_STEPS = 40

console = Console()


def multi(  # noqa: PLR0913  # a command's options are its arguments
    out: OutOption,
    start: Annotated[
        Path | None, typer.Option(help="Folder of `parley train single`, or its dit.safetensors.")
    ] = None,
    clips: SinglesOption = None,
    scenes: ScenesOption = None,
    held_out: HeldOutOption = None,
    vae: VaeOption = None,
    way: Annotated[Way, typer.Option(help="Whose settings, when there is no --config.")] = (
        "anytalker"
    ),
    binding: Annotated[
        Binding | None, typer.Option(help="How voices are bound, when not as the settings say.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Settings, TOML.")] = None,
    minutes: MinutesOption = 120.0,
    smoke: SmokeOption = False,
    device: DeviceOption = "cpu",
) -> None:
    """Train on several people: single clips side by side, true scenes, or both."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    keep_freed_memory()
    try:
        file = SMOKE if smoke else config or HERE / f"{way}.toml"
        settings = read_config(file, MultiStageConfig)
        settings = dataclasses.replace(settings, binding=binding or settings.binding)
        begin = smoke_start(out, start) if smoke else named(start)
        trained = read_start(begin, settings.binding)
        train_only(trained.dit, settings.trained)
        folder = RunFolder.open(out, settings)
        if smoke:
            banks = smoke_banks(out, begin, settings.scenes)
        else:
            banks = people_banks(clips or [], scenes or [], held_out or [])
        data = (trained.words, settings.scenes, settings.windows)
        source = source_of(banks.train, *data)
        examiner = examiner_of(f"multi, {settings.trained}", banks, *data)
        denoising = Denoising(settings.noise, settings.losses)
        seen = seen_by(vae, settings.losses.reading, device)
        task = DitTask(denoising, trained.dit, source, examiner, settings.windows.batch, seen)
        budget = Budget(steps=SMOKE_STEPS) if smoke else Budget(minutes=minutes)
        with open_processes(device) as processes:
            if processes.is_first:
                log_start(folder, lambda: examiner.look(trained.dit.to(processes.device)))
            train(task, Runner(folder, settings.loop, budget, processes))
    except ModelError as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error
    console.print(f"weights, checkpoint, log and pictures are in {out}")
