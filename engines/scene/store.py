"""Scenes on disk: a folder with `picture.png`, at the model's size, and `scene.json`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, ValidationError

from engines.bundle import Bundle
from engines.errors import ArtifactError, InputError
from engines.manifest import Size
from engines.scene.boxes import Box
from engines.scene.picture import read_picture
from engines.scene.scene import Caption, Scene, build_scene

PICTURE = "picture.png"
DESCRIPTION = "scene.json"
MOST_BYTES = 100_000


class Description(BaseModel):
    """What `scene.json` holds."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    name: str
    size: Size
    boxes: tuple[tuple[float, float, float, float], ...]
    prompt: str
    people_names: tuple[str, ...]


def write_scene(scene: Scene, folder: Path) -> None:
    """Write a scene's two files into a folder that exists."""
    Image.fromarray(scene.picture).save(folder / PICTURE)
    description = Description(
        name=scene.name,
        size=scene.size,
        boxes=tuple(tuple(round(value, 2) for value in box) for box in scene.boxes),  # type: ignore[misc]
        prompt=scene.prompt,
        people_names=scene.people_names,
    )
    path = folder / DESCRIPTION
    path.write_text(description.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_scene(bundle: Bundle, folder: Path) -> Scene:
    """Read a scene that was prepared for this bundle or one with the same sizes.

    Raises:
        ArtifactError: when a file is missing or damaged.
        InputError: when the bundle does not have the scene's size.
    """
    path = folder / DESCRIPTION
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ArtifactError(f"{path} is too large to describe a scene")
        description = Description.model_validate_json(path.read_bytes())
        picture = read_picture(folder / PICTURE, least_side_px=1)
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}") from error
    except (ValidationError, InputError) as error:
        raise ArtifactError(f"the scene in {folder} is damaged: {error}") from error
    size = bundle.size(description.size.key)
    caption = Caption(
        name=description.name, prompt=description.prompt, people_names=description.people_names
    )
    boxes = tuple(Box(*box) for box in description.boxes)
    return build_scene(np.asarray(picture.pixels), boxes, size, bundle.manifest.region, caption)


def ready_scene(bundle: Bundle, name: str) -> Scene:
    """Read one of the bundle's own scenes.

    Raises:
        InputError: when the bundle has none of that name.
        ArtifactError: when its files are missing or damaged.
    """
    entry = bundle.scene_entry(name)
    return read_scene(bundle, (bundle.folder / entry.files[0].path).parent)


def scene_for(bundle: Bundle, people: int) -> str:
    """Name the first of the bundle's scenes with so many people.

    Raises:
        InputError: when it has none.
    """
    for scene in bundle.manifest.scenes:
        if scene.people == people:
            return scene.name
    raise InputError(
        f"the bundle {bundle.manifest.name} has no scene with {people} people; "
        "give a picture with --scene"
    )
