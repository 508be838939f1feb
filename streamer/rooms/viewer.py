"""One who watches: two short queues, and no way to hold up the room."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from streamer.errors import Ended

Codec: TypeAlias = Literal["vp8", "h264"]
Item = TypeVar("Item")
MOST_PICTURES = 25  # 1 s
MOST_SOUNDS = 25


class EncodedPicture(NamedTuple):
    """One picture, encoded once for all viewers of its codec."""

    payload: bytes
    frame: int  # its number in the room: pts in units of 1/25 s
    is_key: bool

    @property
    def pts(self) -> int:
        """At 90 kHz."""
        return self.frame * 3600


class Sound(NamedTuple):
    """What a viewer hears during one frame."""

    samples: NDArray[np.int16]  # [1920], mono at 48 kHz; shared with other viewers, do not write
    frame: int

    @property
    def pts(self) -> int:
        """At 48 kHz."""
        return self.frame * 1920


@dataclass(slots=True)
class Drops:
    """What a viewer was too slow for."""

    pictures: int = 0
    sounds: int = 0


class _Queue(Generic[Item]):
    """Bounded; the viewer decides what a full one drops."""

    def __init__(self) -> None:
        self.items: deque[Item] = deque()
        self._has_changed = asyncio.Event()

    def put(self, item: Item) -> None:
        self.items.append(item)
        self._has_changed.set()

    def wake(self) -> None:
        self._has_changed.set()

    async def get(self, ended: Callable[[], str | None]) -> Item:
        """Wait for an item; ended by the viewer's or the room's end."""
        while not self.items:
            reason = ended()
            if reason is not None:
                raise Ended("viewer", reason)
            self._has_changed.clear()
            await self._has_changed.wait()
        return self.items.popleft()


class Viewer:
    """Made by `Room.add_viewer`; both queues have one reader each.

    Full policy: sounds drop the oldest; pictures are useless without the ones before, so all that
    wait go, and the next that is queued is a key frame, asked for when somebody reads again.
    """

    def __init__(
        self,
        number: int,
        own_seat: int | None,
        codec: Codec,
        *,
        ask: Callable[[Viewer], None],
        leave: Callable[[Viewer], None],
    ) -> None:
        self.number = number
        self.own_seat = own_seat
        self.codec: Codec = codec
        self.bitrate: int | None = None  # what the connection can carry, in bits per second
        self.drops = Drops()
        self._ask = ask
        self._leave = leave
        self._pictures: _Queue[EncodedPicture] = _Queue()
        self._sounds: _Queue[Sound] = _Queue()
        self._needs_key = True
        self._ended: str | None = None

    @property
    def ended(self) -> str | None:
        return self._ended

    @property
    def waiting(self) -> tuple[int, int]:
        """Pictures and sounds that nobody has read."""
        return len(self._pictures.items), len(self._sounds.items)

    async def next_picture(self) -> EncodedPicture:
        """Wait for the next picture; the first one is a key frame.

        Raises:
            Ended: when there will be none.
        """
        if self._needs_key:
            self.ask_for_keyframe()
        return await self._pictures.get(lambda: self._ended)

    async def next_sound(self) -> Sound:
        """Wait for the next 40 ms of sound; without gaps, silence included.

        Raises:
            Ended: when there will be none.
        """
        return await self._sounds.get(lambda: self._ended)

    def ask_for_keyframe(self) -> None:
        """The connection lost a picture; the encoder limits how often it listens."""
        if self._ended is None:
            self._ask(self)

    def report_bitrate(self, bits_per_second: int) -> None:
        """Say what the connection can carry; the room follows its slower viewers."""
        self.bitrate = bits_per_second

    def close(self) -> None:
        """Stop watching; what waits is dropped. Does nothing a second time."""
        if self._ended is None:
            self._leave(self)
        # A connection may hold us for long after its end, and the sound of a mix holds an encoder.
        self._pictures.items.clear()
        self._sounds.items.clear()

    def offer_picture(self, picture: EncodedPicture) -> None:
        """Queue a picture. For the room."""
        if self._ended is not None or (self._needs_key and not picture.is_key):
            return
        if len(self._pictures.items) >= MOST_PICTURES:
            self.drops.pictures += len(self._pictures.items)
            self._pictures.items.clear()
            if not picture.is_key:
                self._needs_key = True
                self.drops.pictures += 1
                return
        self._needs_key = False
        self._pictures.put(picture)

    def offer_sound(self, sound: Sound) -> None:
        """Queue a sound. For the room."""
        if self._ended is not None:
            return
        if len(self._sounds.items) >= MOST_SOUNDS:
            self._sounds.items.popleft()
            self.drops.sounds += 1
        self._sounds.put(sound)

    def end(self, reason: str) -> None:
        """Let the readers go once they have read what waits. For the room."""
        self._ended = self._ended or reason
        self._pictures.wake()
        self._sounds.wake()
