"""A rendered clip as the judges take it: its video, voices and true mouths, out of a shard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from training.studio.performance_data import ARKIT
from training.studio.shards.archive import Shard
from training.studio.shards.record import unpack_arrays

SUFFIX = ".tar"
LIDS = [ARKIT.index("eyeBlinkLeft"), ARKIT.index("eyeBlinkRight")]


class StudioClip(NamedTuple):
    """Files of one clip, by seat from the left."""

    video: Path
    audio: dict[int, Path]
    curves: dict[int, Path]  # as `known_curves.read_known_mouth` takes them
    lids: NDArray[np.float64]  # [P, T] how far the eye of a person is shut that is shut further


def unpack_clip(shard_path: Path, key: str | None, folder: Path) -> StudioClip:
    """Write one clip of a shard into a folder; without a key the first.

    Raises:
        InputError: when the file is no shard or has no such clip.
    """
    shard = Shard.open(shard_path)
    key = next(iter(shard.clips), None) if key is None else key
    if key is None or key not in shard.clips:
        raise InputError(
            f"{shard_path} has no clip {key}; it has {', '.join(shard.clips) or 'none'}"
        )
    video = folder / "clip.mp4"
    video.write_bytes(shard.read(key, "mp4"))
    described = json.loads(shard.read(key, "json"))
    labels = unpack_arrays(shard.read(key, "npz"))
    gaps = labels["lip_gap_mm"]
    audio: dict[int, Path] = {}
    curves: dict[int, Path] = {}
    for seat, person in enumerate(described["people"]):
        audio[seat] = folder / f"voice{seat}.flac"
        audio[seat].write_bytes(shard.read(key, f"voice{seat}.flac"))
        curves[seat] = folder / f"mouth{seat}.npz"
        # How hard closed lips press is a label, but nothing shows it.
        opening = np.maximum(gaps[seat], 0)
        phones = np.array(person["phones"], np.str_).reshape(-1, 3)
        np.savez(curves[seat], opening=opening, fps=described["fps"], phones=phones)
    lids = labels["curves"][..., LIDS].astype(np.float64).max(-1)
    return StudioClip(video, audio, curves, lids)
