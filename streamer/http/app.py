"""The application: every route, behind every check, with every error in one form."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from engines.errors import EngineError
from streamer.errors import StreamerError
from streamer.http import (
    admin_routes,
    health_routes,
    join_routes,
    recording_routes,
    room_routes,
    scene_routes,
    socket_routes,
    whep_routes,
    whip_routes,
)
from streamer.http.buckets import BucketTable
from streamer.http.client_pages import Folder, installed_pages, page_routes
from streamer.http.gate import BodyLimits, GateMiddleware, HostRules
from streamer.http.loop_lag import LoopLag
from streamer.http.observing import ObservingMiddleware
from streamer.http.origins import OriginMiddleware, OriginRules
from streamer.http.problem import MEDIA_TYPE, answer, from_framework
from streamer.http.services import ElsewhereError, Services
from streamer.http.translation import as_faults, as_problem

ROUTES = (
    whip_routes,
    whep_routes,
    join_routes,
    socket_routes,
    room_routes,
    scene_routes,
    recording_routes,
    health_routes,
    admin_routes,
)
PROBLEM_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"where": {"type": "string"}, "what": {"type": "string"}},
            },
        },
    },
}
ANY_ERROR: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "A problem, RFC 9457.",
        "content": {MEDIA_TYPE: {"schema": PROBLEM_SCHEMA}},
    }
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """Where a server of a cluster differs from one that is alone."""

    routers: tuple[APIRouter, ...] = ()  # asked before all others
    origins: OriginRules | None = None  # None: as the settings say
    pages: Mapping[str, Folder] | None = None  # None: as installed


def build_app(
    services: Services, rates: dict[str, BucketTable], surface: Surface | None = None
) -> FastAPI:
    """Build the application.

    Args:
        services: what its routes work with. The application opens and closes the registry.
        rates: how often one address may ask, by method.
        surface: for a server of a cluster.
    """
    chosen = surface or Surface()

    @asynccontextmanager
    async def live(_: FastAPI) -> AsyncIterator[None]:
        lag = LoopLag(services.meters.lagged)
        measuring = asyncio.create_task(lag.run(), name="loop lag")
        try:
            async with services.registry:
                yield
                await services.calls.close()
        finally:
            measuring.cancel()
            with suppress(asyncio.CancelledError):
                await measuring

    app = FastAPI(
        title="Parley",
        version=version("parley-avatar"),
        description="Avatars that speak live. docs/protocol.md explains how it fits together.",
        lifespan=live,
        docs_url=None,  # these pages load scripts from other hosts
        redoc_url=None,
        responses=ANY_ERROR,
    )
    app.state.services = services
    for router in (*chosen.routers, *(module.router for module in ROUTES)):
        app.include_router(router)
    pages = installed_pages() if chosen.pages is None else chosen.pages
    app.router.routes.extend(page_routes(pages))
    _handle_errors(app)
    _add_checks(app, services, rates, chosen.origins)
    return app


def _handle_errors(app: FastAPI) -> None:
    @app.exception_handler(HTTPException)
    async def on_http_error(_: Request, error: HTTPException) -> JSONResponse:
        return answer(from_framework(error))

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return answer(as_faults(error))

    @app.exception_handler(StreamerError)
    @app.exception_handler(EngineError)
    async def on_our_error(_: Request, error: StreamerError | EngineError) -> JSONResponse:
        return answer(as_problem(error))

    @app.exception_handler(ElsewhereError)
    async def on_elsewhere(request: Request, error: ElsewhereError) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{error.node.rstrip('/')}{request.url.path}{query}", 307)


def _add_checks(
    app: FastAPI, services: Services, rates: dict[str, BucketTable], origins: OriginRules | None
) -> None:
    """Put the checks around the routes; the one added last meets a request first."""
    settings = services.settings
    limits = settings.limits
    app.add_middleware(
        GateMiddleware,
        hosts=HostRules(settings.server.hosts, is_open=not settings.needs_token),
        rates=rates,
        bodies=BodyLimits(
            sdp_bytes=limits.sdp_bytes,
            json_bytes=limits.json_bytes,
            picture_bytes=limits.picture_bytes,
            seconds=limits.body_seconds,
        ),
        count_refusal=services.meters.refused,
    )
    rules = origins or OriginRules(settings.browser.origins)
    app.add_middleware(OriginMiddleware, rules=rules)
    app.add_middleware(ObservingMiddleware, report=services.meters.saw)
