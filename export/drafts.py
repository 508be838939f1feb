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
from torch.utils.flop_counter import FlopCounterMode

from export.dit import Form, dit_network, dit_outputs
from export.errors import RequestError
from export.families.family import Family
from export.fp8 import watched
from export.fp8_linear import quantize_linears
from export.network import STATE_OUTPUT, ExportNetwork, Streams
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
DECOMPOSED_OPSET = 20  # attention in float32 has no kernel of its own in TensorRT
SEED = 7
PICTURES = frozenset({"picture", "pictures", "faces"})
SMOOTH_PX = 14  # divides CLIP's pictures and is near enough to an eye for all others
CALLS = 6  # of a network without a transformer's stream; a state is passed on between them
Named = dict[str, Tensor]


class Call(NamedTuple):
    """One call of a network in torch float32."""

    inputs: Named
    outputs: Named
    is_first: bool  # of its stream: its states are zeros, not what the call before gave


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
    compiled: Graph | None  # what TensorRT is given; of the transformer in place, in bfloat16
    flops: int | None  # of a call, 2 a multiply-add; a transformer's are counted from its widths


class Halved(nn.Module):
    """A network that gives some of its outputs in bfloat16, as the transformer takes them."""

    def __init__(self, network: ExportNetwork, names: frozenset[str]) -> None:
        """Share a network's module."""
        super().__init__()
        self.inner = network.module
        self.is_half = [name in names for name in network.outputs]

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Give what the network gives."""
        given = zip(self.inner(*tensors), self.is_half, strict=True)
        return tuple(each.to(torch.bfloat16) if is_half else each for each, is_half in given)


def count_flops(network: ExportNetwork, call: Call) -> int:
    """Count the arithmetic of matrix products, convolutions and attention in one call."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.module(*(call.inputs[spec.name] for spec in network.inputs))
    return int(counter.get_total_flops())


def reference_calls(
    network: ExportNetwork, known: Mapping[str, Tensor], shown: Streams = ()
) -> tuple[Call, ...]:
    """Call a network in torch, its states passed on within each stream.

    Args:
        network: still with its module.
        known: what networks before it gave; a drawn input of such a name takes it from there.
        shown: what the network meets in scenes; without it, a few calls on drawn inputs.
    """
    calls = []
    for stream in shown or (_drawn_stream(network, known),):
        states = {spec.name: spec.zeros() for spec in network.inputs if spec.name in network.states}
        for index, given in enumerate(stream):
            inputs = {**given, **states}
            outputs = network.run(inputs)
            states = {name: outputs[f"{STATE_OUTPUT}{name}"] for name in network.states}
            calls.append(Call(inputs, outputs, index == 0))
    return tuple(calls)


def _drawn_stream(network: ExportNetwork, known: Mapping[str, Tensor]) -> tuple[Named, ...]:
    generator = torch.Generator().manual_seed(SEED)
    return tuple(
        {
            spec.name: known[spec.name] if spec.name in known else _drawn(spec, generator)
            for spec in network.inputs
            if spec.name not in network.states
        }
        for _ in range(CALLS if network.states else 1)
    )


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

    def scratch(self) -> Path:
        """Give a folder for what is not part of the bundle."""
        folder = self.folder / SCRATCH
        folder.mkdir(exist_ok=True)
        return folder

    def write(self, network: ExportNetwork, outputs: tuple[TensorSpec, ...]) -> Graph:
        """Write a network in the form that the target starts from."""
        write = write_program if self.request.target is Target.TORCH else write_onnx
        return _graph(network, outputs, write(network, self.folder))


def draft_piece(built: Built, desk: Desk) -> Iterator[Draft]:
    """Write the graphs of a piece that are pending, one after another.

    The transformer is the last: it takes its weights out of memory when it is done.
    """
    known: Named = {}
    halves = _half_inputs(built, desk)
    shown = _shown(built, desk)
    for network in built.networks:
        if any(desk.is_pending(each.key) for each in built.networks):
            calls = reference_calls(network, known, shown.get(network.role, ()))
            known |= {k: v for k, v in calls[0].outputs.items() if k.startswith("ref.")}
        if desk.is_pending(network.key):
            yield _draft_companion(network, calls, halves, desk)
    if built.family is not None and desk.is_pending(dit_key(desk.shape)):
        yield _draft_transformer(built.family, desk)


