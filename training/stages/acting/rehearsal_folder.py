"""A folder of rehearsals, heard by the audio encoder: made once, added to later.

Dialogue k follows from the folder's seed and k alone, and from the voices installed.

Shape letters: P people, T video frames, A acted channels.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from models.errors import ConfigError, InputError
from models.studio.audio_encoder import AudioEncoder
from models.studio.vae_config import FRAMES_PER_LATENT
from training.runs.folder import differences, write_json
from training.stages.acting.rehearsal import rehearse
from training.stages.latents.encoding import listen
from training.studio.performance_data import FPS
from training.studio.speech.catalogue import OPENERS
from training.studio.speech.sentences import Split
from training.studio.speech.voices import Catalogue, open_sources

DESCRIPTION = "rehearsals.json"
MOST_PEOPLE = 3
STREAMS = {"train": 0, "test": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalConfig:
    """Everything that decides a folder's dialogues but their number.

    Raises:
        ConfigError: when a dialogue has no length, or a number of people no share.
    """

    seed: int
    seconds: float  # of a dialogue
    people_shares: tuple[float, ...]  # of dialogues of one, two, three people
    sources: tuple[str, ...]  # of voices; quick ones, for only loudness and pauses matter here

    def __post_init__(self) -> None:
        if self.seconds * FPS < 2 * FRAMES_PER_LATENT:
            raise ConfigError(f"dialogues of {self.seconds} s are too short")
        shares = self.people_shares
        if not 0 < len(shares) <= MOST_PEOPLE or min(shares) < 0 or sum(shares) <= 0:
            raise ConfigError(f"people_shares={shares} are no shares of 1 to {MOST_PEOPLE} people")


class Heard(NamedTuple):
    """One dialogue as a network sees it."""

    features: NDArray[np.float16]  # [P, T, features] by the audio encoder
    acting: NDArray[np.float16]  # [P, T, A]
    speaking: NDArray[np.bool_]  # [P, T]
    prompts: tuple[tuple[int, int, str], ...]  # first frame, frame behind the last, text


class RehearsalFolder:
    """Owns the files of one folder."""

    def __init__(self, path: Path, config: RehearsalConfig) -> None:
        """Make the folder, or open one of the same settings.

        Raises:
            InputError: when the folder holds dialogues of other settings.
        """
        self.path, self.config = path, config
        path.mkdir(parents=True, exist_ok=True)
        described, file = json.loads(json.dumps(asdict(config))), path / DESCRIPTION
        if file.exists():
            differing = differences(json.loads(file.read_text()), described)
            if differing:
                raise InputError(
                    f"{path} holds other dialogues (differing: {', '.join(differing)}); use "
                    "another folder, or the same settings to add to it"
                )
        else:
            write_json(file, described)

    def paths(self, split: Split, hours: float) -> list[Path]:
        """List the files that hold at least so many hours."""
        count = max(2, round(hours * 3600 / self.config.seconds))
        return [self.path / f"{split}-{number:05d}.npz" for number in range(count)]

    def make(
        self, split: Split, hours: float, audio: AudioEncoder, on_file: Callable[[Path], None]
    ) -> None:
        """Make what is missing of a split's dialogues; blocks for hours / 50 or so."""
        missing = [path for path in self.paths(split, hours) if not path.exists()]
        if not missing:
            return
        sources = open_sources([OPENERS[name] for name in self.config.sources])
        with closing(Catalogue(sources, split)) as catalogue:
            for path in missing:
                write_heard(path, self._make(split, int(path.stem[-5:]), catalogue, audio))
                on_file(path)

    def read(self, split: Split, hours: float) -> list[Heard]:
        """Read a split's dialogues, which have been made."""
        return [read_heard(path) for path in self.paths(split, hours)]

    def _make(self, split: Split, number: int, catalogue: Catalogue, audio: AudioEncoder) -> Heard:
        config = self.config
        rng = np.random.default_rng((config.seed, STREAMS[split], number))
        shares = np.array(config.people_shares)
        people = 1 + int(rng.choice(len(shares), p=shares / shares.sum()))
        made = rehearse(people, config.seconds, rng, catalogue)
        frames = made.acting.shape[1]
        frames -= frames % FRAMES_PER_LATENT
        features, _ = listen(audio, made.voices, frames)
        return Heard(
            features,
            made.acting[:, :frames].astype(np.float16),
            made.speaking[:, :frames],
            tuple((each.start_frame, each.end_frame, each.text) for each in made.prompts),
        )


def write_heard(path: Path, heard: Heard) -> None:
    """Write one dialogue, under its name only when complete."""
    unfinished = path.with_name(f".{path.stem}.{os.getpid()}.npz")
    text = np.frombuffer(json.dumps(heard.prompts).encode(), np.uint8)
    np.savez(
        unfinished,
        features=heard.features,
        acting=heard.acting,
        speaking=heard.speaking,
        prompts=text,
    )
    unfinished.replace(path)


def read_heard(path: Path) -> Heard:
    """Read one dialogue.

    Raises:
        InputError: when the file is damaged.
    """
    try:
        with np.load(path) as file:
            prompts = tuple((a, b, t) for a, b, t in json.loads(file["prompts"].tobytes()))
            return Heard(file["features"], file["acting"], file["speaking"], prompts)
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise InputError(f"cannot read {path}: {error}; delete it to have it made again") from error
