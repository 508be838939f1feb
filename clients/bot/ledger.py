"""Which segments a bot has said and not heard the end of. Pure bookkeeping: no clock, no socket.

The server numbers the segments of a seat, whoever says them; a bot numbers its own from 0. Both
count in the same order, so the first number heard tells the distance. After a `clear` the server
may never count what was still waiting in front of the seat: the distance is learned anew.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """How a segment ended."""

    segment: int  # counted by this session, from 0
    position_ms: int  # that really left to the viewers, as far as it is known
    is_interrupted: bool
    is_lost: bool = False  # the connection broke; say it again if it matters


@dataclass(slots=True, eq=False)
class Segment:
    """One thing to say. Made by a session; exactly one `Spoken` comes for it."""

    number: int
    sent_ms: float = 0.0
    started_at: float | None = None  # seconds of the loop; None until its first sample left
    is_complete: bool = False  # nothing more will be sent
    _begun: asyncio.Event = field(default_factory=asyncio.Event)
    _over: asyncio.Future[Spoken] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    @property
    def is_over(self) -> bool:
        return self._over.done()

    @property
    def outcome(self) -> Spoken | None:
        """How it ended; None while it has not."""
        return self._over.result() if self._over.done() else None

    async def spoken(self) -> Spoken:
        """Wait for its end; ended by the server, by `clear`, and by the end of the session."""
        return await asyncio.shield(self._over)

    async def started(self) -> bool:
        """Wait for its first sample to leave; False when it ended before. Ended as `spoken` is."""
        await self._begun.wait()
        return self.started_at is not None

    def start(self, now: float) -> None:
        if self.started_at is None:
            self.started_at = now
            self._begun.set()

    def finish(self, spoken: Spoken) -> None:
        if not self._over.done():
            self._over.set_result(spoken)
            self._begun.set()


@dataclass(slots=True, eq=False)
class Clearing:
    """Stands where a `clear` was sent, until the server says what it dropped."""

    dropped_ms: int = 0
    is_done: bool = False


class Ledger:
    """The segments that are not over, in order, and the clears among them. Owned by a session."""

    def __init__(self) -> None:
        self._waiting: deque[Segment | Clearing] = deque()
        self._count = 0
        self._distance: int | None = None  # server's number less ours
        self.open: Segment | None = None

    def opened(self) -> Segment:
        """Give the segment that speech belongs to now; begins one where none is open."""
        if self.open is None:
            self.open = Segment(self._count)
            self._count += 1
            self._waiting.append(self.open)
        return self.open

    def complete(self) -> Segment | None:
        """Close the open segment, if there is one."""
        segment, self.open = self.open, None
        if segment is not None:
            segment.is_complete = True
        return segment

    def clear_sent(self) -> Clearing:
        """Note that what was said until now is to be dropped."""
        self.open = None
        clearing = Clearing()
        self._waiting.append(clearing)
        return clearing

    def started(self, number: int, now: float) -> Segment | None:
        """Note that the server's segment began; None when it is none of ours."""
        segment = self._find(number)
        if segment is not None:
            segment.start(now)
        return segment

    def ended(self, number: int, position_ms: int, *, is_interrupted: bool) -> Segment | None:
        """Finish the server's segment; None when it is none of ours."""
        segment = self._find(number)
        if segment is not None:
            self._finish(segment, position_ms, is_interrupted=is_interrupted)
        return segment

    def cleared(self, dropped_ms: int) -> None:
        """Finish what was said before the oldest clear; without one, somebody else cleared."""
        mark = next((each for each in self._waiting if isinstance(each, Clearing)), None)
        if mark is None:
            return
        for first in self._before_clear():
            self._finish(first, 0, is_interrupted=True)
        self._waiting.popleft()
        mark.dropped_ms, mark.is_done = dropped_ms, True
        self._distance = None

    def lose_all(self) -> None:
        """The connection is gone: what was not over is lost."""
        for each in tuple(self._waiting):
            if isinstance(each, Segment):
                self._finish(each, 0, is_interrupted=True, is_lost=True)
            else:
                each.is_done = True
        self._waiting.clear()
        self.open, self._distance = None, None

    def unspoken_ms(self, now: float) -> float:
        """Say how much was sent and is not spoken, as far as a clock can tell."""
        segments = [each for each in self._waiting if isinstance(each, Segment)]
        waiting = sum(segment.sent_ms for segment in segments)
        if segments and segments[0].started_at is not None:
            elapsed_ms = (now - segments[0].started_at) * 1000
            waiting -= min(segments[0].sent_ms, elapsed_ms)
        return waiting

    def _before_clear(self) -> list[Segment]:
        """What was said before the oldest clear that is not confirmed."""
        found: list[Segment] = []
        for each in self._waiting:
            if isinstance(each, Clearing):
                break
            found.append(each)
        return found

    def _find(self, number: int) -> Segment | None:
        """Find ours among what was said before the oldest clear; those before it are over."""
        candidates = self._before_clear()
        if not candidates:
            return None
        if self._distance is None:
            self._distance = number - candidates[0].number
        ours = number - self._distance
        found = next((each for each in candidates if each.number == ours), None)
        if found is not None:
            for missed in candidates[: candidates.index(found)]:  # its event did not come
                self._finish(missed, 0, is_interrupted=True, is_lost=True)
        return found

    def _finish(
        self,
        segment: Segment,
        position_ms: int,
        *,
        is_interrupted: bool,
        is_lost: bool = False,
    ) -> None:
        if self.open is segment:
            self.open = None
        self._waiting.remove(segment)
        segment.finish(
            Spoken(
                segment=segment.number,
                position_ms=position_ms,
                is_interrupted=is_interrupted,
                is_lost=is_lost,
            )
        )
