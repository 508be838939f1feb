"""What a published network consists of: how to build it, and which files it comes in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import nn

from models.checkpoints.checkpoint import Checkpoint, Rename, Source, collect, same_name
from models.checkpoints.errors import UnreadableFilesError, WeightFileError
from models.checkpoints.opening import open_weights
from models.checkpoints.shard_index import INDEX_SUFFIX, check_index, read_index

M_co = TypeVar("M_co", bound=nn.Module, covariant=True)
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Files of a network that are published together.

    They are looked for in each of `folders` under the directory given, then in the directory.
    """

    repository: str | None  # on the model hub; None: not published
    folders: tuple[str, ...]  # what their authors' download commands call it, the usual one first
    choices: tuple[str, ...]  # file names, the best first; none: whatever weights lie there
    revision: str | None = None  # of the repository, when not its main branch
    containers: tuple[str, ...] = ()  # see `open_weights`
    replaces: tuple[str, ...] = ()  # see `Source`; also how tensors of this part are recognized
    companions: tuple[str, ...] = ()  # files without weights that come with them


@dataclass(frozen=True, slots=True, kw_only=True)
class Network(Generic[M_co]):
    """One network: its module and its published files."""

    name: str
    build: Callable[[], M_co]
    parts: tuple[Part, ...]
    rename: Rename = same_name
    optional: frozenset[str] = frozenset()  # may be missing: no forward pass reads them


class PartFiles(NamedTuple):
    """The files of one part as they lie on disk."""

    part: Part
    paths: tuple[Path, ...]
    absent: tuple[str, ...]  # names of files of weights that should be there
    index_path: Path | None
    absent_companions: tuple[str, ...] = ()


def build_empty(network: Network[M_co]) -> M_co:
    """Build the module on the meta device: names and shapes, no memory."""
    with torch.device("meta"):
        return network.build()


def find_files(network: Network[nn.Module], directory: Path) -> tuple[PartFiles, ...]:
    """Look for a network's files under a directory; what is not there is listed, not an error.

    Args:
        network: what to look for.
        directory: as its authors' download commands leave it, or one level below; or the one file
            of a network that comes in one.

    Raises:
        WeightFileError: when an index cannot be read, or any file will do and there are several.
    """
    found = []
    for number, part in enumerate(network.parts):
        is_given = number == 0 and directory.is_file()
        path = directory if is_given else _find(part, _folders(part, directory))
        found.append(_with_shards(part, path, _folders(part, directory)))
    return _without_repeats(found)


def read_headers(network: Network[nn.Module], files: Sequence[PartFiles]) -> Checkpoint:
    """Read the headers of a network's files as one checkpoint under our names.

    Raises:
        UnreadableFilesError: when files cannot be read, all of them listed.
        WeightFileError: when an index contradicts its shards.
        DuplicateTensorsError: when two files hold the same tensor.
    """
    sources: list[Source] = []
    unreadable: list[WeightFileError] = []
    for each in files:
        for path in each.paths:
            try:
                opened = open_weights(path, each.part.containers)
            except WeightFileError as error:
                unreadable.append(error)
            else:
                sources.append(Source(opened, each.part.replaces))
    if unreadable:
        raise UnreadableFilesError(network.name, unreadable)
    for index_path in (each.index_path for each in files if each.index_path):
        check_index(index_path, read_index(index_path), [source.file for source in sources])
    return collect(sources, network.rename)


def _folders(part: Part, directory: Path) -> list[Path]:
    """Give the folders in which a part may lie, in the order they are searched."""
    base = directory.parent if directory.is_file() else directory
    return [*(base / name for name in part.folders), base]


def _find(part: Part, folders: Sequence[Path]) -> Path | None:
    """Give the best choice in the first folder that has one."""
    for folder in folders:
        for choice in part.choices:
            if (folder / choice).is_file():
                return folder / choice
        if not part.choices and folder.is_dir() and (whatever := _whatever(folder)):
            return whatever
    return None


def _whatever(folder: Path) -> Path | None:
    """Give the index in a folder, or else the only file of weights."""
    indexes = sorted(folder.glob(f"*{INDEX_SUFFIX}"))
    weights = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)
    candidates = indexes or weights
    if len(candidates) > 1:
        names = ", ".join(path.name for path in candidates)
        raise WeightFileError(folder, f"holds several checkpoints ({names}); name one file")
    return candidates[0] if candidates else None


def _with_shards(part: Part, path: Path | None, folders: Sequence[Path]) -> PartFiles:
    lacking = tuple(
        name for name in part.companions if not any((folder / name).is_file() for folder in folders)
    )
    if path is None:
        absent = part.choices[:1] or ("a file of weights",)
        return PartFiles(part, (), absent, None, lacking)
    if not path.name.endswith(INDEX_SUFFIX):
        return PartFiles(part, (path,), (), None, lacking)
    shards = [path.parent / name for name in sorted(set(read_index(path).values()))]
    there = tuple(shard for shard in shards if shard.is_file())
    absent = tuple(shard.name for shard in shards if shard not in there)
    return PartFiles(part, there, absent, path, lacking)


def _without_repeats(found: Sequence[PartFiles]) -> tuple[PartFiles, ...]:
    """Count a file once, and as there wherever it is.

    MultiTalk's index lists the audio file beside the base's shards, where it may be a link to it,
    or not be at all while it lies in a folder of its own.
    """
    seen: set[Path] = set()
    there = {path.name for each in found for path in each.paths}
    kept = []
    for each in found:
        new = tuple(path for path in each.paths if path.resolve() not in seen)
        seen.update(path.resolve() for path in new)
        absent = tuple(name for name in each.absent if name not in there)
        kept.append(each._replace(paths=new, absent=absent))
    return tuple(kept)
