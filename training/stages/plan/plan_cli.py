"""`parley train plan`: what the stages would need at a published size."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from models.errors import ModelError
from training.runs.config_file import read_config
from training.runs.folder import write_json
from training.stages.plan.accelerate_file import accelerate_settings, write_accelerate
from training.stages.plan.config import PublishedStageConfig, Stage
from training.stages.plan.dry_run import DryRun, dry_run
from training.stages.plan.memory import StagePlan, plan
from training.stages.plan.published import published

HERE = Path(__file__).parent
BILLION, PETA = 1e9, 1e15
NUMBERS = "plan.json"

console = Console()


def plan_stages(
    preset: Annotated[str, typer.Option(help="anytalker-1.3b or multitalk-14b.")],
    gpus: Annotated[
        list[int] | None,
        typer.Option(min=1, help="GPUs to shard over; repeatable."),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Settings, TOML.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for plan.json and one accelerate-N.yaml for each number of GPUs."
        ),
    ] = None,
) -> None:
    """Count parameters, memory and arithmetic of every stage on the meta device."""
    try:
        size = published(preset)
        settings = read_config(config or HERE / size.config, PublishedStageConfig)
        run = dry_run(size, settings.example)
    except ModelError as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error
    counts = sorted(set(gpus or [8, 32]))
    plans = [plan(settings, run, stage, count) for stage in Stage for count in counts]
    console.print(_table(plans, settings))
    console.print(_note(run, settings))
    if out is None:
        return
    out.mkdir(parents=True, exist_ok=True)
    described = [{**asdict(each), "memory_gib": each.memory_gib} for each in plans]
    write_json(out / NUMBERS, {"preset": preset, "dry_run": asdict(run), "stages": described})
    for count in counts:
        fsdp = accelerate_settings(size, settings.fsdp, count, machines=-(-count // 8))
        write_accelerate(out / f"accelerate-{count}.yaml", fsdp)
    console.print(f"{NUMBERS} and settings for accelerate are in {out}")


def _table(plans: list[StagePlan], settings: PublishedStageConfig) -> Table:
    headings = ("stage", "GPUs", "trained, 1e9", "weights", "gradients", "optimizer", "gathered")
    table = Table(*headings, "activations", "GiB of a GPU", "PFLOP of an example", "s of a step")
    for each in plans:
        fits = "" if each.memory_gib <= settings.gpu_memory_gib else " (too much)"
        table.add_row(
            each.stage.value,
            str(each.gpus),
            f"{each.trained / BILLION:.2f}",
            f"{each.weights_gib:.1f}",
            f"{each.gradients_gib:.1f}",
            f"{each.optimizer_gib:.1f}",
            f"{each.gathered_gib:.1f}",
            f"{each.activations_gib:.1f}",
            f"{each.memory_gib:.1f}{fits}",
            f"{each.flops / PETA:.2f}",
            f"{each.seconds:.1f}",
        )
    return table


def _note(run: DryRun, settings: PublishedStageConfig) -> str:
    example = settings.example
    return (
        f"{run.parameters / BILLION:.2f}e9 parameters, {run.audio_parameters / BILLION:.2f}e9 of "
        f"them audio's. An example: {example.video_frames} frames of {example.width}x"
        f"{example.height}, {example.people} people, {example.tokens} tokens, forward "
        f"{run.forward_flops / PETA:.3f} PFLOP. Seconds assume {settings.used_share:.0%} of "
        f"{settings.peak_tflops:g} TFLOP/s and no time for communication; text, picture, voice "
        "and video encoders run before training and are not counted."
    )
