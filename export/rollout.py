"""A stream rolled by any runner: the sink, then chunk after chunk, far past the cache's end.

What is compared between runners is whole streams, each living on its own past, since an error that
a single call does not show may grow from chunk to chunk.

Shape letters: B batch, C latent channels, F latent frames of a chunk, h and w latent size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from export.conditions import Script, write_script
from export.dit import Form
from export.errors import RequestError
from export.families.family import Family
from export.ring import Ring
from export.runners import Runner
from export.shapes import ChunkShape
from models.wan.rope import Grid


@dataclass(frozen=True, slots=True, kw_only=True)
class RollPlan:
    """How a stream is rolled.

    Raises:
        RequestError: when timesteps do not fall, or the ring would never turn over.
    """

    chunks: int
    timesteps: tuple[float, ...]  # in (0, 1000], falling
    context_timestep: float
    seed: int

    def __post_init__(self) -> None:
        falling = sorted(set(self.timesteps), reverse=True)
        if not self.timesteps or list(self.timesteps) != falling:
            raise RequestError(f"timesteps {self.timesteps} must fall")
        if self.chunks < 1:
            raise RequestError(f"chunks={self.chunks} must be at least 1")


class RolledChunk(NamedTuple):
    """One chunk of a stream."""

    x0: Tensor  # [B, C, F, h, w]
    velocities: Tensor  # [steps, B, C, F, h, w]


class Stream(NamedTuple):
    """What stays the same for all runners of one stream."""

    family: Family  # its weights are not read: it may be on the meta device
    shape: ChunkShape
    plan: RollPlan
    script: Script


def roll(stream: Stream, form: Form, run: Runner) -> Iterator[RolledChunk]:
    """Roll a stream with a transformer of the given form."""
    family, shape, plan, script = stream
    ring = Ring(family.dit.cfg, shape, form)
    types = {spec.name: spec.dtype for spec in family.condition_inputs(shape, form.dtype)}
    h, w = (
        side // patch
        for side, patch in zip((shape.latent_h, shape.latent_w), shape.patch, strict=True)
    )
    grid = Grid(shape.chunk_frames, h, w)

    def one_pass(latent: Tensor, timestep: float, given: dict[str, Tensor]) -> dict[str, Tensor]:
        rotation = family.rotation(ring.positions(), grid, is_sink=ring.next_frame == 0)
        conditions = {name: tensor.to(types[name]).contiguous() for name, tensor in given.items()}
        return run(
            {
                "latent": latent,
                "timestep": torch.full((shape.batch,), timestep),
                "rotation_cos": rotation.cos,
                "rotation_sin": rotation.sin,
                **ring.inputs(),
                **conditions,
            }
        )

    ring.keep(one_pass(script.sink_latent, 0.0, script.sink))
    for given, noise in zip(script.chunks, script.noise, strict=True):
        x, velocities = noise, []
        for timestep, after in zip(plan.timesteps, (*plan.timesteps[1:], 0.0), strict=True):
            velocities.append(one_pass(x, timestep, given)["velocity"].clone())
            x = x + velocities[-1] * ((after - timestep) / 1000)
        ring.keep(one_pass(x, plan.context_timestep, given))
        yield RolledChunk(x, torch.stack(velocities))


def open_stream(family: Family, shape: ChunkShape, plan: RollPlan) -> Stream:
    """Draw a stream by the family's weights."""
    return Stream(family, shape, plan, write_script(family, shape, plan.chunks, plan.seed))
