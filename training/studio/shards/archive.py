"""A shard: a plain tar of many clips' files, the same bytes for the same clips.

Members of a clip share a key, `0000123.json`, `0000123.mp4`, ..., in the way of WebDataset, so that
other readers understand a shard, too.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from models.errors import InputError

UNFINISHED = ".part"


class ShardWriter:
    """Writes one shard. It gets its name only when it is complete, so a killed run leaves no half.

    Use as a context manager; leaving it by an exception drops what was written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unfinished = path.with_name(path.name + UNFINISHED)
        # Closed by __exit__, whichever way it is left.
        self._tar = tarfile.TarFile(self._unfinished, "w", format=tarfile.USTAR_FORMAT)

    def add(self, key: str, files: Mapping[str, bytes]) -> None:
        """Append one clip's files, by extension."""
        for extension, data in files.items():
            member = tarfile.TarInfo(f"{key}.{extension}")  # time, owner and mode stay at 0
            member.size = len(data)
            self._tar.addfile(member, io.BytesIO(data))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tar.close()
        if kind is None:
            self._unfinished.rename(self._path)
        else:
            self._unfinished.unlink()


@dataclass(frozen=True, slots=True)
class Member:
    """Where a file lies in a shard."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Shard:
    """A complete shard on disk. Reading is by offset: any process, any order."""

    path: Path
    clips: Mapping[str, Mapping[str, Member]]  # key -> extension -> place

    @classmethod
    def open(cls, path: Path) -> Shard:
        """Index a shard by its headers.

        Raises:
            InputError: when the file is no shard, or is cut off.
        """
        clips: dict[str, dict[str, Member]] = {}
        try:
            with tarfile.open(path, "r:") as tar:
                for member in tar:
                    key, _, extension = member.name.partition(".")
                    place = Member(member.offset_data, member.size)
                    clips.setdefault(key, {})[extension] = place
        except (OSError, tarfile.TarError) as error:
            raise InputError(
                f"{path} is no complete shard ({error}); delete it and render again"
            ) from error
        return cls(path, clips)

    def read(self, key: str, extension: str) -> bytes:
        """Read one file of one clip."""
        place = self.clips[key][extension]
        with self.path.open("rb") as file:
            file.seek(place.offset)
            return file.read(place.size)
