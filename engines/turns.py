"""Several rooms on one engine: who is next, and a chunk for each that is ready.

The one place that decides how rooms share the networks. They take turns, the room that is furthest
behind first: one call for two rooms measured too little gain (docs/decisions/0011).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from engines.errors import EngineError
from engines.stream import AvatarStream, Chunk

Key = TypeVar("Key")


def fair_order(streams: Mapping[Key, AvatarStream], due: Iterable[Key]) -> list[Key]:
    """Put the rooms that are due in order: those that have made the least come first."""
    return sorted(due, key=lambda key: streams[key].position_seconds)


def make_chunks(
    streams: Mapping[Key, AvatarStream], due: Iterable[Key]
) -> dict[Key, Chunk | EngineError]:
    """Make a chunk for each room that is due; one that fails gets its error, the others go on."""
    made: dict[Key, Chunk | EngineError] = {}
    for key in fair_order(streams, due):
        try:
            made[key] = streams[key].make_chunk()
        except EngineError as error:
            made[key] = error
    return made
