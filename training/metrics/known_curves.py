"""The true mouth of a rendered person, from a file: NPZ or JSON.

Both hold `curves` [T, 52] in ARKit's order or, better, `opening` [T], the true gap of the lips in
any unit; optionally `fps` (25 when absent) and `phones`, rows of start s, end s, symbol.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from training.studio.performance_data import ARKIT, FPS, Phone

Floats = NDArray[np.float64]

# How ARKit coefficients add up to a gap of the lips, in parts of an open jaw. Original: the signs
# follow from what each coefficient does, the sizes from a rendered face.
_WEIGHTS = {
    "jawOpen": 1.0,
    "mouthClose": -1.0,
    "mouthLowerDownLeft": 0.12,
    "mouthLowerDownRight": 0.12,
    "mouthUpperUpLeft": 0.08,
    "mouthUpperUpRight": 0.08,
    "mouthFunnel": 0.15,
    "mouthPressLeft": -0.1,
    "mouthPressRight": -0.1,
    "mouthRollLower": -0.15,
    "mouthRollUpper": -0.1,
}


class KnownMouth(NamedTuple):
    """What a person's mouth truly did."""

    opening: Floats  # [T] at the video's frames
    phones: tuple[Phone, ...]  # empty when the file has none


def read_known_mouth(path: Path, frames: int, fps: float) -> KnownMouth:
    """Read a file of true curves, resampled to a video's frames.

    Raises:
        InputError: when the file cannot be read or holds neither `opening` nor `curves`.
    """
    values, phones = _read_npz(path) if path.suffix == ".npz" else _read_json(path)
    rate = float(values.get("fps", np.array(FPS)))
    if "opening" in values:
        opening = values["opening"]
    elif "curves" in values:
        opening = opening_of_curves(values["curves"])
    else:
        raise InputError(f"{path} holds neither `opening` [T] nor `curves` [T, {len(ARKIT)}]")
    if opening.ndim != 1 or not len(opening) or rate <= 0:
        raise InputError(f"{path}: want `opening` [T] and fps > 0, got {opening.shape}, {rate}")
    places = np.arange(frames) / fps * rate
    known = np.interp(places, np.arange(len(opening)), opening)
    known[places > len(opening) - 0.5] = np.nan  # the file ends before the video
    return KnownMouth(known, phones)


def opening_of_curves(curves: Floats) -> Floats:
    """Give the lips' gap [T] in parts of an open jaw from ARKit curves [T, 52].

    Raises:
        InputError: when the curves have another shape.
    """
    if curves.ndim != 2 or curves.shape[1] != len(ARKIT):
        raise InputError(f"ARKit curves are [T, {len(ARKIT)}], got {curves.shape}")
    weights = np.array([_WEIGHTS.get(name, 0.0) for name in ARKIT])
    opening: Floats = (curves @ weights).clip(0)
    return opening


def _read_npz(path: Path) -> tuple[dict[str, Floats], tuple[Phone, ...]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            values = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read as NPZ: {error}") from error
    rows = values.pop("phones", np.zeros((0, 3), np.str_))
    numbers = {name: values[name].astype(np.float64) for name in _names(values)}
    return numbers, _phones(path, rows.tolist())


def _read_json(path: Path) -> tuple[dict[str, Floats], tuple[Phone, ...]]:
    try:
        values = json.loads(path.read_text())
        numbers = {name: np.array(values[name], np.float64) for name in _names(values)}
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path} cannot be read as JSON curves: {error}") from error
    return numbers, _phones(path, values.get("phones", []))


def _names(values: dict[str, object]) -> list[str]:
    return [name for name in ("opening", "curves", "fps") if name in values]


def _phones(path: Path, rows: list[list[str]]) -> tuple[Phone, ...]:
    try:
        return tuple(
            Phone(start=float(start), end=float(end), symbol=str(symbol))
            for start, end, symbol in rows
        )
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: phones are rows of start s, end s, symbol: {error}") from error
