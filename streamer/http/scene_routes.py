"""Scenes over REST: list them, upload a picture, look where the people are, correct that."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from engines.scene.boxes import Box, parse_boxes
from engines.scene.scene import Caption
from streamer.http.problem import Code, Problem
from streamer.http.rest_models import BoxesWish
from streamer.http.scene_shelf import SceneCard, Upload
from streamer.http.services import AdminDep, CallerDep, Services, ServicesDep

logger = logging.getLogger(__name__)
router = APIRouter(tags=["scenes"])
Result = TypeVar("Result")
PICTURE_TYPES = ("image/jpeg", "image/png", "image/webp")
_PICTURE_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}} for kind in PICTURE_TYPES
        },
    }
}


@router.get("/scenes")
async def list_scenes(services: ServicesDep, _: CallerDep) -> list[SceneCard]:
    """List the scenes of the bundle and the uploaded ones."""
    return await _in_lane(services, services.shelf.cards)


@router.get("/scenes/{scene_id}")
async def show_scene(scene_id: str, services: ServicesDep, _: CallerDep) -> SceneCard:
    """Show one scene."""
    return await _in_lane(services, lambda: services.shelf.card(scene_id))


@router.get(
    "/scenes/{scene_id}/picture.jpg",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}},
)
async def show_picture(scene_id: str, services: ServicesDep, _: CallerDep) -> Response:
    """Show the picture that the boxes of a scene are in."""
    jpeg = await _in_lane(services, lambda: services.shelf.picture(scene_id))
    return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "private"})


@router.post("/scenes", status_code=201, openapi_extra=_PICTURE_BODY)
async def upload_scene(  # noqa: PLR0913  # a form's fields are its arguments
    request: Request,
    services: ServicesDep,
    caller: AdminDep,
    response: Response,
    name: Annotated[str, Query(min_length=1, max_length=100)] = "picture",
    prompt: Annotated[str, Query(max_length=10_000)] = "",
    consent: Annotated[
        str, Query(max_length=500, description="Who agreed that these faces are used, and when.")
    ] = "",
    boxes: Annotated[
        str | None, Query(max_length=1000, description="left,top,right,bottom of each face.")
    ] = None,
    size: Annotated[str | None, Query(max_length=20, pattern=r"^\d+x\d+$")] = None,
    crop: bool = False,
) -> SceneCard:
    """Upload a picture, as the body. Its faces are found; `is_ready` says whether all is clear."""
    settings = services.settings.scenes
    if not settings.allow_upload:
        raise Problem(Code.NOT_ALLOWED, "this server takes no pictures; see scenes.allow_upload")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in PICTURE_TYPES:
        raise Problem(
            Code.WRONG_TYPE,
            f"send the picture itself as {', '.join(PICTURE_TYPES)}, not {kind[:100] or 'nothing'}",
            headers={"Accept-Post": ", ".join(PICTURE_TYPES)},
        )
    if settings.require_consent and not consent.strip():
        raise Problem(
            Code.INVALID,
            "say in `consent` who agreed that the faces in the picture are used, and when",
        )
    upload = Upload(
        caption=Caption(name=name, prompt=prompt),
        consent=consent.strip(),
        boxes=parse_boxes(boxes) if boxes is not None else None,
        size=size,
        is_cropped=crop,
    )
    data = await request.body()
    card = await _in_lane(services, lambda: services.shelf.add(data, upload))
    logger.info("scene %s uploaded by %s, consent: %s", card.id, caller.owner, upload.consent)
    response.headers["Location"] = f"/scenes/{card.id}"
    return card


@router.patch("/scenes/{scene_id}")
async def correct_scene(
    scene_id: str, wish: BoxesWish, services: ServicesDep, _: AdminDep
) -> SceneCard:
    """Say better where the people of an uploaded picture are, and who they are."""
    shelf = services.shelf
    card = await _in_lane(services, lambda: shelf.card(scene_id))
    names = card.people_names if wish.people_names is None else wish.people_names
    caption = Caption(
        name=card.name if wish.name is None else wish.name,
        prompt=card.prompt if wish.prompt is None else wish.prompt,
        people_names=names,
    )
    boxes = None if wish.boxes is None else [Box(*numbers) for numbers in wish.boxes]
    return await _in_lane(services, lambda: shelf.correct(scene_id, boxes, caption))


@router.delete("/scenes/{scene_id}", status_code=204)
async def remove_scene(scene_id: str, services: ServicesDep, _: AdminDep) -> None:
    """Forget an uploaded picture; rooms that show it go on."""
    await _in_lane(services, lambda: services.shelf.remove(scene_id))


async def _in_lane(services: Services, work: Callable[[], Result]) -> Result:
    """Run what decodes pictures beside the event loop."""
    return await asyncio.get_running_loop().run_in_executor(services.lane, work)
