"""`parley train distill`: fewer and fewer steps, each student taught by the one before."""

from __future__ import annotations

import copy
import logging
import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from models.errors import ModelError
from training.runs.config_file import read_config
from training.runs.folder import RunFolder
from training.runs.loop import Runner, train
from training.runs.memory import keep_freed_memory
from training.runs.processes import Processes, open_processes
from training.runs.schedule import Budget
from training.stages.distill.config import DistillStageConfig
from training.stages.distill.lesson import Pupil
from training.stages.distill.measures import Comparison
from training.stages.distill.schedule_file import SAMPLING, chosen_steps, write_sampling
from training.stages.distill.task import DistillTask
from training.stages.dit.shipped import WEIGHTS, WORDS, TrainedDit, read_start, write_dit
from training.stages.dit.starting import named, smoke_start
from training.stages.multi.stage_data import (
    SceneBanks,
    examiner_of,
    people_banks,
    smoke_banks,
    source_of,
)
from training.stages.options import (
    ConfigOption,
    DeviceOption,
    HeldOutOption,
    OutOption,
    ScenesOption,
    SinglesOption,
    SmokeOption,
)

HERE = Path(__file__).parent
USUAL, SMOKE = HERE / "distill.toml", HERE / "smoke.toml"
SMOKE_STEPS = 30

console = Console()


def distill(  # noqa: PLR0913  # a command's options are its arguments
    out: OutOption,
    start: Annotated[
        Path | None, typer.Option(help="The first teacher: folder of an earlier stage.")
    ] = None,
    clips: SinglesOption = None,
    scenes: ScenesOption = None,
    held_out: HeldOutOption = None,
    config: ConfigOption = USUAL,
    minutes: Annotated[
        float, typer.Option(min=0.01, help="Training time of each student, all sittings together.")
    ] = 60.0,
    smoke: SmokeOption = False,
    device: DeviceOption = "cpu",
) -> None:
    """Distill a transformer to fewer steps and write the schedule that its bundle shall carry."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    keep_freed_memory()
    try:
        settings = read_config(SMOKE if smoke else config, DistillStageConfig)
        begin = smoke_start(out, start) if smoke else named(start)
        first = read_start(begin, settings.binding)
        if smoke:
            banks = smoke_banks(out, begin, settings.scenes)
        else:
            banks = people_banks(clips or [], scenes or [], held_out or [])
        budget = Budget(steps=SMOKE_STEPS) if smoke else Budget(minutes=minutes)
        with open_processes(device) as processes:
            _teach(out, settings, first, banks, (budget, processes))
            if processes.is_first:
                _choose(out, settings, first)
    except ModelError as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error
    console.print(f"{WEIGHTS} and {SAMPLING} of the chosen student are in {out}")


def _teach(
    out: Path,
    settings: DistillStageConfig,
    first: TrainedDit,
    banks: SceneBanks,
    how: tuple[Budget, Processes],
) -> None:
    """Teach one student after the other; those that are done already are passed over."""
    budget, processes = how
    data = (first.words, settings.scenes, settings.windows)
    source = source_of(banks.train, *data)
    comparison = Comparison(
        config=settings.distill,
        teacher=first.dit.requires_grad_(False),
        examiner=examiner_of("distill", banks, *data),
    )
    teacher, teacher_steps = first.dit, settings.distill.teacher_steps
    for steps in settings.distill.counts:
        folder = RunFolder.open(folder_of(out, steps), settings)
        student = copy.deepcopy(teacher).requires_grad_(True)
        pupil = Pupil(student, teacher.requires_grad_(False), steps, teacher_steps)
        task = DistillTask(settings.distill, pupil, source, comparison, settings.windows.batch)
        averaged = train(task, Runner(folder, settings.loop, budget, processes))
        teacher, teacher_steps = averaged.network, steps


def folder_of(out: Path, steps: int) -> Path:
    """Give the folder of one student's run."""
    return out / f"{steps}-steps"


def _choose(out: Path, settings: DistillStageConfig, first: TrainedDit) -> None:
    """Copy the weights of the fewest steps that are good enough, with their schedule."""
    measured = {}
    for steps in settings.distill.counts:
        lines = RunFolder(folder_of(out, steps)).read_log()
        measured[steps] = [line for line in lines if line["kind"] == "measure"][-1]
    chosen = chosen_steps(settings.distill, measured)
    write_sampling(out / SAMPLING, settings.distill, chosen)
    if chosen == settings.distill.teacher_steps:
        write_dit(out, first.dit, first.words, {"stage": "distill: no student was good enough"})
    else:
        source = folder_of(out, chosen) / WEIGHTS
        for path in (source, source.with_suffix(".json"), source.with_name(WORDS)):
            shutil.copyfile(path, out / path.name)
    table = Table("steps", "lips, r", "of the teacher's", "hurried teacher", "distance to teacher")
    for steps, found in measured.items():
        share = found["r_student"] / found["r_teacher"] if found["r_teacher"] else float("nan")
        table.add_row(
            f"{steps}{' (chosen)' if steps == chosen else ''}",
            f"{found['r_student']:.3f}",
            f"{share:.0%}",
            f"{found['r_hurried']:.3f}",
            f"{found['error_student']:.3f} (hurried {found['error_hurried']:.3f})",
        )
    console.print(table)
