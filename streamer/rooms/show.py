"""What leaves a room: each picture encoded once a codec, each mix made once, for all who watch."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np

from streamer.media.mixing import Mix
from streamer.media.types import Frame, Samples
from streamer.rooms.measures import Measures, add
from streamer.rooms.production import Departure
from streamer.rooms.viewer import Codec, EncodedPicture, Sound, Viewer
from streamer.rooms.worker import Worker

LEAST_BITRATE = 150_000
SLOW_SHARE = 0.25  # of the viewers may be slower than what the room sends
MOST_RECORDED = 250  # frames that wait to be written, 10 s


class PictureEncoder(Protocol):
    """One codec of one room; blocks, used from one thread at a time."""

    def encode(self, picture_rgb: Frame, frame: int, *, is_key: bool) -> Sequence[EncodedPicture]:
        """Encode [H, W, 3]; a key frame may come later than it was asked for."""
        ...

    def set_bitrate(self, bits_per_second: int) -> None: ...

    def close(self) -> None: ...


class Recorder(Protocol):
    """Writes what a viewer saw; blocks, used from one thread at a time."""

    def write(self, picture: Frame | None, sound: Samples) -> None:
        """Append 40 ms: a picture or None to hold the last one, and 48 kHz mono samples [1920]."""
        ...

    def finish(self) -> None: ...


class Encoding(NamedTuple):
    """What an encoder is made for."""

    codec: Codec
    width: int
    height: int
    bitrate: int


EncoderMaker: TypeAlias = Callable[[Encoding], PictureEncoder]


def room_bitrate(reports: Sequence[int], most: int) -> int:
    """Choose one bitrate for viewers with different connections: a few slow ones may lose out."""
    if not reports:
        return most
    ranked = sorted(reports)
    chosen = ranked[math.floor(SLOW_SHARE * (len(ranked) - 1))]
    return min(max(chosen, LEAST_BITRATE), most)


class Show:
    """Owned by a room; on the event loop, encoding on its worker."""

    def __init__(
        self,
        encoding: tuple[int, int, int],
        make_encoder: EncoderMaker,
        worker: Worker,
        measures: Measures,
        now: Callable[[], float],
    ) -> None:
        self._width, self._height, self._bitrate = encoding
        self._make_encoder = make_encoder
        self._worker = worker
        self._measures = measures
        self._now = now
        self.viewers: list[Viewer] = []
        self.picture: Frame | None = None  # the last that left
        self._mixes: dict[int | None, Mix] = {}
        self._encoders: dict[Codec, PictureEncoder] = {}
        self._keys_wanted: set[Codec] = set()
        self._next: tuple[int, Frame, float] | None = None
        self._has_next = asyncio.Event()
        self.recorder: Recorder | None = None
        self._recorded: deque[tuple[Frame | None, Samples]] = deque()
        self._has_recorded = asyncio.Event()
        self.has_lost_recording = False

    def want_key(self, viewer: Viewer) -> None:
        self._keys_wanted.add(viewer.codec)

    def send(self, departure: Departure) -> None:
        """Queue one frame for everybody; never waits.

        Full policies: a picture that is still waiting to be encoded gives way to the next one; a
        recording that falls 10 s behind loses frames, see `has_lost_recording`.
        """
        if departure.picture is not None:
            self.picture = departure.picture
        self._send_sound(departure)
        is_new = departure.picture is not None
        if self.viewers and self.picture is not None and (is_new or self._keys_wanted):
            if self._next is not None and is_new:
                add(self._measures.frames_dropped, "encoder_busy")
            self._next = (departure.number, self.picture, self._now())
            self._has_next.set()

    def _send_sound(self, departure: Departure) -> None:
        wanted: set[int | None] = {viewer.own_seat for viewer in self.viewers}
        if self.recorder is not None:
            wanted.add(None)
        mixed = {own: self._mix(own).process(departure.voices) for own in wanted}
        sounds = {
            own: Sound((samples * 32767).astype(np.int16), departure.number)
            for own, samples in mixed.items()
        }
        for viewer in self.viewers:
            viewer.offer_sound(sounds[viewer.own_seat])
        if self.recorder is not None:
            self._queue_recording(departure, mixed[None])

    def _queue_recording(self, departure: Departure, sound: Samples) -> None:
        if len(self._recorded) < MOST_RECORDED:
            self._recorded.append((departure.picture, sound))
        else:
            self.has_lost_recording = True
            add(self._measures.frames_dropped, "recording_busy")
        self._has_recorded.set()

    def _mix(self, own_seat: int | None) -> Mix:
        if own_seat not in self._mixes:
            self._mixes[own_seat] = Mix(() if own_seat is None else (own_seat,))
        return self._mixes[own_seat]

    async def encode(self) -> None:
        """Encode what is sent, until cancelled."""
        while True:
            self._has_next.clear()
            if self._next is None:
                await self._has_next.wait()  # ended by send()
                continue
            (number, picture, sent), self._next = self._next, None
            for codec in sorted({viewer.codec for viewer in self.viewers}):
                await self._encode(codec, number, picture)
            self._measures.skew_s.observe(self._now() - sent)

    async def _encode(self, codec: Codec, number: int, picture: Frame) -> None:
        encoder = self._encoders.get(codec)
        if encoder is None:
            encoding = Encoding(codec, self._width, self._height, self._bitrate)
            encoder = await self._worker.run(lambda: self._make_encoder(encoding))
            self._encoders[codec] = encoder
        is_key = codec in self._keys_wanted
        made = await self._worker.run(lambda: encoder.encode(picture, number, is_key=is_key))
        for encoded in made:
            if encoded.is_key:
                self._keys_wanted.discard(codec)
            for viewer in self.viewers:
                if viewer.codec == codec:
                    viewer.offer_picture(encoded)

    async def follow_bitrate(self) -> None:
        """Set each encoder to what its viewers can take."""
        for codec, encoder in tuple(self._encoders.items()):
            reports = [v.bitrate for v in self.viewers if v.codec == codec and v.bitrate]
            wanted = room_bitrate(reports, self._bitrate)
            await self._worker.run(partial(encoder.set_bitrate, wanted))

    async def record(self, worker: Worker) -> None:
        """Write what is sent, until cancelled."""
        while True:
            self._has_recorded.clear()
            if not self._recorded:
                await self._has_recorded.wait()  # ended by send()
                continue
            await self._write(worker)

    async def _write(self, worker: Worker) -> None:
        recorder, waiting = self.recorder, tuple(self._recorded)
        self._recorded.clear()
        if recorder is not None:
            await worker.run(partial(_write_all, recorder, waiting))

    async def finish_recording(self, worker: Worker) -> None:
        """Write what waits and end the file."""
        recorder = self.recorder
        if recorder is not None:
            await self._write(worker)
            self.recorder = None
            await worker.run(recorder.finish)

    def end(self, reason: str) -> None:
        """Let every viewer go."""
        for viewer in tuple(self.viewers):
            viewer.end(reason)
        self.viewers.clear()

    async def close(self) -> None:
        """Free the encoders."""
        for encoder in self._encoders.values():
            await self._worker.run(encoder.close)
        self._encoders.clear()
        self._worker.close()


def _write_all(recorder: Recorder, waiting: Sequence[tuple[Frame | None, Samples]]) -> None:
    for picture, sound in waiting:
        recorder.write(picture, sound)
