"""Random conditions of a transformer, made by its own networks, so that their sizes are true.

Shape letters: B batch, P people, n tokens of one latent frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from export.families.family import Family
from export.network import ExportNetwork
from export.shapes import ChunkShape, TensorSpec

CHUNK_ROLES = {"audio_kv"}  # computed anew for every chunk; all else stays while the scene does


class Script(NamedTuple):
    """All that is drawn for one stream, in float32: the same for every runner and every type."""

    sink: dict[str, Tensor]  # condition inputs of the pass over the sink
    sink_latent: Tensor  # [B, C, F, h, w]
    chunks: tuple[dict[str, Tensor], ...]
    noise: tuple[Tensor, ...]  # [B, C, F, h, w] a chunk


def write_script(family: Family, shape: ChunkShape, chunks: int, seed: int) -> Script:
    """Draw the conditions and the noise of a stream from one seed, by the family's own weights."""
    scene = _RandomScene(family, shape, seed)
    size = shape.latent(family.dit.cfg.out_channels)
    sink, sink_latent = scene.next_chunk(), scene.noise(size)
    drawn = [(scene.next_chunk(), scene.noise(size)) for _ in range(chunks)]
    return Script(
        sink, sink_latent, tuple(each[0] for each in drawn), tuple(each[1] for each in drawn)
    )


class _RandomScene:
    """Conditions drawn from one generator: a scene's, and each chunk's."""

    def __init__(self, family: Family, shape: ChunkShape, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._specs = {spec.name: spec for spec in family.condition_inputs(shape, torch.float32)}
        networks = family.companions(shape)
        self._of_chunk = [each for each in networks if each.role in CHUNK_ROLES]
        of_scene = [each for each in networks if each.role not in CHUNK_ROLES]
        made = {name for each in networks for name in each.outputs}
        plain = [spec for name, spec in self._specs.items() if name not in made]
        self._scene = {spec.name: self._plain(spec, shape) for spec in plain}
        self._scene |= self._run(of_scene)

    def next_chunk(self) -> dict[str, Tensor]:
        """Give all condition inputs of the next chunk."""
        return self._scene | self._run(self._of_chunk)

    def noise(self, size: tuple[int, ...]) -> Tensor:
        """Draw a standard normal tensor."""
        return torch.randn(size, generator=self._generator)

    def _run(self, networks: Sequence[ExportNetwork]) -> dict[str, Tensor]:
        results: dict[str, Tensor] = {}
        for network in networks:
            given = {spec.name: self._input(spec) for spec in network.inputs}
            for name, tensor in network.run(given).items():
                if name in self._specs:
                    results[name] = tensor.expand(self._specs[name].shape)
        return results

    def _input(self, spec: TensorSpec) -> Tensor:
        drawn = self.noise(spec.shape)
        return (drawn > 0).to(spec.dtype) if spec.dtype != torch.float32 else drawn

    def _plain(self, spec: TensorSpec, shape: ChunkShape) -> Tensor:
        return columns(spec, shape) if spec.name == "people" else self.noise(spec.shape)


class Columns(NamedTuple):
    """The token columns of one person."""

    first: int
    stop: int


def columns(spec: TensorSpec, shape: ChunkShape) -> Tensor:
    """Give each person equal columns of the picture [B, P, n]; the rest, if asked for, last."""
    width = shape.latent_w // shape.patch[1]
    height = shape.tokens_per_frame // width
    regions = torch.zeros(spec.shape[0], spec.shape[1], height, width)
    share = width // shape.people
    for person in range(shape.people):
        place = Columns(person * share, person * share + max(1, share - 1))
        regions[:, person, :, place.first : place.stop] = 1
    if spec.shape[1] > shape.people:
        regions[:, -1] = 1 - regions[:, :-1].sum(1)
    return regions.flatten(2)
