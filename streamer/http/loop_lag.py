"""How late the event loop runs what is due: the first sign that something blocks it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

EVERY_SECONDS = 0.05


class LoopLag:
    """Wakes up regularly and reports by how many seconds it was late."""

    def __init__(self, report: Callable[[float], None], every: float = EVERY_SECONDS) -> None:
        self._report = report
        self._every = every

    async def run(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + self._every
            await asyncio.sleep(self._every)
            self._report(max(0.0, loop.time() - due))
