"""What happens in a room, told to any number of listeners, none of whom can hold it up."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from streamer.errors import Ended

Plain: TypeAlias = str | int | float | bool | None


class EventKind(StrEnum):
    """Every kind there is."""

    READY = "ready"
    SEAT_JOINED = "seat_joined"
    SEAT_LOST = "seat_lost"  # its connection; kept for the same holder
    SEAT_RESUMED = "seat_resumed"
    SEAT_LEFT = "seat_left"
    VIEWER_JOINED = "viewer_joined"
    VIEWER_LEFT = "viewer_left"
    SPEAK_STARTED = "speak_started"  # segment
    SPEAK_ENDED = "speak_ended"  # segment, position_ms, interrupted; exactly one a segment
    VOICE_STARTED = "voice_started"  # a live voice, by voice activity detection
    VOICE_STOPPED = "voice_stopped"
    CLEARED = "cleared"  # dropped_ms
    PROMPT_CHANGED = "prompt_changed"  # prompt
    WARNING = "warning"  # reason idle | length, seconds_left
    RUNG_CHANGED = "rung_changed"  # rung
    METRICS = "metrics"
    ERROR = "error"  # code, message
    CLOSING = "closing"  # reason
    ENDED = "ended"  # reason; the last one
    EVENTS_LOST = "events_lost"  # count; this listener was too slow


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened."""

    number: int  # counts up from 0 in a room, without gaps
    kind: EventKind
    seat: int | None
    at_ms: int  # of the room's life
    data: Mapping[str, Plain] = field(default_factory=dict)


class Subscription:
    """One listener's queue.

    Full policy: the oldest event is dropped; what is read next is an `events_lost` with the count.
    After `ended` the iteration stops.
    """

    def __init__(self, hub: EventHub, limit: int) -> None:
        self._hub = hub
        self._limit = limit
        self._events: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._is_closed = False
        self.lost = 0  # events dropped and not told yet
        self.lost_in_all = 0

    def offer(self, event: Event) -> None:
        """Queue an event; never waits."""
        if self._is_closed:
            return
        if len(self._events) >= self._limit:
            self._events.popleft()
            self.lost += 1
            self.lost_in_all += 1
        self._events.append(event)
        self._arrived.set()

    async def next(self) -> Event:
        """Wait for the next event; `close` and the end of the room end the wait.

        Raises:
            Ended: when nothing will come any more.
        """
        while not self._events:
            if self._is_closed:
                raise Ended("subscription", "closed")
            self._arrived.clear()
            await self._arrived.wait()
        if self.lost:
            first, count, self.lost = self._events[0], self.lost, 0
            return Event(first.number, EventKind.EVENTS_LOST, None, first.at_ms, {"count": count})
        event = self._events.popleft()
        if event.kind is EventKind.ENDED:
            self.close()
        return event

    def close(self) -> None:
        """Leave; a waiting reader is let go, what is queued can still be read."""
        self._is_closed = True
        self._hub.forget(self)
        self._arrived.set()

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            try:
                event = await self.next()
            except Ended:
                return
            yield event


class EventHub:
    """Tells every listener of a room; owned by the room."""

    def __init__(self) -> None:
        self._listeners: set[Subscription] = set()
        self._next = 0

    def subscribe(self, limit: int = 256) -> Subscription:
        """Listen from now on; the queue holds at most `limit` events."""
        listener = Subscription(self, limit)
        self._listeners.add(listener)
        return listener

    def tell(
        self,
        kind: EventKind,
        at_ms: int,
        data: Mapping[str, Plain] | None = None,
        *,
        seat: int | None = None,
    ) -> Event:
        """Make an event and queue it for every listener; never waits."""
        event = Event(self._next, kind, seat, at_ms, data or {})
        self._next += 1
        for listener in tuple(self._listeners):
            listener.offer(event)
        return event

    def forget(self, listener: Subscription) -> None:
        self._listeners.discard(listener)

    @property
    def listeners(self) -> int:
        return len(self._listeners)
