"""Measure the studio with the judges: lips, closures, detection, identity, speed, size."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from models.errors import ModelError
from training.metrics.face_watch import FaceWatcher
from training.metrics.observation import Observer
from training.studio.assets import asset_folder
from training.studio.people.library import Library
from training.studio.shards.running import ONE_THREAD
from training.studio.speech.catalogue import open_catalogue
from training.studio.stage.renderer import Renderer
from training.studio_measures import (
    LIPS,
    PAIRS,
    SIZE,
    STILL_SECONDS,
    Crowd,
    Identities,
    Lips,
    Speed,
    act,
    measure_crowd,
    measure_identities,
    measure_lips,
    measure_speeds,
    pooled,
    run_plan,
)

TARGETS = {"r": 0.95, "closed": 0.95, "detected": 0.99, "verified": 0.98}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything measured."""

    hardware: str
    commit: str
    config: dict[str, float]
    lips: tuple[Lips, ...]
    identities: Identities | None
    crowd: Crowd | None
    speeds: tuple[Speed, ...]

    @property
    def rs(self) -> list[float]:
        return [each.r for each in self.lips if each.r is not None]

    def results(self) -> dict[str, float | None]:
        """Give the figures that have targets, and the worst of each."""
        sounds = [each.sounds for each in self.lips]
        return {
            "r": float(np.median(self.rs)) if self.rs else None,
            "r_worst": min(self.rs, default=None),
            "closed": pooled([each.closed for each in self.lips], sounds),
            "closed_by_chance": pooled([each.chance for each in self.lips], sounds),
            "drawn_closed": pooled([each.drawn_closed for each in self.lips], sounds),
            "detected": pooled(
                [each.detected for each in self.lips], [each.frames for each in self.lips]
            ),
            "verified": self.identities.best.accuracy if self.identities else None,
            "verified_judges": self.identities.judges.accuracy if self.identities else None,
        }

    def lines(self) -> Iterator[str]:
        """Write the tables as Markdown."""
        results = self.results()
        yield f"hardware: {self.hardware}\ncommit: {self.commit}\nconfig: {self.config}\n"
        yield "| person | skin, beard | voice | detected | r | P/B/M closed (drawn) |"
        yield "|---|---|---|---|---|---|"
        for each in self.lips:
            yield (
                f"| {each.seed} | {each.skin}, {each.beard} | {each.voice} | {each.detected:.1%} | "
                f"{_number(each.r, '.3f')} | {_number(each.closed, '.0%')} of {each.sounds} "
                f"({_number(each.drawn_closed, '.0%')}) |"
            )
        yield "\n| result | value | target |\n|---|---|---|"
        for name, value in results.items():
            yield f"| {name} | {_number(value, '.3f')} | {_number(TARGETS.get(name), '.2f')} |"
        if self.identities is not None:
            yield f"\nidentities: {self.identities}"
        if self.crowd is not None:
            yield f"\ncrowd: {self.crowd}"
        yield "\n| people | size | samples | frames/s per core | set-up, s | MB per minute |"
        yield "|---|---|---|---|---|---|"
        for speed in self.speeds:
            width, height = speed.size
            yield (
                f"| {speed.people} | {width}x{height} | {speed.samples} | {speed.frames_per_s:.1f} "
                f"| {speed.setup_s:.2f} | {speed.mb_per_minute:.2f} |"
            )


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _hardware() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores, one process"


def _commit() -> str:
    git = shutil.which("git")
    if git is None:
        return "unknown"
    found = subprocess.run(  # noqa: S603 - a fixed command, nothing of the caller's in it
        [git, "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    return found.stdout.strip() or "unknown"


@app.command()
def bench(
    identities: Annotated[int, typer.Option(min=1, help="people who talk")] = 20,
    pairs: Annotated[int, typer.Option(min=0, help="people told apart; 0: none")] = 50,
    crowd: Annotated[int, typer.Option(min=0, help="people told apart by one still; 0: none")] = 0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    json_out: Annotated[Path | None, typer.Option("--json", help="also write JSON here")] = None,
    seconds: Annotated[float, typer.Option(min=1, help="of talking, each")] = 4,
) -> None:
    """Measure the studio's pictures and labels with the judges, and what they cost."""
    os.environ.update(ONE_THREAD)  # OpenGL on a CPU reads it when its context is made
    config: dict[str, float] = {"identities": identities, "pairs": pairs, "crowd": crowd}
    config |= {"seed": seed, "seconds": seconds}
    try:
        report = measure(config)
    except ModelError as error:
        raise typer.BadParameter(str(error)) from error
    for line in report.lines():
        typer.echo(line)
    if json_out is not None:
        text = dataclasses.asdict(report) | {"results": report.results()}
        json_out.write_text(json.dumps(text, indent=1) + "\n")


def measure(config: dict[str, float]) -> Report:
    """Measure everything; blocks for about ten seconds of processor time a person.

    Raises:
        AssetError: when assets are missing.
    """
    seed, pairs, people = (int(config[name]) for name in ("seed", "pairs", "crowd"))
    catalogue = open_catalogue("train")
    with Renderer(Library(asset_folder()), samples=2) as renderer:
        run = run_plan(seed, LIPS, 1, config["seconds"], SIZE)
        lips = []
        for index in range(int(config["identities"])):
            lips.append(measure_lips(act(run, index, catalogue), renderer, FaceWatcher()))
            typer.echo(f"{index + 1}: {lips[-1]}", err=True)
        told = None
        if pairs:
            stills = run_plan(seed, PAIRS, 1, STILL_SECONDS, SIZE)
            told = measure_identities(stills, pairs, catalogue, renderer, Observer())
        crowd = measure_crowd(seed, people, renderer, Observer()) if people > 1 else None
    speeds = [*measure_speeds(seed, catalogue, 1), *measure_speeds(seed, catalogue, 2)]
    catalogue.close()
    return Report(
        hardware=_hardware(),
        commit=_commit(),
        config=config,
        lips=tuple(lips),
        identities=told,
        crowd=crowd,
        speeds=tuple(speeds),
    )
