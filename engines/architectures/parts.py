"""What the parts of a chunk cost."""

from __future__ import annotations

import time
from collections.abc import Callable

from engines.runtimes.base import Runtime

Part = tuple[str, Callable[[], None]]


class Parts:
    """Milliseconds of each part of a chunk."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.ms: dict[str, float] = {}

    def measure(self, name: str, work: Callable[[], None]) -> None:
        """Do the work and note what it took, on the device too."""
        start = time.perf_counter()
        work()
        self._runtime.synchronize()
        self.ms[name] = (time.perf_counter() - start) * 1e3

    def beside(self, first: Part, second: Part) -> None:
        """Do two parts that need nothing of each other, at once where the device can."""
        times = self._runtime.beside(first[1], second[1])
        self.ms |= zip((first[0], second[0]), times, strict=True)
