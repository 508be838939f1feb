"""What is said over a seat's websocket: text messages are JSON objects with a `type`.

Binary messages are speech: PCM, 16 bit, little endian, mono. docs/protocol.md has them all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from streamer.http.problem import Code
from streamer.rooms.events import Event, EventKind

PcmRate: TypeAlias = Literal[16000, 24000, 48000]
MOST_NESTED_CHARACTERS = 200  # of a client's own text in an error to it


class Message(BaseModel):
    """Anything a client says."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SegmentEnd(Message):
    """What was sent since the last one is one thing to say; it ends here."""

    type: Literal["segment_end"]


class Clear(Message):
    """Barge-in: drop everything that is not spoken yet."""

    type: Literal["clear"]


class Prompt(Message):
    """From now on the people do this."""

    type: Literal["prompt"]
    text: str


class KeepAlive(Message):
    """I have nothing to say, and I am here."""

    type: Literal["keep_alive"]


ClientMessage: TypeAlias = SegmentEnd | Clear | Prompt | KeepAlive
_ANY: TypeAdapter[ClientMessage] = TypeAdapter(
    Annotated[SegmentEnd | Clear | Prompt | KeepAlive, Field(discriminator="type")]
)


class MessageError(Exception):
    """A text message that is not one of ours."""


def read_message(text: str) -> ClientMessage:
    """Read a text message.

    Raises:
        MessageError: when it is not one of ours, and why.
    """
    try:
        return _ANY.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        said = f"{where}: {first['msg']}" if where else first["msg"]
        raise MessageError(f"the message is not understood: {said[:MOST_NESTED_CHARACTERS]}") from (
            error
        )


# What a seat hears of what happens in its room: its own voice, and what concerns everybody.
TOLD_TO_ITS_SEAT = frozenset(
    {
        EventKind.SPEAK_STARTED,
        EventKind.SPEAK_ENDED,
        EventKind.CLEARED,
        EventKind.ERROR,
    }
)
TOLD_TO_ALL = frozenset(
    {
        EventKind.METRICS,
        EventKind.PROMPT_CHANGED,
        EventKind.WARNING,
        EventKind.CLOSING,
        EventKind.EVENTS_LOST,
    }
)


def event_text(event: Event, seat: int) -> str | None:
    """Write an event of a room for a seat; None when it does not concern it."""
    is_own = event.kind in TOLD_TO_ITS_SEAT and event.seat in (None, seat)
    is_for_all = event.kind in TOLD_TO_ALL and event.seat in (None, seat)
    if not is_own and not is_for_all:
        return None
    return _text(event.kind.value, {**event.data, "at_ms": event.at_ms})


def ready_text(said: Mapping[str, object]) -> str:
    """Write the first message of a connection."""
    return _text("ready", said)


def error_text(code: Code, message: str) -> str:
    """Write an error that does not end the connection."""
    return _text("error", {"code": code.value, "message": message})


def closing_text(reason: str) -> str:
    """Write the last message of a connection."""
    return _text("closing", {"reason": reason})


def _text(kind: str, said: Mapping[str, object]) -> str:
    return json.dumps({"type": kind, **said}, ensure_ascii=False, separators=(",", ":"))
