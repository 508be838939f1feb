"""What strangers meet: tokens, origins, hosts, rates, sizes, slowness, counts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message

from streamer.http.gate import BodyLimits, GateMiddleware, HostRules
from streamer.http.problem import Problem
from tests.streamer.http.house import KEY, OFFER, SDP, URL, House, bearer, house

AUTH = {"auth": {"mode": "on", "key": KEY}}
SLOW = {"burst": 2, "per_minute": 6}


def test_without_a_token_nothing_but_health_and_the_page_is_there() -> None:
    with house(**AUTH) as running:
        for method, path in (
            ("GET", "/rooms"),
            ("POST", "/rooms"),
            ("GET", "/scenes"),
            ("GET", "/metrics"),
            ("POST", "/rooms/x/whep"),
            ("POST", "/rooms/x/seats/0/whip"),
            ("POST", "/rooms/x/join"),
            ("DELETE", "/rooms/x/whep/y"),
            ("GET", "/recordings"),
        ):
            answer = running.client.request(method, path)
            assert (answer.status_code, answer.json()["code"]) == (401, "token_missing"), path
            assert answer.headers["www-authenticate"].startswith("Bearer")
        for path in ("/healthz", "/readyz", "/admin", "/openapi.json"):
            assert running.client.get(path).status_code == 200
        options = running.client.options("/rooms/x/whep")  # preflights carry no token
        assert options.status_code == 204


def test_a_bad_token_is_told_so() -> None:
    with house(**AUTH) as running:
        answer = running.client.get("/rooms", headers={"Authorization": "Bearer x.y.z"})
        assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_each_token_opens_what_it_says_and_nothing_else() -> None:
    with house(**AUTH) as running:
        client, admin = running.client, bearer("admin")
        room = client.post("/rooms", json={"scene": "null"}, headers=admin).json()["id"]
        view, other = bearer("view", room), bearer("admin", "another")
        seat_1 = bearer("publish", room, 1)
        whip = f"/rooms/{room}/seats/{{}}/whip"

        def status(method: str, path: str, who: dict[str, str], **more: Any) -> int:
            headers = {**who, **more.pop("headers", {})}
            return client.request(method, path, headers=headers, **more).status_code

        assert status("GET", f"/rooms/{room}", view) == 200
        assert status("GET", f"/rooms/{room}", other) == 403
        assert status("GET", "/rooms", view) == 403
        assert status("POST", whip.format(0), view, content=OFFER, headers=SDP) == 403
        assert status("POST", whip.format(0), seat_1, content=OFFER, headers=SDP) == 403
        assert status("POST", whip.format(1), seat_1, content=OFFER, headers=SDP) == 201
        assert status("POST", f"/rooms/{room}/whep", view, content=OFFER, headers=SDP) == 201
        assert status("POST", f"/rooms/{room}/seats/0/clear", seat_1) == 403
        assert status("DELETE", f"/rooms/{room}", seat_1) == 403
        assert status("DELETE", f"/rooms/{room}", bearer("admin", room)) == 204
        # Nobody learns whether a room exists from a token for another one.
        assert status("GET", "/rooms/nosuchroom", view) == 403
        joined = client.post(
            "/rooms/nosuchroom/join",
            json={"sdp": OFFER, "type": "offer"},
            headers=bearer("publish"),
        )
        assert joined.status_code == 404


def test_a_token_holds_so_many_sessions() -> None:
    with house(**AUTH, limits={"sessions_per_token": 1}) as running:
        room = running.client.post("/rooms", json={"scene": "null"}, headers=bearer("admin"))
        path = f"/rooms/{room.json()['id']}/whep"
        anna, ben = ({**bearer("view", sub=name), **SDP} for name in ("anna", "ben"))
        assert running.client.post(path, content=OFFER, headers=anna).status_code == 201
        second = running.client.post(path, content=OFFER, headers=anna)
        assert (second.status_code, second.json()["code"]) == (429, "too_many_sessions")
        assert running.client.post(path, content=OFFER, headers=ben).status_code == 201


def test_an_address_holds_so_many_sessions() -> None:
    with house(limits={"sessions_per_address": 1}) as running:
        path = f"/rooms/{running.open_room()}/whep"
        assert running.client.post(path, content=OFFER, headers=SDP).status_code == 201
        second = running.client.post(path, content=OFFER, headers=SDP)
        assert (second.status_code, second.json()["code"]) == (429, "too_many_sessions")


@pytest.mark.parametrize("method", ["post", "patch", "delete"])
def test_an_address_may_ask_so_often(method: str) -> None:
    with house(rates={method: SLOW}) as running:
        answers = [running.client.request(method, "/rooms/x/whep/y") for _ in range(3)]
        assert [each.status_code == 429 for each in answers] == [False, False, True]
        assert answers[-1].json()["code"] == "too_many_requests"
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 10
        assert running.client.get("/rooms").status_code == 200


def test_a_token_may_ask_so_often_from_wherever() -> None:
    rates = {"delete": SLOW}
    with house(**AUTH, rates=rates) as running:
        headers = bearer("view", sub="anna")
        statuses = []
        for n in range(3):
            client = running.client
            transport_client = (f"192.0.2.{n}", 50_000)
            client._transport.client = transport_client  # type: ignore[attr-defined]
            statuses.append(client.delete("/rooms/x/whep/y", headers=headers).status_code)
        assert statuses == [404, 404, 429]


def test_pages_of_listed_origins_alone_may_act() -> None:
    with house(browser={"origins": ["https://app.example.org"]}) as running:
        good, bad = {"Origin": "https://app.example.org"}, {"Origin": "https://evil.org"}
        room = running.open_room()
        path = f"/rooms/{room}/whep"
        answer = running.client.post(path, content=OFFER, headers={**SDP, **good})
        assert answer.headers["access-control-allow-origin"] == "https://app.example.org"
        assert "Location" in answer.headers["access-control-expose-headers"]
        refused = running.client.post(path, content=OFFER, headers={**SDP, **bad})
        assert (refused.status_code, refused.json()["code"]) == (403, "origin_refused")
        assert "access-control-allow-origin" not in refused.headers
        read = running.client.get(f"/rooms/{room}", headers=bad)
        assert "access-control-allow-origin" not in read.headers
        error = running.client.get("/rooms/none", headers=good)
        assert error.headers["access-control-allow-origin"] == "https://app.example.org"


def test_a_preflight_is_answered_with_what_whip_clients_send() -> None:
    with house(browser={"origins": ["https://app.example.org"]}) as running:
        answer = running.client.options(
            "/rooms/x/seats/0/whip",
            headers={
                "Origin": "https://app.example.org",
                "Access-Control-Request-Method": "PATCH",
                "Access-Control-Request-Headers": "authorization,content-type,if-match",
            },
        )
        assert answer.status_code == 204
        allowed = answer.headers["access-control-allow-headers"].lower()
        assert {"authorization", "content-type", "if-match", "etag"} <= set(allowed.split(", "))
        assert "PATCH" in answer.headers["access-control-allow-methods"]
        assert answer.headers["accept-post"] == "application/sdp"


def test_an_open_server_does_not_answer_to_a_rebound_name(open_house: House) -> None:
    answer = open_house.client.get("/rooms", headers={"Host": "evil.org"})
    assert (answer.status_code, answer.json()["code"]) == (421, "wrong_host")


LIMITS = BodyLimits(sdp_bytes=10, json_bytes=10, picture_bytes=10, seconds=0.01)


def through_the_gate(*messages: Message | None) -> list[Message]:
    """Let a request whose body comes in these pieces pass; None: nothing comes any more."""
    sent: list[Message] = []
    pieces = iter(messages)

    async def receive() -> Message:
        piece = next(pieces)
        if piece is None:
            await asyncio.Event().wait()
            raise AssertionError("never here")
        return piece

    async def send(message: Message) -> None:
        sent.append(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass

    gate = GateMiddleware(
        app,
        hosts=HostRules((), is_open=True),
        rates={},
        bodies=LIMITS,
        count_refusal=lambda code: None,
    )
    host = URL.removeprefix("http://").encode()
    scope = {"type": "http", "method": "POST", "path": "/rooms", "headers": [(b"host", host)]}
    asyncio.run(gate(scope, receive, send))
    return sent


def piece(size: int, *, more: bool) -> Message:
    return {"type": "http.request", "body": bytes(size), "more_body": more}


def test_a_body_that_does_not_say_its_length_is_counted() -> None:
    assert through_the_gate(piece(5, more=True), piece(5, more=False)) == []
    with pytest.raises(Problem, match="at most 10 bytes"):
        through_the_gate(piece(5, more=True), piece(6, more=False))


def test_a_body_that_never_comes_is_given_up() -> None:
    with pytest.raises(Problem, match=r"longer than 0\.01 s"):
        through_the_gate(piece(5, more=True), None)
