"""Who is asking, and whether they may."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from streamer.http.buckets import BucketTable
from streamer.http.gate import SOCKET, address_of
from streamer.http.problem import Code, Problem
from streamer.http.tokens import ANY_ROOM, Claims, Role, TokenError, TokenKey

BEARER = "bearer "
PROTOCOL = "parley.v1"
TOKEN_PROTOCOL = "bearer."  # noqa: S105  # the subprotocol of browsers, which cannot set headers


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking."""

    claims: Claims
    owner: str  # what counts as one token; safe in a header; empty when none is needed
    address: str

    def require(self, role: Role, room: str, seat: int | None = None) -> None:
        """Go on only when this caller may act in a role, in a room, on a seat.

        Raises:
            Problem: when not. It does not tell whether the room exists.
        """
        if not self.claims.allows(role, room, seat):
            where = "every room" if room == ANY_ROOM else "this room"
            where += "" if seat is None else f" and seat {seat}"
            raise Problem(Code.NOT_ALLOWED, f"this needs a token with the role {role} for {where}")

    def require_server(self) -> None:
        """Go on only when this caller may act for the whole server.

        Raises:
            Problem: when not.
        """
        self.require(Role.ADMIN, ANY_ROOM)


class Doorman:
    """Reads tokens.

    Args:
        key: checks them; None when nobody needs one.
        rates: how often one token may ask, by method.
        wall: seconds since 1970.
    """

    def __init__(
        self,
        key: TokenKey | None,
        rates: Mapping[str, BucketTable],
        wall: Callable[[], float],
    ) -> None:
        self._key = key
        self._rates = rates
        self._wall = wall

    def admit(self, connection: HTTPConnection) -> Caller:
        """Say who is asking.

        Raises:
            Problem: when the token is missing or invalid, or asks too often.
        """
        address = address_of(connection.scope)
        if self._key is None:
            anybody = Claims(room=ANY_ROOM, role=Role.ADMIN, exp=float("inf"))
            return Caller(anybody, "", address)
        token = _token(connection)
        try:
            claims = self._key.read(token, self._wall)
        except TokenError as error:
            raise Problem(Code.TOKEN_INVALID, str(error)) from error
        owner = hashlib.sha256((claims.sub or token).encode()).hexdigest()[:24]
        scope = connection.scope
        rates = self._rates.get(SOCKET if scope["type"] == "websocket" else scope["method"])
        wait = rates.take(owner) if rates is not None else 0.0
        if wait > 0:
            detail = f"this token asks too often; wait {wait:.1f} s"
            raise Problem(Code.TOO_MANY_REQUESTS, detail, retry_after=wait)
        return Caller(claims, owner, address)


def _token(connection: HTTPConnection) -> str:
    said = connection.headers.get("authorization", "")
    if said.lower().startswith(BEARER):
        return said[len(BEARER) :].strip()
    for protocol in connection.scope.get("subprotocols", ()):
        if protocol.startswith(TOKEN_PROTOCOL):
            return str(protocol[len(TOKEN_PROTOCOL) :])
    raise Problem(Code.TOKEN_MISSING, "send the header Authorization: Bearer TOKEN")
