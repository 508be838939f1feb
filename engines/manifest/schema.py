"""The manifest of a bundle, `bundle.json`: what is in it and how to run it. Schema version 1.

`export/` writes it, `engines/` reads it; it is the one thing they share. Every part is frozen and
strict: an unknown key, a missing key or a wrong type is refused. docs/bundle.md explains it all.

Shape letters: B batch (rooms), P people, F latent frames of a chunk, T = 4 F video frames, N tokens
of a chunk, n of a latent frame, S cached tokens, H heads, D head width, C latent channels.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from engines.manifest.parts import (
    PART_NAME,
    SAMPLE_RATE,
    SAMPLES_PER_FRAME,
    CellRule,
    Count,
    Curves,
    Dtype,
    FileEntry,
    Flavor,
    Format,
    LatentGrid,
    Name,
    Part,
    RegionRule,
    Role,
    Rotation,
    Sampling,
    Tokenizer,
    Transformer,
    WanConditions,
    repeated,
)


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
            twice = repeated(each.name for each in tensors)
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
            if twice := repeated(names):
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
