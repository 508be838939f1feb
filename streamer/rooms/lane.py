"""The one thread that touches the engine, so that the event loop never waits for it."""

from __future__ import annotations

import asyncio
import heapq
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from streamer.errors import Ended

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


class Lane(Protocol):
    """Runs blocking work in turns: what is due first comes first."""

    async def run(self, due: float, work: Callable[[], Result]) -> Result:
        """Wait for a turn and for the work; whatever it raises comes back to this caller alone.

        When cancelled while the work runs, it waits for it: what was started cannot be recalled.

        Args:
            due: monotonic seconds, when the result is needed. Of rooms that wait, the one that is
                furthest behind comes first; since later orders are due later, nobody starves.
            work: what to do.

        Raises:
            Ended: when the lane was closed before.
        """
        ...

    @property
    def waiting(self) -> int:
        """How much work has not begun."""
        ...

    def busy_s(self) -> float:
        """For how long the present piece of work has run; 0 when there is none."""
        ...

    async def close(self) -> None:
        """Finish the present piece of work and refuse the rest."""
        ...

    def abandon(self) -> None:
        """Wait for nothing any more: whoever waits is told that the lane has ended.

        For a piece of work that hangs, which no thread can stop.
        """
        ...


@dataclass(order=True, slots=True)
class _Job:
    due: float
    number: int
    work: Callable[[], Any] = field(compare=False)
    done: asyncio.Future[Any] = field(compare=False)


class ThreadLane:
    """A lane on a thread of its own. Made and closed on the event loop that its callers run on."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._loop = asyncio.get_running_loop()
        self._jobs: list[_Job] = []
        self._count = 0
        self._changed = threading.Condition()
        self._is_closed = False
        self._since: float | None = None
        self._current: _Job | None = None
        self._thread = threading.Thread(target=self._turn, name="generation", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        return len(self._jobs)

    def busy_s(self) -> float:
        since = self._since
        return 0.0 if since is None else max(0.0, self._now() - since)

    async def run(self, due: float, work: Callable[[], Result]) -> Result:
        done: asyncio.Future[Result] = self._loop.create_future()
        with self._changed:
            if self._is_closed:
                raise Ended("generation lane", "closed")
            job = _Job(due, self._count, work, done)
            self._count += 1
            heapq.heappush(self._jobs, job)
            self._changed.notify()
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            if self._withdraw(job):
                done.cancel()
            else:
                await asyncio.wait([done])  # ends with the work that the thread is doing
                if not done.cancelled():
                    done.exception()  # nobody is left to hear it
            raise

    def _withdraw(self, job: _Job) -> bool:
        with self._changed:
            if job not in self._jobs:
                return False
            self._jobs.remove(job)
            heapq.heapify(self._jobs)
            return True

    def _turn(self) -> None:
        while (job := self._next()) is not None:
            self._since, self._current = self._now(), job
            result, error = None, None
            try:
                result = job.work()
            except BaseException as raised:  # noqa: BLE001  (it belongs to the caller, who gets it)
                error = raised
            self._since = self._current = None
            try:
                self._loop.call_soon_threadsafe(_settle, job.done, result, error)
            except RuntimeError:
                return  # the loop was closed without waiting for this
            del job, result, error  # a chunk must not live until the next turn

    def _next(self) -> _Job | None:
        with self._changed:
            while not self._jobs and not self._is_closed:
                self._changed.wait()  # ended by run() and close()
            return None if self._is_closed else heapq.heappop(self._jobs)

    def _refuse(self) -> None:
        with self._changed:
            self._is_closed = True
            refused, self._jobs = self._jobs, []
            self._changed.notify()
        for job in refused:
            _settle(job.done, None, Ended("generation lane", "closed"))

    def abandon(self) -> None:
        self._refuse()
        current = self._current
        if current is not None:
            _settle(current.done, None, Ended("generation lane", "abandoned"))

    async def close(self) -> None:
        self._refuse()
        await asyncio.to_thread(self._thread.join)  # ends with the present piece of work


def _settle(done: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)
