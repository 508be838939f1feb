"""Do full-size blocks become what they should in TensorRT? Built ahead of time, without a GPU.

One block of each large transformer, since TensorRT takes each alike; weights are random, so the
scales of fp8 are those of a normal distribution.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from torch import nn

from export.dit import Form, dit_network
from export.errors import RequestError
from export.families.anytalker import AnyTalkerFamily
from export.families.family import Family
from export.families.multitalk import MultiTalkFamily
from export.families.studio import StudioFamily
from export.fp8 import BLOCKS, quantize_fp8
from export.onnx_file import write_onnx
from export.shapes import ChunkShape, Flavor
from export.tensorrt.build import SINGLE_LAYERS, Compiler, write_prepared
from export.tensorrt.target import Api
from export.weights import randomize
from models.anytalker.config import anytalker_1_3b
from models.anytalker.dit import AnyTalkerDiT
from models.multitalk.config import multitalk_14b
from models.multitalk.dit import MultiTalkDiT
from models.studio.config import studio
from models.studio.dit import StudioDiT

M = TypeVar("M", bound=nn.Module)
INPLACE = Form(Flavor.INPLACE, torch.bfloat16)
LARGEST_INPUT = 4.5  # of a normal distribution, about


class Case(NamedTuple):
    """A transformer with its number of blocks cut, and the shape of its graph."""

    build: Callable[[], Family]
    shape: ChunkShape


def _anytalker_block() -> Family:
    cfg = anytalker_1_3b()
    with torch.device("meta"):
        dit = AnyTalkerDiT(replace(cfg, wan=replace(cfg.wan, layers=1)))
    return AnyTalkerFamily(dit=_bfloat16(dit))


def _multitalk_block() -> Family:
    cfg = multitalk_14b()
    with torch.device("meta"):
        dit = MultiTalkDiT(replace(cfg, wan=replace(cfg.wan, layers=1)))
    return MultiTalkFamily(dit=_bfloat16(dit))


def _studio() -> Family:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        dit = StudioDiT(studio())
    return StudioFamily(dit=dit.to(torch.bfloat16).eval())


def _bfloat16(dit: M) -> M:
    return randomize(dit, 0).to(torch.bfloat16).eval()


WAN_832 = ChunkShape(
    batch=1,
    people=2,
    width_px=832,
    height_px=480,
    latent_stride=8,
    patch=(2, 2),
    chunk_frames=1,
    window_frames=5,
    sink_frames=1,
)
STUDIO_448 = replace(
    WAN_832, width_px=448, height_px=256, latent_stride=16, window_frames=studio().window_frames
)
CASES: Mapping[str, Case] = {
    "studio": Case(_studio, STUDIO_448),  # whole: it is small
    "anytalker-1.3b": Case(_anytalker_block, WAN_832),
    "multitalk-14b": Case(_multitalk_block, WAN_832),
}


def check_case(name: str, gpus: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Build one case in bf16 and fp8 for every GPU ("any": none in particular); give table rows.

    Raises:
        RequestError: when there is no such case.
        CompileError: when a graph does not build, or attention, rotation or cache update falls
            apart.
    """
    if name not in CASES:
        raise RequestError(f"there is no case {name!r}; there are {', '.join(CASES)}")
    case = CASES[name]
    with tempfile.TemporaryDirectory(prefix="parley-tensorrt-") as scratch:
        for precision, graph in _graphs(case, Path(scratch)):
            prepared = write_prepared(graph, graph.with_name(f"{precision}-prepared.onnx"))
            for gpu in gpus:
                aim = None if gpu == "any" else gpu
                engine = Compiler(Api.RTX).build(prepared, precision, aim)
                counts = [str(engine.layers[layer]) for layer in SINGLE_LAYERS.values()]
                size = f"{len(engine.plan) / 2**20:.1f}"
                yield (name, precision, gpu, size, f"{engine.seconds:.1f}", *counts)


def _graphs(case: Case, folder: Path) -> Iterator[tuple[str, Path]]:
    network = dit_network(case.build(), case.shape, INPLACE)
    graph = write_onnx(network, folder)
    yield "bf16", graph
    linear = {
        path: LARGEST_INPUT
        for path, layer in network.module.named_modules()
        if isinstance(layer, nn.Linear) and BLOCKS in path
    }
    coded = folder / "coded.onnx"
    quantize_fp8(graph, coded, linear)
    yield "fp8", coded
