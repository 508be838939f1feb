"""What an exporter needs to know of a transformer: its conditions as named tensors and networks.

Shape letters: B batch, H heads, N tokens of a chunk, L context tokens, D head width.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from export.network import ExportNetwork
from export.shapes import ChunkShape, TensorSpec
from models.wan.dit import WanBackbone
from models.wan.kv_cache import LayerKV
from models.wan.rope import Grid, Rotation

Named = Mapping[str, Tensor]


class Family(Protocol):
    """A transformer and what it is conditioned on.

    Conditions are opaque to everyone but the family and its transformer, hence Any.
    """

    @property
    def dit(self) -> WanBackbone[Any]:
        """The transformer."""
        ...

    def condition_inputs(self, shape: ChunkShape, dtype: torch.dtype) -> tuple[TensorSpec, ...]:
        """List the condition tensors; keys and values are of `dtype`, the rest float32."""
        ...

    def latent(self, named: Named) -> Tensor:
        """Give what the transformer takes as its latent, [B, in_channels, F, h, w]."""
        ...

    def conditions(self, named: Named, shape: ChunkShape) -> Sequence[Any]:
        """Give one condition per layer."""
        ...

    def rotation(self, positions: Sequence[int], grid: Grid, *, is_sink: bool) -> Rotation:
        """Give the rotation of a chunk whose latent frames stand at `positions`."""
        ...

    def companions(self, shape: ChunkShape) -> tuple[ExportNetwork, ...]:
        """Give the networks that compute conditions: of a prompt, of faces, of a chunk's audio."""
        ...


def kv_names(stem: str, layers: int) -> list[str]:
    """Name keys and values of all layers: STEM_k.0, STEM_v.0, STEM_k.1, ..."""
    return [f"{stem}_{part}.{layer}" for layer in range(layers) for part in ("k", "v")]


def kv_specs(
    stem: str, layers: int, shape: tuple[int, ...], dtype: torch.dtype
) -> list[TensorSpec]:
    """List keys and values of all layers, which have one shape."""
    return [TensorSpec(name, shape, dtype) for name in kv_names(stem, layers)]


def kv_of(named: Named, stem: str, layer: int) -> LayerKV:
    """Give one layer's keys and values."""
    return LayerKV(named[f"{stem}_k.{layer}"], named[f"{stem}_v.{layer}"])


def flat(pairs: Iterable[Sequence[Tensor]]) -> tuple[Tensor, ...]:
    """Give keys and values in the order of `kv_names`."""
    return tuple(tensor for pair in pairs for tensor in pair[:2])
