"""The manifest of a bundle, `bundle.json`: what is in it and how to run it. Schema version 1.

`export/` writes it, `engines/` reads it; it is the one thing they share. Every part is frozen and
strict: an unknown key, a missing key or a wrong type is refused. docs/bundle.md explains it all.

Shape letters: B batch (rooms), P people, F latent frames of a chunk, T = 4 F video frames, N tokens
of a chunk, n of a latent frame, S cached tokens, H heads, D head width, C latent channels.
"""

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


class TensorEntry(Part):
    """One tensor that goes into a network or comes out of it. Shapes are static."""

    name: Name
    shape: tuple[Annotated[int, Field(ge=1, le=2**31)], ...]
    dtype: Dtype


class StateEntry(Part):
    """A tensor that comes out of one call and goes into the next."""

    input: Name
    output: Name
    first_value: float = 0.0  # fills the first call's input
    # The axis that counts people, by which one person's state is reset; None when there is none.
    person_axis: int | None = None


class Hardware(Part):
    """The only machine on which a compiled network runs; 0.0 where it is for any GPU."""

    compute_capability: Annotated[str, Field(pattern=r"^\d+\.\d+$")]
    gpu: Name
    runtime_version: Name


class NetworkEntry(Part):
    """One network, for one size, in one format."""

    role: Role
    size: str | None  # as Size.key; None when the network serves every size
    format: Format
    precision: Name
    files: Annotated[tuple[FileEntry, ...], Field(min_length=1)]  # the first is the one to open
    inputs: Annotated[tuple[TensorEntry, ...], Field(min_length=1)]
    outputs: Annotated[tuple[TensorEntry, ...], Field(min_length=1)]
    states: tuple[StateEntry, ...] = ()
    kv: Flavor | None = None  # of the role dit alone
    hardware: Hardware | None = None  # of compiled networks alone
    flops: Annotated[int, Field(ge=0)] | None = None  # of one call, 2 a multiply-add; None unknown

    @property
    def key(self) -> str:
        """Name it in messages: role, then size where it has one."""
        return self.role if self.size is None else f"{self.role}@{self.size}"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for side, tensors in (("inputs", self.inputs), ("outputs", self.outputs)):
            twice = _repeated(each.name for each in tensors)
            if twice:
                raise ValueError(f"{self.key} names {', '.join(twice)} twice in {side}")
        into = {each.name: each for each in self.inputs}
        out = {each.name: each for each in self.outputs}
        for state in self.states:
            if state.input not in into or state.output not in out:
                raise ValueError(f"{self.key} has no tensors {state.input} and {state.output}")
            a, b = into[state.input], out[state.output]
            if (a.shape, a.dtype) != (b.shape, b.dtype):
                raise ValueError(f"{self.key}: {state.input} and {state.output} differ in shape")
            if state.person_axis is not None and not 0 <= state.person_axis < len(a.shape):
                raise ValueError(f"{self.key}: {state.input} has no axis {state.person_axis}")
        counts_people = any(state.person_axis is not None for state in self.states)
        if self.role == "audio_encoder" and self.states and not counts_people:
            raise ValueError(
                f"{self.key}: no state has a `person_axis`; without it nobody can be interrupted"
            )
        if (self.role == "dit") != (self.kv is not None):
            raise ValueError(f"{self.key}: `kv` is for the dit, and the dit needs it")
        if (self.format == "tensorrt") != (self.hardware is not None):
            raise ValueError(f"{self.key}: `hardware` is for compiled networks, and they need it")
        return self


