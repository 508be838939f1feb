"""Watching by WHEP, and speaking and watching on one connection as Pipecat's client does."""

from __future__ import annotations

from typing import Any

import pytest

from tests.streamer.http.house import CANDIDATE, FRAGMENT, OFFER, SDP, House, house


def test_a_viewer_gets_a_session_and_lets_it_go(open_house: House) -> None:
    room = open_house.open_room()
    answer = open_house.client.post(f"/rooms/{room}/whep", content=OFFER, headers=SDP)
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/sdp"
    session = answer.headers["location"]
    assert open_house.client.get(f"/rooms/{room}").json()["viewers"] == 1
    tag = {"If-Match": answer.headers["etag"]}
    patched = open_house.client.patch(session, content="", headers={**FRAGMENT, **tag})
    assert patched.status_code == 204
    assert open_house.client.get(session).status_code == 204
    assert open_house.client.delete(session).status_code == 200
    assert open_house.client.get(f"/rooms/{room}").json()["viewers"] == 0


def test_a_viewer_without_if_match_is_known_by_its_ice_credentials(open_house: House) -> None:
    """whip-whep 1.2 reads the ETag of WHIP alone."""
    room = open_house.open_room()
    answer = open_house.client.post(f"/rooms/{room}/whep", content=OFFER, headers=SDP)
    session = answer.headers["location"]
    statuses = [
        open_house.client.patch(session, content=body, headers=FRAGMENT).status_code
        for body in (f"a=ice-ufrag:abcd\r\na={CANDIDATE}\r\n", f"a={CANDIDATE}\r\n")
    ]
    assert statuses == [204, 428]
    assert len(open_house.peers.made[-1].fragments) == 1


def test_head_says_what_whep_speaks(open_house: House) -> None:
    answer = open_house.client.head(f"/rooms/{open_house.open_room()}/whep")
    assert (answer.status_code, answer.headers["content-type"]) == (204, "application/sdp")


def test_a_room_that_says_goodbye_is_not_live(open_house: House) -> None:
    room = open_house.open_room()

    async def begin_to_end() -> Any:
        open_house.built.services.registry.get(room).end_reason = "deleted"

    open_house.run(begin_to_end)
    answer = open_house.client.post(f"/rooms/{room}/whep", content=OFFER, headers=SDP)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_live")
    assert int(answer.headers["retry-after"]) >= 1

    async def undo() -> Any:
        open_house.built.services.registry.get(room).end_reason = None

    open_house.run(undo)


def test_one_viewer_too_many_is_told_when_to_come_back() -> None:
    with house(limits={"viewers": 1}) as running:
        room = running.open_room()
        statuses = []
        for _ in range(2):
            answer = running.client.post(f"/rooms/{room}/whep", content=OFFER, headers=SDP)
            statuses.append(answer.status_code)
        assert statuses == [201, 503]
        assert answer.json()["code"] == "full"
        assert int(answer.headers["retry-after"]) >= 1


def join(running: House, room: str, **more: Any) -> Any:
    wish = {"sdp": OFFER, "type": "offer", "pc_id": None, "restart_pc": False, **more}
    return running.client.post(f"/rooms/{room}/join", json=wish)


def test_a_browser_joins_the_first_free_seat_and_does_not_hear_itself(open_house: House) -> None:
    room = open_house.open_room()
    first, second, third = (join(open_house, room) for _ in range(3))
    assert [first.json()["seat"], second.json()["seat"]] == [0, 1]
    assert first.json()["type"] == "answer"
    assert set(first.json()) == {"sdp", "type", "pc_id", "seat"}
    viewer = open_house.peers.made[1].viewer
    assert viewer is not None
    assert viewer.own_seat == 1
    assert (third.status_code, third.json()["code"]) == (409, "seat_taken")


@pytest.mark.parametrize("key", ["requestData", "request_data"])
def test_an_application_names_the_seat(open_house: House, key: str) -> None:
    answer = join(open_house, open_house.open_room(), **{key: {"seat": 1, "other": "thing"}})
    assert answer.json()["seat"] == 1


def test_pipecats_candidates_reach_the_peer(open_house: House) -> None:
    room = open_house.open_room()
    pc_id = join(open_house, room).json()["pc_id"]
    candidates = [
        {"candidate": CANDIDATE, "sdp_mid": "0", "sdp_mline_index": 0},
        {"candidate": "", "sdp_mid": "0", "sdp_mline_index": 0},
    ]
    answer = open_house.client.patch(
        f"/rooms/{room}/join", json={"pc_id": pc_id, "candidates": candidates}
    )
    assert (answer.status_code, answer.json()) == (200, {"status": "success"})
    fragment = open_house.peers.made[0].fragments[0]
    assert fragment.splitlines()[1:] == ["a=mid:0", f"a={CANDIDATE}"]


def test_a_candidate_cannot_smuggle_lines(open_house: House) -> None:
    room = open_house.open_room()
    pc_id = join(open_house, room).json()["pc_id"]
    bad = {"candidate": "candidate:1\r\na=ice-ufrag:evil", "sdp_mid": "0"}
    wish = {"pc_id": pc_id, "candidates": [bad]}
    answer = open_house.client.patch(f"/rooms/{room}/join", json=wish)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_a_restarted_connection_replaces_the_old_one(open_house: House) -> None:
    room = open_house.open_room()
    old = join(open_house, room).json()
    new = join(open_house, room, pc_id=old["pc_id"], restart_pc=True).json()
    assert new["seat"] == old["seat"]
    assert new["pc_id"] != old["pc_id"]
    assert open_house.peers.made[0].is_closed
    assert open_house.client.get(f"/rooms/{room}").json()["viewers"] == 1


def test_leaving_frees_the_seat(open_house: House) -> None:
    room = open_house.open_room()
    pc_id = join(open_house, room).json()["pc_id"]
    assert open_house.client.delete(f"/rooms/{room}/join/{pc_id}").status_code == 200
    assert not open_house.client.get(f"/rooms/{room}").json()["seats"][0]["is_taken"]
    assert open_house.client.delete(f"/rooms/{room}/join/{pc_id}").status_code == 404


def test_a_browser_that_said_goodbye_before_its_delete_is_told_that_it_worked(
    open_house: House,
) -> None:
    room = open_house.open_room()
    pc_id = join(open_house, room).json()["pc_id"]
    peer = open_house.peers.made[-1]

    async def close() -> None:
        peer.over.set()

    open_house.run(close)
    open_house.settle(lambda: not len(open_house.built.services.calls.sessions))
    url, other = f"/rooms/{room}/join/{pc_id}", open_house.open_room()
    assert open_house.client.delete(f"/rooms/{other}/join/{pc_id}").status_code == 404
    assert [open_house.client.delete(url).status_code for _ in range(2)] == [200, 404]


@pytest.mark.parametrize(
    "wish",
    [
        {"sdp": "hello", "type": "offer"},
        {"sdp": "\ud800".encode("utf-16", "surrogatepass").hex(), "type": "offer"},
        {"sdp": OFFER, "type": "answer"},
        {"type": "offer"},
        {"sdp": 5, "type": "offer"},
        {"sdp": OFFER, "type": "offer", "requestData": {"seat": -1}},
        {"sdp": OFFER + "a=" + "x" * 65_536, "type": "offer"},
    ],
)
def test_a_join_we_cannot_answer_says_why(open_house: House, wish: dict[str, Any]) -> None:
    answer = open_house.client.post(f"/rooms/{open_house.open_room()}/join", json=wish)
    assert answer.status_code in {400, 413, 422}
    assert answer.headers["content-type"] == "application/problem+json"
