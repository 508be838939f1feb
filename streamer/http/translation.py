"""What others raise, said as a problem. The one seam where errors change shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError

from engines.errors import ArtifactError, EngineError, InputError
from streamer.errors import (
    Ended,
    InvalidInput,
    NotFound,
    QueueFull,
    SeatTaken,
    SessionLimit,
    StreamerError,
)
from streamer.http.problem import Code, Fault, Problem

MOST_FAULTS = 20
SEAT_RETRY_SECONDS = 5.0


def as_problem(error: StreamerError | EngineError) -> Problem:
    """Say an error of the rooms or of the engine to a client."""
    said = str(error)
    match error:
        case SessionLimit():
            code = Code.DRAINING if error.what == "draining" else Code.FULL
            return Problem(code, said, retry_after=error.retry_after_s)
        case SeatTaken():
            return Problem(Code.SEAT_TAKEN, said, retry_after=SEAT_RETRY_SECONDS)
        case NotFound():
            return Problem(Code.NOT_FOUND, said)
        case Ended():
            return Problem(Code.ENDED, said)
        case QueueFull():
            return Problem(Code.TOO_MANY_REQUESTS, said, retry_after=1.0)
        case InvalidInput() | InputError():
            return Problem(Code.INVALID, said)
        case ArtifactError():
            return Problem(Code.INTERNAL, "a file of the server's bundle is damaged; see its log")
        case _:
            return Problem(Code.INTERNAL, "the server could not do this; its log says more")


def as_faults(error: RequestValidationError) -> Problem:
    """Say which values of a request cannot be used, without repeating them."""
    details: Sequence[Any] = error.errors()
    if any(each["type"] == "json_invalid" for each in details):
        return Problem(Code.MALFORMED, "the body is not JSON")
    faults = [
        Fault(".".join(str(part) for part in each["loc"])[:200], each["msg"][:200])
        for each in details[:MOST_FAULTS]
    ]
    return Problem(Code.INVALID, f"{faults[0].where}: {faults[0].what}", faults=faults)
