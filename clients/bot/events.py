"""What a seat tells its bot: one class for each message of docs/protocol.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, ClassVar, TypeAlias, get_type_hints

from clients.bot.errors import BotError


class ProtocolError(BotError):
    """A message of the server that is none of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The seat is yours."""

    TYPE: ClassVar = "ready"
    protocol: str
    room: str
    seat: int
    session: str
    sample_rate: int
    most_queued_ms: int
    most_message_bytes: int
    is_ai_generated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakStarted:
    """The first sample of a segment left to the viewers."""

    TYPE: ClassVar = "speak_started"
    segment: int
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakEnded:
    """A segment is over; exactly one for each."""

    TYPE: ClassVar = "speak_ended"
    segment: int
    position_ms: int  # that really left to the viewers
    interrupted: bool
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """What was not spoken yet is dropped."""

    TYPE: ClassVar = "cleared"
    dropped_ms: int
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptChanged:
    """What the people do from now on."""

    TYPE: ClassVar = "prompt_changed"
    prompt: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """How the room does; every second."""

    TYPE: ClassVar = "metrics"
    load: float
    lead_ms: float
    rung: str
    frames: int
    ready_frames: int
    dropped_frames: int
    viewers: int
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomWarning:
    """The room will end."""

    TYPE: ClassVar = "warning"
    reason: str
    seconds_left: float
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorTold:
    """Something that was sent was not taken; the connection goes on."""

    TYPE: ClassVar = "error"
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsLost:
    """Events that nobody read in time, here or at the server."""

    TYPE: ClassVar = "events_lost"
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """The connection ends; the last message."""

    TYPE: ClassVar = "closing"
    reason: str


BotEvent: TypeAlias = (
    Ready
    | SpeakStarted
    | SpeakEnded
    | Cleared
    | PromptChanged
    | Metrics
    | RoomWarning
    | ErrorTold
    | EventsLost
    | Closing
)
_KINDS: Mapping[str, type[BotEvent]] = MappingProxyType(
    {
        kind.TYPE: kind
        for kind in (
            *(Ready, SpeakStarted, SpeakEnded, Cleared, PromptChanged, Metrics, RoomWarning),
            *(ErrorTold, EventsLost, Closing),
        )
    }
)


def read_event(text: str | bytes) -> BotEvent:
    """Read a message; fields that we do not know are left out, so that a server may add some.

    Raises:
        ProtocolError: when it is none of the messages, or lacks a field.
    """
    try:
        said = json.loads(text)
        kind = _KINDS[said["type"]]
        chosen = {field.name: said[field.name] for field in fields(kind)}
    except (ValueError, TypeError, KeyError) as error:
        raise ProtocolError(f"the server's message is not understood: {text[:200]!r}") from error
    return kind(**_checked(kind, chosen))


def _checked(kind: type[BotEvent], values: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    for name, value in values.items():
        wanted = (int, float) if hints[name] is float else hints[name]
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise ProtocolError(f"{kind.TYPE}.{name} is {value!r}, not {hints[name].__name__}")
    return values
