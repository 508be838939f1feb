"""Several files of weights as one set of tensors, by our names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from models.checkpoints.comparison import TensorInfo
from models.checkpoints.errors import DuplicateTensorsError
from models.checkpoints.weight_file import WeightFile

Rename = Callable[[str], str | None]


def same_name(name: str) -> str | None:
    """Take every tensor under the name it was published with."""
    return name


class Source(NamedTuple):
    """One file, and what it may hold a second time."""

    file: WeightFile
    replaces: tuple[str, ...] = ()  # a tensor with one of these in its name counts, not an earlier


class Place(NamedTuple):
    """Where a tensor stands."""

    file: WeightFile
    published: str

    @property
    def info(self) -> TensorInfo:
        return self.file.header[self.published]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where each tensor stands, by our names. Holds no data."""

    places: Mapping[str, Place]
    left_out: tuple[str, ...]  # published names of tensors that are not used

    @property
    def header(self) -> dict[str, TensorInfo]:
        """Names, shapes and types of all tensors."""
        return {name: place.info for name, place in self.places.items()}

    def tensors(self, names: Collection[str]) -> Iterator[tuple[str, Tensor]]:
        """Yield the named tensors file by file, each as `WeightFile.tensors` says."""
        by_file: dict[Path, dict[str, str]] = {}
        files: dict[Path, WeightFile] = {}
        for name, place in self.places.items():
            if name in names:
                files[place.file.path] = place.file
                by_file.setdefault(place.file.path, {})[place.published] = name
        for path, ours in by_file.items():
            for published, tensor in files[path].tensors(ours):
                yield ours[published], tensor


def collect(sources: Sequence[Source], rename: Rename = same_name) -> Checkpoint:
    """Put files together.

    Args:
        sources: files in order; a later one never wins over an earlier one in silence, but only
            for the tensors its `replaces` names.
        rename: gives our name of a published one, or None for a tensor that is not used.

    Raises:
        DuplicateTensorsError: when two files hold a tensor of the same name and no rule decides.
    """
    places: dict[str, Place] = {}
    duplicates: dict[str, tuple[Path, Path]] = {}
    left_out: list[str] = []
    for source in sources:
        for published in source.file.header:
            name = rename(published)
            if name is None:
                left_out.append(published)
                continue
            is_replaced = any(fragment in published for fragment in source.replaces)
            if name in places and not is_replaced:
                duplicates[name] = (places[name].file.path, source.file.path)
            places[name] = Place(source.file, published)
    if duplicates:
        raise DuplicateTensorsError(duplicates)
    return Checkpoint(places, tuple(left_out))
