"""WHIP as RFC 9725 has it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from tests.streamer.http.house import CANDIDATE, FRAGMENT, KEY, OFFER, SDP, House, bearer, house


def whip(room: str, seat: int = 0) -> str:
    return f"/rooms/{room}/seats/{seat}/whip"


def publish(running: House, room: str, seat: int = 0) -> tuple[str, str]:
    """Give the session's URL and its ETag."""
    answer = running.client.post(whip(room, seat), content=OFFER, headers=SDP)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"], answer.headers["etag"]


def test_an_offer_makes_a_session(open_house: House) -> None:
    room = open_house.open_room()
    answer = open_house.client.post(whip(room), content=OFFER, headers=SDP)
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/sdp"
    assert answer.text.startswith("v=0")
    assert answer.headers["location"].startswith(whip(room) + "/")
    assert len(answer.headers["location"].rpartition("/")[2]) == 22
    assert answer.headers["etag"].startswith('"')
    assert answer.headers["accept-patch"] == "application/trickle-ice-sdpfrag"
    seat = open_house.client.get(f"/rooms/{room}").json()["seats"][0]
    assert (seat["is_taken"], seat["kind"]) == (True, "live")


def test_ice_servers_come_in_the_link_header() -> None:
    ice = {"stun": ["stun:s.example"], "turn": ["turn:t.example"], "turn_secret": "secret"}
    with house(ice=ice) as running:
        room = running.open_room()
        answer = running.client.post(whip(room), content=OFFER, headers=SDP)
        assert '<stun:s.example>; rel="ice-server"' in answer.headers["link"]
        assert 'username="1800003600:' in answer.headers["link"]
        preflight = running.client.options(whip(room))
        assert "link" not in preflight.headers


def test_a_deleted_session_frees_its_seat(open_house: House) -> None:
    room = open_house.open_room()
    session, _ = publish(open_house, room)
    assert open_house.client.delete(session).status_code == 200
    assert open_house.peers.made[0].is_closed
    assert open_house.client.delete(session).status_code == 404
    assert not open_house.client.get(f"/rooms/{room}").json()["seats"][0]["is_taken"]
    publish(open_house, room)


def lose(running: House) -> None:
    """Let the last client go without a word."""
    peer = running.peers.made[-1]
    peer.reason = "lost"

    async def end() -> None:
        peer.over.set()

    running.run(end)
    running.settle(lambda: not len(running.built.services.calls.sessions))


def test_a_lost_connection_keeps_the_seat_for_its_token_for_a_while() -> None:
    with house(auth={"mode": "on", "key": KEY}) as running:
        made = running.client.post("/rooms", json={"scene": "null"}, headers=bearer("admin"))
        room = made.json()["id"]
        ada = bearer("publish", room, 0, sub="ada")
        headers = {**SDP, **ada}
        offered = partial(running.client.post, whip(room), content=OFFER, headers=headers)
        assert offered().status_code == 201
        lose(running)
        seat = running.client.get(f"/rooms/{room}", headers=ada).json()["seats"][0]
        assert (seat["is_taken"], seat["is_connected"]) == (True, False)
        assert offered().status_code == 201


def test_a_lost_connection_of_a_nameless_client_frees_the_seat_at_once(open_house: House) -> None:
    room = open_house.open_room()
    publish(open_house, room)
    lose(open_house)
    assert not open_house.client.get(f"/rooms/{room}").json()["seats"][0]["is_taken"]
    publish(open_house, room)


def test_a_client_that_said_goodbye_before_its_delete_is_told_that_it_worked(
    open_house: House,
) -> None:
    session, _ = publish(open_house, open_house.open_room())
    peer = open_house.peers.made[-1]

    async def close() -> None:
        peer.over.set()

    open_house.run(close)
    open_house.settle(lambda: not len(open_house.built.services.calls.sessions))
    assert open_house.client.get(session).status_code == 404
    assert [open_house.client.delete(session).status_code for _ in range(2)] == [200, 404]


def test_candidates_trickle_in(open_house: House) -> None:
    session, tag = publish(open_house, open_house.open_room())
    body = f"a=ice-ufrag:abcd\r\na=mid:0\r\na={CANDIDATE}\r\n"
    answer = open_house.client.patch(session, content=body, headers={**FRAGMENT, "If-Match": tag})
    assert answer.status_code == 204
    assert "etag" not in answer.headers
    assert open_house.peers.made[0].fragments == [body]


def test_a_client_of_an_early_draft_trickles_too(open_house: House) -> None:
    session, tag = publish(open_house, open_house.open_room())
    headers = {**FRAGMENT, "ETag": tag}
    assert open_house.client.patch(session, content="", headers=headers).status_code == 204


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        (FRAGMENT, "", 428, "if_match_missing"),
        ({**FRAGMENT, "If-Match": '"other"'}, "", 412, "stale"),
        ({**FRAGMENT, "If-Match": "*"}, "", 422, "unsupported"),
        ({**FRAGMENT, "If-Match": "TAG"}, "a=ice-ufrag:efgh\r\n", 422, "unsupported"),
        ({**SDP, "If-Match": "TAG"}, "", 415, "wrong_type"),
        ({**FRAGMENT, "If-Match": "TAG"}, b"\xff", 400, "malformed"),
        ({**FRAGMENT, "If-Match": "TAG"}, f"a={CANDIDATE}\r\n" * 101, 413, "too_large"),
    ],
)
def test_a_patch_we_cannot_follow_says_why(
    open_house: House, headers: dict[str, str], body: str, status: int, code: str
) -> None:
    session, tag = publish(open_house, open_house.open_room())
    sent = {key: tag if value == "TAG" else value for key, value in headers.items()}
    answer = open_house.client.patch(session, content=body, headers=sent)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert open_house.peers.made[0].fragments == []


