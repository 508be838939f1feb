"""A limit on how long the head of a request may take: who sends a letter a minute holds nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar, NamedTuple

from uvicorn.protocols.http.h11_impl import H11Protocol


class HeadLimit(NamedTuple):
    """How long a head may take, and who is told of those that take longer."""

    seconds: float
    report: Callable[[], None]


class LimitedHeads(H11Protocol):
    """uvicorn's protocol, for connections that are closed when a head does not arrive in time.

    The time begins with the connection, and later with the first byte of each further head; between
    two requests uvicorn's own keep-alive limit holds.
    """

    limit: ClassVar[HeadLimit]
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(  # type: ignore[override]  # as uvicorn's own is
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        self._look()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _look(self) -> None:
        if not self._wants_head or self.transport.is_closing():
            self._stop()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.limit.seconds, self._hang_up)

    @property
    def _wants_head(self) -> bool:
        """Whether nothing has been asked yet, or the last that was asked is answered."""
        if self.scope is None:
            return True
        # A websocket has a scope of its own, and no cycle of request and response.
        cycle = self.cycle
        return cycle is not None and cycle.scope is self.scope and cycle.response_complete

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _hang_up(self) -> None:
        self._deadline = None
        self.limit.report()
        self.transport.close()


def with_head_limit(seconds: float, report: Callable[[], None]) -> type[LimitedHeads]:
    """Give a protocol with this limit; uvicorn takes a class, and makes it itself."""

    class Limited(LimitedHeads):
        limit = HeadLimit(seconds, report)

    return Limited
