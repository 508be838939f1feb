"""Counts and logs every request, and turns what nobody caught into one answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import NamedTuple

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamer.http.problem import Code, Problem, answer

logger = logging.getLogger(__name__)
HUNG_UP = 499  # what nginx counts such requests as; never sent


class Seen(NamedTuple):
    """One request, answered."""

    method: str
    route: str  # with names in place of identifiers, so that there are few
    status: int
    seconds: float


class ObservingMiddleware:
    """The outermost of ours. A bug below it becomes a 500 that tells the client nothing more."""

    def __init__(self, app: ASGIApp, report: Callable[[Seen], None]) -> None:
        self._app = app
        self._report = report

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except ClientDisconnect:
            status = HUNG_UP  # in the middle of its body: nobody is left to be told
        except Exception:  # a bug: no other request may suffer from it
            logger.exception("%s %s failed", scope["method"], scope["path"])
            if status:  # too late to say it
                raise
            detail = "this is a bug of the server; its log says more"
            await answer(Problem(Code.INTERNAL, detail))(scope, receive, watch)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            self._report(Seen(scope["method"], route, status, time.monotonic() - began))
