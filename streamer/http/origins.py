"""Which web pages may use the server: CORS for pages that may, 403 for pages that may not.

A page of another origin that nobody listed can neither change anything (checked here, before any
route) nor read an answer (no CORS header), nor open a websocket, which CORS does not guard.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamer.http.problem import Code, Problem
from streamer.http.refusals import refuse

METHODS = "GET, HEAD, POST, PATCH, DELETE, OPTIONS"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# `ETag` too: @eyevinn/whip-web-client sends it where the RFC has If-Match.
ALLOWED_HEADERS = "Authorization, Content-Type, If-Match, If-None-Match, ETag"
EXPOSED_HEADERS = "Location, ETag, Link, Retry-After, Accept-Post, Accept-Patch"
PREFLIGHT_SECONDS = "600"
SDP = "application/sdp"
DEFAULT_PORTS = {"http": 80, "https": 443}


class OriginRules:
    """Decides by the Origin header.

    Args:
        allowed: origins besides the server's own; `*` for all.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = {_normal(origin) for origin in allowed}

    def allows(self, origin: str, host: str) -> bool:
        """Say whether a page from `origin` may use the server that it calls `host`."""
        if "*" in self._allowed or _normal(origin) in self._allowed:
            return True
        return bool(host) and _normal(origin) in {_normal(f"{s}://{host}") for s in DEFAULT_PORTS}


def _normal(origin: str) -> str:
    """Bring an origin to one form, without the port that its scheme implies."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return origin
    if parts.hostname is None:
        return origin
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    scheme = parts.scheme.lower()
    shown = "" if port in (None, DEFAULT_PORTS.get(scheme)) else f":{port}"
    return f"{scheme}://{host}{shown}"


class OriginMiddleware:
    """Checks origins, answers preflights, and adds CORS headers to every answer, errors too."""

    def __init__(self, app: ASGIApp, rules: OriginRules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin is None:
            await self._app(scope, receive, send)
        elif self._rules.allows(origin, headers.get("host", "")):
            await self._serve(origin, headers, scope, receive, send)
        elif scope["type"] == "http" and scope["method"] in SAFE_METHODS:
            await self._app(scope, receive, send)
        else:
            detail = f"pages from {origin[:200]} may not use this server; see browser.origins"
            await refuse(Problem(Code.ORIGIN_REFUSED, detail), scope, receive, send)

    async def _serve(
        self, origin: str, headers: Headers, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return

        async def send_with_cors(message: Message) -> None:
            if message["type"] == "http.response.start":
                shown = MutableHeaders(scope=message)
                shown["Access-Control-Allow-Origin"] = origin
                shown["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
                shown.add_vary_header("Origin")
            await send(message)

        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await _preflight(scope["path"])(scope, receive, send_with_cors)
        else:
            await self._app(scope, receive, send_with_cors)


def _preflight(path: str) -> Response:
    headers = {
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": ALLOWED_HEADERS,
        "Access-Control-Max-Age": PREFLIGHT_SECONDS,
    }
    if path.endswith(("/whip", "/whep")):
        headers["Accept-Post"] = SDP
    return Response(status_code=204, headers=headers)
