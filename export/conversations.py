"""Utterances on their way into a bundle: files NUMBER-SPEAKER.ogg of a folder, said in turn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from engines.manifest import ConversationEntry, TurnEntry, describe_file
from export.errors import RequestError

FOLDER = "conversations"
NAME = re.compile(r"\d+-(\d+)\.(ogg|opus|flac|wav)")


def copy_conversations(folders: Sequence[Path], out: Path) -> tuple[ConversationEntry, ...]:
    """Copy conversations into a bundle's folder, and describe them.

    Raises:
        RequestError: when a folder holds no utterances.
    """
    return tuple(_copy(folder, out) for folder in folders)


def _copy(folder: Path, out: Path) -> ConversationEntry:
    found = [(path, NAME.fullmatch(path.name)) for path in sorted(folder.glob("*-*"))]
    target = out / FOLDER / folder.name
    turns = []
    for path, name in found:
        if name is None:
            continue
        target.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes()
        (target / path.name).write_bytes(content)
        entry = describe_file(out, target / path.name)
        turns.append(TurnEntry(speaker=int(name[1]), file=entry))
    if not turns:
        raise RequestError(
            f"{folder} holds no utterances; name them NUMBER-SPEAKER.ogg, as in 00-0.ogg"
        )
    return ConversationEntry(name=folder.name, turns=tuple(turns))