def test_candidates_count_over_a_whole_session(open_house: House) -> None:
    session, tag = publish(open_house, open_house.open_room())
    headers = {**FRAGMENT, "If-Match": tag}
    body = f"a={CANDIDATE}\r\n" * 60
    statuses = [
        open_house.client.patch(session, content=body, headers=headers).status_code
        for _ in range(2)
    ]
    assert statuses == [204, 413]


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({}, OFFER, 415, "wrong_type"),
        ({"Content-Type": "application/json"}, OFFER, 415, "wrong_type"),
        (SDP, "", 400, "malformed"),
        (SDP, "hello", 400, "malformed"),
        (SDP, OFFER + "a=" + "x" * 65_536, 413, "too_large"),
        (SDP, OFFER + f"a={CANDIDATE}\r\n" * 101, 413, "too_large"),
        (SDP, OFFER + "a=impossible\r\n", 422, "invalid"),
    ],
)
def test_an_offer_we_cannot_answer_says_why(
    open_house: House, headers: dict[str, str], body: str, status: int, code: str
) -> None:
    room = open_house.open_room()
    answer = open_house.client.post(whip(room), content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:parley:problem:{code}"
    assert len(open_house.built.services.calls.sessions) == 0
    assert not open_house.client.get(f"/rooms/{room}").json()["seats"][0]["is_taken"]


def test_a_bug_of_ours_is_a_500_that_tells_nothing_and_leaves_nothing(open_house: House) -> None:
    room = open_house.open_room()
    answer = open_house.client.post(whip(room), content=OFFER + "a=bug\r\n", headers=SDP)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "ZeroDivision" not in answer.text
    assert len(open_house.built.services.calls.sessions) == 0
    publish(open_house, room)


def test_a_taken_seat_is_a_conflict_to_come_back_from(open_house: House) -> None:
    room = open_house.open_room()
    publish(open_house, room)
    answer = open_house.client.post(whip(room), content=OFFER, headers=SDP)
    assert (answer.status_code, answer.json()["code"]) == (409, "seat_taken")
    assert int(answer.headers["retry-after"]) >= 1


def test_a_room_or_seat_that_is_not_there_is_not_found(open_house: House) -> None:
    room = open_house.open_room()
    for path in (whip("nosuchroom"), whip(room, 9), whip("..%2Fx")):
        answer = open_house.client.post(path, content=OFFER, headers=SDP)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert open_house.client.get(whip(room) + "/nosuchsession").status_code == 404


def test_a_session_answers_only_under_its_own_url(open_house: House) -> None:
    room, other = open_house.open_room(), open_house.open_room()
    session, _ = publish(open_house, room)
    name = session.rpartition("/")[2]
    for path in (f"{whip(room, 1)}/{name}", f"{whip(other)}/{name}", f"/rooms/{room}/whep/{name}"):
        assert open_house.client.delete(path).status_code == 404


def test_options_say_what_is_taken(open_house: House) -> None:
    answer = open_house.client.options(whip("any"))
    assert answer.status_code == 204
    assert answer.headers["accept-post"] == "application/sdp"
    answer = open_house.client.options(whip("any") + "/any")
    assert answer.headers["accept-patch"] == "application/trickle-ice-sdpfrag"


def test_get_and_head_have_no_content(open_house: House) -> None:
    room = open_house.open_room()
    session, _ = publish(open_house, room)
    for path in (whip(room), session):
        for method in ("GET", "HEAD"):
            answer = open_house.client.request(method, path)
            assert (answer.status_code, answer.content) == (204, b"")


def test_a_method_we_do_not_have_is_refused_in_the_same_form(open_house: House) -> None:
    answer = open_house.client.put(whip("any"), content=OFFER, headers=SDP)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert "allow" in answer.headers


def test_ending_a_room_ends_its_calls(open_house: House) -> None:
    room = open_house.open_room()
    session, _ = publish(open_house, room)
    assert open_house.client.delete(f"/rooms/{room}").status_code == 204
    open_house.settle(lambda: not len(open_house.built.services.calls.sessions))
    assert open_house.peers.made[0].is_closed
    assert open_house.client.get(session).status_code == 404


def test_a_full_server_says_when_to_come_back() -> None:
    with house(limits={"sessions": 1}) as running:
        room = running.open_room()
        publish(running, room)
        answer = running.client.post(whip(room, 1), content=OFFER, headers=SDP)
        assert (answer.status_code, answer.json()["code"]) == (503, "full")
        assert int(answer.headers["retry-after"]) >= 1


class Elsewhere:
    def node_of(self, room_id: str) -> str | None:
        return "https://node-2.example.org" if room_id == "far" else None


def test_a_room_on_another_node_is_a_307_to_it(open_house: House) -> None:
    services = replace(open_house.built.services, placement=Elsewhere())
    open_house.built.app.state.services = services
    answer = open_house.client.post(whip("far") + "?x=1", content=OFFER, headers=SDP)
    assert answer.status_code == 307
    assert answer.headers["location"] == f"https://node-2.example.org{whip('far')}?x=1"
    assert open_house.client.post(whip("no"), content=OFFER, headers=SDP).status_code == 404
