"""Utterances on their way into a bundle: files NUMBER-SPEAKER.ogg of a folder, said in turn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from engines.manifest import ConversationEntry, TurnEntry, describe_file
from export.errors import RequestError
from export.names import require_name

FOLDER = "conversations"
NAME = re.compile(r"\d+-(\d{1,2})\.(ogg|opus|flac|wav)")
MOST_SPEAKERS = 16


class Utterance(NamedTuple):
    """One file, and who says it."""

    speaker: int
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyConversation:
    """A folder's utterances, in turn."""

    name: str
    utterances: tuple[Utterance, ...]


def read_conversation(folder: Path) -> ReadyConversation:
    """Find a folder's utterances; its name becomes the conversation's.

    Raises:
        RequestError: when it holds none, names a speaker beyond 15, or cannot give a name.
    """
    found = []
    for path in sorted(folder.glob("*-*")):
        match = NAME.fullmatch(path.name)
        if match is None:
            continue
        speaker = int(match[1])
        if speaker >= MOST_SPEAKERS:
            raise RequestError(f"{path}: speakers count from 0 to {MOST_SPEAKERS - 1}")
        found.append(Utterance(speaker, path))
    if not found:
        raise RequestError(
            f"{folder} holds no utterances; name them NUMBER-SPEAKER.ogg, as in 00-0.ogg"
        )
    return ReadyConversation(name=require_name(folder), utterances=tuple(found))


def copy_conversations(
    conversations: Sequence[ReadyConversation], out: Path
) -> tuple[ConversationEntry, ...]:
    """Copy conversations into a bundle's folder, and describe them."""
    return tuple(_copy(each, out) for each in conversations)


def _copy(conversation: ReadyConversation, out: Path) -> ConversationEntry:
    target = out / FOLDER / conversation.name
    target.mkdir(parents=True, exist_ok=True)
    turns = []
    for speaker, path in conversation.utterances:
        (target / path.name).write_bytes(path.read_bytes())
        entry = describe_file(out, target / path.name)
        turns.append(TurnEntry(speaker=speaker, file=entry))
    return ConversationEntry(name=conversation.name, turns=tuple(turns))
