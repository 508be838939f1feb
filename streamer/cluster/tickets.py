"""Tickets: what a front says about a caller whom it sends on to a worker.

Clients drop `Authorization` when a redirect leads to another host, and must: they cannot know who
listens there. So the address that a front redirects to carries, for half a minute and one room,
what the caller's token allowed, and which pages may ask.
"""

from __future__ import annotations

from dataclasses import dataclass

import jwt
from pydantic import BaseModel, ConfigDict, ValidationError

from streamer.http.tokens import ALGORITHM, Claims

AUDIENCE = "parley-ticket"  # no token is a ticket, and no ticket a token
SECONDS = 30.0
MOST_CHARACTERS = 4096
KEY_BYTES = 32


class TicketError(Exception):
    """A ticket that no front of this cluster wrote."""


class Ticket(BaseModel):
    """What a front vouches for."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    claims: Claims | None = None  # until they expire; None where nobody needs a token
    origins: tuple[str, ...] = ()  # of pages that the front serves


@dataclass(frozen=True, slots=True)
class TicketKey:
    """Signs and reads tickets; made anew by every front, known to its workers."""

    secret: bytes

    def sign(self, ticket: Ticket) -> str:
        """Write a ticket; it is safe in a path."""
        said = {"aud": AUDIENCE, **ticket.model_dump(mode="json", exclude_defaults=True)}
        return jwt.encode(said, self.secret, algorithm=ALGORITHM)

    def read(self, text: str) -> Ticket:
        """Check a ticket. Its claims may have expired: that is for whoever checks tokens.

        Raises:
            TicketError: when it is not ours.
        """
        if len(text) > MOST_CHARACTERS:
            raise TicketError("the ticket is too long")
        try:
            said = jwt.decode(text, self.secret, algorithms=[ALGORITHM], audience=AUDIENCE)
            return Ticket.model_validate(said)
        except jwt.InvalidTokenError as error:
            raise TicketError(f"the ticket is not valid: {error}") from error
        except ValidationError as error:
            raise TicketError("the ticket's claims are not ours") from error
