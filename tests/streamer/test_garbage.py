"""Full collections wait for a quiet moment, and come all the same."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from streamer import garbage
from streamer.garbage import DUE, LONGEST_SECONDS, OVERDUE, is_due, quiet_garbage


class Cycle:
    """Something that only a collection frees."""

    def __init__(self) -> None:
        self.itself = self


def old_cycle() -> weakref.ref[Cycle]:
    """Leave a cycle that is too old for any but a full collection."""
    cycle = Cycle()
    gone = weakref.ref(cycle)
    gc.collect()  # what lives is of the oldest generation now
    return gone


def much_work() -> None:
    """Collect the middle generation as often as many people's coming does."""
    for _ in range(2 * DUE):
        gc.collect(1)


def test_python_never_looks_through_everything_by_itself() -> None:
    async def look() -> tuple[int, int, int]:
        async with quiet_garbage(lambda: True):
            return gc.get_threshold()

    before = gc.get_threshold()
    assert asyncio.run(look())[2] == garbage.NEVER
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize("is_busy", [True, False])
def test_old_cycles_go_when_nobody_minds(is_busy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "EVERY_SECONDS", 0.001)

    async def left() -> bool:
        async with quiet_garbage(lambda: is_busy):
            gone = old_cycle()
            much_work()
            await asyncio.sleep(0.05)
            return gone() is not None

    assert asyncio.run(left()) is is_busy


def test_who_is_busy_waits_but_not_for_ever() -> None:
    assert not is_due(DUE - 1, 10 * LONGEST_SECONDS, is_busy=False)  # there is nothing to gain
    assert is_due(DUE, 0.0, is_busy=False)
    assert not is_due(OVERDUE - 1, LONGEST_SECONDS - 1, is_busy=True)
    assert is_due(DUE, LONGEST_SECONDS, is_busy=True)
    assert is_due(OVERDUE, 0.0, is_busy=True)
