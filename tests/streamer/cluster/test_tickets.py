"""Tickets: what a front vouches for, what a worker makes of it, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from streamer.cluster.ticket_door import TicketDoor, VouchedOrigins
from streamer.cluster.tickets import Ticket, TicketError, TicketKey
from streamer.http.app import Surface
from streamer.http.tokens import Claims, Role, TokenError, TokenKey
from streamer.rooms.opening import RoomSpec
from streamer.server import Parts, build
from streamer.stage import open_stage
from tests.streamer.http.house import KEY, NOW, URL, PretendedPeers, bearer, settings

TICKETS = TicketKey(b"k" * 32)
PAGE = "https://front.example.org"


def claims(role: Role = Role.VIEW, room: str = "r", *, exp: float = NOW + 30) -> Claims:
    return Claims(room=room, role=role, exp=exp)


def path(room: str, ticket: Ticket) -> str:
    return f"/ticket/{TICKETS.sign(ticket)}/rooms/{room}"


@contextmanager
def worker() -> Iterator[TestClient]:
    """Run a worker's server, which wants tokens, without a cluster."""
    chosen = settings(auth={"mode": "on", "key": KEY})
    origins = VouchedOrigins(())
    parts = Parts(surface=Surface(origins=origins))
    built = build(chosen, open_stage(chosen), PretendedPeers(), parts=parts, wall=lambda: NOW)
    app: FastAPI = built.app
    app.add_middleware(TicketDoor, tickets=TICKETS, tokens=TokenKey(KEY.encode()), origins=origins)
    with TestClient(app, base_url=URL, follow_redirects=False) as client:
        yield client


def open_room(client: TestClient) -> str:
    answer = client.post("/rooms", json={"scene": "null"}, headers=bearer("admin"))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_a_ticket_of_another_front_is_refused() -> None:
    forged = TicketKey(b"x" * 32).sign(Ticket(claims=claims()))
    with pytest.raises(TicketError):
        TICKETS.read(forged)
    with worker() as client:
        answer = client.get(f"/ticket/{forged}/rooms/r")
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")


def test_no_ticket_is_a_token_even_under_one_key() -> None:
    ticket = TICKETS.sign(Ticket(claims=claims()))
    with pytest.raises(TokenError):
        TokenKey(TICKETS.secret).read(ticket, lambda: NOW)
    with pytest.raises(TicketError):
        TICKETS.read(TokenKey(TICKETS.secret).sign(claims()))


def test_a_ticket_gives_its_claims_and_ends_with_them() -> None:
    with worker() as client:
        room = open_room(client)
        assert client.get(f"/rooms/{room}").status_code == 401
        assert client.get(path(room, Ticket(claims=claims(room=room)))).status_code == 200
        late = client.get(path(room, Ticket(claims=claims(room=room, exp=NOW - 60))))
        assert (late.status_code, late.json()["code"]) == (401, "token_invalid")
        nothing = client.get(path(room, Ticket()))
        assert (nothing.status_code, nothing.json()["code"]) == (401, "token_missing")


def test_a_token_counts_more_than_the_ticket() -> None:
    with worker() as client:
        room = open_room(client)
        place = path(room, Ticket(claims=claims(Role.ADMIN, room)))
        refused = client.delete(place, headers=bearer("view", room))
        assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
        assert client.delete(place).status_code == 204


def test_a_page_of_the_front_may_ask_the_worker_and_no_other_page() -> None:
    with worker() as client:
        room = open_room(client)
        place = path(room, Ticket(claims=claims(Role.ADMIN, room), origins=(PAGE,)))
        asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
        before = client.options(f"/rooms/{room}/prompt", headers=asked)
        assert "access-control-allow-origin" not in before.headers
        preflight = client.options(f"{place}/prompt", headers=asked)
        assert preflight.headers["access-control-allow-origin"] == PAGE
        said = client.post(f"{place}/prompt", json={"prompt": "x"}, headers={"Origin": PAGE})
        assert said.status_code == 204
        evil = client.post(
            f"{place}/prompt", json={"prompt": "x"}, headers={"Origin": "https://evil.example"}
        )
        assert (evil.status_code, evil.json()["code"]) == (403, "origin_refused")


def test_a_room_comes_back_under_its_name() -> None:
    with worker() as client:
        services = client.app.state.services  # type: ignore[attr-defined]
        assert client.portal is not None
        client.portal.call(services.registry.create, RoomSpec(scene="null"), "name-of-before")
        shown = client.get("/rooms/name-of-before", headers=bearer("view"))
        assert (shown.status_code, shown.json()["id"]) == (200, "name-of-before")
        listed = client.get("/rooms", headers=bearer("admin")).json()["rooms"]
        assert [room["id"] for room in listed] == ["name-of-before"]
        assert client.delete("/rooms/name-of-before", headers=bearer("admin")).status_code == 204
        assert client.get("/rooms/name-of-before", headers=bearer("view")).status_code == 404
