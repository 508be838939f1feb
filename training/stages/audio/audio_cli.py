"""`parley train audio`: make tracks, train the audio encoder, measure it on held-out voices."""

from __future__ import annotations

import logging
import platform
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from models.errors import ModelError
from training.runs.checkpoint import Progress, load_weights
from training.runs.config_file import read_config
from training.runs.folder import RunFolder
from training.runs.loop import Runner, train
from training.runs.memory import keep_freed_memory
from training.runs.processes import Processes, open_processes
from training.runs.schedule import Budget
from training.stages.audio.measures import Measures, measure_all, read_hearing
from training.stages.audio.mel_bank import MelBank
from training.stages.audio.real_voices import listen_to
from training.stages.audio.shipped import read_encoder, write_encoder
from training.stages.audio.task import AudioStageConfig, AudioTask, Learner
from training.stages.audio.track_folder import TrackFolder
from training.stages.options import ConfigOption, DeviceOption, MinutesOption, OutOption

HERE = Path(__file__).parent
USUAL, SMOKE = HERE / "audio.toml", HERE / "smoke.toml"
SMOKE_STEPS, SMOKE_HOURS = 200, 0.01
WEIGHTS = "audio_encoder.safetensors"

console = Console()


def audio(  # noqa: PLR0913  # a command's options are its arguments
    out: OutOption,
    config: ConfigOption = USUAL,
    minutes: MinutesOption = 40.0,
    hours: Annotated[
        float,
        typer.Option(min=0.01, help="Hours of tracks to learn from; more may be added later."),
    ] = 12.0,
    smoke: Annotated[bool, typer.Option(help="Tiny settings: seconds, to see it learn.")] = False,
    tracks: Annotated[
        Path | None, typer.Option(help="Folder of tracks, by default OUT/tracks; made if missing.")
    ] = None,
    make_only: Annotated[bool, typer.Option(help="Make the tracks and stop.")] = False,
    measure: Annotated[
        Path | None, typer.Option(help="Measure these weights (.safetensors) instead of training.")
    ] = None,
    listen: Annotated[
        list[Path] | None,
        typer.Option(help="With --measure: real recordings instead, one person each."),
    ] = None,
    device: DeviceOption = "cpu",
) -> None:
    """Train the audio encoder: a voice in, features and mouth curves out, 80 ms later."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        settings = read_config(SMOKE if smoke else config, AudioStageConfig)
        hours = SMOKE_HOURS if smoke else hours
        folder = TrackFolder(tracks or out / "tracks", settings.tracks)
        if measure is not None:
            _measure(measure, folder, listen or [])
            return
        with open_processes(device) as processes:
            if processes.is_first:
                folder.make_held_out(_made)
                folder.make_train(hours, _made)
            processes.wait()
            if make_only:
                return
            bank = MelBank(folder, hours, settings.encoder)
            budget = Budget(steps=SMOKE_STEPS) if smoke else Budget(minutes=minutes)
            _train(settings, folder, bank, RunFolder.open(out, settings), budget, processes)
    except ModelError as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error


def _train(
    settings: AudioStageConfig,
    tracks: TrackFolder,
    bank: MelBank,
    run: RunFolder,
    budget: Budget,
    processes: Processes,
) -> None:
    keep_freed_memory()
    hearing = read_hearing(tracks)
    ema = train(AudioTask(settings, bank, hearing), Runner(run, settings.loop, budget, processes))
    if not processes.is_first:
        return
    learner = Learner(settings.encoder)
    progress = load_weights(run.checkpoint, learner)
    encoder = ema.network.encoder.cpu()
    measures = measure_all(encoder, hearing)
    facts = {
        "training": _facts(settings, bank.hours, progress),
        "measures": measures.numbers(),
        "command": f"parley train audio --out DIR --minutes {progress.seconds / 60:.0f}",
    }
    write_encoder(run.path / WEIGHTS, encoder, facts)
    _print(measures)
    console.print(f"weights are in {run.path / WEIGHTS}")


def _facts(settings: AudioStageConfig, hours: float, progress: Progress) -> dict[str, object]:
    return {
        "hours_of_tracks": round(hours, 2),
        "steps": progress.steps,
        "examples": progress.samples,
        "hours_heard": round(progress.samples * settings.losses.frames / 25 / 3600, 1),
        "minutes": round(progress.seconds / 60, 1),
        "hardware": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "seed": settings.loop.seed,
    }


def _measure(path: Path, tracks: TrackFolder, voices: list[Path]) -> None:
    encoder = read_encoder(path)
    if not voices:
        tracks.make_held_out(_made)
        _print(measure_all(encoder, read_hearing(tracks)))
        return
    for voice, heard in zip(voices, listen_to(encoder, voices), strict=True):
        shown = ", ".join(f"{name} {value:.3g}" for name, value in heard.numbers().items())
        console.print(f"{voice.name}: {shown}", highlight=False)


def _made(path: Path) -> None:
    console.print(f"made {path.name}")


def _print(measures: Measures) -> None:
    for name, value in measures.numbers().items():
        console.print(f"{name:30} {value:.4g}", highlight=False)
