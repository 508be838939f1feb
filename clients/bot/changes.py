"""Waiting until something is so, where whoever changes it cannot wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Changes:
    """Told of every change of some state; any number of tasks wait for it to look as they want."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        self._event.set()

    async def until(self, is_so: Callable[[], object], seconds: float | None = None) -> None:
        """Wait for a change after which `is_so` is true.

        Raises:
            TimeoutError: when it does not come in time.
        """
        async with asyncio.timeout(seconds):
            while not is_so():
                self._event.clear()
                await self._event.wait()
