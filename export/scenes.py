"""Ready scenes on their way into a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from engines.manifest import (
    SCENE_DESCRIPTION,
    SCENE_PICTURE,
    SceneEntry,
    Size,
    describe_file,
    read_description,
)
from export.errors import RequestError

FOLDER = "scenes"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadyScene:
    """A prepared scene's folder, and its picture."""

    folder: Path
    size: Size
    picture: NDArray[np.uint8]  # [H, W, 3]

    def tensor(self) -> Tensor:
        """Give the picture [1, 3, H, W] in -1..1."""
        pixels = torch.from_numpy(self.picture.astype(np.float32))
        return pixels.permute(2, 0, 1)[None] / 127.5 - 1


def read_scenes(folder: Path) -> tuple[ReadyScene, ...]:
    """Read every scene below a folder, in the order of their names.

    Raises:
        RequestError: when there is none, or a picture has not its scene's size.
        ArtifactError: when a scene.json is damaged.
    """
    found = sorted(path.parent for path in folder.glob(f"*/{SCENE_DESCRIPTION}"))
    if not found:
        raise RequestError(
            f"{folder} holds no scenes; make some with "
            f"`parley scenes prepare IMAGE --out {folder}/NAME`"
        )
    return tuple(_read(each) for each in found)


def _read(folder: Path) -> ReadyScene:
    size = read_description(folder).size
    try:
        with Image.open(folder / SCENE_PICTURE) as image:
            picture = np.asarray(image.convert("RGB"))
    except OSError as error:
        raise RequestError(f"{folder / SCENE_PICTURE} is no picture: {error}") from error
    if picture.shape != (size.height, size.width, 3):
        raise RequestError(
            f"{folder / SCENE_PICTURE} has {picture.shape[1]}x{picture.shape[0]} pixels, its scene "
            f"says {size.width}x{size.height}; prepare it anew"
        )
    return ReadyScene(folder=folder, size=size, picture=picture)


def copy_scenes(scenes: Sequence[ReadyScene], out: Path) -> tuple[SceneEntry, ...]:
    """Copy scenes into a bundle's folder, and describe them."""
    return tuple(_copy(scene, out) for scene in scenes)


def _copy(scene: ReadyScene, out: Path) -> SceneEntry:
    target = out / FOLDER / scene.folder.name
    target.mkdir(parents=True, exist_ok=True)
    files = []
    for name in (SCENE_PICTURE, SCENE_DESCRIPTION):
        content = (scene.folder / name).read_bytes()
        (target / name).write_bytes(content)
        files.append(describe_file(out, target / name))
    return SceneEntry(name=scene.folder.name, people=scene.size.people, files=tuple(files))
