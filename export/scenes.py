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
    CellRule,
    SceneEntry,
    Size,
    cut_strip,
    describe_file,
    read_description,
    squares_around,
)
from export.errors import RequestError
from export.names import require_name

FOLDER = "scenes"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadyScene:
    """A prepared scene's folder, its picture, and where its faces are."""

    folder: Path
    size: Size
    picture: NDArray[np.uint8]  # [H, W, 3]
    boxes: tuple[tuple[float, float, float, float], ...]

    def tensor(self, cells: CellRule | None = None) -> Tensor:
        """Give what networks see of it [1, 3, H, W] in -1..1: the picture, or its cells."""
        seen = self.picture
        if cells is not None:
            squares = squares_around(self.boxes, self.size.width, self.size.height, cells)
            seen = cut_strip(self.picture, squares, cells.side)
        pixels = torch.from_numpy(seen.astype(np.float32))
        return pixels.permute(2, 0, 1)[None] / 127.5 - 1


def read_scenes(folder: Path) -> tuple[ReadyScene, ...]:
    """Read every scene below a folder, in the order of their names.

    Raises:
        RequestError: when there is none, a picture has not its scene's size, or a folder cannot
            give a scene its name.
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
    require_name(folder)
    description = read_description(folder)
    size = description.size
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
    return ReadyScene(folder=folder, size=size, picture=picture, boxes=description.boxes)


def copy_scenes(scenes: Sequence[ReadyScene], out: Path) -> tuple[SceneEntry, ...]:
    """Copy scenes into a bundle's folder, and describe them."""
    return tuple(_copy(scene, out) for scene in scenes)


def _copy(scene: ReadyScene, out: Path) -> SceneEntry:
    name = require_name(scene.folder)
    target = out / FOLDER / name
    target.mkdir(parents=True, exist_ok=True)
    files = []
    for part in (SCENE_PICTURE, SCENE_DESCRIPTION):
        content = (scene.folder / part).read_bytes()
        (target / part).write_bytes(content)
        files.append(describe_file(out, target / part))
    return SceneEntry(name=name, people=scene.size.people, files=tuple(files))
