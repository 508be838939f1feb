"""What a preset's bundle is made of: pieces that share weights, and how its stream is cut.

Networks that share weights are built together, as one piece, and pieces one after another: no more
than one set of weights is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from torch import Tensor, nn

from export.families.family import Family
from export.network import ExportNetwork, Streams
from export.request import PictureSize
from export.shapes import ChunkShape
from models.checkpoints.network import Network
from models.encoders.wav2vec2_streaming import StreamingConfig

M = TypeVar("M", bound=nn.Module)


class Loader(Protocol):
    """Gives a network its numbers; one that gives none serves to measure sizes."""

    def __call__(self, network: Network[M]) -> M: ...


class Built(NamedTuple):
    """A piece's networks, sharing weights."""

    networks: tuple[ExportNetwork, ...]  # without the transformer's own
    family: Family | None  # of the transformer, where the piece has one
    # From a picture [1, 3, H, W] in -1..1 to what networks meet when it is a scene, by their roles.
    shown: Callable[[Tensor], Mapping[str, Streams]] | None = None


class Piece(NamedTuple):
    """Networks of a bundle that share one set of weights."""

    name: str
    roles: frozenset[str]
    build: Callable[[Loader, ChunkShape], Built]


class Streaming(NamedTuple):
    """How a stream is cut, in latent frames."""

    chunk_frames: int
    window_frames: int
    context_timestep: float
    # Of a training clip: positions and what is said of the picture go no further. None: no limit.
    clip_frames: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One preset's bundle."""

    name: str
    architecture: str
    identity: str
    pieces: tuple[Piece, ...]
    latent_stride: int
    patch: int
    head_dim: int
    streaming: Streaming
    # Where the prompt's tokenizer lies under published weights, the first that is there; none: the
    # prompt encoder has no published tokenizer.
    tokenizer_files: tuple[str, ...] = ()
    live: StreamingConfig | None = None  # how a wav2vec2 hears live voices, where there is one

    def shape(self, size: PictureSize, *, is_strip: bool = False) -> ChunkShape:
        """Give the shape of the transformer's graph for one picture size.

        Args:
            size: of the picture.
            is_strip: whether it is a row of cells.

        Raises:
            RequestError: when the picture does not divide into tokens.
        """
        return ChunkShape(
            batch=1,
            people=size.people,
            width_px=size.width,
            height_px=size.height,
            latent_stride=self.latent_stride,
            patch=(self.patch, self.patch),
            chunk_frames=self.streaming.chunk_frames,
            window_frames=self.streaming.window_frames,
            sink_frames=1,
            is_strip=is_strip,
        )
