"""The first half of an export, while a piece's weights are in memory: graphs and references.

What torch float32 gives is noted for every network, then the weights can go: everything after this
works on files.

Shape letters: B batch, C latent channels, F latent frames, h and w latent size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.dit import Form, dit_network, dit_outputs
from export.families.family import Family
from export.fp8 import watched
from export.network import STATE_OUTPUT, ExportNetwork
from export.onnx_file import write_onnx
from export.program_file import write_program
from export.recipes import Built
from export.request import ExportRequest, Target
from export.rollout import RolledChunk, RollPlan, Stream, open_stream, roll
from export.shapes import ChunkShape, Flavor, TensorSpec

SLICE = Form(Flavor.SLICE, torch.float32)
SLICE_BF16 = Form(Flavor.SLICE, torch.bfloat16)
INPLACE_BF16 = Form(Flavor.INPLACE, torch.bfloat16)
SCRATCH = "scratch"
SEED = 7
PICTURES = frozenset({"picture", "pictures", "faces"})
SMOOTH_PX = 14  # divides CLIP's pictures and is near enough to an eye for all others
CALLS = 6  # of a network without a transformer's stream; a state is passed on between them
Named = dict[str, Tensor]


class Call(NamedTuple):
    """One call of a network in torch float32."""

    inputs: Named
    outputs: Named


class Rolled(NamedTuple):
    """A stream rolled in torch float32, and what calibration noted meanwhile."""

    stream: Stream
    chunks: tuple[RolledChunk, ...]
    largest: Mapping[str, float]  # input of each linear layer of the blocks
    in_bfloat16: tuple[RolledChunk, ...]  # the same stream in torch bfloat16; empty unless asked


class Graph(NamedTuple):
    """A network on disk; its module is gone."""

    network: ExportNetwork
    outputs: tuple[TensorSpec, ...]
    path: Path


class Draft(NamedTuple):
    """A network as a plain graph, with what is needed to finish it without weights."""

    graph: Graph
    calls: tuple[Call, ...]
    rolled: Rolled | None  # of the transformer
    compiled: Graph | None  # in place, in bfloat16: what TensorRT is given


def reference_calls(network: ExportNetwork, known: Mapping[str, Tensor]) -> tuple[Call, ...]:
    """Call a network in torch a few times, its states passed on.

    Args:
        network: still with its module.
        known: what networks before it gave; an input of such a name takes it from there.
    """
    generator = torch.Generator().manual_seed(SEED)
    states = {spec.name: spec.zeros() for spec in network.inputs if spec.name in network.states}
    calls = []
    for _ in range(CALLS if network.states else 1):
        drawn = {
            spec.name: known[spec.name] if spec.name in known else _drawn(spec, generator)
            for spec in network.inputs
            if spec.name not in network.states
        }
        inputs = {**drawn, **states}
        outputs = network.run(inputs)
        states = {name: outputs[f"{STATE_OUTPUT}{name}"] for name in network.states}
        calls.append(Call(inputs, outputs))
    return tuple(calls)


def _drawn(spec: TensorSpec, generator: torch.Generator) -> Tensor:
    """Draw an input: pictures are smooth, whole numbers are tokens that every vocabulary has."""
    if spec.dtype == torch.int64:
        return torch.randint(1, 3, spec.shape, generator=generator)
    if spec.name in PICTURES:
        side = spec.shape[-2:]
        coarse = torch.randn(
            *spec.shape[:-2], side[0] // SMOOTH_PX, side[1] // SMOOTH_PX, generator=generator
        )
        smooth = F.interpolate(coarse.flatten(0, -4), size=side, mode="bicubic")
        return (smooth * 0.5).clamp(-1, 1).reshape(spec.shape)
    return torch.randn(spec.shape, generator=generator).to(spec.dtype)


class Desk(NamedTuple):
    """Where drafts are made and for whom."""

    request: ExportRequest
    folder: Path
    shape: ChunkShape
    plan: RollPlan
    is_pending: Callable[[str], bool]  # by key: is it asked for and not done?

    def write(self, network: ExportNetwork, outputs: tuple[TensorSpec, ...]) -> Graph:
        """Write a network in the form that the target starts from."""
        write = write_program if self.request.target is Target.TORCH else write_onnx
        return _graph(network, outputs, write(network, self.folder))


def draft_piece(built: Built, desk: Desk) -> Iterator[Draft]:
    """Write the graphs of a piece that are pending, one after another.

    The transformer is the last: it takes its weights out of memory when it is done.
    """
    known: Named = {}
    for network in built.networks:
        if any(desk.is_pending(each.key) for each in built.networks):
            calls = reference_calls(network, known)
            known |= {k: v for k, v in calls[0].outputs.items() if k.startswith("ref.")}
        if desk.is_pending(network.key):
            outputs = tuple(
                TensorSpec(name, tuple(tensor.shape), tensor.dtype)
                for name, tensor in calls[0].outputs.items()
            )
            yield Draft(desk.write(network, outputs), calls, None, None)
    if built.family is not None and desk.is_pending(dit_key(desk.shape)):
        yield _draft_transformer(built.family, desk)


def dit_key(shape: ChunkShape) -> str:
    """Give the key of the transformer at one size."""
    return f"dit@{shape.label}"


def _draft_transformer(family: Family, desk: Desk) -> Draft:
    shape, target = desk.shape, desk.request.target
    stream = open_stream(family, shape, desk.plan)
    network = dit_network(family, shape, SLICE)
    with watched(network.module) as largest:
        chunks = tuple(roll(stream, SLICE, network.run))
    is_bfloat16 = target is Target.TENSORRT or desk.request.precision == "bf16"
    graph = desk.write(network, dit_outputs(family, shape, SLICE))
    rolled_bf16: tuple[RolledChunk, ...] = ()
    compiled: Graph | None = None
    if is_bfloat16:
        family.dit.to(torch.bfloat16)
        halved = dit_network(family, shape, SLICE_BF16)
        rolled_bf16 = tuple(roll(stream, SLICE_BF16, halved.run))
        if target is Target.TORCH:
            graph = desk.write(halved, dit_outputs(family, shape, SLICE_BF16))
    if target is Target.TENSORRT:
        scratch = desk.folder / SCRATCH
        scratch.mkdir(exist_ok=True)
        inplace = dit_network(family, shape, INPLACE_BF16)
        outputs = dit_outputs(family, shape, INPLACE_BF16)
        compiled = _graph(inplace, outputs, write_onnx(inplace, scratch))
    family.dit.to("meta")  # the stream names the family: without this its weights would stay
    return Draft(graph, (), Rolled(stream, chunks, dict(largest), rolled_bf16), compiled)


def _graph(network: ExportNetwork, outputs: tuple[TensorSpec, ...], path: Path) -> Graph:
    return Graph(replace(network, module=nn.Identity()), outputs, path)
