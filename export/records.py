"""What a half-written bundle remembers, so that an export that was cut off goes on.

Each finished network leaves a record under OUT/.export/. A record counts only when it belongs to
the same request and its files are still what they were.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from engines.manifest import FileEntry, NetworkEntry, Parity, describe_file

FOLDER = ".export"


class Record(NamedTuple):
    """One finished network as the manifest will have it."""

    entry: NetworkEntry
    parity: Parity


class Records:
    """The records of one export in its output folder."""

    def __init__(self, out: Path, fingerprint: str) -> None:
        """Look into OUT; records of another request are deleted."""
        self.out = out
        self.folder = out / FOLDER
        mark = self.folder / "request"
        if self.folder.is_dir() and (not mark.is_file() or mark.read_text() != fingerprint):
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        mark.write_text(fingerprint)

    def add(self, key: str, records: list[Record]) -> None:
        """Note a network's finished forms, whole or not at all."""
        content = [
            {"entry": each.entry.model_dump(mode="json"), "parity": each.parity.model_dump()}
            for each in records
        ]
        unfinished = self._path(key).with_suffix(".part")
        unfinished.write_text(json.dumps(content))
        unfinished.replace(self._path(key))

    def find(self, key: str) -> list[Record]:
        """Give a network's finished forms; none where it must be made (again)."""
        path = self._path(key)
        if not path.is_file():
            return []
        try:
            found = [
                Record(
                    NetworkEntry.model_validate_json(json.dumps(each["entry"])),
                    Parity.model_validate_json(json.dumps(each["parity"])),
                )
                for each in json.loads(path.read_text())
            ]
        except (ValueError, KeyError, ValidationError):
            found = []
        files = [file for record in found for file in record.entry.files]
        if not files or not all(self._is_whole(file) for file in files):
            path.unlink()
            return []
        return found

    def _is_whole(self, file: FileEntry) -> bool:
        path = self.out / file.path
        return path.is_file() and describe_file(self.out, path) == file

    def forget(self) -> None:
        """Delete all records: the bundle is whole."""
        shutil.rmtree(self.folder)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key.replace('@', '-')}.json"
