"""Full garbage collections, when nobody minds: each stops the process for a tenth of a second.

Python looks through all its objects whenever they have become a quarter more, which is while many
people come: 80 to 100 ms each time with 60 viewers (`gc.callbacks`), in which no packet leaves. So
only young objects are looked through by themselves, and all of them in quiet moments or, at last,
every two minutes. Connections end as cycles: without any full collection they would stay forever.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable

NEVER = 1_000_000_000
DUE = 10  # collections of the middle generation after which Python would look through everything
OVERDUE = 150  # about a million objects more: what some hundred connections leave behind
EVERY_SECONDS = 1.0
LONGEST_SECONDS = 120.0


@contextlib.asynccontextmanager
async def quiet_garbage(is_busy: Callable[[], bool]) -> AsyncIterator[None]:
    """Keep full collections out of busy moments while the block runs.

    Args:
        is_busy: whether anybody would notice a pause.
    """
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()  # what was loaded until now stays anyway, and need not be looked through
    gc.set_threshold(*thresholds[:2], NEVER)
    task = asyncio.create_task(_collect_when_quiet(is_busy), name="garbage")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        gc.set_threshold(*thresholds)
        gc.unfreeze()


async def _collect_when_quiet(is_busy: Callable[[], bool]) -> None:
    loop = asyncio.get_running_loop()
    collected_at = loop.time()
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        waited = loop.time() - collected_at
        if is_due(gc.get_count()[2], waited, is_busy=is_busy()):
            gc.collect()
            collected_at = loop.time()


def is_due(middle_collections: int, waited_seconds: float, *, is_busy: bool) -> bool:
    """Say whether to look through everything now.

    Args:
        middle_collections: of the middle generation since the last time.
        waited_seconds: since the last time.
        is_busy: whether anybody would notice.
    """
    if middle_collections < DUE:
        return False
    return not is_busy or middle_collections >= OVERDUE or waited_seconds >= LONGEST_SECONDS
