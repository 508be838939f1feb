"""What a room makes and when: orders for the generator, pictures back, frames out on time.

No asyncio and no thread: a state that is asked and told, with the time as an argument. Sound leaves
when it is due; a picture that is late is dropped and the last one is held.

Shape letters: P people, n samples at 16 kHz.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from streamer.media.types import FPS, SAMPLES_PER_FRAME, ChunkLike, Frame
from streamer.rooms.ladder import LadderState, Rung, observe
from streamer.rooms.lead import Lead
from streamer.rooms.segments import Block
from streamer.rooms.timeline import Timeline, Voices

LATE_START_S = 0.5 / FPS  # an order this late still starts where the last chunk ended
MOST_STALL_S = 1.0  # a longer sleep of the process is not caught up with: the clock starts anew
AUDIBLE = 1e-4  # full scale; below it nobody's mouth moves


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One chunk for the generator."""

    start: int  # its first frame
    feed: Voices  # [P, n], what the generator has not heard yet
    hushed: frozenset[int]  # seats that it must forget first
    voiced: frozenset[int]  # seats that can be heard in it
    steps: int | None
    at: float  # when it was given
    is_behind: bool  # frames were given up before it, because the last chunk came late


class Departure(NamedTuple):
    """One frame, as it leaves."""

    number: int
    picture: Frame | None  # None: the last one is held
    voices: Voices  # [P, 640]
    blocks: tuple[tuple[Block, ...], ...]  # by seat


@dataclass(slots=True)
class Dropped:
    """Frames that nobody saw, by reason."""

    late: int = 0  # their chunk came after they were due
    behind: int = 0  # not made: the machine is too slow
    half_rate: int = 0  # not sent, to save encoding
    cleared: int = 0  # made, and dropped when somebody was interrupted

    def total(self) -> int:
        return self.late + self.behind + self.half_rate + self.cleared


class Pictures:
    """What was made and has not left, by frame number."""

    def __init__(self) -> None:
        self._made: dict[int, Frame] = {}
        self._voiced: dict[int, frozenset[int]] = {}

    def put(self, number: int, picture: Frame, voiced: frozenset[int]) -> None:
        self._made[number], self._voiced[number] = picture, voiced

    def take(self, number: int) -> Frame | None:
        self._voiced.pop(number, None)
        return self._made.pop(number, None)

    def shows(self, seat: int) -> bool:
        """Say whether a seat speaks in any of them."""
        return any(seat in voiced for voiced in self._voiced.values())

    def clear(self) -> int:
        """Drop all; say how many."""
        count = len(self._made)
        self._made.clear()
        self._voiced.clear()
        return count

    def __len__(self) -> int:
        return len(self._made)


