"""A thread for one kind of blocking work of one room: encoding, or writing a recording."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

Result = TypeVar("Result")


class Worker(Protocol):
    """Runs one piece of work after the other."""

    async def run(self, work: Callable[[], Result]) -> Result:
        """Wait for the work; when cancelled, for what has begun, too."""
        ...

    def close(self) -> None:
        """Refuse new work; does not wait."""
        ...


class ThreadWorker:
    """A worker on a thread that lives while there is work."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(self, work: Callable[[], Result]) -> Result:
        job = asyncio.get_running_loop().run_in_executor(self._pool, work)
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            await asyncio.wait([job])  # ends with the work; its owner may free nothing before
            if not job.cancelled():
                job.exception()  # nobody is left to hear it
            raise

    def close(self) -> None:
        self._pool.shutdown(wait=False)
