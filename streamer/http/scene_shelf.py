"""The scenes a room can be opened with: those of the bundle, and pictures that users upload.

Methods that decode or search pictures block; routes call them on the shelf's lane.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from PIL import Image
from pydantic import BaseModel, ConfigDict

from engines.bundle import Bundle
from engines.errors import EngineError, InputError
from engines.scene.boxes import Box, check_boxes, left_to_right
from engines.scene.detection import Detector
from engines.scene.picture import Picture, decode_picture
from engines.scene.prepare import Wishes, prepare_scene
from engines.scene.scene import Caption, Scene
from engines.scene.store import ready_scene
from streamer.errors import InvalidInput, NotFound, SessionLimit
from streamer.http.identifiers import new_id
from streamer.media.types import Frame

JPEG_QUALITY = 95


class SceneCard(BaseModel):
    """What is told about a scene. Boxes are in pixels of its picture, left to right."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    origin: Literal["bundle", "upload", "null"]
    people: int
    boxes: tuple[tuple[float, float, float, float], ...]  # left, top, right, bottom
    people_names: tuple[str, ...]
    prompt: str
    picture_width: int
    picture_height: int
    width: int | None  # of the video; None while the scene is not ready
    height: int | None
    is_ready: bool
    problem: str | None  # why it is not ready, and what to do


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What comes with a picture."""

    caption: Caption
    consent: str  # who agreed; empty where it is not needed
    boxes: tuple[Box, ...] | None = None  # in pixels of the upright picture; None: find them
    size: str | None = None
    is_cropped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """An uploaded picture as another process needs it to show the same scene."""

    jpeg: bytes  # small, upright, without EXIF data
    boxes: tuple[Box, ...]  # in its pixels
    upload: Upload


class SceneShelf(Protocol):
    """Holds scenes."""

    def cards(self) -> list[SceneCard]: ...

    def card(self, scene_id: str) -> SceneCard:
        """Give one card, or raise NotFound."""
        ...

    def picture(self, scene_id: str) -> bytes:
        """Give its picture as JPEG, or raise NotFound."""
        ...

    def add(self, data: bytes, upload: Upload) -> SceneCard:
        """Keep a picture. Blocks."""
        ...

    def correct(self, scene_id: str, boxes: Sequence[Box] | None, caption: Caption) -> SceneCard:
        """Say better where the people of an uploaded picture are, or who. Blocks."""
        ...

    def remove(self, scene_id: str) -> None: ...

    def parcel(self, scene_id: str) -> Parcel | None:
        """Give an uploaded picture for another process; None if there is none of that name."""
        ...

    def take(self, scene_id: str, parcel: Parcel) -> None:
        """Keep what another shelf gave, under the same name, in place of the oldest. Blocks."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """An uploaded picture: small, upright, without its EXIF data."""

    parcel: Parcel
    size: tuple[int, int]
    scene: Scene | None
    problem: str | None


class BundleShelf:
    """Scenes of a bundle and uploads prepared for it.

    Args:
        bundle: what the engine runs.
        detector: finds faces; None where boxes must always be given.
        most: how many uploads are kept.
    """

    def __init__(self, bundle: Bundle, detector: Detector | None, most: int) -> None:
        self._bundle = bundle
        self._detector = detector
        self._most = most
        self._ready: dict[str, Scene] = {}
        self._kept: dict[str, _Kept] = {}

    def scene(self, scene_id: str) -> Scene:
        """Give a scene to open a room with. Any thread.

        Raises:
            NotFound: when there is none of that name.
            InvalidInput: when its people are not clear yet.
        """
        kept = self._kept.get(scene_id)
        if kept is None:
            return self._own(scene_id)
        if kept.scene is None:
            raise InvalidInput(f"the scene {scene_id} is not ready: {kept.problem}")
        return kept.scene

    def cards(self) -> list[SceneCard]:
        names = [entry.name for entry in self._bundle.manifest.scenes]
        return [self.card(name) for name in [*names, *self._kept]]

    def card(self, scene_id: str) -> SceneCard:
        kept = self._kept.get(scene_id)
        return _own_card(self._own(scene_id)) if kept is None else _card(scene_id, kept)

    def picture(self, scene_id: str) -> bytes:
        kept = self._kept.get(scene_id)
        return _jpeg(self._own(scene_id).picture) if kept is None else kept.parcel.jpeg

    def add(self, data: bytes, upload: Upload) -> SceneCard:
        if len(self._kept) >= self._most:
            raise SessionLimit("scenes", self._most)
        picture = decode_picture(data)
        scale = picture.scale
        if upload.boxes is not None:
            width, height = picture.size
            check_boxes(upload.boxes, width / scale, height / scale)
            boxes = left_to_right([box.moved(scale, 0, 0) for box in upload.boxes])
        elif self._detector is None:
            boxes = ()
        else:
            boxes = self._detector.find(picture.pixels)
        scene_id = new_id()
        parcel = Parcel(jpeg=_jpeg(picture.pixels), boxes=boxes, upload=upload)
        kept = self._kept[scene_id] = self._prepare(parcel, picture.pixels)
        return _card(scene_id, kept)

    def correct(self, scene_id: str, boxes: Sequence[Box] | None, caption: Caption) -> SceneCard:
        old = self.parcel(scene_id)
        if old is None:
            raise NotFound("uploaded scene", scene_id)
        pixels = decode_picture(old.jpeg).pixels
        chosen = old.boxes
        if boxes is not None:
            check_boxes(boxes, *Picture(pixels, 1.0).size)
            chosen = left_to_right(boxes)
        parcel = replace(old, boxes=chosen, upload=replace(old.upload, caption=caption))
        kept = self._kept[scene_id] = self._prepare(parcel, pixels)
        return _card(scene_id, kept)

    def remove(self, scene_id: str) -> None:
        if self._kept.pop(scene_id, None) is None:
            raise NotFound("uploaded scene", scene_id)

    def parcel(self, scene_id: str) -> Parcel | None:
        kept = self._kept.get(scene_id)
        return None if kept is None else kept.parcel

    def take(self, scene_id: str, parcel: Parcel) -> None:
        if self.parcel(scene_id) == parcel:
            return
        self._kept.pop(scene_id, None)
        while len(self._kept) >= self._most:
            del self._kept[next(iter(self._kept))]
        self._kept[scene_id] = self._prepare(parcel, decode_picture(parcel.jpeg).pixels)

    def _prepare(self, parcel: Parcel, pixels: Frame) -> _Kept:
        """Make the scene, or keep why it cannot be made yet."""
        picture, upload = Picture(pixels, 1.0), parcel.upload
        wishes = Wishes(
            boxes=parcel.boxes,
            size=upload.size,
            is_cropped=upload.is_cropped,
            caption=upload.caption,
        )
        scene, problem = None, None
        try:
            if not parcel.boxes:
                raise InputError("no face was found; give the boxes of the faces")
            scene = prepare_scene(self._bundle, picture, wishes, None)
        except EngineError as error:
            problem = str(error)
        return _Kept(parcel=parcel, size=picture.size, scene=scene, problem=problem)

    def _own(self, name: str) -> Scene:
        if name not in self._ready:
            if name not in {entry.name for entry in self._bundle.manifest.scenes}:
                raise NotFound("scene", name)
            self._ready[name] = ready_scene(self._bundle, name)
        return self._ready[name]


class NullShelf:
    """The one scene of the null generator; takes no pictures."""

    def __init__(self, people: int, width: int, height: int) -> None:
        self._card = SceneCard(
            id="null",
            name="null",
            origin="null",
            people=people,
            boxes=(),
            people_names=(),
            prompt="",
            picture_width=width,
            picture_height=height,
            width=width,
            height=height,
            is_ready=True,
            problem=None,
        )

    def cards(self) -> list[SceneCard]:
        return [self._card]

    def card(self, scene_id: str) -> SceneCard:
        if scene_id != self._card.id:
            raise NotFound("scene", scene_id)
        return self._card

    def picture(self, scene_id: str) -> bytes:
        raise NotFound("picture of scene", scene_id)

    def add(self, data: bytes, upload: Upload) -> SceneCard:
        raise InvalidInput("the null generator draws no pictures; start the server with a bundle")

    def correct(self, scene_id: str, boxes: Sequence[Box] | None, caption: Caption) -> SceneCard:
        raise NotFound("uploaded scene", scene_id)

    def remove(self, scene_id: str) -> None:
        raise NotFound("uploaded scene", scene_id)

    def parcel(self, scene_id: str) -> Parcel | None:
        return None

    def take(self, scene_id: str, parcel: Parcel) -> None:
        raise InvalidInput("the null generator draws no pictures; start the server with a bundle")


def _card(scene_id: str, kept: _Kept) -> SceneCard:
    scene, boxes, caption = kept.scene, kept.parcel.boxes, kept.parcel.upload.caption
    return SceneCard(
        id=scene_id,
        name=caption.name,
        origin="upload",
        people=len(boxes),
        boxes=tuple(_rounded(box) for box in boxes),
        people_names=caption.people_names,
        prompt=caption.prompt,
        picture_width=kept.size[0],
        picture_height=kept.size[1],
        width=scene.size.width if scene else None,
        height=scene.size.height if scene else None,
        is_ready=scene is not None,
        problem=kept.problem,
    )


def _own_card(scene: Scene) -> SceneCard:
    return SceneCard(
        id=scene.name,
        name=scene.name,
        origin="bundle",
        people=scene.size.people,
        boxes=tuple(_rounded(box) for box in scene.boxes),
        people_names=scene.people_names,
        prompt=scene.prompt,
        picture_width=scene.size.width,
        picture_height=scene.size.height,
        width=scene.size.width,
        height=scene.size.height,
        is_ready=True,
        problem=None,
    )


def _rounded(box: Box) -> tuple[float, float, float, float]:
    return round(box.left, 1), round(box.top, 1), round(box.right, 1), round(box.bottom, 1)


def _jpeg(pixels: Frame) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()
