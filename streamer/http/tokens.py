"""Bearer tokens: JSON Web Tokens, signed with one key (HS256), that say what their owner may do.

Claims: `room` (an identifier, or `*` for every room), `role` (view, publish, admin), `seat` (with
publish: this seat alone), `exp`, and `sub`, a name for logs and counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import jwt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

ALGORITHM = "HS256"
AUDIENCE = "parley"
ANY_ROOM = "*"
LEAST_KEY_BYTES = 32  # of HMAC-SHA256, RFC 7518 section 3.2
LEEWAY_SECONDS = 5.0  # between our clock and the issuer's
MOST_TOKEN_CHARACTERS = 4096


class Role(StrEnum):
    """What a token's owner does. Admin may all; publish may view too."""

    VIEW = "view"
    PUBLISH = "publish"
    ADMIN = "admin"


class TokenError(Exception):
    """A token that is malformed, forged, expired, or says nothing we understand."""


class Claims(BaseModel):
    """What a token says."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    room: str = Field(min_length=1, max_length=64)
    role: Role
    seat: int | None = Field(default=None, ge=0, le=255)
    sub: str = Field(default="", max_length=256)
    exp: float
    nbf: float = 0.0

    def allows(self, role: Role, room: str, seat: int | None = None) -> bool:
        """Say whether its owner may act in a role, in a room, on a seat."""
        if self.room not in (ANY_ROOM, room):
            return False
        if self.role is Role.ADMIN:
            return True
        if role is Role.VIEW:
            return True
        return self.role is role and self.seat in (None, seat)


@dataclass(frozen=True, slots=True)
class TokenKey:
    """Signs and reads tokens. Keep it secret.

    Raises:
        ValueError: when the key is too short to be safe.
    """

    secret: bytes

    def __post_init__(self) -> None:
        if len(self.secret) < LEAST_KEY_BYTES:
            raise ValueError(
                f"the key has {len(self.secret)} bytes, it needs {LEAST_KEY_BYTES}; make one with "
                "`openssl rand -base64 48`"
            )

    def sign(self, claims: Claims) -> str:
        """Make a token."""
        said = claims.model_dump(mode="json", exclude_defaults=True)
        return jwt.encode({**said, "aud": AUDIENCE}, self.secret, algorithm=ALGORITHM)

    def read(self, token: str, now: Callable[[], float]) -> Claims:
        """Check a token and give its claims; `now` is in seconds since 1970.

        Raises:
            TokenError: when it is not valid, and why.
        """
        if len(token) > MOST_TOKEN_CHARACTERS:
            raise TokenError(f"the token is longer than {MOST_TOKEN_CHARACTERS} characters")
        try:
            said = jwt.decode(
                token,
                self.secret,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                # Times are checked below, against the clock that was given.
                options={
                    "require": ["exp"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
            claims = Claims.model_validate(said)
        except jwt.InvalidTokenError as error:
            raise TokenError(f"the token is not valid: {error}") from error
        except ValidationError as error:
            where = ", ".join(str(each["loc"][0]) for each in error.errors())
            raise TokenError(f"the token's claims are not ours: {where}") from error
        if claims.exp + LEEWAY_SECONDS <= now():
            raise TokenError("the token has expired; get a new one")
        if claims.nbf - LEEWAY_SECONDS > now():
            raise TokenError("the token is not valid yet")
        return claims
