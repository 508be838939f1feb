"""A room: seats that speak, one scene that answers, viewers who watch it.

    seats -> timeline -> orders -> lane (generator) -> pictures -> departures -> viewers, recording

Everything here is on the event loop; the generator, the encoders and the recording have threads of
their own, none of which the loop waits for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from enum import StrEnum

from streamer.errors import Ended, NotFound, SessionLimit
from streamer.media.badge import Badge
from streamer.media.encoding import default_bitrate
from streamer.media.types import SAMPLE_RATE, Frame
from streamer.rooms.events import EventHub, EventKind, Plain
from streamer.rooms.ladder import rungs
from streamer.rooms.lead import Lead
from streamer.rooms.maker import Maker
from streamer.rooms.measures import add
from streamer.rooms.opening import Opened, RoomSpec
from streamer.rooms.production import Production
from streamer.rooms.room_info import RoomInfo, SeatInfo
from streamer.rooms.seat import Seat, SeatInput, SeatKind
from streamer.rooms.serving import Serving, Surroundings
from streamer.rooms.show import Recorder, Show
from streamer.rooms.timeline import Timeline
from streamer.rooms.viewer import Codec, Viewer

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 5.0
FINISH_S = 5.0  # for a recording to be written to its end


class RoomState(StrEnum):
    """In this order; idle and live alternate."""

    IDLE = "idle"  # open, and nobody watches: nothing is generated
    LIVE = "live"
    CLOSING = "closing"
    ENDED = "ended"


class Room:
    """Made by the registry, which also runs it. Other rooms never notice what happens in it."""

    def __init__(
        self,
        room_id: str,
        spec: RoomSpec,
        opened: Opened,
        around: Surroundings,
        recorder: Recorder | None = None,
    ) -> None:
        generator = opened.generator
        self.id = room_id
        self.spec = spec
        self.people = generator.people
        self.width, self.height = generator.width, generator.height
        self.measures = around.measures
        self.most_queued_s = around.settings.most_queued_s
        self.events = EventHub()
        self.now = around.now
        self.opened_at = around.now()
        self.end_reason: str | None = None
        self._around = around
        badge = Badge(self.width, self.height) if spec.has_badge else None
        self._maker = Maker(opened, around.lane, around.now, badge)
        timeline = Timeline(self.people)
        production = Production(
            timeline=timeline,
            frames_per_chunk=generator.frames_per_chunk,
            look_ahead=generator.look_ahead_samples,
            rungs=rungs(opened.step_counts),
            lead=Lead(chunk_s=generator.chunk_samples / SAMPLE_RATE),
        )
        names = spec.people_names or opened.people_names
        self.seats = tuple(
            Seat(n, names[n] if n < len(names) else f"person {n + 1}", timeline.lines[n], self)
            for n in range(self.people)
        )
        encode, self._record_worker = around.make_worker("encode"), around.make_worker("record")
        bitrate = around.settings.bitrate or default_bitrate(self.width, self.height)
        encoding = (self.width, self.height, bitrate)
        self._show = Show(encoding, around.make_encoder, encode, around.measures, around.now)
        self._show.recorder = recorder
        self._serving = Serving(self, around, production, self._maker, self._show)
        self._serving.seats = self.seats
        self._is_recorded = recorder is not None
        self._viewer_count = 0
        self._has_ended = asyncio.Event()
        self._is_over = asyncio.Event()

    # What others may ask.

    @property
    def state(self) -> RoomState:
        if self._is_over.is_set():
            return RoomState.ENDED
        if self.end_reason is not None:
            return RoomState.CLOSING
        return RoomState.LIVE if self._serving.production.is_running else RoomState.IDLE

    @property
    def viewers(self) -> int:
        return len(self._show.viewers)

    def thumbnail(self) -> Frame | None:
        """Give the last picture that left, or the first that was made; None before. Read only."""
        return self._show.picture

    def info(self) -> RoomInfo:
        production = self._serving.production
        return RoomInfo(
            id=self.id,
            scene=self.spec.scene,
            state=self.state.value,
            age_s=self.now() - self.opened_at,
            width=self.width,
            height=self.height,
            viewers=self.viewers,
            seats=tuple(_seat_info(seat) for seat in self.seats),
            rung=production.rung.name,
            lead_ms=round(production.lead.seconds * 1000),
            chunk_ms=round(production.lead.chunk_s * 1000),
            look_ahead_ms=production.look_ahead * 1000 // SAMPLE_RATE,
            load=round(self._serving.load, 3),
            chunks=production.chunks,
            frames=production.timeline.first,
            ready_frames=len(production.pictures),
            dropped_frames=production.dropped.total(),
            is_recorded=self._is_recorded,
            has_badge=self.spec.has_badge,
        )

    def publish(
        self,
        seat: int,
        *,
        kind: SeatKind,
        holder: str | None = None,
        is_yielding: bool = False,
    ) -> SeatInput:
        """Take a seat, or take it back: a holder's new connection replaces the old one.

        Args:
            seat: its number, from left to right.
            kind: "live" for a microphone, "bot" for speech that comes faster than real time.
            holder: who they are; without a name nobody can come back to the seat.
            is_yielding: whether anybody else may take the seat from them.

        Raises:
            NotFound: when there is no such seat.
            SeatTaken: when another holder has it.
            Ended: when the room has ended.
        """
        self._check_open()
        return self._seat(seat).publish(kind, holder, is_yielding=is_yielding)

    def say(self, seat: int, pcm16: bytes, rate: int) -> None:
        """Speak from a seat that somebody has; see `SeatInput.say`."""
        self._input(seat).say(pcm16, rate)

    def segment_end(self, seat: int) -> None:
        self._input(seat).segment_end()

    def clear(self, seat: int) -> int:
        """Interrupt a seat; see `SeatInput.clear`."""
        return self._input(seat).clear()

    def add_viewer(self, *, own_seat: int | None = None, codec: Codec = "vp8") -> Viewer:
        """Let somebody watch.

        Args:
            own_seat: a seat whose voice they do not hear, because it is theirs.
            codec: of the pictures.

        Raises:
            NotFound: when there is no such seat.
            SessionLimit: when too many watch.
            Ended: when the room has ended.
        """
        self._check_open()
        if own_seat is not None:
            self._seat(own_seat)
        if self.viewers >= self._around.settings.most_viewers:
            self.measures.viewers_refused += 1
            raise SessionLimit("viewers", self._around.settings.most_viewers, RETRY_AFTER_S)
        viewer = Viewer(
            self._viewer_count,
            own_seat,
            codec,
            ask=self._show.want_key,
            leave=self.remove_viewer,
        )
        self._viewer_count += 1
        self.measures.viewers_joined += 1
        self._show.viewers.append(viewer)
        self._show.want_key(viewer)
        self._serving.audience_changed()
        self.tell(EventKind.VIEWER_JOINED, {"viewer": viewer.number, "viewers": self.viewers})
        return viewer

    def remove_viewer(self, viewer: Viewer) -> None:
        """Let a viewer go; does nothing a second time."""
        if viewer not in self._show.viewers:
            return
        self._show.viewers.remove(viewer)
        viewer.end("left")
        add(self.measures.viewer_drops, "pictures", viewer.drops.pictures)
        add(self.measures.viewer_drops, "sounds", viewer.drops.sounds)
        self._serving.audience_changed()
        self.tell(EventKind.VIEWER_LEFT, {"viewer": viewer.number, "viewers": self.viewers})

    async def set_prompt(self, prompt: str) -> None:
        """Follow another prompt from the next chunk on.

        Raises:
            InvalidInput: when it is empty, too long, or refused by the generator.
            Ended: when the room has ended.
        """
        self._check_open()
        await self._maker.set_prompt(prompt)
        self.tell(EventKind.PROMPT_CHANGED, {"prompt": prompt})

    async def end(self, reason: str) -> None:
        """Say goodbye, and wait until everything is freed. The first reason counts."""
        self.close(reason)
        await self._is_over.wait()  # ended by run()

    def close(self, reason: str) -> None:
        """Begin to end; does nothing a second time."""
        if self.end_reason is None:
            self.end_reason = reason
            self.tell(EventKind.CLOSING, {"reason": reason})
            self._has_ended.set()

    # What seats ask of their room.

    def tell(
        self, kind: EventKind, data: Mapping[str, Plain] | None = None, *, seat: int | None = None
    ) -> None:
        """Tell every listener."""
        at_ms = round((self.now() - self.opened_at) * 1000)
        self.events.tell(kind, at_ms, data, seat=seat)

    def interrupt(self, seat: int) -> int:
        """Drop a seat's sound and its pictures; see `Production.clear`."""
        unheard = self._serving.production.clear(seat)
        self._serving.plan_changed()
        return unheard

    # What the registry runs.

    async def run(self) -> None:
        """Serve until the end, and free everything on every way out.

        Whatever fails here ends this room, with an `error` and an `ended` event, and nothing else.
        """
        serving, show = self._serving, self._show
        loops = {
            "produce": serving.produce(),
            "send": serving.send(),
            "watch": serving.watch(),
            "encode": show.encode(),
            "record": show.record(self._record_worker),
            "end": self._wait_for_end(),
        }
        tasks = [asyncio.create_task(loop, name=f"{n} {self.id}") for n, loop in loops.items()]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except Exception as error:
            # Broad: whatever a generator, an encoder or this room does must end this room alone.
            logger.exception("room %s failed", self.id)
            self._fail(error)
        finally:
            self.close("stopped")
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)  # each ends with the work it has begun
            await self._free()

    async def _wait_for_end(self) -> None:
        await self._has_ended.wait()  # ended by close()

    def _fail(self, error: Exception) -> None:
        self.measures.generator_failures += 1
        self.tell(
            EventKind.ERROR,
            {"code": "room_failed", "message": f"the room failed ({type(error).__name__})"},
        )
        self.close("failed")

    async def _free(self) -> None:
        for seat in self.seats:
            seat.leave("room ended")
        self._show.end(self.end_reason or "")
        try:
            async with asyncio.timeout(FINISH_S):
                await self._show.finish_recording(self._record_worker)
        except Exception:
            # Broad: a full disk or a broken file must not keep the rest from being freed.
            logger.exception("the recording of room %s is not complete", self.id)
            data = {"code": "recording_failed", "message": "the recording is not complete"}
            self.tell(EventKind.ERROR, data)
        self._record_worker.close()
        try:
            await self._show.close()
            await self._maker.close()
        except Exception:
            # Broad: a generator that failed may fail again, whatever it raises.
            logger.exception("room %s did not close cleanly", self.id)
        self._serving.count_drops()
        add(self.measures.rooms_ended, self.end_reason or "stopped")
        logger.info(
            "room %s ended: %s, %d frames, dropped %s",
            self.id,
            self.end_reason,
            self._serving.production.timeline.first,
            self._serving.production.dropped,
        )
        self.tell(EventKind.ENDED, {"reason": self.end_reason})
        self._is_over.set()

    def _check_open(self) -> None:
        if self.end_reason is not None:
            raise Ended("room", self.end_reason)

    def _seat(self, number: int) -> Seat:
        if not 0 <= number < self.people:
            raise NotFound("seat", number)
        return self.seats[number]

    def _input(self, number: int) -> SeatInput:
        seat_input = self._seat(number).input
        if seat_input is None:
            raise Ended("seat", "nobody has it")
        return seat_input


def _seat_info(seat: Seat) -> SeatInfo:
    return SeatInfo(
        number=seat.number,
        name=seat.name,
        kind=seat.kind,
        is_connected=seat.is_connected,
        is_speaking=seat.is_speaking,
        queued_s=round(seat.queued_s, 3),
    )
