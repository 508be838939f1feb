"""Pieces of a bundle's manifest that stand alone: types, files, settings of a rolling stream."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

SCHEMA_VERSION = 1
FPS = 25
SAMPLE_RATE = 16000
SAMPLES_PER_FRAME = SAMPLE_RATE // FPS
MOST_FILE_BYTES = 64 * 2**30

Dtype = Literal["float32", "float16", "bfloat16", "int64", "int32", "uint8", "bool"]
Flavor = Literal["slice", "inplace"]
Format = Literal["onnx", "openvino", "tensorrt", "torch"]
Role = Literal[
    "audio_encoder",
    "acting",  # what voices do not settle of faces and heads, for `audio_kv`
    "text_encoder",
    "prompt",
    "picture_encoder",
    "face_encoder",
    "audio_kv",
    "dit",
    "image_encoder",  # of Wan-size bundles: CLIP
    "vae_decoder",
    # Of the Wan VAE: the first latent frame of a stream is one video frame, and has no past.
    "vae_decoder_start",
    "vae_encoder",
    "vae_encoder_start",
]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
PART_NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"  # of scenes and conversations
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Part(BaseModel):
    """A piece of the manifest."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class FileEntry(Part):
    """One file, by its path from the bundle's folder."""

    path: Name
    sha256: Sha256
    bytes: Annotated[int, Field(ge=1, le=MOST_FILE_BYTES)]

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        pure = PurePosixPath(path)
        has_odd_part = any(part in {"..", "."} for part in path.split("/")) or "//" in path
        if pure.is_absolute() or has_odd_part or "\\" in path or "\0" in path or ":" in path:
            raise ValueError(f"the path {path!r} leaves the bundle")
        return path


class LatentGrid(Part):
    """How pictures become latents and latents tokens."""

    channels: Count
    spatial_stride: Count  # pixels of a latent position, along each side
    patch: Count  # latent positions of a token, along each side
    frames_per_latent: Count


class Rotation(Part):
    """Rotary embedding: a head's channels are shared between time, height and width."""

    theta: Annotated[float, Field(gt=1)]
    time_channels: int
    height_channels: int
    width_channels: int
    # True: the sink has no time at all (cos = sin = 0). False: it stands at frame 0.
    is_sink_timeless: bool
    # Frame positions stay below this: the window is moved back to follow the sink when they would
    # not. None: positions count without limit, as only a timeless sink allows.
    most_positions: Count | None = None

    @model_validator(mode="after")
    def _far_sinks_are_bounded(self) -> Self:
        if self.most_positions is None and not self.is_sink_timeless:
            raise ValueError("a sink at frame 0 needs `most_positions`")
        widths = (self.time_channels, self.height_channels, self.width_channels)
        if any(each % 2 or each < 0 for each in widths):
            raise ValueError(f"channels {widths} are no pairs")
        return self


class Transformer(Part):
    """Widths of the DiT, by which its work is counted."""

    layers: Count
    width: Count
    feed_forward: Count


class Sampling(Part):
    """Few-step flow matching: x_t = (1 - t) x0 + t noise, timestep = 1000 t."""

    sampler: Literal["euler", "renoise"]
    # Lists of falling timesteps in (0, 1000]; the first is the default, others have other lengths.
    schedules: Annotated[tuple[tuple[float, ...], ...], Field(min_length=1)]
    # The clean chunk is read once more at this timestep, with that much noise, for the cache.
    context_timestep: Annotated[float, Field(ge=0, lt=1000)]
    # False: a chunk sees the picture and its own voices alone, and no chunk before it; the noise
    # that it starts from is the room's for good, so that chunks fit each other.
    remembers: bool = True

    @field_validator("schedules")
    @classmethod
    def _fall(cls, schedules: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
        for steps in schedules:
            falls = all(a > b for a, b in pairwise(steps))
            if not steps or not falls or not 0 < steps[-1] <= steps[0] <= 1000:
                raise ValueError(f"timesteps {list(steps)} do not fall within (0, 1000]")
        if repeated(str(len(each)) for each in schedules):
            raise ValueError("two schedules have the same number of steps")
        return schedules


class RegionRule(Part):
    """From a face's box to the region of its person, in widths and heights of the box."""

    sideways: Annotated[float, Field(ge=0)]
    above: Annotated[float, Field(ge=0)]
    below: Annotated[float, Field(ge=0)]


class CellRule(Part):
    """Only a square around each face is rolled, all of them side by side as one strip.

    The rest of the video is the scene's picture, over which each square is laid with soft edges.
    """

    side: Count  # pixels of a cell, which is what networks see of a square
    reach: Annotated[float, Field(ge=1, le=10)]  # a square's side, in the face box's longer side
    feather: Annotated[float, Field(gt=0, lt=0.5)]  # of the side, over which it fades at the edge


class Tokenizer(Part):
    """How a prompt becomes token numbers; as many as the text encoder takes, padded with 0.

    bytes: each byte of UTF-8 plus one. words: lower-case words by their line in `file`, counted
    from 2; 1 for a word that is not there. sentencepiece: pieces by the model in `file`, and its
    end of sentence behind them.
    """

    kind: Literal["bytes", "words", "sentencepiece"]
    file: FileEntry | None = None

    @model_validator(mode="after")
    def _has_its_file(self) -> Self:
        if (self.kind != "bytes") != (self.file is not None):
            raise ValueError("`words` or `sentencepiece` needs a file, `bytes` has none")
        return self


class WanConditions(Part):
    """What rooms of a Wan-size bundle are told besides noise: numbers that no tensor shows."""

    # Latent frames of the picture and the gray behind it that are encoded, as in a training clip.
    # Later frames of the stream are given the last of them.
    clip_frames: Annotated[int, Field(ge=1, le=1024)]
    # Video frames of voice behind a chunk that its features still depend on.
    audio_past_frames: Count


class Curves(Part):
    """Where the audio encoder's face curves enter `motion`."""

    first_channel: Annotated[int, Field(ge=0)]
    group: Annotated[int, Field(ge=0)]  # the entry of `motion_known` that says so


def repeated(names: Iterable[str]) -> list[str]:
    """Give names that come more than once."""
    return sorted(name for name, count in Counter(names).items() if count > 1)
