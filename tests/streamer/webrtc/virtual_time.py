"""An event loop whose clock stands still while anything works: real sockets, no waiting.

Time jumps to the next timer when no datagram is there to be read; loopback delivers at once. So a
minute of a call takes as long as its computing, and a slow machine gives the same as a fast one.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")
PATIENCE = 30.0  # real seconds without a timer and without a datagram: the test hangs


class _Selector(selectors.DefaultSelector):
    """Never waits for time: it moves it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            ready = super().select(PATIENCE)
            assert ready, "nothing will ever happen any more"
            return ready
        self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """What would go to a thread is done at once, so that no time passes meanwhile."""

    def __init__(self) -> None:
        self.clock = _Selector()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now

    def run_in_executor(  # type: ignore[override]  # a future that is done is one, too
        self, executor: Any, func: Callable[..., Result], *args: Any
    ) -> asyncio.Future[Result]:
        done: asyncio.Future[Result] = self.create_future()
        done.set_result(func(*args))
        return done


def run(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run a coroutine function to its end in virtual time.

    Without asyncio's debug mode: it keeps a traceback of every callback, which is half of the work,
    and its slow callbacks are told by a clock that stands still.
    """
    with asyncio.Runner(debug=False, loop_factory=VirtualLoop) as runner:
        return runner.run(work())


def now() -> float:
    """Virtual seconds."""
    return asyncio.get_running_loop().time()
