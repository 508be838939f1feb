"""Whatever is sent to whatever call of the OpenAPI document: an answer, and never a 500."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode

from tests.streamer.fuzzing import budget
from tests.streamer.http.house import CANDIDATE, FRAGMENT, OFFER, SDP, House

LINES = st.sampled_from(
    [*OFFER.splitlines(), f"a={CANDIDATE}", "a=candidate:", "m=video 9 RTP 0", "a=mid:é", "", "v=0"]
)
SDP_LIKE = st.lists(LINES | st.text(max_size=40), max_size=30).map("\r\n".join)


def operations(running: House) -> list[Any]:
    document = running.client.get("/openapi.json").json()
    for path in document["paths"].values():
        for call in path.values():  # bodies that are no JSON have tests of their own below
            if "application/json" not in call.get("requestBody", {}).get("content", {}):
                call.pop("requestBody", None)
    schema = schemathesis.openapi.from_dict(document)
    found: list[Any] = list(schema.get_all_operations())
    return [each.ok() for each in found]


def send(running: House, case: Case[Any]) -> Any:
    """Send a generated case; a body that is no JSON value goes as it is."""
    headers = {str(key): str(value) for key, value in (case.headers or {}).items()}
    body = case.body if isinstance(case.body, str | bytes) else json.dumps(case.body, default=str)
    if case.media_type:
        headers["Content-Type"] = case.media_type
    headers = {key: value for key, value in headers.items() if (key + value).isascii()}
    path = case.formatted_path.encode("utf-8", "replace").decode()
    return running.client.request(
        case.method,
        path,
        params=dict(case.query or {}),
        headers=headers,
        content=body.encode("utf-8", "replace") if isinstance(body, str) else body,
    )


def aim(running: House, case: Case[Any]) -> None:
    """Send a case to a room, a seat, a scene and a session that are there."""
    path, body = case.path_parameters, case.body
    rooms = [room for room in running.built.services.registry.rooms if room.state != "ended"]
    room = rooms[0].id if rooms else running.open_room()
    for name, value in (("room_id", room), ("seat", 0), ("scene_id", "null")):
        if name in path:
            path[name] = value
    if isinstance(body, dict):
        body.update({"scene": "null"} if case.path == "/rooms" else {})
    if "session_id" in path or "/join" in case.path:
        session = open_session(running, room, case.path)
        path.update({name: session for name in ("session_id", "pc_id") if name in path})
        if isinstance(body, dict) and "pc_id" in body:
            body["pc_id"] = session


def open_session(running: House, room: str, path: str) -> str:
    """Begin what a path wants to change; where no more fits, everything of the room ends first."""
    call = "seats/0/whip" if "whip" in path else "whep" if "whep" in path else "join"
    offer: Any = {"content": OFFER, "headers": SDP}
    if call == "join":
        offer = {"json": {"sdp": OFFER, "type": "offer"}}
    made = running.client.post(f"/rooms/{room}/{call}", **offer)
    if made.is_error:
        for session in tuple(running.built.services.calls.sessions):
            running.run(partial(running.built.services.calls.end, session))
        running.settle(lambda: len(running.built.services.calls.sessions) == 0)
        made = running.client.post(f"/rooms/{room}/{call}", **offer)
    assert made.is_success, made.text
    return str(made.headers["location"].rpartition("/")[2])


def test_no_call_of_the_document_fails_whatever_it_is_sent(shared_house: House) -> None:
    seen: dict[str, int] = {}
    codes: dict[int, int] = {}

    def check(case: Case[Any], is_aimed: bool) -> None:
        if case.formatted_path.endswith("/events"):
            return  # the stream of an endless room
        if is_aimed:
            aim(shared_house, case)
        answer = send(shared_house, case)
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        if answer.status_code >= 400 and answer.content:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == answer.status_code
        seen[case.method] = seen.get(case.method, 0) + 1
        codes[answer.status_code] = codes.get(answer.status_code, 0) + 1

    for operation in operations(shared_house):
        # A path or a query that is not as described can hardly be made up; a body can.
        modes = [GenerationMode.POSITIVE] + [GenerationMode.NEGATIVE] * bool(list(operation.body))
        for mode in modes:
            strategy: st.SearchStrategy[Any] = operation.as_strategy(generation_mode=mode)
            run: Callable[[], None] = budget(6)(given(strategy, st.booleans())(check))
            run()
    assert {"GET", "POST", "PATCH", "DELETE"} <= set(seen)
    assert sum(seen.values()) > 100
    assert sum(count for code, count in codes.items() if code < 300) > 20  # it met real rooms


def test_any_offer_to_a_real_room_is_answered_or_refused(open_house: House) -> None:
    room = open_house.open_room()
    sessions = open_house.built.services.calls.sessions

    @budget(25)
    @given(body=SDP_LIKE | st.binary(max_size=200))
    def check(body: str | bytes) -> None:
        answer = open_house.client.post(f"/rooms/{room}/whep", content=body, headers=SDP)
        assert answer.status_code in {201, 400, 413, 422}
        if answer.status_code == 201:
            open_house.client.delete(answer.headers["location"])
        assert len(sessions) == 0

    check()


def test_any_fragment_is_taken_or_refused(open_house: House) -> None:
    room = open_house.open_room()
    made = open_house.client.post(f"/rooms/{room}/whep", content=OFFER, headers=SDP)
    headers = {**FRAGMENT, "If-Match": made.headers["etag"]}

    @budget(25)
    @given(body=SDP_LIKE | st.binary(max_size=200))
    def check(body: str | bytes) -> None:
        answer = open_house.client.patch(made.headers["location"], content=body, headers=headers)
        assert answer.status_code in {204, 400, 413, 422}

    check()


def test_any_messages_leave_the_websocket_and_its_room_alive(open_house: House) -> None:
    room = open_house.open_room()
    message = st.binary(max_size=64) | st.text(max_size=64)
    path = f"ws://127.0.0.1:8080/rooms/{room}/seats/0/audio"

    @budget(15)
    @given(messages=st.lists(message, max_size=15))
    def check(messages: list[str | bytes]) -> None:
        with open_house.client.websocket_connect(path) as socket:
            for each in messages:
                if isinstance(each, bytes):
                    socket.send_bytes(each)
                else:
                    socket.send_text(each)
            socket.send_text('{"type":"clear"}')
            while json.loads(socket.receive_text())["type"] != "cleared":
                pass
            socket.close(1000)
            open_house.settle(lambda: len(open_house.built.services.calls.sessions) == 0)

    check()
    assert open_house.client.get(f"/rooms/{room}").json()["state"] in {"idle", "live"}
