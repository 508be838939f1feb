"""What every stranger meets first: the right Host, not too often, not too much, not too slowly."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamer.http.buckets import BucketTable
from streamer.http.identifiers import address_key, is_loopback
from streamer.http.problem import Code, Problem
from streamer.http.refusals import refuse

logger = logging.getLogger(__name__)
SOCKET = "SOCKET"  # stands for a method in the table of rates


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """How many bytes a request may have, and how long they may take."""

    sdp_bytes: int
    json_bytes: int
    picture_bytes: int
    seconds: float

    def most_bytes(self, path: str) -> int:
        """Give the limit for a path."""
        if path.rstrip("/") == "/scenes":
            return self.picture_bytes
        if "/whip" in path or "/whep" in path:
            return self.sdp_bytes
        return self.json_bytes


class HostRules:
    """Decides by the Host header, against DNS rebinding.

    Args:
        names: that are right, without ports. Empty: any, or loopback names.
        is_open: whether anybody may come in without a token.
    """

    def __init__(self, names: tuple[str, ...], *, is_open: bool) -> None:
        self._names = {name.lower() for name in names}
        self._is_loopback_needed = is_open and not names

    def allows(self, host: str) -> bool:
        name = host.lower() if host.endswith("]") else host.lower().rpartition(":")[0] or host
        if self._names:
            return name in self._names
        return not self._is_loopback_needed or is_loopback(name)


def address_of(scope: Scope) -> str:
    """Give what counts as one stranger."""
    client = scope.get("client")
    return address_key(client[0]) if client else ""


class GateMiddleware:
    """Refuses before any route runs. See docs/protocol.md, Limits."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: HostRules,
        rates: Mapping[str, BucketTable],
        bodies: BodyLimits,
        count_refusal: Callable[[Code], None],
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._rates = rates
        self._bodies = bodies
        self._count_refusal = count_refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        problem = self._refusal(scope)
        if problem is not None:
            self._count_refusal(problem.code)
            await refuse(problem, scope, receive, send)
        elif scope["type"] == "http":
            limited = _LimitedBody(receive, self._bodies, scope["path"])
            await self._app(scope, limited, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Problem | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._hosts.allows(host):
            return Problem(Code.WRONG_HOST, f"this server is not {host[:200]!r}; see server.hosts")
        rates = self._rates.get(SOCKET if scope["type"] == "websocket" else scope["method"])
        wait = rates.take(address_of(scope)) if rates is not None else 0.0
        if wait > 0:
            detail = f"this address asks too often; wait {wait:.1f} s"
            return Problem(Code.TOO_MANY_REQUESTS, detail, retry_after=wait)
        length = headers.get("content-length", "0")
        most = self._bodies.most_bytes(scope["path"])
        if scope["type"] == "http" and length.isdecimal() and int(length) > most:
            return _too_large(most)
        return None


class _LimitedBody:
    """A `receive` that counts bytes and seconds, also of bodies that do not say their length."""

    def __init__(self, receive: Receive, limits: BodyLimits, path: str) -> None:
        self._receive = receive
        self._most_bytes = limits.most_bytes(path)
        self._seconds = limits.seconds
        self._deadline: float | None = None
        self._bytes = 0
        self._is_whole = False

    async def __call__(self) -> Message:
        if self._is_whole:  # waiting for the client to hang up may take as long as it likes
            return await self._receive()
        now = asyncio.get_running_loop().time()
        if self._deadline is None:
            self._deadline = now + self._seconds
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as error:
            detail = f"the body took longer than {self._seconds:g} s"
            raise Problem(Code.TOO_SLOW, detail, headers={"Connection": "close"}) from error
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._most_bytes:
            raise _too_large(self._most_bytes)
        self._is_whole = not message.get("more_body", False)
        return message


def _too_large(most: int) -> Problem:
    detail = f"at most {most} bytes are taken here; send less"
    return Problem(Code.TOO_LARGE, detail, headers={"Connection": "close"})
