"""Asks `parley bench quality`, as a process: the benches import nothing of what they measure."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clients.bench.errors import BenchError


def command(out: Path, seats: Sequence[int], people: int, *, has_picture: bool) -> list[str]:
    """Give the arguments after `parley`."""
    words = ["bench", "quality", str(out / "proof.mp4"), "--people", str(people)]
    for seat in seats:
        words += ["--audio", f"{seat}={out / f'voice{seat}.wav'}"]
    if has_picture:
        words += ["--reference", str(out / "scene.jpg")]
    return [*words, "--json", str(out / "quality.json")]


def judge(words: Sequence[str], report: Path) -> dict[str, Any]:
    """Run the judges; blocks, about as long as the film lasts.

    Raises:
        BenchError: when they cannot; the film and the voices are there all the same.
    """
    done = subprocess.run(  # noqa: S603  # our own command, as a list
        [sys.executable, "-m", "parley", *words], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise BenchError(
            f"the judges did not judge: {said[-1] if said else 'no word'} "
            f"(repeat them by: parley {' '.join(words)})"
        )
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return found


def summary(quality: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what a proof tells: the judges' own report has the rest."""
    people = [
        {
            "seat": person["seat"],
            "detected": person["detected"],
            "lip_sync_r": person["sync"]["r"],
            "lag_frames": person["sync"]["lag_frames"],
            "motion_in_speech": person["mouth_motion"]["speech"],
            "motion_in_silence": person["mouth_motion"]["silence"],
            "identity_mean": person["identity"] and person["identity"]["mean"],
            "identity_worst": person["identity"] and person["identity"]["worst"],
            "drift": drift,
        }
        for person, drift in zip(quality["people"], quality["drift"]["people"], strict=True)
    ]
    binding = quality["binding"]
    return {
        "binding": {key: binding[key] for key in ("windows", "accuracy", "confusion")},
        "sync_matrix": quality["sync_matrix"],
        "people": people,
        "drift": quality["drift"]["picture"],
        "flicker": quality["flicker"],
    }
