"""What the torch runtime does on a GPU alone: CUDA graphs, a second stream, attention kernels.

Every function takes the torch module, so that a test can hand in another.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

WARM_UP_RUNS = 3  # before a capture: libraries allocate workspaces in their first runs


def attention_kernels(torch: Any, *, is_on_gpu: bool) -> AbstractContextManager[None]:
    """Prefer cuDNN's attention, the fastest on current GPUs, where it can do what is asked."""
    if not is_on_gpu:
        return nullcontext()
    kinds = torch.nn.attention.SDPBackend
    order = [kinds.CUDNN_ATTENTION, kinds.FLASH_ATTENTION, kinds.EFFICIENT_ATTENTION, kinds.MATH]
    preferred: AbstractContextManager[None] = torch.nn.attention.sdpa_kernel(
        order, set_priority=True
    )
    return preferred


def at_once(
    torch: Any, stream: Any, first: Callable[[], None], second: Callable[[], None]
) -> tuple[float, float]:
    """Do `second` on a stream of its own beside `first`; give the ms of each when both are done.

    Both begin behind all that was started, and what is started later begins behind both.
    """
    main = torch.cuda.current_stream()
    events = [torch.cuda.Event(enable_timing=True) for _ in range(4)]
    stream.wait_stream(main)
    with torch.cuda.stream(stream):
        events[2].record()
        second()
        events[3].record()
    events[0].record()
    first()
    events[1].record()
    main.wait_stream(stream)
    torch.cuda.synchronize()
    return float(events[0].elapsed_time(events[1])), float(events[2].elapsed_time(events[3]))


class Recording:
    """Work captured once and replayed: one launch for all the kernels of all the steps.

    The work changes its own input, so nothing may run for warming up alone: the first calls are
    done eagerly, on the stream that will capture, and count; a capture does nothing by itself.
    """

    def __init__(self, torch: Any, work: Callable[[], None]) -> None:
        self._torch = torch
        self._work = work
        self._calls = 0
        self._stream = torch.cuda.Stream()
        self._graph: Any = None

    def __call__(self) -> None:
        if self._graph is None and self._calls >= WARM_UP_RUNS:
            graph = self._torch.cuda.CUDAGraph()
            with self._torch.cuda.graph(graph, stream=self._stream):
                self._work()
            self._graph = graph
        if self._graph is not None:
            self._graph.replay()
            return
        self._calls += 1
        self._stream.wait_stream(self._torch.cuda.current_stream())
        with self._torch.cuda.stream(self._stream):
            self._work()
        self._torch.cuda.current_stream().wait_stream(self._stream)
