"""What a device can do at most, measured, and how long a chunk takes at the very least by that.

Each class of work costs its arithmetic or its bytes, whichever takes longer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch.nn.functional import ScalingType
from torch.utils.flop_counter import FlopCounterMode

from export.dit import Form, dit_network
from export.families.family import Family
from export.gpu_bench.chunk_loop import wait_for
from export.gpu_bench.networks import form_on
from export.shapes import ChunkShape

LINEAR = frozenset({"aten.mm", "aten.addmm", "aten.convolution"})
REPEATS = 10


class Device(NamedTuple):
    """Limits of a device, measured."""

    name: str
    bf16_flops: float  # a second
    fp8_flops: float  # that of bf16 where there is no fp8
    bytes_per_second: float


class Work(NamedTuple):
    """One pass of a transformer."""

    linear_flops: float
    attention_flops: float
    weights: float  # elements


def measure(device: torch.device, *, is_toy: bool) -> Device:
    """Measure matrix products and copies."""
    side, copied = (256, 2**20) if is_toy else (8192, 2**30)
    dtype = form_on(device).dtype
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    flops = 2 * side**3
    bf16 = flops / _fastest(lambda: a @ b, device)
    source = torch.zeros(copied, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copy = 2 * copied / _fastest(lambda: target.copy_(source), device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return Device(name, bf16, _measure_fp8(a, b) or bf16, copy)


def _measure_fp8(a: torch.Tensor, b: torch.Tensor) -> float | None:
    """Give fp8 products a second; None where the device has none."""
    left, right = a.to(torch.float8_e4m3fn), b.t().contiguous().to(torch.float8_e4m3fn).t()
    one, kind = torch.ones((), device=a.device), ScalingType.TensorWise

    def product() -> torch.Tensor:
        return F.scaled_mm(left, right, one, kind, one, kind, output_dtype=torch.bfloat16)

    try:
        return 2 * a.shape[0] ** 3 / _fastest(product, a.device)
    except RuntimeError:
        return None


def _fastest(work: Callable[[], object], device: torch.device) -> float:
    seconds = []
    for _ in range(REPEATS):
        wait_for(device)
        start = time.perf_counter()
        work()
        wait_for(device)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def work_of(family: Family, shape: ChunkShape, form: Form) -> Work:
    """Count one pass of a family that is on the meta device in the form's type."""
    network = dit_network(family, shape, form)
    given = [torch.empty(spec.shape, dtype=spec.dtype, device="meta") for spec in network.inputs]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.module(*given)
    by_operator = {str(key): flops for key, flops in counter.get_flop_counts()["Global"].items()}
    linear = sum(flops for name, flops in by_operator.items() if name in LINEAR)
    weights = sum(parameter.numel() for parameter in family.dit.parameters())
    return Work(linear, sum(by_operator.values()) - linear, weights)


def least_seconds(work: Work, passes: int, device: Device, precision: str) -> float:
    """Give the least time of a chunk's passes."""
    is_fp8 = precision == "fp8"
    speed, size = (device.fp8_flops, 1) if is_fp8 else (device.bf16_flops, 2)
    linear = max(work.linear_flops / speed, work.weights * size / device.bytes_per_second)
    return passes * (linear + work.attention_flops / device.bf16_flops)
