"""Scenes on disk: written, read, and found in a bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from engines.bundle import Bundle
from engines.errors import ArtifactError, InputError
from engines.manifest import (
    SCENE_DESCRIPTION,
    SCENE_PICTURE,
    SceneDescription,
    read_description,
)
from engines.scene.boxes import Box
from engines.scene.picture import read_picture
from engines.scene.scene import Caption, Scene, build_scene


def write_scene(scene: Scene, folder: Path) -> None:
    """Write a scene's two files into a folder that exists."""
    Image.fromarray(scene.picture).save(folder / SCENE_PICTURE)
    description = SceneDescription(
        name=scene.name,
        size=scene.size,
        boxes=tuple(
            (round(box.left, 2), round(box.top, 2), round(box.right, 2), round(box.bottom, 2))
            for box in scene.boxes
        ),
        prompt=scene.prompt,
        people_names=scene.people_names,
    )
    path = folder / SCENE_DESCRIPTION
    path.write_text(description.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_scene(bundle: Bundle, folder: Path) -> Scene:
    """Read a scene that was prepared for this bundle or one with the same sizes.

    Raises:
        ArtifactError: when a file is missing or damaged.
        InputError: when the bundle does not have the scene's size.
    """
    description = read_description(folder)
    try:
        picture = read_picture(folder / SCENE_PICTURE, least_side_px=1)
    except InputError as error:
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
