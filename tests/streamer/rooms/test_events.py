from __future__ import annotations

import asyncio

import pytest

from streamer.errors import Ended
from streamer.rooms.events import EventHub, EventKind
from tests.streamer.rooms.stages import play


def test_every_listener_hears_everything_in_order() -> None:
    async def scene() -> None:
        hub = EventHub()
        listeners = [hub.subscribe() for _ in range(3)]
        for number in range(5):
            hub.tell(EventKind.METRICS, number, {"number": number})
        hub.tell(EventKind.ENDED, 5, {"reason": "deleted"})
        for listener in listeners:
            events = [event async for event in listener]
            assert [event.number for event in events] == list(range(6))
            assert events[-1].data == {"reason": "deleted"}
        assert hub.listeners == 0

    play(scene)


def test_a_listener_that_is_too_slow_is_told_how_much_it_lost() -> None:
    async def scene() -> None:
        hub = EventHub()
        slow = hub.subscribe(limit=4)
        for number in range(10):
            hub.tell(EventKind.METRICS, number)
        lost = await slow.next()
        assert (lost.kind, lost.data) == (EventKind.EVENTS_LOST, {"count": 6})
        assert [(await slow.next()).number for _ in range(4)] == [6, 7, 8, 9]
        assert slow.lost_in_all == 6

    play(scene)


def test_the_end_is_never_lost() -> None:
    async def scene() -> None:
        hub = EventHub()
        slow = hub.subscribe(limit=1)
        for number in range(10):
            hub.tell(EventKind.METRICS, number)
        hub.tell(EventKind.ENDED, 11)
        assert [event.kind async for event in slow] == ["events_lost", "ended"]

    play(scene)


def test_closing_lets_a_waiting_reader_go() -> None:
    async def scene() -> None:
        hub = EventHub()
        listener = hub.subscribe()
        waiting = asyncio.create_task(listener.next())
        await asyncio.sleep(0)
        listener.close()
        with pytest.raises(Ended):
            await waiting
        hub.tell(EventKind.METRICS, 0)
        assert [event async for event in listener] == []

    play(scene)
