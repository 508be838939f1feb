"""Reading, writing and checking the files of a bundle.

Reading a manifest touches `bundle.json` alone. A network's file is checked when it is loaded, so
that a bundle with many sizes opens at once and costs only what is used.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pydantic import ValidationError

from engines.errors import ArtifactError
from engines.manifest.parts import SCHEMA_VERSION, FileEntry
from engines.manifest.schema import Manifest

MANIFEST_NAME = "bundle.json"
MOST_MANIFEST_BYTES = 8 * 2**20
EXPORT_AGAIN = "copy the bundle again or export it anew"


def read_manifest(folder: Path) -> Manifest:
    """Read and check `bundle.json` in `folder`; the networks' files are not opened.

    Raises:
        ArtifactError: when it is missing, too large, no JSON, of another schema version, or breaks
            a rule of the schema.
    """
    path = folder / MANIFEST_NAME
    try:
        if path.stat().st_size > MOST_MANIFEST_BYTES:
            raise ArtifactError(f"{path} has more than {MOST_MANIFEST_BYTES} bytes: no manifest")
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArtifactError(
            f"{folder} is no bundle: it has no {MANIFEST_NAME}; "
            "give the folder that `parley export` wrote"
        ) from error
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}") from error
    _check_version(path, text)
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise ArtifactError(f"{path} is no valid manifest: {_first(error)}") from error


def _check_version(path: Path, text: bytes) -> None:
    """Say first what version it is: another version breaks other rules too."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} is damaged (no JSON); {EXPORT_AGAIN}") from error
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version == SCHEMA_VERSION and type(version) is int:
        return
    if isinstance(version, int) and version > SCHEMA_VERSION:
        advice = "update Parley"
    else:
        advice = "export the bundle anew with this version of Parley"
    raise ArtifactError(
        f"{path} has schema version {version!r}, this Parley reads {SCHEMA_VERSION}; {advice}"
    )


def _first(error: ValidationError) -> str:
    """Put the first broken rule in a sentence: where, what, and how many more."""
    problems = error.errors(include_url=False, include_context=False)
    where = ".".join(str(part) for part in problems[0]["loc"])
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    what = problems[0]["msg"].removeprefix("Value error, ")
    return f"{where}: {what}{more}" if where else f"{what}{more}"


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Check every file of the bundle, then write `bundle.json`, whole or not at all.

    Raises:
        ArtifactError: when a file is missing or is not as described.
    """
    for entry in manifest.files:
        check_file(folder, entry)
    path = folder / MANIFEST_NAME
    unfinished = path.with_suffix(".json.part")
    unfinished.write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
    unfinished.replace(path)


def describe_file(folder: Path, path: Path) -> FileEntry:
    """Describe a file inside `folder` for the manifest: its path, size and sha256.

    Raises:
        ArtifactError: when it is missing or lies outside the folder.
    """
    try:
        name = path.resolve().relative_to(folder.resolve()).as_posix()
        return FileEntry(path=name, sha256=_sha256(path), bytes=path.stat().st_size)
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path} is no usable file of the bundle {folder}: {error}") from error


def check_file(folder: Path, entry: FileEntry) -> Path:
    """Find a file of the bundle and compare size and sha256. Reads it once, in pieces.

    Raises:
        ArtifactError: when it is missing, truncated, altered, or a link that leaves the bundle.
    """
    path = folder / entry.path
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ArtifactError(f"{path} is a link that leaves the bundle; {EXPORT_AGAIN}")
        found = path.stat().st_size
        if found != entry.bytes:
            raise ArtifactError(
                f"{path} has {found} bytes, the manifest says {entry.bytes}; {EXPORT_AGAIN}"
            )
        if _sha256(path) != entry.sha256:
            raise ArtifactError(f"{path} was altered: its sha256 differs; {EXPORT_AGAIN}")
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} is missing from the bundle; {EXPORT_AGAIN}") from error
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}") from error
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
