"""Every error a client can meet, as RFC 9457 problem+json: one table, one exception, one answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"
URN = "urn:parley:problem:"


class Code(StrEnum):
    """What went wrong, for programs; docs/protocol.md explains each."""

    MALFORMED = "malformed"
    TOKEN_MISSING = "token_missing"  # noqa: S105  # a name, not a password
    TOKEN_INVALID = "token_invalid"  # noqa: S105
    NOT_ALLOWED = "not_allowed"
    ORIGIN_REFUSED = "origin_refused"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    TOO_SLOW = "too_slow"
    NOT_LIVE = "not_live"
    SEAT_TAKEN = "seat_taken"
    ENDED = "ended"
    CONFLICT = "conflict"
    STALE = "stale"
    TOO_LARGE = "too_large"
    WRONG_TYPE = "wrong_type"
    WRONG_HOST = "wrong_host"
    INVALID = "invalid"
    UNSUPPORTED = "unsupported"
    IF_MATCH_MISSING = "if_match_missing"
    TOO_MANY_REQUESTS = "too_many_requests"
    TOO_MANY_SESSIONS = "too_many_sessions"
    INTERNAL = "internal"
    FULL = "full"
    DRAINING = "draining"


class Kind(NamedTuple):
    """What HTTP says about a code."""

    status: int
    title: str


KINDS: Mapping[Code, Kind] = {
    Code.MALFORMED: Kind(400, "The request cannot be read"),
    Code.TOKEN_MISSING: Kind(401, "A bearer token is needed"),
    Code.TOKEN_INVALID: Kind(401, "The bearer token is not valid"),
    Code.NOT_ALLOWED: Kind(403, "The token does not allow this"),
    Code.ORIGIN_REFUSED: Kind(403, "This origin may not use the server"),
    Code.NOT_FOUND: Kind(404, "There is nothing here"),
    Code.METHOD_NOT_ALLOWED: Kind(405, "The method is not allowed here"),
    Code.TOO_SLOW: Kind(408, "The request took too long to arrive"),
    Code.NOT_LIVE: Kind(409, "The room is not live"),
    Code.SEAT_TAKEN: Kind(409, "Somebody has this seat"),
    Code.CONFLICT: Kind(409, "Not in this state"),
    Code.ENDED: Kind(410, "It has ended"),
    Code.STALE: Kind(412, "If-Match names another state of the session"),
    Code.TOO_LARGE: Kind(413, "The request is too large"),
    Code.WRONG_TYPE: Kind(415, "The content type is not the one needed here"),
    Code.WRONG_HOST: Kind(421, "The Host header names another server"),
    Code.INVALID: Kind(422, "A value in the request cannot be used"),
    Code.UNSUPPORTED: Kind(422, "The server does not do this"),
    Code.IF_MATCH_MISSING: Kind(428, "If-Match is needed"),
    Code.TOO_MANY_REQUESTS: Kind(429, "Too many requests"),
    Code.TOO_MANY_SESSIONS: Kind(429, "Too many sessions at once"),
    Code.INTERNAL: Kind(500, "The server failed"),
    Code.FULL: Kind(503, "The server is full"),
    Code.DRAINING: Kind(503, "The server is shutting down"),
}
# What the framework raises by itself, by status.
BY_STATUS: Mapping[int, Code] = {
    400: Code.MALFORMED,
    404: Code.NOT_FOUND,
    405: Code.METHOD_NOT_ALLOWED,
}


class Fault(NamedTuple):
    """One value of a request that cannot be used."""

    where: str  # as body.boxes.0
    what: str


class Problem(HTTPException):
    """Raise it anywhere below a route; it becomes the answer.

    Args:
        code: what went wrong.
        detail: one sentence for people: what was expected, what came, what to do.
        retry_after: seconds after which it is worth to try again.
        faults: the values that cannot be used, where there are several.
        headers: to send along.
    """

    def __init__(
        self,
        code: Code,
        detail: str,
        *,
        retry_after: float | None = None,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        kind = KINDS[code]
        sent = dict(headers or {})
        if retry_after is not None:
            sent["Retry-After"] = str(max(1, math.ceil(retry_after)))
        if kind.status == HTTPStatus.UNAUTHORIZED:
            error = "" if code is Code.TOKEN_MISSING else ' error="invalid_token"'
            sent["WWW-Authenticate"] = f'Bearer realm="parley"{error and ","}{error}'
        super().__init__(kind.status, detail, sent)
        self.code = code
        self.faults = tuple(faults)


def answer(problem: Problem) -> JSONResponse:
    """Give the response that says it."""
    body: dict[str, object] = {
        "type": f"{URN}{problem.code}",
        "title": KINDS[problem.code].title,
        "status": problem.status_code,
        "code": problem.code.value,
        "detail": problem.detail,
    }
    if problem.faults:
        body["errors"] = [fault._asdict() for fault in problem.faults]
    return JSONResponse(
        body, problem.status_code, headers=dict(problem.headers or {}), media_type=MEDIA_TYPE
    )


def from_framework(error: HTTPException) -> Problem:
    """Give our problem for what the framework raised by itself, such as an unknown path."""
    if isinstance(error, Problem):
        return error
    code = BY_STATUS.get(error.status_code, Code.MALFORMED)
    return Problem(code, str(error.detail), headers=error.headers)
