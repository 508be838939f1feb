"""`parley train still`: learn what still pictures show of faces."""

from __future__ import annotations

import logging
from pathlib import Path

import typer
from rich.console import Console

from models.errors import InputError, ModelError
from models.studio.still_reader import StillReader
from training.runs.checkpoint import save_tensors
from training.runs.config_file import read_config
from training.runs.folder import RunFolder, write_json
from training.runs.loop import Runner, train
from training.runs.memory import keep_freed_memory
from training.runs.processes import open_processes
from training.runs.schedule import Budget
from training.stages.options import (
    ConfigOption,
    DeviceOption,
    HeldOutOption,
    MinutesOption,
    OutOption,
    SinglesOption,
    SmokeOption,
)
from training.stages.still.stills import Stills, doll_stills, read_stills
from training.stages.still.task import StillStageConfig, StillTask, errors

HERE = Path(__file__).parent
USUAL, SMOKE = HERE / "still.toml", HERE / "smoke.toml"
SMOKE_STEPS, SMOKE_DOLLS, SMOKE_HELD_OUT = 150, 256, 64
WEIGHTS = "still.safetensors"

console = Console()


def still(  # noqa: PLR0913  # a command's options are its arguments
    out: OutOption,
    clips: SinglesOption = None,
    held_out: HeldOutOption = None,
    config: ConfigOption = USUAL,
    minutes: MinutesOption = 6.0,
    smoke: SmokeOption = False,
    device: DeviceOption = "cpu",
) -> None:
    """Train the reader of what a picture shows of faces, so that acting goes on from there."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    keep_freed_memory()
    try:
        settings = read_config(SMOKE if smoke else config, StillStageConfig)
        run = RunFolder.open(out, settings)
        if smoke:
            learned, held = doll_stills(SMOKE_DOLLS, 1), doll_stills(SMOKE_HELD_OUT, 2)
        else:
            learned, held = _named(clips, "--clips"), _named(held_out, "--held-out")
        budget = Budget(steps=SMOKE_STEPS) if smoke else Budget(minutes=minutes)
        with open_processes(device) as processes:
            task = StillTask(settings, learned, held)
            ema = train(task, Runner(run, settings.loop, budget, processes))
            if processes.is_first:
                measures = errors(ema.network, held)
                _write(out / WEIGHTS, ema.network, measures, len(learned.labels))
    except ModelError as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error
    console.print(
        f"{out / WEIGHTS}: yaw {measures['yaw_error']:.3f} rad off, r {measures['yaw_r']:.3f}; "
        f"marks {measures['marks_error']:.4f} of a cell"
    )


def _named(folders: list[Path] | None, option: str) -> Stills:
    if not folders:
        raise InputError(f"name folders of encoded clips: {option}, made by `parley train encode`")
    return read_stills(folders)


def _write(path: Path, reader: StillReader, measures: dict[str, float], pictures: int) -> None:
    tensors = {name: t.half() for name, t in reader.state_dict().items()}
    save_tensors(path, tensors, {"format": "parley studio still reader"})
    path.chmod(0o644)  # safetensors makes files that only their owner reads
    rounded = {name: round(value, 4) for name, value in measures.items()}
    write_json(path.with_suffix(".json"), {"pictures": pictures, "measures": rounded})
