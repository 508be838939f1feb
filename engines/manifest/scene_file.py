"""A ready scene on disk: a folder with `picture.png`, at the model's size, and `scene.json`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from engines.errors import ArtifactError
from engines.manifest.schema import Size

SCENE_PICTURE = "picture.png"
SCENE_DESCRIPTION = "scene.json"
MOST_BYTES = 100_000


class SceneDescription(BaseModel):
    """What `scene.json` holds."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    name: str
    size: Size
    boxes: tuple[tuple[float, float, float, float], ...]  # of the faces: left, top, right, bottom
    prompt: str
    people_names: tuple[str, ...]


def read_description(folder: Path) -> SceneDescription:
    """Read a scene's `scene.json`.

    Raises:
        ArtifactError: when it is missing, too large or damaged.
    """
    path = folder / SCENE_DESCRIPTION
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ArtifactError(f"{path} is too large to describe a scene")
        return SceneDescription.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        raise ArtifactError(f"the scene in {folder} is damaged: {error}") from error
