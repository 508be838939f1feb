"""Rendered clips for training: opened by headers, sampled by a generator, decoded on demand.

Shape letters: T video frames, H, W picture size, P people from left to right, n samples.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from training.studio.performance_data import FPS, SAMPLE_RATE, Floats
from training.studio.shards.archive import Shard
from training.studio.shards.coding import Pixels, decode_video, decode_voice
from training.studio.shards.record import FORMAT, unpack_arrays


class Sample(NamedTuple):
    """A stretch of one clip."""

    key: str
    start_frame: int
    video: Pixels  # [T, H, W, 3]
    voices: Floats  # [P, n], n = T * 640
    labels: dict[str, NDArray[Any]]  # as `record.label_arrays`, cut to the stretch
    prompt: str  # of the segment in the middle of the stretch
    description: dict[str, Any]  # the clip's whole JSON object


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip on disk."""

    shard: Shard
    key: str

    def describe(self) -> dict[str, Any]:
        """Read the clip's JSON object.

        Raises:
            InputError: when it was written in another format.
        """
        described: dict[str, Any] = json.loads(self.shard.read(self.key, "json"))
        if described.get("format") != FORMAT:
            raise InputError(
                f"clip {self.key} of {self.shard.path} has format {described.get('format')}, "
                f"expected {FORMAT}; render it again"
            )
        return described

    def read(self, start: int, count: int) -> Sample:
        """Decode `count` frames from `start` on, with everything that belongs to them.

        Raises:
            InputError: when the clip is shorter.
        """
        described = self.describe()
        if not 0 <= start <= described["frames"] - count:
            raise InputError(
                f"clip {self.key} has {described['frames']} frames, "
                f"{start}..{start + count - 1} were asked for"
            )
        per_frame = SAMPLE_RATE // FPS
        span = slice(start * per_frame, (start + count) * per_frame)
        voices = [
            decode_voice(self.shard.read(self.key, f"voice{person}.flac"))[span]
            for person in range(len(described["people"]))
        ]
        arrays = unpack_arrays(self.shard.read(self.key, "npz"))
        labels = {
            name: array[start : start + count]
            if name == "mask"
            else array[:, start : start + count]
            for name, array in arrays.items()
        }
        return Sample(
            key=self.key,
            start_frame=start,
            video=decode_video(self.shard.read(self.key, "mp4"), start, count),
            voices=np.stack(voices),
            labels=labels,
            prompt=_prompt_at(described, start + count // 2),
            description=described,
        )


class Clips:
    """All clips of a folder of shards, sampled with a generator of the caller's."""

    def __init__(self, folder: Path) -> None:
        """Index a folder's shards.

        Raises:
            InputError: when it holds none, or one is cut off.
        """
        shards = [Shard.open(path) for path in sorted(folder.glob("shard-*.tar"))]
        self.clips = tuple(Clip(shard, key) for shard in shards for key in shard.clips)
        if not self.clips:
            raise InputError(f"{folder} holds no shard-*.tar; render some, or name their folder")

    def sample(self, rng: np.random.Generator, frames: int) -> Sample:
        """Draw a clip that is long enough, and a stretch of it.

        Raises:
            InputError: when no clip among many drawn is long enough.
        """
        for _ in range(100):
            clip = self.clips[int(rng.integers(len(self.clips)))]
            length = clip.describe()["frames"]
            if length >= frames:
                return clip.read(int(rng.integers(length - frames + 1)), frames)
        raise InputError(f"no clip of {frames} frames was found; ask for shorter stretches")


def _prompt_at(described: dict[str, Any], frame: int) -> str:
    for segment in described["prompt"]["segments"]:
        if segment["start_frame"] <= frame < segment["end_frame"]:
            return str(segment["text"])
    return str(described["prompt"]["text"])
