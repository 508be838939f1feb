"""A seat's websocket: what a bot says is spoken, and it hears what becomes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import WebSocketDenialResponse, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from streamer.http.seat_messages import MessageError, read_message
from tests.streamer.fuzzing import budget
from tests.streamer.http.house import KEY, House, bearer, house

SOCKET_URL = "ws://127.0.0.1:8080"
SECOND = bytes(32_000)  # of silence, at 16 kHz
METRICS = "metrics"


@contextmanager
def speaking(running: House, room: str, query: str = "") -> Iterator[WebSocketTestSession]:
    path = f"/rooms/{room}/seats/0/audio{query}"
    sessions = running.built.services.calls.sessions
    before = len(sessions)
    with running.client.websocket_connect(SOCKET_URL + path) as socket:
        yield socket
        socket.close(1000)

        running.settle(lambda: len(sessions) <= before)


def hear(socket: WebSocketTestSession, kind: str) -> dict[str, Any]:
    """Give the next event of a kind; others may come before it."""
    while True:
        said: dict[str, Any] = json.loads(socket.receive_text())
        if said["type"] == kind:
            return said


def watch(running: House, room: str) -> None:
    """Let somebody watch, so that the room makes pictures."""

    async def add() -> None:
        running.built.services.registry.get(room).add_viewer()

    running.run(add)


def test_the_first_message_says_who_where_and_what(open_house: House) -> None:
    room = open_house.open_room()
    with speaking(open_house, room, "?sample_rate=24000") as socket:
        ready = json.loads(socket.receive_text())
    assert ready["type"] == "ready"
    assert (ready["protocol"], ready["room"], ready["seat"]) == ("parley.v1", room, 0)
    assert (ready["sample_rate"], ready["most_queued_ms"]) == (24_000, 120_000)
    assert ready["is_ai_generated"] is True


def test_a_segment_starts_and_ends_where_it_was_spoken(open_house: House) -> None:
    room = open_house.open_room()
    watch(open_house, room)
    with speaking(open_house, room) as socket:
        socket.send_bytes(bytes(12_800))  # 0.4 s
        socket.send_text('{"type":"segment_end"}')
        assert hear(socket, "speak_started")["segment"] == 0
        ended = hear(socket, "speak_ended")
    assert (ended["segment"], ended["position_ms"], ended["interrupted"]) == (0, 400, False)


def test_clear_interrupts_what_was_pushed_faster_than_it_is_spoken(open_house: House) -> None:
    room = open_house.open_room()
    watch(open_house, room)
    with speaking(open_house, room) as socket:
        for turn in range(10):
            for _ in range(10):
                socket.send_bytes(SECOND)
            socket.send_text('{"type":"clear"}')
            ended = hear(socket, "speak_ended")
            assert (ended["segment"], ended["interrupted"]) == (turn, True)
            assert ended["position_ms"] < 10_000
            assert hear(socket, "cleared")["dropped_ms"] > 0


def test_clear_is_heard_behind_more_speech_than_a_seat_may_queue() -> None:
    with house(limits={"queued_seconds": 5, "message_bytes": 65_536}) as running:
        room = running.open_room()
        with speaking(running, room) as socket:
            for _ in range(20):
                socket.send_bytes(SECOND)
            socket.send_text('{"type":"clear"}')
            assert hear(socket, "cleared")["dropped_ms"] >= 5000
            socket.send_bytes(SECOND)
            socket.send_text('{"type":"clear"}')
            assert hear(socket, "cleared")["dropped_ms"] == 1000  # the backlog was dropped too


def test_speech_beyond_the_queue_is_kept_in_order() -> None:
    with house(limits={"queued_seconds": 5}) as running:
        room = running.open_room()
        with speaking(running, room) as socket:
            hear(socket, "ready")
            for _ in range(6):
                socket.send_bytes(SECOND)
            socket.send_text('{"type":"segment_end"}')
            socket.send_text('{"type":"prompt","text":"they wait"}')
            hear(socket, "prompt_changed")  # everything before it was read
            watch(running, room)
            assert hear(socket, "speak_ended")["position_ms"] == 6000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "[]",
        "null",
        "{}",
        '{"type":"dance"}',
        '{"type":"prompt"}',
        '{"type":"clear","more":1}',
        '{"type":"prompt","text":5}',
        '{"type":"prompt","text":"' + "x" * 1001 + '"}',
    ],
)
def test_a_message_that_is_not_ours_is_an_error_and_no_end(open_house: House, text: str) -> None:
    with speaking(open_house, open_house.open_room()) as socket:
        socket.send_text(text)
        assert hear(socket, "error")["code"] == "invalid"
        socket.send_text('{"type":"clear"}')
        hear(socket, "cleared")


def test_half_a_sample_is_an_error(open_house: House) -> None:
    with speaking(open_house, open_house.open_room()) as socket:
        socket.send_bytes(b"abc")
        assert "16-bit" in hear(socket, "error")["message"]


def test_too_many_errors_end_the_connection(open_house: House) -> None:
    with speaking(open_house, open_house.open_room()) as socket:
        for _ in range(21):
            socket.send_text("nonsense")
        assert hear(socket, "closing")["reason"] == "too many errors"
        with pytest.raises(WebSocketDisconnect) as caught:
            hear(socket, "never")
    assert caught.value.code == 1008


def test_the_end_of_a_room_is_said(open_house: House) -> None:
    room = open_house.open_room()
    with speaking(open_house, room) as socket:
        hear(socket, "ready")

        async def end() -> None:
            open_house.built.services.registry.get(room).close("deleted")

        open_house.run(end)
        assert hear(socket, "closing")["reason"] == "deleted"
        with pytest.raises(WebSocketDisconnect) as caught:
            hear(socket, "never")
    assert caught.value.code == 1001


def test_a_client_that_says_nothing_is_let_go_and_keep_alive_is_something() -> None:
    with (
        house(limits={"socket_idle_seconds": 0.5}) as running,
        speaking(running, running.open_room()) as socket,
    ):
        socket.send_text('{"type":"keep_alive"}')
        assert hear(socket, "closing")["reason"] == "idle"


def test_leaving_frees_the_seat_and_vanishing_keeps_it(open_house: House) -> None:
    room = open_house.open_room()
    with speaking(open_house, room) as socket:
        hear(socket, "ready")
        socket.close(1000)
    assert len(open_house.built.services.calls.sessions) == 0
    assert not seat(open_house, room)["is_taken"]
    with speaking(open_house, room, "?holder=bot-1") as socket:
        hear(socket, "ready")
        socket.close(1006)
    assert (seat(open_house, room)["is_taken"], seat(open_house, room)["is_connected"]) == (
        True,
        False,
    )
    with speaking(open_house, room, "?holder=bot-1") as socket:
        hear(socket, "ready")
        assert seat(open_house, room)["is_connected"]


def seat(running: House, room: str) -> dict[str, Any]:
    shown: dict[str, Any] = running.client.get(f"/rooms/{room}").json()["seats"][0]
    return shown


def test_a_second_connection_of_one_holder_replaces_the_first(open_house: House) -> None:
    room = open_house.open_room()
    with speaking(open_house, room, "?holder=bot-1") as first:
        hear(first, "ready")
        with speaking(open_house, room, "?holder=bot-1") as second:
            hear(second, "ready")
            first.send_bytes(SECOND)
            assert hear(first, "closing")["reason"] == "replaced"
            second.send_text('{"type":"clear"}')
            hear(second, "cleared")


def denied(running: House, path: str, **more: Any) -> tuple[int, str]:
    with (
        pytest.raises(WebSocketDenialResponse) as caught,
        running.client.websocket_connect(SOCKET_URL + path, **more),
    ):
        pass
    return caught.value.status_code, caught.value.json()["code"]


def test_a_handshake_that_may_not_be_is_denied_with_the_reason(open_house: House) -> None:
    room = open_house.open_room()
    path = f"/rooms/{room}/seats/{{}}/audio"
    assert denied(open_house, "/rooms/none/seats/0/audio") == (404, "not_found")
    assert denied(open_house, path.format(9)) == (404, "not_found")
    assert denied(open_house, path.format(0) + "?sample_rate=44100") == (422, "invalid")
    assert denied(open_house, path.format(0) + "?holder=a/b") == (422, "invalid")
    evil = {"Origin": "https://evil.org"}
    assert denied(open_house, path.format(0), headers=evil) == (403, "origin_refused")
    with speaking(open_house, room):
        assert denied(open_house, path.format(0)) == (409, "seat_taken")
    assert len(open_house.built.services.calls.sessions) == 0


def test_a_browser_sends_its_token_as_a_subprotocol() -> None:
    with house(auth={"mode": "on", "key": KEY}) as running:
        made = running.client.post("/rooms", json={"scene": "null"}, headers=bearer("admin"))
        room = made.json()["id"]
        path = f"/rooms/{room}/seats/0/audio"
        token = bearer("publish", room, 0)["Authorization"].removeprefix("Bearer ")
        assert denied(running, path) == (401, "token_missing")
        assert denied(running, f"/rooms/{room}/seats/1/audio", headers=bearer("view", room)) == (
            403,
            "not_allowed",
        )
        protocols = ["parley.v1", f"bearer.{token}"]
        with running.client.websocket_connect(SOCKET_URL + path, subprotocols=protocols) as socket:
            assert socket.accepted_subprotocol == "parley.v1"
            hear(socket, "ready")
            socket.close(1000)
            running.settle(lambda: len(running.built.services.calls.sessions) == 0)


def test_an_address_opens_so_many_sockets() -> None:
    with house(rates={"socket": {"burst": 1, "per_minute": 1}}) as running:
        room = running.open_room()
        with speaking(running, room) as socket:
            hear(socket, "ready")
        assert denied(running, f"/rooms/{room}/seats/0/audio") == (429, "too_many_requests")


def test_messages_beyond_the_rate_are_read_later_and_none_is_lost() -> None:
    with house(rates={"message": {"burst": 1, "per_minute": 120}}) as running:
        room = running.open_room()
        with speaking(running, room) as socket:
            for _ in range(3):
                socket.send_bytes(SECOND)
            socket.send_text('{"type":"clear"}')
            assert hear(socket, "cleared")["dropped_ms"] == 3000
        assert b'parley_socket_waits_total{reason="rate"}' in running.built.services.meters.text()


@budget(100)
@given(st.text(max_size=200) | st.from_regex(r'\{"type":"[a-z_]*"(,"text":.*)?\}', fullmatch=True))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(MessageError):  # anything else is a bug
        read_message(text)
