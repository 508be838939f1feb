"""What goes wrong between a bot and a server; every error says what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


class BotError(Exception):
    """Any error of a bot."""


class InputError(BotError):
    """A value that cannot be used: what was expected, and what came."""


class SpeechError(BotError):
    """A voice that is not installed, or a text that it cannot say."""


@dataclass
class RefusedError(BotError):
    """The server said no, and why; `code` is one of docs/protocol.md, Errors."""

    status: int
    code: str
    detail: str
    retry_after: float | None = None  # seconds; None where waiting does not help by itself

    def __str__(self) -> str:
        return f"{self.detail} ({self.status} {self.code})"

    @property
    def is_passing(self) -> bool:
        """Whether the same request may be taken later."""
        return self.status in (409, 429, 502, 503, 504)


@dataclass
class DisconnectedError(BotError):
    """The connection is gone and will not come back."""

    reason: str

    def __str__(self) -> str:
        return f"the connection to the seat is over: {self.reason}"
