"""The JSON of the REST calls."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from streamer.http.identifiers import PATTERN
from streamer.media.types import FPS
from streamer.rooms.room import Room, RoomState

Text = Annotated[str, StringConstraints(max_length=100_000)]
SceneId = Annotated[str, StringConstraints(pattern=PATTERN)]
PersonName = Annotated[str, StringConstraints(max_length=100)]
Pixel = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]
BoxNumbers = tuple[Pixel, Pixel, Pixel, Pixel]


class Body(BaseModel):
    """Anything a client sends."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RoomWish(Body):
    """Which room to open."""

    scene: SceneId = Field(description="See GET /scenes.")
    prompt: Text | None = Field(None, description="Instead of the scene's own.")
    seed: int = Field(0, ge=0, le=2**63 - 1, description="The same seed and voices: the same film.")
    people_names: tuple[PersonName, ...] = Field((), max_length=16)
    is_recorded: bool = Field(False, description="Film what viewers see.")


class PromptWish(Body):
    """What the people do from now on."""

    prompt: Text


class BoxesWish(Body):
    """What is known better about an uploaded picture; what is left out stays."""

    boxes: tuple[BoxNumbers, ...] | None = Field(
        None, max_length=16, description="left, top, right, bottom in pixels, a box a person."
    )
    name: PersonName | None = None
    prompt: Text | None = None
    people_names: tuple[PersonName, ...] | None = Field(None, max_length=16)


class SeatView(BaseModel):
    """One person of the picture, and who speaks for them."""

    number: int
    name: str
    is_taken: bool
    is_connected: bool
    is_speaking: bool
    kind: Literal["live", "bot"] | None


class RoomView(BaseModel):
    """A room, as seen from outside."""

    id: str
    scene: str
    prompt: str | None
    state: RoomState
    width: int
    height: int
    fps: int
    chunk_ms: int  # of video, that is made at once
    look_ahead_ms: int  # of later sound, that a chunk waits for
    seats: list[SeatView]
    viewers: int
    is_recorded: bool
    is_ai_generated: Literal[True] = True
    has_badge: bool

    @classmethod
    def of(cls, room: Room) -> RoomView:
        info = room.info()
        seats = [
            SeatView(
                number=seat.number,
                name=seat.name,
                is_taken=not seat.is_free,
                is_connected=seat.is_connected,
                is_speaking=seat.is_speaking,
                kind=seat.kind,
            )
            for seat in room.seats
        ]
        return cls(
            id=room.id,
            scene=room.spec.scene,
            prompt=room.spec.prompt,
            state=room.state,
            width=room.width,
            height=room.height,
            fps=FPS,
            chunk_ms=info.chunk_ms,
            look_ahead_ms=info.look_ahead_ms,
            seats=seats,
            viewers=room.viewers,
            is_recorded=room.spec.is_recorded,
            has_badge=room.spec.has_badge,
        )


class RoomList(BaseModel):
    """Every room of the server."""

    rooms: list[RoomView]
    most_rooms: int


class Dropped(BaseModel):
    """How much speech was dropped."""

    dropped_ms: int


class Ready(BaseModel):
    """Whether new rooms can be opened."""

    status: Literal["ready", "full", "draining"]