class Size(Part):
    """One picture size, and how many people are in it."""

    people: Count
    width: Count
    height: Count

    @property
    def key(self) -> str:
        return f"{self.width}x{self.height}x{self.people}"


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

    @field_validator("schedules")
    @classmethod
    def _fall(cls, schedules: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
        for steps in schedules:
            falls = all(a > b for a, b in pairwise(steps))
            if not steps or not falls or not 0 < steps[-1] <= steps[0] <= 1000:
                raise ValueError(f"timesteps {list(steps)} do not fall within (0, 1000]")
        if _repeated(str(len(each)) for each in schedules):
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


class SceneEntry(Part):
    """A ready scene: scenes/NAME/picture.png and scenes/NAME/scene.json."""

    name: Annotated[str, Field(pattern=PART_NAME)]
    people: Count
    files: Annotated[tuple[FileEntry, ...], Field(min_length=2, max_length=2)]


class TurnEntry(Part):
    """One utterance of a conversation: any audio file, one voice."""

    speaker: Annotated[int, Field(ge=0, le=15)]  # taken modulo the people of a scene
    file: FileEntry


class ConversationEntry(Part):
    """Utterances in turn, for a demonstration without microphones."""

    name: Annotated[str, Field(pattern=PART_NAME)]
    turns: Annotated[tuple[TurnEntry, ...], Field(min_length=1, max_length=1000)]


class Parity(Part):
    """How far a network's output is from torch float32, measured over a rollout."""

    network: Name
    precision: Name
    chunks: Count
    relative_l2: Annotated[float, Field(ge=0)]  # of the worst chunk
    bound: Annotated[float, Field(gt=0)]

    @model_validator(mode="after")
    def _is_met(self) -> Self:
        if not self.relative_l2 <= self.bound:
            raise ValueError(
                f"{self.network} is {self.relative_l2:g} from torch, allowed is {self.bound:g}"
            )
        return self


class Manifest(Part):
    """All that an engine needs to know of a bundle."""

    schema_version: Literal[1]
    name: Name
    architecture: Literal["studio", "multitalk", "anytalker", "wan"]
    identity: Literal["l_rope", "identity_attention", "none"]
    fps: Literal[25]
    sample_rate: Literal[16000]
    look_ahead_samples: Annotated[int, Field(ge=0, le=SAMPLE_RATE)]
    chunk_frames: Count  # latent frames
    sink_frames: Count
    window_frames: Count
    latent: LatentGrid
    transformer: Transformer | None = None  # None: its work cannot be counted
    rotation: Rotation
    sampling: Sampling
    region: RegionRule
    tokenizer: Tokenizer
    curves: Curves | None  # None: the audio features alone drive the face
    wan: WanConditions | None = None  # of multitalk and anytalker alone, which need it
    cells: CellRule | None = None  # None: whole pictures are rolled
    sizes: Annotated[tuple[Size, ...], Field(min_length=1)]
    networks: Annotated[tuple[NetworkEntry, ...], Field(min_length=1)]
    scenes: tuple[SceneEntry, ...]
    conversations: tuple[ConversationEntry, ...] = ()
    parity: tuple[Parity, ...]
    source_commit: Name
    license: Name
    model_card: str

    @property
    def chunk_video_frames(self) -> int:
        return self.chunk_frames * self.latent.frames_per_latent

    @property
    def chunk_samples(self) -> int:
        return self.chunk_video_frames * SAMPLES_PER_FRAME

    @property
    def most_people(self) -> int:
        return max(size.people for size in self.sizes)

    def rolled(self, size: Size) -> Size:
        """Give the size at which networks see a size of the video: its cells where there are."""
        if self.cells is None:
            return size
        side = self.cells.side
        return Size(people=size.people, width=side * size.people, height=side)

    @property
    def files(self) -> tuple[FileEntry, ...]:
        """Every file of the bundle but bundle.json itself."""
        networks = [file for network in self.networks for file in network.files]
        scenes = [file for scene in self.scenes for file in scene.files]
        spoken = [turn.file for each in self.conversations for turn in each.turns]
        tables = [] if self.tokenizer.file is None else [self.tokenizer.file]
        return (*networks, *scenes, *spoken, *tables)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.window_frames % self.chunk_frames:
            raise ValueError(
                f"window_frames={self.window_frames} is no multiple of "
                f"chunk_frames={self.chunk_frames}"
            )
        if self.cells is not None and self.architecture != "studio":
            raise ValueError("`cells` is for the architecture studio")
        if (self.architecture in {"multitalk", "anytalker"}) != (self.wan is not None):
            raise ValueError("`wan` is for the architectures multitalk and anytalker, both need it")
        positions = self.rotation.most_positions
        if positions is not None and positions <= self.sink_frames + 2 * self.window_frames:
            raise ValueError(f"most_positions={positions} is too few for the window")
        keys = [size.key for size in self.sizes]
        lists = {
            "a size": keys,
            "a network": [f"{e.key} {e.format} {e.precision} {e.kv}" for e in self.networks],
            "a scene": [scene.name for scene in self.scenes],
            "a conversation": [each.name for each in self.conversations],
        }
        for what, names in lists.items():
            if twice := _repeated(names):
                raise ValueError(f"{what} is listed twice: {', '.join(twice)}")
        return self

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        rolled = [self.rolled(size) for size in self.sizes]
        keys = {size.key for size in rolled}
        for entry in self.networks:
            if entry.size is not None and entry.size not in keys:
                raise ValueError(f"{entry.key} is for a size that `sizes` does not list")
        side = self.latent.spatial_stride * self.latent.patch
        for size in rolled:
            if size.width % side or size.height % side:
                raise ValueError(f"size {size.key} is no multiple of {side} pixels")
        for size in self.sizes:
            if size.width % 2 or size.height % 2:
                raise ValueError(f"size {size.key}: video needs even sides")
        return self


def _repeated(names: Iterable[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)
