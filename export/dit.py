"""A transformer of the family as one exported network, in either flavor.

Everything a stream knows comes in as tensors: rotation instead of positions, a mask instead of how
full the cache is. So one graph serves the first chunk and the millionth.

Shape letters: B batch, F latent frames, h and w latent size, N tokens of a chunk, S cached tokens,
H heads, D head width.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from export.attention_forms import InPlace, Sliced
from export.families.family import Family, kv_names, kv_of, kv_specs
from export.network import ExportNetwork
from export.shapes import ChunkShape, Flavor, TensorSpec
from models.wan.attention import AttentionForm
from models.wan.dit import StreamView
from models.wan.rope import Rotation

OPSETS = {Flavor.SLICE: 23, Flavor.INPLACE: 24}


class Form(NamedTuple):
    """How a transformer is exported."""

    flavor: Flavor
    dtype: torch.dtype  # of weights, caches and conditions

    @property
    def timestep_dtype(self) -> torch.dtype:
        """Type of the timestep's angles: GPU compilers know no float64."""
        return torch.float64 if self.flavor is Flavor.SLICE else torch.float32


class DitNetwork(nn.Module):
    """One pass of a transformer over a chunk, from named tensors by position."""

    def __init__(self, family: Family, shape: ChunkShape, form: Form) -> None:
        """Share the weights of the family's transformer, which must be of the form's dtype."""
        super().__init__()
        self.dit = family.dit
        self.family = family
        self.shape = shape
        self.form = form
        self.names = [spec.name for spec in dit_inputs(family, shape, form)]

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Give the velocity [B, C, F, h, w] float32, then keys and values of every layer."""
        named = dict(zip(self.names, tensors, strict=True))
        how: AttentionForm = Sliced()
        if self.form.flavor is Flavor.INPLACE:
            how = InPlace(named["write_index"])
        view = StreamView(
            Rotation(named["rotation_cos"], named["rotation_sin"]),
            [kv_of(named, "past", layer) for layer in range(self.dit.cfg.layers)],
            named["mask"],
            how,
            self.form.timestep_dtype,
        )
        latent = self.family.latent(named).to(self.form.dtype)
        conditions = self.family.conditions(named, self.shape)
        made = self.dit.predict(latent, named["timestep"], conditions, view)
        return (made.velocity.float(), *(tensor for kv in made.kv for tensor in kv))


def dit_inputs(family: Family, shape: ChunkShape, form: Form) -> tuple[TensorSpec, ...]:
    """List a transformer's inputs in order."""
    cfg = family.dit.cfg
    n, seen = shape.chunk_tokens, shape.past_tokens + shape.chunk_tokens
    is_inplace = form.flavor is Flavor.INPLACE
    held = seen if is_inplace else shape.past_tokens
    cache = (shape.batch, cfg.heads, held, cfg.head_dim)
    return (
        TensorSpec("latent", shape.latent(cfg.out_channels)),
        TensorSpec("timestep", (shape.batch,)),
        TensorSpec("rotation_cos", (n, cfg.head_dim // 2)),
        TensorSpec("rotation_sin", (n, cfg.head_dim // 2)),
        TensorSpec("mask", (1, 1, n, seen), torch.bool),
        *([TensorSpec("write_index", (shape.batch,), torch.int64)] if is_inplace else []),
        *family.condition_inputs(shape, form.dtype),
        *kv_specs("past", cfg.layers, cache, form.dtype),
    )


def dit_network(family: Family, shape: ChunkShape, form: Form) -> ExportNetwork:
    """Give the network of the role `dit` at one size."""
    layers = family.dit.cfg.layers
    stem = "present" if form.flavor is Flavor.INPLACE else "new"
    kept = kv_names(stem, layers)
    is_inplace = form.flavor is Flavor.INPLACE
    aliases = zip(kept, kv_names("past", layers), strict=True) if is_inplace else ()
    return ExportNetwork(
        role="dit",
        label=shape.label,
        module=DitNetwork(family, shape, form).eval(),
        inputs=dit_inputs(family, shape, form),
        outputs=("velocity", *kept),
        aliases=tuple(aliases),
        opset=OPSETS[form.flavor],
    )


def dit_outputs(family: Family, shape: ChunkShape, form: Form) -> tuple[TensorSpec, ...]:
    """List a transformer's outputs in order."""
    cfg = family.dit.cfg
    is_inplace = form.flavor is Flavor.INPLACE
    tokens = shape.chunk_tokens + (shape.past_tokens if is_inplace else 0)
    kept = (shape.batch, cfg.heads, tokens, cfg.head_dim)
    stem = "present" if is_inplace else "new"
    return (
        TensorSpec("velocity", shape.latent(cfg.out_channels)),
        *kv_specs(stem, cfg.layers, kept, form.dtype),
    )
