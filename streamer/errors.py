"""What can go wrong while rooms are served.

StreamerError
 +-- InvalidInput        something from outside has the wrong form or values
 +-- NotFound            no room, seat, viewer or recording of that name
 +-- SeatTaken           somebody else has the seat
 +-- SessionLimit        full, or about to stop; come back later
 +-- Ended               the room, the seat or the viewer is over; nothing can be done with it
 +-- QueueFull           more speech waits than a seat may hold; slow down
 +-- SettingsError       the server cannot start with these settings
"""

# ruff: noqa: N818  (named after what happened, as docs and design name it: SessionLimit, Ended)
from __future__ import annotations


class StreamerError(Exception):
    """Base of every error raised by `streamer`; its text says what was wrong and what to do."""


class InvalidInput(StreamerError, ValueError):
    """Something from outside has the wrong form or values."""


class NotFound(StreamerError):
    """There is nothing of that name.

    Args:
        what: "room", "seat", "recording".
        name: what was asked for.
    """

    def __init__(self, what: str, name: object) -> None:
        super().__init__(what, name)
        self.what, self.name = what, name

    def __str__(self) -> str:
        return f"there is no {self.what} {self.name}"


class SeatTaken(StreamerError):
    """Somebody else has the seat."""

    def __init__(self, seat: int) -> None:
        super().__init__(seat)
        self.seat = seat

    def __str__(self) -> str:
        return f"seat {self.seat} is taken; wait until it is left, or choose another"


class SessionLimit(StreamerError):
    """No place for one more.

    Args:
        what: "rooms", "viewers", ...; or "draining" when the server is about to stop.
        limit: how many there may be.
        retry_after_s: when to ask again.
    """

    def __init__(self, what: str, limit: int, retry_after_s: float = 5.0) -> None:
        super().__init__(what, limit, retry_after_s)
        self.what, self.limit, self.retry_after_s = what, limit, retry_after_s

    def __str__(self) -> str:
        if self.what == "draining":
            return "the server is about to stop and takes nobody new"
        return f"{self.limit} {self.what} is the limit; try again in {self.retry_after_s:g} s"


class Ended(StreamerError):
    """Too late: what was called is over.

    Args:
        what: "room", "seat", "viewer", "subscription".
        reason: why it ended.
    """

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(what, reason)
        self.what, self.reason = what, reason

    def __str__(self) -> str:
        return f"the {self.what} has ended ({self.reason}); open a new one"


class QueueFull(StreamerError):
    """More speech waits than a seat may hold; none of what was given was taken."""

    def __init__(self, queued_s: float, limit_s: float) -> None:
        super().__init__(queued_s, limit_s)
        self.queued_s, self.limit_s = queued_s, limit_s

    def __str__(self) -> str:
        return (
            f"{self.queued_s:.1f} s of speech wait and {self.limit_s:g} s is the limit; push slower"
        )


class SettingsError(StreamerError, ValueError):
    """The server cannot start with these settings; the text says which, and what to do."""
