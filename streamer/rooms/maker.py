"""A room's generator behind the lane: carries out orders, checks what comes back."""

from __future__ import annotations

from collections.abc import Callable

from streamer.errors import InvalidInput, StreamerError
from streamer.media.badge import Badge
from streamer.media.types import ChunkLike
from streamer.rooms.lane import Lane
from streamer.rooms.opening import Opened
from streamer.rooms.production import Order

MOST_PROMPT = 2000  # characters
PROMPT_DUE_S = 1.0  # a prompt waits so long behind chunks that are due


class GeneratorError(StreamerError):
    """A generator gave something else than it promised."""


class Maker:
    """Owns the generator: everything that touches it happens in the lane."""

    def __init__(self, opened: Opened, lane: Lane, now: Callable[[], float], badge: Badge | None):
        self._generator = generator = opened.generator
        self._lane = lane
        self._now = now
        self._badge = badge
        self._shape = (generator.frames_per_chunk, generator.height, generator.width, 3)
        self._has_joined = False
        self._is_closed = False

    async def make(self, order: Order, due: float) -> ChunkLike:
        """Make one chunk.

        Raises:
            GeneratorError: when the generator did not keep its form.
            Exception: whatever else the generator raises.
        """
        return await self._lane.run(due, lambda: self._make(order))

    def _make(self, order: Order) -> ChunkLike:
        generator = self._generator
        if not self._has_joined:
            self._has_joined = True
            for seat in range(generator.people):
                generator.join(seat)
        for seat in order.hushed:
            generator.clear(seat)
        for seat, voice in enumerate(order.feed):
            generator.push(seat, voice)
        chunk = generator.make_chunk(order.steps)
        if chunk.frames.shape != self._shape:
            raise GeneratorError(
                f"a chunk has frames {list(chunk.frames.shape)}, wanted {list(self._shape)}"
            )
        if self._badge is not None:
            self._badge.burn(chunk.frames)
        return chunk

    async def set_prompt(self, prompt: str) -> None:
        """Follow another prompt from the next chunk on.

        Raises:
            InvalidInput: when it is empty or too long, or the generator refuses it.
        """
        if not prompt.strip() or len(prompt) > MOST_PROMPT:
            raise InvalidInput(f"a prompt has 1 to {MOST_PROMPT} characters, got {len(prompt)}")
        try:
            await self._lane.run(
                self._now() + PROMPT_DUE_S, lambda: self._generator.set_prompt(prompt)
            )
        except ValueError as error:
            raise InvalidInput(str(error)) from error

    async def close(self) -> None:
        """Free the generator; does nothing a second time."""
        if not self._is_closed:
            self._is_closed = True
            await self._lane.run(self._now(), self._generator.close)
