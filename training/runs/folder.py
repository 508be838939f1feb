"""The folder of one training run: its settings, checkpoint, log and pictures."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.errors import InputError
from training.runs.curve_picture import Series, draw_curves

SETTINGS, CHECKPOINT, LOG, CURVES = "run.json", "checkpoint.safetensors", "log.jsonl", "curves.png"


class RunFolder:
    """Owns the files of one run; one process writes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def open(cls, path: Path, settings: object) -> RunFolder:
        """Make a run's folder, or open that of the same settings to resume.

        Raises:
            InputError: when the folder holds a run with other settings.
        """
        described = json.loads(json.dumps(_plain(settings)))
        path.mkdir(parents=True, exist_ok=True)
        file = path / SETTINGS
        if file.exists():
            differing = differences(json.loads(file.read_text()), described)
            if differing:
                raise InputError(
                    f"{path} holds another run (differing: {', '.join(differing)}); "
                    "use another --out, or the same settings to resume"
                )
        write_json(file, described)
        return cls(path)

    @property
    def checkpoint(self) -> Path:
        """Where the checkpoint is, or will be."""
        return self.path / CHECKPOINT

    def log(self, kind: str, numbers: Mapping[str, float]) -> None:
        """Append one line: {"kind": "loss" or "measure", "time": ..., numbers}."""
        rounded = {name: float(f"{value:.6g}") for name, value in numbers.items()}
        line = {"kind": kind, "time": round(time.time(), 1), **rounded}
        with (self.path / LOG).open("a") as file:
            file.write(json.dumps(line) + "\n")

    def read_log(self) -> list[dict[str, Any]]:
        """Read every line that was logged, oldest first."""
        file = self.path / LOG
        if not file.exists():
            return []
        return [json.loads(line) for line in file.read_text().splitlines()]

    def draw(self) -> None:
        """Draw every logged number over the steps into `curves.png`."""
        series: dict[str, Series] = {}
        for line in self.read_log():
            for name, value in line.items():
                if name not in ("kind", "time", "steps", "samples", "seconds"):
                    points = series.setdefault(f"{line['kind']} {name}", [])
                    points.append((float(line["steps"]), float(value)))
        if series:
            draw_curves(series, self.path / CURVES)


def write_json(path: Path, value: object) -> None:
    """Write JSON in one step: another process reads the old text or the new one."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(value, indent=1) + "\n")
    unfinished.replace(path)


def differences(there: Mapping[str, Any], here: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Name the settings in which two tables differ, as "table.key"."""
    found: list[str] = []
    for name in sorted({*there, *here}):
        one, other = there.get(name), here.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            found += differences(one, other, f"{prefix}{name}.")
        elif one != other:
            found.append(f"{prefix}{name}")
    return found


def _plain(value: Any) -> Any:
    """Turn settings into what JSON can hold."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value
