"""One forward pass on the meta device: arithmetic, and what the way back would have to keep.

Shape letters: N tokens, H heads, D head width, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from training.stages.plan.config import ExampleConfig
from training.stages.plan.published import Published, build_meta

MOST_HEAD = 256  # channels; a matrix with two longer sides, neither a layer's width, is attention's


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What one example costs; bytes are in bfloat16 where the network computes in it."""

    parameters: int
    audio_parameters: int  # of audio attention and audio adapter
    largest_block: int  # parameters of what is gathered at once
    blocks: int
    forward_flops: int
    block_kept_bytes: int  # inside one block, for its way back, with fused attention
    block_input_bytes: int  # what checkpointing keeps of a block


def dry_run(size: Published, example: ExampleConfig) -> DryRun:
    """Count parameters, arithmetic and kept tensors of one example."""
    network = build_meta(size)
    blocks = [module for module in network.modules() if isinstance(module, size.block)]
    named = dict(network.named_parameters())
    with FlopCounterMode(display=False) as counter, _kept_inside(blocks[0], network) as kept:
        size.call(network, example)
    width = blocks[0].get_parameter("modulation").shape[-1]
    return DryRun(
        parameters=sum(each.numel() for each in named.values()),
        audio_parameters=sum(
            each.numel()
            for name, each in named.items()
            if any(part in name for part in size.audio_parts)
        ),
        largest_block=sum(each.numel() for each in blocks[0].parameters()),
        blocks=len(blocks),
        forward_flops=int(counter.get_total_flops()),
        block_kept_bytes=sum(kept.values()),
        block_input_bytes=example.tokens * width * torch.bfloat16.itemsize,
    )


@contextmanager
def _kept_inside(block: nn.Module, network: nn.Module) -> Iterator[dict[int, int]]:
    """Sum what autograd keeps inside one block: bytes by storage, parameters left out.

    Attention without values is computed as plain matrix products here; the matrices of
    probabilities are left out, since fused kernels never hold them.
    """
    kept: dict[int, int] = {}
    held: list[Tensor] = []  # alive until the end, so that no storage's number is used again
    parameters = {_storage(each) for each in network.parameters()}
    widths = {each.shape[:1] for each in block.parameters() if each.ndim == 1}
    hooks: list[torch.autograd.graph.saved_tensors_hooks] = []

    def keep(tensor: Tensor) -> Tensor:
        storage = _storage(tensor)
        is_wide = tensor.shape[-1:] in widths
        is_probability = tensor.ndim >= 3 and min(tensor.shape[-2:]) > MOST_HEAD and not is_wide
        if storage not in parameters and not is_probability:
            held.append(tensor)
            kept[storage] = tensor.untyped_storage().nbytes()
        return tensor

    def enter(module: nn.Module, inputs: object) -> None:
        hook = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
        hooks.append(hook)
        hook.__enter__()

    def leave(module: nn.Module, inputs: object, outputs: object) -> None:
        hooks.pop().__exit__(None, None, None)

    handles = [block.register_forward_pre_hook(enter), block.register_forward_hook(leave)]
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
