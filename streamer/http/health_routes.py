"""For those who run the server: is it alive, does it take more, what does it measure."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from streamer.http.meters import MEDIA_TYPE
from streamer.http.rest_models import Ready
from streamer.http.services import ServicesDep

router = APIRouter(tags=["operation"])


@router.get("/healthz", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def healthz() -> Response:
    """Say that the process runs and its event loop turns."""
    return Response("ok\n", media_type="text/plain")


@router.get("/readyz", response_model=Ready, responses={503: {"model": Ready}})
async def readyz(services: ServicesDep) -> JSONResponse:
    """Say whether a new room could be opened now; 503 when not."""
    registry = services.registry
    if registry.is_draining:
        return _status("draining", 503)
    if registry.is_full:
        return _status("full", 503)
    return _status("ready", 200)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request, services: ServicesDep) -> Response:
    """Give every figure, for Prometheus; needs an admin's token unless metrics.is_open."""
    if not services.settings.metrics.is_open:
        services.doorman.admit(request).require_server()
    return Response(services.meters.text(), media_type=MEDIA_TYPE)


def _status(status: str, code: int) -> JSONResponse:
    return JSONResponse({"status": status}, code, headers={"Cache-Control": "no-store"})