def _shown(built: Built, desk: Desk) -> dict[str, Streams]:
    """Collect what networks meet in the scenes of this size, by their roles."""
    found: dict[str, Streams] = {}
    if built.shown is not None:
        for picture in desk.request.pictures(desk.shape.label):
            for role, streams in built.shown(picture).items():
                found[role] = found.get(role, ()) + streams
    return found


def _half_inputs(built: Built, desk: Desk) -> frozenset[str]:
    """Name what the transformer takes in bfloat16 on the target: keys and values of conditions."""
    request = desk.request
    is_half = request.target is Target.TENSORRT or (
        request.target is Target.TORCH and request.precision != "fp32"
    )
    if built.family is None or not is_half:
        return frozenset()
    specs = built.family.condition_inputs(desk.shape, torch.bfloat16)
    return frozenset(spec.name for spec in specs if spec.dtype == torch.bfloat16)


def _draft_companion(
    network: ExportNetwork, calls: tuple[Call, ...], halves: frozenset[str], desk: Desk
) -> Draft:
    """Write a network other than the transformer."""
    is_engine = desk.request.target is Target.TENSORRT
    if is_engine:
        network = replace(network, opset=DECOMPOSED_OPSET)
    outputs, half_outputs = (
        tuple(
            TensorSpec(name, tuple(tensor.shape), torch.bfloat16 if name in names else tensor.dtype)
            for name, tensor in calls[0].outputs.items()
        )
        for names in (frozenset[str](), halves)
    )
    halved = replace(network, module=Halved(network, halves)) if halves else network
    flops = count_flops(network, calls[0])
    if not is_engine:
        return Draft(desk.write(halved, half_outputs), calls, None, None, flops)
    compiled = _graph(halved, half_outputs, write_onnx(halved, desk.scratch()))
    return Draft(desk.write(network, outputs), calls, None, compiled, flops)


def dit_key(shape: ChunkShape) -> str:
    """Give the key of the transformer at one size."""
    return f"dit@{shape.label}"


def _draft_transformer(family: Family, desk: Desk) -> Draft:
    shape, target = desk.shape, desk.request.target
    stream = open_stream(family, shape, desk.plan)
    network = dit_network(family, shape, SLICE)
    with watched(network.module) as largest:
        chunks = tuple(roll(stream, SLICE, network.run))
    is_bfloat16 = target is Target.TENSORRT or desk.request.precision in {"bf16", "fp8"}
    is_program = target is Target.TORCH
    # A program is of one type, and so written once; other targets start from the float32 graph.
    graph: Graph | None = None
    if not is_program or desk.request.precision == "fp32":
        graph = desk.write(network, dit_outputs(family, shape, SLICE))
    rolled_bf16: tuple[RolledChunk, ...] = ()
    compiled: Graph | None = None
    if is_bfloat16:
        family.dit.to(torch.bfloat16)
        halved = dit_network(family, shape, SLICE_BF16)
        if desk.request.precision == "fp8" and is_program:
            quantize_linears(halved.module, largest)
        if not is_program:
            rolled_bf16 = tuple(roll(stream, SLICE_BF16, halved.run))
        graph = graph or desk.write(halved, dit_outputs(family, shape, SLICE_BF16))
    if target is Target.TENSORRT:
        inplace = dit_network(family, shape, INPLACE_BF16)
        outputs = dit_outputs(family, shape, INPLACE_BF16)
        compiled = _graph(inplace, outputs, write_onnx(inplace, desk.scratch()))
    if graph is None:
        raise RequestError(f"the target {target} has no {desk.request.precision}")
    family.dit.to("meta")  # the stream names the family: without this its weights would stay
    rolled = Rolled(stream, chunks, dict(largest), rolled_bf16)
    return Draft(graph, (), rolled, compiled, None)


def _graph(network: ExportNetwork, outputs: tuple[TensorSpec, ...], path: Path) -> Graph:
    return Graph(replace(network, module=nn.Identity()), outputs, path)
