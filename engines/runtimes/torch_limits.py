"""What a GPU can do at most, measured in a second with torch's own kernels."""

from __future__ import annotations

import time
from collections.abc import Callable

from engines.roofline import Machine

SIDE = 8192
COPIED_BYTES = 2**30
REPEATS = 10


def measure_gpu(side: int = SIDE, copied: int = COPIED_BYTES) -> Machine:
    """Measure bfloat16 matrix products and copies; on the CPU where there is no GPU."""
    import torch

    is_on_gpu = torch.cuda.is_available()
    device = torch.device("cuda" if is_on_gpu else "cpu")

    def wait() -> None:
        if is_on_gpu:
            torch.cuda.synchronize()

    a, b, product = (
        torch.zeros(side, side, dtype=torch.bfloat16, device=device).normal_() for _ in range(3)
    )
    flops = 2 * side**3 / _fastest(lambda: torch.matmul(a, b, out=product), wait)
    source = torch.zeros(copied, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    # A copy reads and writes.
    bandwidth = 2 * copied / _fastest(lambda: target.copy_(source), wait)
    return Machine(
        linear_flops_per_second=flops,
        attention_flops_per_second=flops,
        bytes_per_second=bandwidth,
        weight_bytes=2,
        cache_bytes=2,
    )


def _fastest(work: Callable[[], object], wait: Callable[[], None]) -> float:
    """Give the seconds of the fastest of a few runs: the first load libraries."""
    seconds = []
    for _ in range(REPEATS):
        wait()
        start = time.perf_counter()
        work()
        wait()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
