"""`parley train vae`: train the autoencoder on rendered clips, measure it on held-out people."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from models.errors import InputError, ModelError
from training.runs.config_file import read_config
from training.runs.folder import RunFolder
from training.runs.loop import Runner, train
from training.runs.memory import keep_freed_memory
from training.runs.processes import open_processes
from training.runs.schedule import Budget
from training.stages.clip_pool import ClipPool, SamplePool, check_long_enough
from training.stages.dolls import DollPool, doll_clip
from training.stages.options import (
    ConfigOption,
    DeviceOption,
    MinutesOption,
    OutOption,
    SmokeOption,
)
from training.stages.vae.measures import HeldOut, read_held_out
from training.stages.vae.scale import fit_scale
from training.stages.vae.shipped import READER, read_reader, read_vae, write_reader, write_vae
from training.stages.vae.task import VaeLearner, VaeStageConfig, VaeTask

HERE = Path(__file__).parent
USUAL, SMOKE = HERE / "vae.toml", HERE / "smoke.toml"
SMOKE_STEPS, SMOKE_FRAMES, SMOKE_SIZE = 60, 24, 64
HELD_OUT_CLIPS, HELD_OUT_FRAMES = 8, 48
WEIGHTS = "vae.safetensors"
HELD_OUT_DOLLS = 990_000  # seeds of dolls that training never draws

console = Console()


def vae(  # noqa: PLR0913  # a command's options are its arguments
    out: OutOption,
    clips: Annotated[
        list[Path] | None, typer.Option(help="Folder of shards to learn from; repeatable.")
    ] = None,
    held_out: Annotated[
        Path | None, typer.Option(help="Folder of shards of the test split.")
    ] = None,
    config: ConfigOption = USUAL,
    minutes: MinutesOption = 240.0,
    smoke: SmokeOption = False,
    start: Annotated[
        Path | None, typer.Option(help="Begin a new run with these weights (.safetensors).")
    ] = None,
    device: DeviceOption = "cpu",
) -> None:
    """Train the autoencoder: video to latents and back, told the reference picture."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    keep_freed_memory()
    try:
        settings = read_config(SMOKE if smoke else config, VaeStageConfig)
        pool, held = _dolls() if smoke else _people(settings, clips or [], held_out)
        budget = Budget(steps=SMOKE_STEPS) if smoke else Budget(minutes=minutes)
        with open_processes(device) as processes:
            runner = Runner(RunFolder.open(out, settings), settings.loop, budget, processes)
            task = VaeTask(settings, pool, held)
            if start is not None:
                _start_from(start, task.network)
            ema = train(task, runner)
            if processes.is_first:
                _ship(out, settings, ema.network, pool)
    except ModelError as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error
    console.print(f"checkpoint, log and pictures are in {out}")


def _start_from(weights: Path, learner: VaeLearner) -> None:
    """Begin with shipped weights, and with the reader beside them if there is one."""
    learner.vae.load_state_dict(read_vae(weights).state_dict())
    reader = weights.with_name(READER)
    if reader.exists():
        learner.reader.load_state_dict(read_reader(reader).state_dict())


def _ship(out: Path, settings: VaeStageConfig, learner: VaeLearner, pool: SamplePool) -> None:
    """Write what the next stages read: averaged weights, latents scaled."""
    if settings.learns == "all":
        fit_scale(learner.vae, pool, settings.loop.seed)
    last = [line for line in RunFolder(out).read_log() if line["kind"] == "measure"][-1:]
    write_vae(out / WEIGHTS, learner.vae, {"training": last[0] if last else {}})
    write_reader(out / READER, learner.reader)


def _people(
    settings: VaeStageConfig, clips: list[Path], held_out: Path | None
) -> tuple[SamplePool, HeldOut]:
    if not clips or held_out is None:
        raise InputError(
            "name folders of shards: --clips of the train split and --held-out of the test split, "
            "both made by `parley train studio render`"
        )
    pool = ClipPool(clips, settings.pool.clips, settings.pool.reuse, settings.cells)
    check_long_enough(pool, settings.frames)
    return pool, read_held_out(held_out, HELD_OUT_CLIPS, HELD_OUT_FRAMES, settings.cells)


def _dolls() -> tuple[SamplePool, HeldOut]:
    held = [
        doll_clip(np.random.default_rng(HELD_OUT_DOLLS + seed), SMOKE_FRAMES, SMOKE_SIZE)
        for seed in range(4)
    ]
    return DollPool(SMOKE_FRAMES, SMOKE_SIZE), HeldOut(tuple(held))
