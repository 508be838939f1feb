"""What a proof asks the judges, and what it tells of their answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def command(out: Path, seats: Sequence[int], people: int, *, has_picture: bool) -> list[str]:
    """Give the arguments after `parley`."""
    words = ["bench", "quality", str(out / "proof.mp4"), "--people", str(people)]
    for seat in seats:
        words += ["--audio", f"{seat}={out / f'voice{seat}.wav'}"]
    if has_picture:
        words += ["--reference", str(out / "scene.jpg")]
    return [*words, "--json", str(out / "quality.json")]


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
