"""The folder of recordings: begins, lists and finds them by room, and never leaves the folder."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from streamer.errors import NotFound, SessionLimit, SettingsError
from streamer.media.types import Frame, Samples
from streamer.rooms.recording import FragmentedMp4
from streamer.rooms.show import Recorder

logger = logging.getLogger(__name__)

NAME = re.compile(r"[A-Za-z0-9_-]{22}")  # a room's id
COMPLETE, PARTIAL = ".mp4", ".partial.mp4"
RETRY_AFTER_S = 3600.0

OnEnd: TypeAlias = Callable[[], None]


class Signer(Protocol):
    """Marks a file as made by this server."""

    def sign(self, source: Path, target: Path) -> None:
        """Write a signed copy of `source` to `target`; blocks."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingInfo:
    """A recording, to be shown."""

    room: str
    size_bytes: int
    ended_at: float  # seconds since 1970, when it was last written to
    is_complete: bool  # False while it is made, and after a crash


class Recordings:
    """Owns a folder. Every call touches the disk: not for the event loop.

    Args:
        folder: made when it is missing.
        most_bytes: no recording begins when there are more.
        signer: of what is complete; None to leave it unsigned.

    Raises:
        SettingsError: when nothing can be written to the folder.
    """

    def __init__(self, folder: Path, most_bytes: int, signer: Signer | None = None) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"cannot make the folder {folder}: {error.strerror}") from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise SettingsError(f"cannot write recordings to {folder}; give another folder")
        self.folder = folder
        self._most_bytes = most_bytes
        self._signer = signer

    def begin(self, room: str, size: tuple[int, int]) -> Recorder:
        """Begin the recording of a room with pictures of a width and a height.

        Raises:
            SessionLimit: when the folder holds too much already.
            OSError: when nothing can be written.
        """
        _check_name(room)
        if sum(each.size_bytes for each in self.list()) >= self._most_bytes:
            raise SessionLimit("bytes of recordings", self._most_bytes, RETRY_AFTER_S)
        partial = self.folder / f"{room}{PARTIAL}"
        return _Recording(FragmentedMp4(partial, size), lambda: self._complete(room))

    def _complete(self, room: str) -> None:
        """Sign what is finished, if it is to be, and give it its name."""
        partial, complete = (self.folder / f"{room}{end}" for end in (PARTIAL, COMPLETE))
        if self._signer is None:
            partial.replace(complete)
            return
        signed = self.folder / f".{room}.signed.mp4"
        try:
            self._signer.sign(partial, signed)
            signed.replace(complete)
        finally:
            signed.unlink(missing_ok=True)
        partial.unlink()

    def list(self) -> tuple[RecordingInfo, ...]:
        """List what there is, the newest first."""
        found = []
        for path in self.folder.iterdir():
            room = path.name.partition(".")[0]
            if path.name not in {f"{room}{COMPLETE}", f"{room}{PARTIAL}"}:
                continue
            if NAME.fullmatch(room) and path.is_file() and not path.is_symlink():
                found.append(_info(room, path))
        return tuple(sorted(found, key=lambda each: each.ended_at, reverse=True))

    def info(self, room: str) -> RecordingInfo:
        """Describe one.

        Raises:
            NotFound: when there is none.
        """
        return _info(room, self.path(room))

    def path(self, room: str) -> Path:
        """Find the file of a room, complete or not; always directly in the folder.

        Raises:
            NotFound: when there is none, or the name is not a room's.
        """
        _check_name(room)
        for end in (COMPLETE, PARTIAL):
            path = self.folder / f"{room}{end}"
            if path.is_file() and not path.is_symlink():
                return path
        raise NotFound("recording", room)

    def delete(self, room: str) -> None:
        """Delete one.

        Raises:
            NotFound: when there is none.
        """
        self.path(room).unlink()


class _Recording:
    """A file, and what is done once it is finished."""

    def __init__(self, file: FragmentedMp4, on_end: OnEnd) -> None:
        self._file = file
        self._on_end = on_end

    def write(self, picture: Frame | None, sound: Samples) -> None:
        self._file.write(picture, sound)

    def finish(self) -> None:
        self._file.finish()
        self._on_end()


def _check_name(room: str) -> None:
    if not NAME.fullmatch(room):
        raise NotFound("recording", repr(room[:40]))


def _info(room: str, path: Path) -> RecordingInfo:
    stat = path.stat()
    return RecordingInfo(
        room=room,
        size_bytes=stat.st_size,
        ended_at=stat.st_mtime,
        is_complete=not path.name.endswith(PARTIAL),
    )
