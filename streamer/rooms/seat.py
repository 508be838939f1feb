"""A seat of a room: who has it, what they say, and what of it left."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Mapping
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from streamer.errors import Ended, InvalidInput, QueueFull, SeatTaken
from streamer.media.types import SAMPLE_RATE, Samples
from streamer.rooms.events import EventKind, Plain
from streamer.rooms.measures import Measures
from streamer.rooms.pcm import PcmReader
from streamer.rooms.segments import Block, Segment
from streamer.rooms.voice_line import VoiceLine

SeatKind: TypeAlias = Literal["live", "bot"]
LOUDEST = 8.0  # full scale is 1; more is no voice but a wrong format


class SeatHost(Protocol):
    """What a seat needs of its room."""

    measures: Measures
    most_queued_s: float

    def now(self) -> float: ...

    def tell(
        self, kind: EventKind, data: Mapping[str, Plain] | None = None, *, seat: int | None = None
    ) -> None: ...

    def interrupt(self, seat: int) -> int:
        """Drop a seat's sound and pictures; return the samples that nobody will hear."""
        ...


class Seat:
    """One place in the picture. Owned by its room; on the event loop."""

    def __init__(self, number: int, name: str, line: VoiceLine, host: SeatHost) -> None:
        self.number = number
        self.name = name
        self.kind: SeatKind | None = None
        self.holder: str | None = None
        self._is_yielding = False  # to whoever asks for the seat
        self._can_return = False  # whether the holder has a name that may be given again
        self.is_speaking = False  # a live voice, by voice activity detection
        self.lost_at: float | None = None
        self.input: SeatInput | None = None
        self._line = line
        self._host = host
        self._segments: deque[Segment] = deque()  # not over, in order
        self._reader: PcmReader | None = None  # of the segment that is still open
        self._count = 0
        self._has_changed = asyncio.Event()

    @property
    def is_free(self) -> bool:
        """Whether anybody may take it: nobody has it, or one who yields it."""
        return self.input is None or self._is_yielding

    @property
    def is_connected(self) -> bool:
        return self.input is not None and self.lost_at is None

    @property
    def queued_s(self) -> float:
        """How much waits to be ordered."""
        return self._line.queued / SAMPLE_RATE

    def publish(
        self, kind: SeatKind, holder: str | None, *, is_yielding: bool = False
    ) -> SeatInput:
        """Give the seat to a holder, or give its holder a new connection to it.

        Raises:
            SeatTaken: when somebody else has it, who does not yield it.
        """
        if self.input is not None and self._is_yielding and holder != self.holder:
            self.input.close()
        is_back = self.input is not None
        if is_back and (holder is None or holder != self.holder):
            raise SeatTaken(self.number)
        if self.input is not None:
            self.input.end("replaced")
        if is_back and kind != self.kind:
            self.clear()
        self.kind, self.lost_at, self._is_yielding = kind, None, is_yielding
        self.holder = holder or secrets.token_urlsafe(16)
        self._can_return = holder is not None
        self._line.is_live = kind == "live"
        self.input = SeatInput(self)
        self._host.measures.publishers_joined += 1
        joined = EventKind.SEAT_RESUMED if is_back else EventKind.SEAT_JOINED
        self.tell(joined, {"kind": kind})
        return self.input

    def push(self, samples: NDArray[Any]) -> None:
        if self.kind != "live":
            raise InvalidInput(f"seat {self.number} is a bot's; use say")
        if samples.dtype != np.float32 or samples.ndim != 1:
            got = f"{samples.dtype}{list(samples.shape)}"
            raise InvalidInput(f"a voice is mono float32 [n] with full scale 1, got {got}")
        loudest = float(np.abs(samples).max(initial=0.0))  # NaN where any sample is NaN
        if not loudest <= LOUDEST:
            raise InvalidInput(f"the voice holds samples up to {loudest:g} where full scale is 1")
        if len(samples):
            before = self._line.dropped
            self._line.push(Block(samples.copy(), None, self._host.now()))
            self._host.measures.live_samples_dropped += self._line.dropped - before

    def say(self, data: bytes, rate: int) -> None:
        if self.kind != "bot":
            raise InvalidInput(f"seat {self.number} is a live voice's; use push")
        if self._reader is not None and self._reader.rate != rate:
            raise InvalidInput(
                f"the segment came at {self._reader.rate} Hz and now at {rate}; end it before"
            )
        reader = self._reader or PcmReader(rate)
        limit = self._host.most_queued_s
        if self.queued_s + len(data) / 2 / rate > limit:
            raise QueueFull(self.queued_s, limit)
        if self._reader is None:
            self._reader = reader
            self._segments.append(Segment(self._count))
            self._count += 1
        self._queue(self._segments[-1], reader.read(data))

    def _queue(self, segment: Segment, samples: Samples) -> None:
        if len(samples):
            segment.queued += len(samples)
            self._line.push(Block(samples, segment, None))

    def end_segment(self) -> None:
        if self._reader is None:
            return
        segment = self._segments[-1]
        self._queue(segment, self._reader.finish())
        self._reader = None
        segment.is_ended = True
        if segment.has_all_left:
            self._finish(segment)

    def frame_left(self, blocks: tuple[Block, ...]) -> None:
        """Count what left with one frame, and tell which segments began and ended with it."""
        for block in blocks:
            segment = block.segment
            if block.arrived is not None:
                latency = self._host.now() - block.arrived
                self._host.measures.mic_to_send_s.observe(latency)
            if segment is None or segment.is_over:
                continue
            if not segment.sent:
                self.tell(EventKind.SPEAK_STARTED, {"segment": segment.number})
            segment.sent += len(block.samples)
            if segment.has_all_left:
                self._finish(segment)
        self._has_changed.set()

    def _finish(self, segment: Segment, *, is_interrupted: bool = False) -> None:
        segment.is_over = True
        self._segments.remove(segment)
        self._host.measures.segments_ended += 1
        self._host.measures.segments_interrupted += is_interrupted
        self.tell(
            EventKind.SPEAK_ENDED,
            {
                "segment": segment.number,
                "position_ms": segment.position_ms,
                "interrupted": is_interrupted,
            },
        )

    def clear(self) -> int:
        """Interrupt whatever is said; return the milliseconds that nobody will hear."""
        unheard = self._host.interrupt(self.number) * 1000 // SAMPLE_RATE
        self._host.measures.clears += 1
        self._reader = None
        for segment in tuple(self._segments):
            self._finish(segment, is_interrupted=True)
        self.tell(EventKind.CLEARED, {"dropped_ms": unheard})
        self._has_changed.set()
        return unheard

    def report_voice(self, *, is_speaking: bool) -> None:
        if is_speaking != self.is_speaking:
            self.is_speaking = is_speaking
            self.tell(EventKind.VOICE_STARTED if is_speaking else EventKind.VOICE_STOPPED)

    def lose(self) -> None:
        """The connection is gone; the seat waits for its holder, if that one can be known again."""
        if not self._can_return:
            self.leave("lost")
            return
        self.report_voice(is_speaking=False)
        self.lost_at = self._host.now()
        if self.input is not None:
            self.input.end("connection lost")
        self.tell(EventKind.SEAT_LOST)

    def leave(self, reason: str) -> None:
        """Free the seat; what it was saying is dropped."""
        if self.input is None:
            return
        self.input.end(reason)
        self.report_voice(is_speaking=False)
        self.clear()
        self.input, self.holder, self.kind, self.lost_at = None, None, None, None
        self.tell(EventKind.SEAT_LEFT, {"reason": reason})

    async def room_for(self, seconds: float) -> None:
        """Wait until so much speech fits; ended by frames that leave, `clear` and `end`."""
        limit = self._host.most_queued_s
        if seconds > limit:
            raise QueueFull(self.queued_s, limit)
        current = self.input
        while self.queued_s + seconds > limit:
            self._has_changed.clear()
            await self._has_changed.wait()
            if current is not None:
                current.check()

    def wake(self) -> None:
        """Let go whoever waits for room."""
        self._has_changed.set()

    def tell(self, kind: EventKind, data: Mapping[str, Plain] | None = None) -> None:
        self._host.tell(kind, data, seat=self.number)


