"""The same session for programs without an event loop: it runs on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterable
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np

from clients.bot.ledger import Segment, Spoken
from clients.bot.pcm import Pcm
from clients.bot.session import BotSession, BotSettings

Result = TypeVar("Result")


class SyncBotSession:
    """One bot at one seat; every call blocks. Use it by `with`.

    The calls may come from several threads: one speaks, another clears.
    """

    def __init__(
        self,
        server: str,
        room: str,
        seat: int,
        *,
        token: str | None = None,
        settings: BotSettings | None = None,
    ) -> None:
        """Note where to go; nothing is opened yet.

        Raises:
            InputError: when the address cannot be used.
        """
        self._session = BotSession(server, room, seat, token=token, settings=settings)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="parley bot")

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._run(self._session.connect())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._run(self._session.close())
        finally:
            self._stop()

    def say(self, speech: Pcm | Iterable[Pcm]) -> Spoken | None:
        """Say one thing and wait until it was spoken or interrupted; None when it was empty.

        Of an iterable, each piece is sent as it comes; it stops when the segment is interrupted.
        """
        if isinstance(speech, bytes | bytearray | memoryview | np.ndarray):
            return self._run(self._session.say(speech))
        segment: Segment | None = None
        self.end_segment()
        for piece in speech:
            if segment is not None and segment.is_over:
                break
            if len(piece):
                segment = self.say_pcm(piece)
        if segment is None:
            return None
        if not segment.is_over:
            self.end_segment()
        return self._run(segment.spoken())

    def say_pcm(self, speech: Pcm) -> Segment:
        """Send speech of the open segment; see `BotSession.say_pcm`."""
        return self._run(self._session.say_pcm(speech))

    def end_segment(self) -> Segment | None:
        """Say that the open segment is complete."""
        return self._run(self._session.end_segment())

    def clear(self) -> int:
        """Barge in; give the milliseconds that nobody hears."""
        return self._run(self._session.clear())

    def set_prompt(self, text: str) -> None:
        """Say what the people do from now on."""
        self._run(self._session.set_prompt(text))

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
