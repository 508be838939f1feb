"""One stream's chunks on one device, from buffers that never move, so that graphs can be captured.

The stream is in its steady state: the window is full, and every chunk writes its keys and values
over the oldest. Decoding has a stream of its own and may run beside the next chunk's passes.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from export.dit import dit_network
from export.errors import RequestError
from export.families.family import Family
from export.gpu_bench.cases import Mode
from export.gpu_bench.networks import form_on
from export.network import ExportNetwork
from export.shapes import ChunkShape, TensorSpec
from export.vae import decoder_networks
from models.vae.wan_vae import WanVAE
from models.wan.rope import Grid

FIRST_TIMESTEP = 1000.0
WARM_UP = 3  # before a capture, and before anything is measured
SCALE = 0.5  # of random inputs

Work = Callable[[], None]


class Times(NamedTuple):
    """Medians in ms."""

    passes: float  # of a chunk: all steps and the cache pass
    decode: float  # of the chunk, alone
    together: float  # both at once, on two streams
    first_frame: float  # from noise to pixels: the steps and the decoder


def wait_for(device: torch.device) -> None:
    """Wait until a device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Passes:
    """A transformer and its buffers."""

    def __init__(self, family: Family, shape: ChunkShape, device: torch.device) -> None:
        self.network = dit_network(family, shape, form_on(device))
        self.named = {spec.name: _random(spec, device) for spec in self.network.inputs}
        h, w = (
            side // patch
            for side, patch in zip((shape.latent_h, shape.latent_w), shape.patch, strict=True)
        )
        grid = Grid(shape.chunk_frames, h, w)
        rotation = family.rotation(range(1, 1 + shape.chunk_frames), grid, is_sink=False)
        self.named["rotation_cos"].copy_(rotation.cos)
        self.named["rotation_sin"].copy_(rotation.sin)
        self.latent = self.named["latent"]
        self._first_token = shape.tokens_per_frame  # behind the sink
        self._device = device

    def steps(self, count: int) -> Work:
        """Give the denoising steps of one chunk."""
        levels = [FIRST_TIMESTEP * (count - at) / count for at in range(count + 1)]
        moments = [torch.full((1,), level, device=self._device) for level in levels]

        def work() -> None:
            for at in range(count):
                velocity = self._predict(moments[at])[0]
                self.latent.add_(velocity, alpha=(levels[at + 1] - levels[at]) / FIRST_TIMESTEP)

        return work

    def cache_pass(self) -> Work:
        """Give the pass that reads the clean chunk, and the writes of its keys and values."""
        clean = torch.zeros(1, device=self._device)
        kept = [name.replace("new_", "past_", 1) for name in self.network.outputs[1:]]

        def work() -> None:
            made = self._predict(clean)[1:]
            for name, tensor in zip(kept, made, strict=True):
                past, tokens = self.named[name], tensor.shape[2]
                past[:, :, self._first_token : self._first_token + tokens].copy_(tensor)

        return work

    def _predict(self, timestep: Tensor) -> tuple[Tensor, ...]:
        given = self.named | {"timestep": timestep}
        made: tuple[Tensor, ...] = self.network.module(*given.values())
        return made


class Decoder:
    """A decoder with its streaming caches.

    It takes a copy of the latent, so that the next chunk's passes may begin while it still works.
    """

    def __init__(self, vae: WanVAE, shape: ChunkShape, device: torch.device) -> None:
        self.network: ExportNetwork = decoder_networks(vae, shape)[1]
        self.named = {
            spec.name: _random(spec, device).to(form_on(device).dtype)
            for spec in self.network.inputs
        }

    def take(self, latent: Tensor) -> None:
        """Copy a chunk's latent in."""
        self.named["latent"].copy_(latent)

    def decode(self) -> None:
        """Decode the chunk that was taken; the caches go round."""
        made = self.network.module(*self.named.values())
        for name, tensor in zip(self.network.states, made[1:], strict=True):
            self.named[name].copy_(tensor)


def _random(spec: TensorSpec, device: torch.device) -> Tensor:
    if spec.dtype == torch.bool:  # the mask: the window is full
        return torch.ones(spec.shape, dtype=torch.bool, device=device)
    return (torch.randn(spec.shape, device=device) * SCALE).to(spec.dtype)


def compile_blocks(family: Family, backend: str) -> None:
    """Compile a transformer's blocks, which are alike, so that one compilation serves all."""
    for block in family.dit.blocks:
        block.compile(dynamic=False, backend=backend)


def run_plain(family: Family) -> None:
    """Undo `compile_blocks`."""
    for block in family.dit.blocks:
        block._compiled_call_impl = None  # torch has no public way back
    torch.compiler.reset()


@torch.no_grad()
def captured(work: Work, device: torch.device, mode: Mode) -> Work:
    """Warm work up, and give it as a CUDA graph where the mode asks for one.

    Raises:
        RequestError: when it does and there is no GPU.
    """
    for _ in range(WARM_UP):
        work()
    wait_for(device)
    if mode not in {Mode.GRAPHS, Mode.BEST}:
        return work
    if device.type != "cuda":
        raise RequestError("CUDA graphs need a GPU")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


@torch.no_grad()
def measure_chunk(passes: Passes, decoder: Decoder, steps: int, mode: Mode, chunks: int) -> Times:
    """Measure a chunk's parts, alone and at once."""
    device = passes.latent.device
    denoise = passes.steps(steps)
    remember = passes.cache_pass()

    def whole() -> None:
        denoise()
        remember()

    one = captured(whole, device, mode)
    first = captured(denoise, device, mode)
    decode = captured(decoder.decode, device, mode)
    side = _second_stream(device)

    def together() -> None:
        """Decode the chunk before, while the next is made."""
        decoder.take(passes.latent)
        if side is None:
            decode()
            one()
            return
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            decode()
        one()
        torch.cuda.current_stream().wait_stream(side)

    def first_frame() -> None:
        first()
        decoder.take(passes.latent)
        decode()

    measured = (one, decode, together, first_frame)
    return Times(*(_median_ms(work, device, chunks) for work in measured))


def _second_stream(device: torch.device) -> Any:
    """Give a stream beside the main one; None where there are none."""
    cuda: Any = torch.cuda  # publishes no type for it
    return cuda.Stream() if device.type == "cuda" else None


def _median_ms(work: Work, device: torch.device, count: int) -> float:
    spent = []
    work()
    for _ in range(count):
        wait_for(device)
        start = time.perf_counter()
        work()
        wait_for(device)
        spent.append((time.perf_counter() - start) * 1e3)
    return statistics.median(spent)
