"""`parley train rollout`: train a transformer to go on from what it made itself."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from models.errors import ModelError
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
from training.stages.multi.stage_data import examiner_of, people_banks, smoke_banks, source_of
from training.stages.options import (
    ConfigOption,
    DeviceOption,
    HeldOutOption,
    MinutesOption,
    OutOption,
    ScenesOption,
    SinglesOption,
    SmokeOption,
    VaeOption,
)
from training.stages.rollout.config import RolloutStageConfig
from training.stages.rollout.drift import DriftWatch
from training.stages.rollout.task import RolloutTask

HERE = Path(__file__).parent
USUAL, SMOKE = HERE / "rollout.toml", HERE / "smoke.toml"
SMOKE_STEPS = 24

console = Console()


def rollout(  # noqa: PLR0913  # a command's options are its arguments
    out: OutOption,
    start: Annotated[
        Path | None, typer.Option(help="Folder of `parley train multi`, or its dit.safetensors.")
    ] = None,
    clips: SinglesOption = None,
    scenes: ScenesOption = None,
    held_out: HeldOutOption = None,
    vae: VaeOption = None,
    config: ConfigOption = USUAL,
    minutes: MinutesOption = 60.0,
    smoke: SmokeOption = False,
    device: DeviceOption = "cpu",
) -> None:
    """Train behind contexts that the model rolled out itself, and watch how long streams drift."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    keep_freed_memory()
    try:
        settings = read_config(SMOKE if smoke else config, RolloutStageConfig)
        begin = smoke_start(out, start) if smoke else named(start)
        trained = read_start(begin, settings.binding)
        folder = RunFolder.open(out, settings)
        if smoke:
            banks = smoke_banks(out, begin, settings.scenes)
        else:
            banks = people_banks(clips or [], scenes or [], held_out or [])
        data = (trained.words, settings.scenes, settings.windows)
        source = source_of(banks.train, *data)
        examiner = examiner_of("rollout", banks, *data)
        denoising = Denoising(settings.noise, settings.losses)
        seen = seen_by(vae, settings.losses.reading, device)
        plain = DitTask(denoising, trained.dit, source, examiner, settings.windows.batch, seen)
        drift = DriftWatch(
            held_out=next(iter(examiner.rollouts().values())),
            seconds=settings.drift_seconds,
            sampling=settings.own_past.sampling,
        )
        budget = Budget(steps=SMOKE_STEPS) if smoke else Budget(minutes=minutes)
        with open_processes(device) as processes:
            task = RolloutTask(plain, settings.own_past, drift)
            if processes.is_first:
                log_start(folder, lambda: task.look(trained.dit.to(processes.device), folder))
            train(task, Runner(folder, settings.loop, budget, processes))
    except ModelError as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error
    console.print(f"weights, checkpoint, log, drift.png and other pictures are in {out}")
