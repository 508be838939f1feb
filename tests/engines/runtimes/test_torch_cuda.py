"""What a GPU does is played by a few objects that note in which order they are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import SimpleNamespace

from engines.runtimes.torch_cuda import WARM_UP_RUNS, Recording, at_once, attention_kernels


def test_recorded_work_is_done_exactly_once_a_call() -> None:
    """Warming up counts, a capture does nothing by itself, and then graphs are replayed."""
    done: list[str] = []
    is_capturing = [False]

    class Graph:
        def replay(self) -> None:
            done.append("replayed")

    class Capture:
        def __enter__(self) -> None:
            is_capturing[0] = True

        def __exit__(self, *_: object) -> None:
            is_capturing[0] = False

    class Stream:
        def wait_stream(self, _: object) -> None:
            return None

    def graph(_: Graph, stream: Stream) -> AbstractContextManager[None]:
        return Capture()

    def on(_: Stream) -> AbstractContextManager[None]:
        return nullcontext()

    cuda = SimpleNamespace(
        Stream=Stream, CUDAGraph=Graph, graph=graph, stream=on, current_stream=Stream
    )

    def work() -> None:
        done.append("captured" if is_capturing[0] else "ran")

    recorded: Callable[[], None] = Recording(SimpleNamespace(cuda=cuda), work)
    for _ in range(WARM_UP_RUNS + 3):
        recorded()
    assert done == ["ran"] * WARM_UP_RUNS + ["captured"] + ["replayed"] * 3


def test_two_works_at_once_begin_behind_the_past_and_end_before_the_future() -> None:
    said: list[str] = []

    class Stream:
        def __init__(self, name: str) -> None:
            self.name = name

        def wait_stream(self, other: Stream) -> None:
            said.append(f"{self.name} waits for {other.name}")

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            said.append("mark")

        def elapsed_time(self, _: Event) -> float:
            return 1.5

    @contextmanager
    def on(stream: Stream) -> Iterator[None]:
        said.append(f"on {stream.name}")
        yield
        said.append("back")

    cuda = SimpleNamespace(
        Event=Event,
        stream=on,
        current_stream=lambda: Stream("main"),
        synchronize=lambda: said.append("all done"),
    )
    times = at_once(
        SimpleNamespace(cuda=cuda),
        Stream("side"),
        lambda: said.append("cache"),
        lambda: said.append("decode"),
    )
    assert times == (1.5, 1.5)
    on_the_side = ["side waits for main", "on side", "mark", "decode", "mark", "back"]
    on_the_main = ["mark", "cache", "mark"]
    assert said == [*on_the_side, *on_the_main, "main waits for side", "all done"]


def test_cudnn_attention_is_asked_first_on_a_gpu_and_nothing_elsewhere() -> None:
    asked: list[object] = []

    def kernel(order: list[str], set_priority: bool) -> AbstractContextManager[None]:
        asked.extend([*order, set_priority])
        return nullcontext()

    kinds = SimpleNamespace(
        CUDNN_ATTENTION="cudnn", FLASH_ATTENTION="flash", EFFICIENT_ATTENTION="mem", MATH="math"
    )
    attention = SimpleNamespace(SDPBackend=kinds, sdpa_kernel=kernel)
    torch = SimpleNamespace(nn=SimpleNamespace(attention=attention))
    with attention_kernels(torch, is_on_gpu=False):
        assert not asked
    with attention_kernels(torch, is_on_gpu=True):
        assert asked == ["cudnn", "flash", "mem", "math", True]
