"""The loops of one room: order chunks in time, let frames leave in time, look at the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Protocol

from streamer.rooms.events import EventKind, Plain
from streamer.rooms.lane import Lane
from streamer.rooms.lifetime import Lifetime, judge
from streamer.rooms.maker import Maker
from streamer.rooms.measures import Measures, add
from streamer.rooms.production import Departure, Production
from streamer.rooms.seat import Seat
from streamer.rooms.settings import RoomSettings
from streamer.rooms.show import EncoderMaker, Show
from streamer.rooms.worker import Worker

WATCH_EVERY_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the registry gives to every room alike."""

    settings: RoomSettings
    lane: Lane
    measures: Measures
    make_encoder: EncoderMaker
    make_worker: Callable[[str], Worker]
    now: Callable[[], float]


class Host(Protocol):
    """What the loops need of their room."""

    def tell(
        self, kind: EventKind, data: Mapping[str, Plain] | None = None, *, seat: int | None = None
    ) -> None: ...

    def close(self, reason: str) -> None:
        """Begin to end."""
        ...


class Serving:
    """Owned by a room; every method on the event loop."""

    def __init__(
        self, host: Host, around: Surroundings, production: Production, maker: Maker, show: Show
    ) -> None:
        self.production = production
        self.load = 0.0  # of the last chunk: time to make it over its length
        self.seats: tuple[Seat, ...] = ()
        self._host = host
        self._around = around
        self._maker = maker
        self._show = show
        self._lifetime = Lifetime(opened=around.now())
        self._told_s = around.now()
        self._counted: dict[str, int] = {}
        self._plan_changed = asyncio.Event()  # the producer looks again
        self._audience_changed = asyncio.Event()  # somebody came or left

    def plan_changed(self) -> None:
        """Somebody was interrupted, or the clock has started: the next order may be due."""
        self._plan_changed.set()

    def audience_changed(self) -> None:
        """A viewer came or left."""
        self._audience_changed.set()

    async def produce(self) -> None:
        """Order chunks in time; the first at once, so that whoever comes sees something."""
        await self._make_chunk()
        self._host.tell(EventKind.READY, {"people": len(self.seats)})
        self.audience_changed()
        while True:
            self._plan_changed.clear()
            due = self.production.order_due()
            wait = None if due is None else due - self._around.now()
            if wait is not None and wait <= 0:
                await self._make_chunk()
                continue
            try:
                async with asyncio.timeout(wait):
                    await self._plan_changed.wait()  # without a wait: ended by plan_changed()
            except TimeoutError:
                continue

    async def _make_chunk(self) -> None:
        production, rung, now = self.production, self.production.rung, self._around.now
        order = production.next_order(now())
        due = production.due(order.start)
        chunk = await self._maker.make(order, now() if due is None else due)
        production.deliver(chunk, now())
        if self._show.picture is None:
            self._show.picture = chunk.frames[0]
        self.load = (now() - order.at) / production.lead.chunk_s
        measures = self._around.measures
        measures.chunks += 1
        add(measures.chunks_by_rung, rung.name)
        measures.real_time_factor.observe(self.load)
        for part, milliseconds in chunk.parts_ms.items():
            seconds = measures.part_seconds.get(part, 0.0)
            measures.part_seconds[part] = seconds + milliseconds / 1000
        if production.rung is not rung:
            self._host.tell(EventKind.RUNG_CHANGED, {"rung": production.rung.name})

    @property
    def is_watched(self) -> bool:
        """Whether anybody would miss what is made; a recording of taken seats counts."""
        return bool(self._show.viewers) or (self._show.recorder is not None and self._has_seats)

    @property
    def _has_seats(self) -> bool:
        return any(seat.input is not None for seat in self.seats)

    async def send(self) -> None:
        """Let frames leave when they are due, while somebody watches."""
        production, now = self.production, self._around.now
        while True:
            self._audience_changed.clear()
            if not (self.is_watched and production.chunks):
                production.stand()
                await self._audience_changed.wait()  # ended by viewers, the first chunk, `watch`
                continue
            if not production.is_running:
                production.run(now())
                self._plan_changed.set()
            departure = production.leave(now())
            if departure is None:
                due = production.due(production.timeline.first)
                await asyncio.sleep(max(0.0, (due or 0.0) - now()))
                continue
            self._let_go(departure)

    def _let_go(self, departure: Departure) -> None:
        self._show.send(departure)
        self._around.measures.frames_sent += departure.picture is not None
        for seat, blocks in zip(self.seats, departure.blocks, strict=True):
            if blocks:
                seat.frame_left(blocks)

    async def watch(self) -> None:
        """Look at the clock: lost publishers, idle and too long rooms, metrics."""
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            now = self._around.now()
            for seat in self.seats:
                lost = seat.lost_at
                if lost is not None and now - lost >= self._around.settings.grace_s:
                    seat.leave("lost")
            self._judge(now)
            self.audience_changed()
            if now - self._told_s >= self._around.settings.metrics_every_s:
                self._told_s = now
                await self._report()

    def _judge(self, now: float) -> None:
        is_idle = not self._show.viewers and not self._has_seats
        verdict = judge(self._lifetime, now, is_idle=is_idle, settings=self._around.settings)
        self._lifetime = verdict.state
        if verdict.end is not None:
            self._host.close(verdict.end)
        elif verdict.warning is not None:
            left = round(verdict.seconds_left, 1)
            data: dict[str, Plain] = {"reason": verdict.warning, "seconds_left": left}
            self._host.tell(EventKind.WARNING, data)

    async def _report(self) -> None:
        """Count what was dropped, follow the viewers' connections, and tell the metrics."""
        await self._show.follow_bitrate()
        self.count_drops()
        if self._show.has_lost_recording:
            self._show.has_lost_recording = False
            data = {"code": "recording_failed", "message": "the recording could not keep up"}
            self._host.tell(EventKind.ERROR, data)
        if self.production.is_running:
            self._host.tell(EventKind.METRICS, self.metrics())

    def metrics(self) -> dict[str, Plain]:
        """Say how the room does."""
        production = self.production
        return {
            "load": round(self.load, 3),
            "lead_ms": round(production.lead.seconds * 1000),
            "rung": production.rung.name,
            "frames": production.timeline.first,
            "ready_frames": len(production.pictures),
            "dropped_frames": production.dropped.total(),
            "viewers": len(self._show.viewers),
        }

    def count_drops(self) -> None:
        """Add what was dropped since the last call to the server's measures."""
        measures = self._around.measures
        lines = self.production.timeline.lines
        now = {**asdict(self.production.dropped), "live": sum(line.dropped for line in lines)}
        for reason, count in now.items():
            new = count - self._counted.get(reason, 0)
            if reason == "live":
                measures.live_samples_dropped += new
            else:
                add(measures.frames_dropped, reason, new)
        self._counted = now
