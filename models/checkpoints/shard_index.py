"""The index of a checkpoint that is split into shards (`*.safetensors.index.json`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from models.checkpoints.errors import WeightFileError
from models.checkpoints.opening import LFS_POINTER
from models.checkpoints.tensor_names import abbreviate, counted
from models.checkpoints.weight_file import WeightFile

INDEX_SUFFIX = ".index.json"


def read_index(path: Path) -> dict[str, str]:
    """Read which shard, by file name, holds each tensor.

    Raises:
        WeightFileError: when the file cannot be read, is no index, or names files elsewhere.
    """
    try:
        text = path.read_bytes()
        content = json.loads(text)
    except OSError as error:
        raise WeightFileError(path, f"cannot be read ({error.strerror})") from error
    except ValueError as error:
        kind = "a git-lfs pointer" if text.startswith(LFS_POINTER) else f"no JSON ({error})"
        raise WeightFileError(path, f"is {kind}; download it again") from error
    weight_map = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        raise WeightFileError(path, "has no weight_map; expected tensor names and their files")
    for shard in weight_map.values():
        if not isinstance(shard, str) or Path(shard).name != shard:
            raise WeightFileError(path, f"names the file {shard!r}; expected a name in its folder")
    return dict(weight_map)


def check_index(path: Path, weight_map: Mapping[str, str], files: Sequence[WeightFile]) -> None:
    """See that each shard holds what the index says, by headers.

    Raises:
        WeightFileError: when index and shards come from different checkpoints.
    """
    headers = {file.path.name: file.header for file in files}
    astray = [
        name
        for name, shard in weight_map.items()
        if shard in headers and name not in headers[shard]
    ]
    if astray:
        raise WeightFileError(
            path,
            f"places {counted(len(astray), 'tensor')} in shards that do not hold them: "
            f"{abbreviate(astray)}. Index and shards are of different downloads; get both again",
        )
