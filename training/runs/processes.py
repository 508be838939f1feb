"""One training process, or several that share every step's gradient (torchrun starts them)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """Which of how many processes this is, and the device it trains on."""

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes checkpoints and logs."""
        return self.rank == 0

    @torch.no_grad()
    def same_weights(self, network: nn.Module) -> None:
        """Give every process the first one's weights."""
        if self.count == 1:
            return
        for tensor in network.state_dict().values():
            dist.broadcast(tensor, 0)

    @torch.no_grad()
    def mean_gradients(self, network: nn.Module) -> None:
        """Replace gradients by their mean over processes, in one exchange.

        A parameter without a gradient counts as one with zeros: all must exchange the same sizes.
        """
        if self.count == 1:
            return
        held = [p for p in network.parameters() if p.requires_grad]
        gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in held]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self.count
        first = 0
        for parameter in held:
            last = first + parameter.numel()
            parameter.grad = flat[first:last].view_as(parameter)
            first = last

    def agreed(self, value: float) -> float:
        """Give every process the first one's value: clocks differ, decisions must not."""
        if self.count == 1:
            return value
        told = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.broadcast(told, 0)
        return float(told[0])

    def wait(self) -> None:
        """Block until every process is here."""
        if self.count > 1:
            dist.barrier()


@contextmanager
def open_processes(device: str = "cpu") -> Iterator[Processes]:
    """Join the processes that torchrun started, or be the only one.

    `torchrun --nproc-per-node 2 -m parley train ...` on CPU gives two processes through gloo; with
    device "cuda" each takes the GPU of its number.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    rank, local = int(os.environ.get("RANK", "0")), int(os.environ.get("LOCAL_RANK", "0"))
    is_cuda = device == "cuda"
    own = torch.device("cuda", local) if is_cuda else torch.device(device)
    if count == 1:
        yield Processes(rank=0, count=1, device=own)
        return
    dist.init_process_group("nccl" if is_cuda else "gloo")
    try:
        yield Processes(rank=rank, count=count, device=own)
    finally:
        dist.destroy_process_group()
