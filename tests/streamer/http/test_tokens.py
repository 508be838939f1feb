"""Tokens: what is signed is read, and nothing else is."""

from __future__ import annotations

import base64
import json

import jwt
import pytest

from streamer.http.tokens import (
    ANY_ROOM,
    AUDIENCE,
    LEEWAY_SECONDS,
    Claims,
    Role,
    TokenError,
    TokenKey,
)

KEY = TokenKey(b"0123456789abcdef0123456789abcdef")
NOW = 1_800_000_000.0


def claims(**changes: object) -> Claims:
    said = {"room": "r1", "role": "publish", "seat": 1, "sub": "anna", "exp": NOW + 60}
    return Claims.model_validate({**said, **changes})


def read(token: str, now: float = NOW) -> Claims:
    return KEY.read(token, lambda: now)


def test_what_was_signed_is_read() -> None:
    assert read(KEY.sign(claims())) == claims()


def test_a_token_of_another_key_is_refused() -> None:
    other = TokenKey(b"another key that is long enough!")
    with pytest.raises(TokenError, match="not valid"):
        read(other.sign(claims()))


def test_a_token_ends_when_it_says() -> None:
    token = KEY.sign(claims())
    assert read(token, NOW + 59)
    assert read(token, NOW + 60 + LEEWAY_SECONDS - 1)
    with pytest.raises(TokenError, match="expired"):
        read(token, NOW + 60 + LEEWAY_SECONDS)


def test_a_token_for_later_is_refused_now() -> None:
    with pytest.raises(TokenError, match="not valid yet"):
        read(KEY.sign(claims(nbf=NOW + 30)))


def test_a_token_without_an_end_is_refused() -> None:
    said = {"room": "r1", "role": "view", "aud": AUDIENCE}
    with pytest.raises(TokenError, match="exp"):
        read(jwt.encode(said, KEY.secret, algorithm="HS256"))


def test_a_token_for_another_server_is_refused() -> None:
    said = {"room": "r1", "role": "view", "aud": "other", "exp": NOW + 60}
    with pytest.raises(TokenError, match="not valid"):
        read(jwt.encode(said, KEY.secret, algorithm="HS256"))


def test_an_unsigned_token_is_refused() -> None:
    def part(said: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()

    said = {"room": "*", "role": "admin", "aud": AUDIENCE, "exp": NOW + 60}
    with pytest.raises(TokenError, match="not valid"):
        read(f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(said)}.")


@pytest.mark.parametrize(
    "changes",
    [{"role": "king"}, {"room": ""}, {"seat": -1}, {"seat": "x"}, {"exp": "soon"}, {"room": 5}],
)
def test_claims_that_are_not_ours_are_refused(changes: dict[str, object]) -> None:
    said = {**claims().model_dump(mode="json"), "aud": AUDIENCE, **changes}
    with pytest.raises(TokenError):
        read(jwt.encode(said, KEY.secret, algorithm="HS256"))


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "é" * 10, "." * 4097])
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(TokenError):
        read(text)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="has 5 bytes, it needs 32"):
        TokenKey(b"short")


ALLOWED = [
    (Role.VIEW, None, Role.VIEW, None),
    (Role.PUBLISH, None, Role.VIEW, None),
    (Role.PUBLISH, None, Role.PUBLISH, 3),
    (Role.PUBLISH, 1, Role.PUBLISH, 1),
    (Role.ADMIN, None, Role.ADMIN, None),
    (Role.ADMIN, None, Role.PUBLISH, 0),
    (Role.ADMIN, None, Role.VIEW, None),
]
REFUSED = [
    (Role.VIEW, None, Role.PUBLISH, 0),
    (Role.VIEW, None, Role.ADMIN, None),
    (Role.PUBLISH, 1, Role.PUBLISH, 0),
    (Role.PUBLISH, None, Role.ADMIN, None),
]


@pytest.mark.parametrize(("role", "seat", "wanted", "wanted_seat"), ALLOWED)
def test_a_role_may(role: Role, seat: int | None, wanted: Role, wanted_seat: int | None) -> None:
    assert claims(role=role, seat=seat).allows(wanted, "r1", wanted_seat)
    assert claims(role=role, seat=seat, room=ANY_ROOM).allows(wanted, "r2", wanted_seat)
    assert not claims(role=role, seat=seat).allows(wanted, "r2", wanted_seat)


@pytest.mark.parametrize(("role", "seat", "wanted", "wanted_seat"), REFUSED)
def test_a_role_may_not(
    role: Role, seat: int | None, wanted: Role, wanted_seat: int | None
) -> None:
    assert not claims(role=role, seat=seat).allows(wanted, "r1", wanted_seat)


def test_one_room_is_not_every_room() -> None:
    assert not claims(role=Role.ADMIN, seat=None).allows(Role.ADMIN, ANY_ROOM)
