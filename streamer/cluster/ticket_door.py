"""How a worker lets in whom a front sends: `/ticket/TICKET/rooms/...` is `/rooms/...` for them."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from streamer.cluster.tickets import TicketError, TicketKey
from streamer.http.guard import BEARER, TOKEN_PROTOCOL
from streamer.http.origins import OriginRules
from streamer.http.problem import Code, Problem
from streamer.http.refusals import refuse
from streamer.http.tokens import Claims, TokenKey

PREFIX = "/ticket/"
MOST_ORIGINS = 1000  # a front serves a few


class VouchedOrigins(OriginRules):
    """Origins of the settings, and those that the front vouched for."""

    def vouch(self, origins: Iterable[str]) -> None:
        """Let pages of these origins in from now on."""
        if len(self._allowed) < MOST_ORIGINS:
            self._allowed |= OriginRules(origins)._allowed


class TicketDoor:
    """The outermost of a worker's checks: turns a ticket into a path and a token.

    A token that the client shows itself counts more than the ticket, so that it is the same caller
    with and without a redirect.

    Args:
        app: the server.
        tickets: reads what the front wrote.
        tokens: writes the token that the server behind reads; None where nobody needs one.
        origins: learns whose pages the front serves.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        tickets: TicketKey,
        tokens: TokenKey | None,
        origins: VouchedOrigins,
    ) -> None:
        self._app = app
        self._tickets = tickets
        self._tokens = tokens
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_call = scope["type"] in {"http", "websocket"}
        if not is_call or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        text, _, path = scope["path"].removeprefix(PREFIX).partition("/")
        try:
            ticket = self._tickets.read(text)
        except TicketError as error:
            problem = Problem(Code.TOKEN_INVALID, f"{error}; ask the front again")
            await refuse(problem, scope, receive, send)
            return
        self._origins.vouch(ticket.origins)
        inner = {**scope, "path": f"/{path}", "raw_path": quote(f"/{path}").encode()}
        if self._tokens is not None and ticket.claims is not None and not _shows_token(scope):
            inner["headers"] = [*scope["headers"], _bearer(self._tokens, ticket.claims)]
        await self._app(inner, receive, send)


def _shows_token(scope: Scope) -> bool:
    said = Headers(scope=scope).get("authorization", "").lower().startswith(BEARER)
    return said or any(p.startswith(TOKEN_PROTOCOL) for p in scope.get("subprotocols", ()))


def _bearer(key: TokenKey, claims: Claims) -> tuple[bytes, bytes]:
    return b"authorization", f"Bearer {key.sign(claims)}".encode()
