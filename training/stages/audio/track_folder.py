"""A folder of tracks: made shard by shard, the same bytes whoever makes them, added to later.

`train-0000.safetensors` and so on hold `TRACKS_PER_SHARD` tracks each, `test.safetensors` the
held-out ones, `noises-train.safetensors` and `noises-test.safetensors` sounds that move no mouth.
Shard k follows from the seed and k alone, and from the voices installed (see `tracks.json`).
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from models.errors import InputError
from training.runs.folder import differences, write_json
from training.stages.audio.noises import draw_noise
from training.stages.audio.tracks import Track, TrackConfig, make_track, mouth_fingerprint
from training.studio.speech.catalogue import OPENERS
from training.studio.speech.sentences import Split
from training.studio.speech.voices import Catalogue, open_sources

TRACKS_PER_SHARD = 36
DESCRIPTION = "tracks.json"
STREAMS = {"train": 0, "test": 1, "noise": 2}  # of the seed's randomness
Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderConfig:
    """Everything that decides a folder's tracks but their number."""

    seed: int
    tracks: TrackConfig
    noises: int  # clips of noise for each split, as long as a track
    test_sources: tuple[str, ...]  # their held-out voices are measured on
    test_tracks: int  # of each of them


class Shard(NamedTuple):
    """Tracks as arrays; K tracks, n samples, T video frames."""

    samples: NDArray[np.int16]  # [K, 2, n]
    targets: NDArray[np.float16]  # [K, T, 53]
    phones: NDArray[np.uint8]  # [K, T]
    pitch: NDArray[np.float16]  # [K, T]
    voices: tuple[str, ...]  # [K]


class TrackFolder:
    """Owns the files of one folder."""

    def __init__(self, path: Path, config: FolderConfig) -> None:
        """Make the folder, or open one of the same settings.

        Raises:
            InputError: when the folder holds tracks of other settings, or the studio's mouths have
                changed since.
        """
        self.path, self.config = path, config
        path.mkdir(parents=True, exist_ok=True)
        file = path / DESCRIPTION
        described = json.loads(json.dumps(dataclasses.asdict(config)))
        described["mouths"] = mouth_fingerprint()
        if file.exists():
            there = json.loads(file.read_text())
            differing = differences(there["settings"], described)
            if differing:
                raise InputError(
                    f"{path} holds other tracks (differing: {', '.join(differing)}); "
                    "use another folder, or the same settings to add to it"
                )
        else:
            write_json(file, {"settings": described, "voices": {}})

    @property
    def test_path(self) -> Path:
        """Where the held-out tracks are, or will be."""
        return self.path / "test.safetensors"

    def train_paths(self, hours: float) -> list[Path]:
        """List the shards that hold at least so many hours."""
        shard_seconds = TRACKS_PER_SHARD * self.config.tracks.seconds
        count = max(1, math.ceil(hours * 3600 / shard_seconds))
        return [self.path / f"train-{number:04d}.safetensors" for number in range(count)]

    def make_held_out(self, on_file: Callable[[Path], None]) -> None:
        """Make what is missing of the test's tracks and of all noises; blocks for minutes."""
        for split in ("train", "test"):
            path = self.path / f"noises-{split}.safetensors"
            if not path.exists():
                _save(path, {"samples": self._noises(split)}, {})
                on_file(path)
        if not self.test_path.exists():
            with closing(self._catalogue("test")) as catalogue:
                self._save_tracks(self.test_path, self._test_tracks(catalogue))
            on_file(self.test_path)

    def make_train(self, hours: float, on_file: Callable[[Path], None]) -> None:
        """Make what is missing of `hours` of training tracks; blocks for hours / 10 or so."""
        missing = [path for path in self.train_paths(hours) if not path.exists()]
        if not missing:
            return
        with closing(self._catalogue("train")) as catalogue:
            for path in missing:
                number = int(path.stem.partition("-")[2])
                self._save_tracks(path, self._train_tracks(catalogue, number))
                on_file(path)

    def read(self, path: Path) -> Shard:
        """Read one file of tracks."""
        with safe_open(path, "numpy") as file:
            named = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
            voices = tuple(json.loads(file.metadata()["voices"]))
        return Shard(**named, voices=voices)

    def read_noises(self, split: Split) -> NDArray[np.int16]:
        """Read the noises of a split, [K, n]."""
        return load_file(self.path / f"noises-{split}.safetensors")["samples"]

    def _catalogue(self, split: Split) -> Catalogue:
        """Open the split's voices and check that they are those of the files already there."""
        named = self.config.test_sources if split == "test" else tuple(self.config.tracks.shares)
        catalogue = Catalogue(open_sources([OPENERS[name] for name in named]), split)
        file = self.path / DESCRIPTION
        there = json.loads(file.read_text())
        listing = catalogue.listing()
        known = there["voices"].setdefault(split, listing)
        if known != listing:
            raise InputError(
                f"{self.path} was begun with other voices installed: {sorted(known)}, now "
                f"{sorted(listing)}; install the same ones, or use another folder"
            )
        write_json(file, there)
        return catalogue

    def _generator(self, stream: str, *numbers: int) -> np.random.Generator:
        return np.random.default_rng((self.config.seed, STREAMS[stream], *numbers))

    def _train_tracks(self, catalogue: Catalogue, number: int) -> list[Track]:
        return [
            make_track(self.config.tracks, catalogue, self._generator("train", number, index))
            for index in range(TRACKS_PER_SHARD)
        ]

    def _test_tracks(self, catalogue: Catalogue) -> list[Track]:
        sources = sorted({voice.source for voice in catalogue.voices})
        return [
            make_track(self.config.tracks, catalogue, self._generator("test", k, index), source)
            for k, source in enumerate(sources)
            for index in range(self.config.test_tracks)
        ]

    def _noises(self, split: Split) -> NDArray[np.int16]:
        is_test = int(split == "test")
        drawn = [
            draw_noise(self.config.tracks.samples, split, self._generator("noise", is_test, index))
            for index in range(self.config.noises)
        ]
        return np.round(np.stack(drawn) * 32767).astype(np.int16)

    @staticmethod
    def _save_tracks(path: Path, tracks: Sequence[Track]) -> None:
        arrays: dict[str, Array] = {
            "samples": np.stack([track.samples for track in tracks]),
            "targets": np.stack([track.targets for track in tracks]),
            "phones": np.stack([track.phones for track in tracks]),
            "pitch": np.stack([track.pitch for track in tracks]),
        }
        _save(path, arrays, {"voices": json.dumps([track.voice for track in tracks])})


def _save(path: Path, arrays: dict[str, Array], header: dict[str, str]) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    save_file(arrays, unfinished, header)
    unfinished.replace(path)
