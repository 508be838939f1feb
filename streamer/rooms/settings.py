"""What a server allows its rooms. A value; the edge fills it from flags and files."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from streamer.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomSettings:
    """Limits and times of the rooms of one server; every time is in seconds."""

    most_rooms: int = 4
    most_viewers: int = 100  # of one room
    grace_s: float = 15.0  # a lost publisher's seat is kept so long for the same holder
    idle_s: float = 300.0  # nobody watches and nobody has a seat: the room ends after this
    longest_s: float = 4 * 3600.0  # of a room, whatever happens in it
    warning_s: float = 30.0  # how long before either end a warning is sent
    most_queued_s: float = 120.0  # speech of one seat that waits to be spoken
    bitrate: int | None = None  # at most, in bits per second of a room's video; None: by its size
    recording_folder: Path | None = None
    most_recording_bytes: int = 20 << 30  # of the whole folder; no new recording starts beyond
    metrics_every_s: float = 1.0  # how often a room sends its metrics as an event

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int | float) and value <= 0:
                raise SettingsError(f"{field.name} must be above 0, got {value:g}")
        if self.warning_s >= min(self.idle_s, self.longest_s):
            raise SettingsError(
                f"warning_s={self.warning_s:g} must be shorter than idle_s={self.idle_s:g} and "
                f"longest_s={self.longest_s:g}"
            )
