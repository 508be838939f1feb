"""What this machine can do at most, measured in half a second with numpy's own kernels."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np

from engines.roofline import Machine

SIDE = 1024
COPIED_BYTES = 64 * 2**20
REPEATS = 8


def measure_cpu() -> Machine:
    """Measure float32 matrix products and copies on all cores this process may use.

    int8 and bfloat16 instructions can do up to four times this arithmetic, so a quantized network
    may come close to this limit, or pass it: it is the limit of float32.
    """
    draw = np.random.default_rng(0)
    a, b = (draw.standard_normal((SIDE, SIDE), np.float32) for _ in range(2))
    product = np.empty_like(a)
    flops = 2 * SIDE**3 / _fastest(lambda: np.matmul(a, b, out=product))
    source = np.zeros(COPIED_BYTES, np.uint8)
    target = np.empty_like(source)
    # A copy reads and writes.
    bandwidth = 2 * COPIED_BYTES / _fastest(lambda: np.copyto(target, source))
    return Machine(
        linear_flops_per_second=flops,
        attention_flops_per_second=flops,
        bytes_per_second=bandwidth,
        weight_bytes=4,
        cache_bytes=4,
    )


def _fastest(work: Callable[[], object]) -> float:
    """Give the seconds of the fastest of a few runs: the others were disturbed."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def peak_memory_mib() -> float:
    """Give the most memory this process ever held; 0 where the system does not say."""
    return _status_mib("VmHWM:")


def memory_mib() -> float:
    """Give the memory this process holds now; 0 where the system does not say."""
    return _status_mib("VmRSS:")


def _status_mib(key: str) -> float:
    status = Path("/proc/self/status")
    if not status.is_file():
        return 0.0
    for line in status.read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    return 0.0


def program_commit() -> str:
    """Give the commit of the code that runs, from its repository; else its version."""
    root = Path(__file__).parents[1] / ".git"
    head = root / "HEAD"
    if not head.is_file():
        return version("parley-avatar")
    text = head.read_text().strip()
    name = text.removeprefix("ref: ")
    if name == text:
        return text
    place = root / name
    if place.is_file():
        return place.read_text().strip()
    packed = root / "packed-refs"
    lines = packed.read_text().splitlines() if packed.is_file() else []
    found = [line.split()[0] for line in lines if line.endswith(f" {name}")]
    return found[0] if found else "unknown"


def processor() -> str:
    """Name the CPU."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown processor"