@dataclass(slots=True, kw_only=True)
class Production:
    """One room's. Owned by the room."""

    timeline: Timeline
    frames_per_chunk: int
    look_ahead: int  # samples
    rungs: tuple[Rung, ...]
    lead: Lead
    ladder: LadderState = field(default_factory=LadderState)
    dropped: Dropped = field(default_factory=Dropped)
    pictures: Pictures = field(default_factory=Pictures)
    order: Order | None = None  # with the generator now
    chunks: int = 0
    _is_void: bool = False  # the chunk that is being made will be dropped
    _is_replanned: bool = True  # the next chunk need not follow the last one
    _made_to: int = 0  # the frame after the last one ordered
    _has_heard: bool = False
    _hushed: set[int] = field(default_factory=set)
    _listening: set[int] = field(default_factory=set)  # seats that are silent in the next chunk
    _anchor: float | None = None  # when frame 0 was due; None: the clock stands

    @property
    def rung(self) -> Rung:
        return self.rungs[self.ladder.rung]

    @property
    def is_running(self) -> bool:
        return self._anchor is not None

    def run(self, now: float) -> None:
        """Start the clock: the next frame is due now."""
        self._anchor = now - self.timeline.first / FPS

    def stand(self) -> None:
        """Stop the clock; what is made stays."""
        self._anchor = None

    def due(self, frame: int) -> float | None:
        """Say when a frame leaves; None while the clock stands."""
        return None if self._anchor is None else self._anchor + frame / FPS

    def order_due(self) -> float | None:
        """Say when the next chunk is to be ordered; None while one is made or the clock stands."""
        due = self.due(self._made_to)
        if due is None or self.order is not None:
            return None
        return due - self.lead.seconds

    def next_order(self, now: float) -> Order:
        """Plan the next chunk: take its voices, and say what the generator must do."""
        start, is_behind = self._start(now)
        end = start + self.frames_per_chunk
        for seat in self._listening:
            self.timeline.be_silent_until(seat, end)
        self.timeline.extend(end, self.look_ahead)
        first = start * SAMPLES_PER_FRAME
        stop = end * SAMPLES_PER_FRAME + self.look_ahead
        heard = self.timeline.hear(first, stop)
        voiced = frozenset(n for n, voice in enumerate(heard) if abs(voice).max() > AUDIBLE)
        order = Order(
            start=start,
            feed=heard if not self._has_heard else heard[:, self.look_ahead :],
            hushed=frozenset(self._hushed),
            voiced=voiced,
            steps=self.rung.steps,
            at=now,
            is_behind=is_behind,
        )
        self._has_heard = True
        self._made_to = end
        self._is_void = False
        self._hushed.clear()
        self.order = order
        return order

    def _start(self, now: float) -> tuple[int, bool]:
        """Choose the first frame of the next chunk, and say whether frames are given up for it."""
        wanted = max(self._made_to, self.timeline.first)
        if self._anchor is None:
            return wanted, False
        gap = 0 if self._is_replanned else round(self.rung.gap_share * self.frames_per_chunk)
        ready = now + self.lead.seconds
        start = wanted + gap
        if self._anchor + start / FPS < ready - LATE_START_S:
            start = math.ceil((ready - self._anchor) * FPS - 1e-6)
        given_up = start - wanted
        if self._is_replanned:
            return start, False
        self.dropped.behind += given_up
        return start, given_up > gap

    def deliver(self, chunk: ChunkLike, now: float) -> int:
        """Take the chunk that was ordered; return how many of its frames are shown.

        Frames that were due before are dropped; when all were, the last one is shown all the same:
        a late picture is better than none.
        """
        order, self.order = self.order, None
        if order is None:
            raise RuntimeError("nothing was ordered")
        self.chunks += 1
        took = now - order.at
        self.lead = self.lead.observe(took)
        if self._is_void:
            self.dropped.cleared += len(chunk.frames)
            return 0
        self._is_replanned = False
        self._listening.clear()
        late = min(max(self.timeline.first - order.start, 0), len(chunk.frames))
        self.dropped.late += late
        for index in range(late, len(chunk.frames)):
            self.pictures.put(order.start + index, chunk.frames[index], order.voiced)
        if late == len(chunk.frames):
            self.pictures.put(self.timeline.first, chunk.frames[-1], order.voiced)
        self.ladder = observe(
            self.ladder,
            is_late=late > 0 or order.is_behind,
            load=took / self.lead.chunk_s,
            last_rung=len(self.rungs) - 1,
        )
        return len(chunk.frames) - late

    def leave(self, now: float) -> Departure | None:
        """Let the next frame go if it is due."""
        due = self.due(self.timeline.first)
        if due is None or due > now:
            return None
        if now - due > MOST_STALL_S:
            self.run(now)
        number = self.timeline.first
        picture = self.pictures.take(number)
        if picture is not None and number % self.rung.picture_every:
            self.dropped.half_rate += 1
            picture = None
        sound = self.timeline.leave()
        return Departure(number, picture, sound.voices, sound.blocks)

    def clear(self, seat: int) -> int:
        """Interrupt a seat: its sound goes at once, and every picture in which it speaks.

        The next chunk that is shown listens: what the seat says from now on waits for it. So a seat
        that is cleared again and again costs one chunk, not every one.

        Returns the samples that nobody will hear.
        """
        unheard = self.timeline.hush(seat)
        self.timeline.be_silent_until(seat, self.timeline.end)
        self._hushed.add(seat)
        self._listening.add(seat)
        has_shown = self.pictures.shows(seat)
        if has_shown:
            self.dropped.cleared += self.pictures.clear()
        is_speaking = self.order is not None and seat in self.order.voiced and not self._is_void
        if is_speaking:
            self._is_void = True
        if is_speaking or (has_shown and self.order is None):
            self._made_to = self.timeline.first
            self._is_replanned = True
        return unheard