class SeatInput:
    """One connection's right to speak from a seat, until it is replaced, lost or closed.

    Every call is quick and on the event loop.
    """

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._ended: str | None = None

    @property
    def seat(self) -> int:
        return self._seat.number

    @property
    def holder(self) -> str:
        """Who has the seat; giving this name again resumes it after a lost connection."""
        return self._seat.holder or ""

    @property
    def ended(self) -> str | None:
        """Why this connection may no longer speak; None while it may."""
        return self._ended

    @property
    def queued_s(self) -> float:
        return self._seat.queued_s

    def check(self) -> None:
        """Raise when this connection may no longer speak.

        Raises:
            Ended: when it was replaced, lost or closed, or the room has ended.
        """
        if self._ended is not None:
            raise Ended("seat", self._ended)

    def push(self, samples: NDArray[Any]) -> None:
        """Give a live voice's samples [n], mono float32 at 16 kHz; they are copied.

        Full policy: the oldest are dropped, so that a voice is never more than 2 s late.

        Raises:
            InvalidInput: when they are not finite, or of another form.
            Ended: see `check`.
        """
        self.check()
        self._seat.push(samples)

    def say(self, pcm16: bytes, rate: int) -> None:
        """Give speech to be spoken after what waits, as fast as it comes; opens a segment.

        Raises:
            QueueFull: when too much waits; nothing was taken. Go on reading, so that a `clear`
                behind it is heard, or wait in `room_for`.
            InvalidInput: when the rate is wrong, or changes within a segment.
            Ended: see `check`.
        """
        self.check()
        self._seat.say(pcm16, rate)

    async def room_for(self, seconds: float) -> None:
        """Wait until so much more speech may be given.

        Raises:
            QueueFull: when so much never fits.
            Ended: when the seat is lost or left meanwhile.
        """
        self.check()
        await self._seat.room_for(seconds)
        self.check()

    def segment_end(self) -> None:
        """End the open segment: its `speak_ended` follows its last sample. Without one: nothing."""
        self.check()
        self._seat.end_segment()

    def clear(self) -> int:
        """Barge in: drop all that waits, and every picture that shows it and has not left.

        Every segment that is not over gets its `speak_ended` with interrupted true now.

        Returns the milliseconds that nobody will hear.
        """
        self.check()
        return self._seat.clear()

    def report_voice(self, *, is_speaking: bool) -> None:
        """Tell the room that voice activity began or stopped; repetitions are ignored."""
        self.check()
        self._seat.report_voice(is_speaking=is_speaking)

    def lost(self) -> None:
        """The connection is gone without a word: keep the seat for its holder for a while.

        Nobody can come back to a seat that was taken without a name: it is free at once.
        """
        if self._ended is None:
            self._seat.lose()

    def close(self) -> None:
        """Leave the seat for good; what it was saying is dropped. Does nothing a second time."""
        if self._ended is None:
            self._seat.leave("left")

    def end(self, reason: str) -> None:
        """Take the right to speak away. For the seat."""
        self._ended = self._ended or reason
        self._seat.wake()
