"""Rooms, scenes, health and figures over REST."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.streamer.http.house import House, house


def test_a_room_is_opened_shown_listed_and_ended(open_house: House) -> None:
    answer = open_house.client.post("/rooms", json={"scene": "null"})
    room = answer.json()
    assert answer.headers["location"] == f"/rooms/{room['id']}"
    assert (room["width"], room["height"], room["fps"]) == (128, 64, 25)
    assert (room["chunk_ms"], room["look_ahead_ms"]) == (160, 80)
    assert room["is_ai_generated"] is True
    assert room["has_badge"] is True
    assert open_house.client.get(f"/rooms/{room['id']}").json()["id"] == room["id"]
    listed = open_house.client.get("/rooms").json()
    assert [each["id"] for each in listed["rooms"]] == [room["id"]]
    assert open_house.client.delete(f"/rooms/{room['id']}").status_code == 204
    assert open_house.client.get(f"/rooms/{room['id']}").status_code == 404


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"scene": "nobody"}, 404),
        ({"scene": "../etc"}, 422),
        ({}, 422),
        ({"scene": "null", "extra": 1}, 422),
        ({"scene": "null", "seed": -1}, 422),
        ({"scene": "null", "people_names": ["only one"]}, 422),
        ({"scene": "null", "prompt": "x" * 1001}, 422),
        ({"scene": "null", "is_recorded": True}, 422),
    ],
)
def test_a_room_that_cannot_be_opened_says_why(
    open_house: House, wish: dict[str, Any], status: int
) -> None:
    answer = open_house.client.post("/rooms", json=wish)
    assert answer.status_code == status
    assert answer.json()["detail"]
    assert open_house.client.get("/rooms").json()["rooms"] == []


def test_one_room_too_many_is_a_503_and_not_ready() -> None:
    with house(limits={"rooms": 1}) as running:
        assert running.client.get("/readyz").json() == {"status": "ready"}
        running.open_room()
        answer = running.client.post("/rooms", json={"scene": "null"})
        assert (answer.status_code, answer.json()["code"]) == (503, "full")
        assert int(answer.headers["retry-after"]) >= 1
        ready = running.client.get("/readyz")
        assert (ready.status_code, ready.json()) == (503, {"status": "full"})


def test_names_and_prompt_reach_the_room(open_house: House) -> None:
    room = open_house.open_room(people_names=["Anna", "Ben"], prompt="they talk")
    shown = open_house.client.get(f"/rooms/{room}").json()
    assert [seat["name"] for seat in shown["seats"]] == ["Anna", "Ben"]
    assert shown["prompt"] == "they talk"
    path = f"/rooms/{room}/prompt"
    assert open_house.client.post(path, json={"prompt": "they laugh"}).status_code == 204
    assert open_house.client.post(path, json={"prompt": "x" * 1001}).status_code == 422


def test_a_thumbnail_is_a_picture_of_the_room(open_house: House) -> None:
    room = open_house.open_room()

    async def settle() -> None:
        events = open_house.built.services.registry.get(room).events.subscribe()
        if open_house.built.services.registry.get(room).thumbnail() is None:
            await events.next()
        events.close()

    open_house.run(settle)
    answer = open_house.client.get(f"/rooms/{room}/thumbnail.jpg")
    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == (128, 64)


def test_clearing_an_empty_seat_is_gone_and_a_taken_one_says_what_it_dropped(
    open_house: House,
) -> None:
    room = open_house.open_room()
    assert open_house.client.post(f"/rooms/{room}/seats/0/clear").status_code in {404, 409, 410}

    async def take() -> None:
        voice = open_house.built.services.registry.get(room).publish(0, kind="bot")
        voice.say(bytes(32_000), 16_000)

    open_house.run(take)
    answer = open_house.client.post(f"/rooms/{room}/seats/0/clear")
    assert answer.json()["dropped_ms"] == 1000


def test_scenes_are_listed_and_shown(open_house: House) -> None:
    assert [each["id"] for each in open_house.client.get("/scenes").json()] == ["null"]
    card = open_house.client.get("/scenes/null").json()
    assert (card["people"], card["is_ready"], card["origin"]) == (2, True, "null")
    assert open_house.client.get("/scenes/other").status_code == 404
    assert open_house.client.get("/scenes/null/picture.jpg").status_code == 404


JPEG = {"Content-Type": "image/jpeg"}


def test_a_picture_needs_its_type_its_consent_and_a_server_that_takes_it(
    open_house: House,
) -> None:
    post = open_house.client.post
    wrong = post("/scenes?consent=all", content=b"x", headers={"Content-Type": "image/gif"})
    assert (wrong.status_code, wrong.json()["code"]) == (415, "wrong_type")
    assert post("/scenes", content=b"x", headers=JPEG).json()["code"] == "invalid"
    assert post("/scenes?consent=all", content=b"x", headers=JPEG).status_code == 422
    with house(scenes={"allow_upload": False}) as running:
        answer = running.client.post("/scenes?consent=all", content=b"x", headers=JPEG)
        assert answer.status_code == 403


def test_a_picture_may_have_so_many_bytes() -> None:
    with house(limits={"picture_bytes": 2048, "json_bytes": 1024}) as running:
        small = running.client.post("/scenes?consent=all", content=bytes(2048), headers=JPEG)
        assert small.json()["code"] == "invalid"  # it is no picture
        large = running.client.post("/scenes?consent=all", content=bytes(2049), headers=JPEG)
        assert (large.status_code, large.json()["code"]) == (413, "too_large")


def test_recordings_are_listed_downloaded_and_deleted(tmp_path: Path) -> None:
    with house(recording={"folder": str(tmp_path)}) as running:
        name = "A" * 22
        (tmp_path / f"{name}.mp4").write_bytes(b"0123456789")
        listed = running.client.get("/recordings").json()
        assert [(each["room"], each["is_complete"]) for each in listed] == [(name, True)]
        part = running.client.get(f"/recordings/{name}", headers={"Range": "bytes=2-4"})
        assert (part.status_code, part.content) == (206, b"234")
        assert part.headers["content-type"] == "video/mp4"
        assert running.client.get("/recordings/..%2F..%2Fetc%2Fpasswd").status_code == 404
        assert running.client.get(f"/recordings/{'B' * 22}").status_code == 404
        assert running.client.delete(f"/recordings/{name}").status_code == 204
        assert list(tmp_path.iterdir()) == []


def test_without_a_folder_there_are_no_recordings(open_house: House) -> None:
    assert open_house.client.get("/recordings").json() == []
    assert open_house.client.get(f"/recordings/{'A' * 22}").status_code == 404


def test_health_readiness_and_figures(open_house: House) -> None:
    assert open_house.client.get("/healthz").text == "ok\n"
    open_house.open_room()
    text = open_house.client.get("/metrics").text
    for name in (
        'parley_http_requests_total{method="POST",route="/rooms",status="201"}',
        "parley_loop_lag_seconds_bucket",
        "parley_mic_to_send_seconds_bucket",
        "parley_skew_seconds_count",
        "parley_real_time_factor_bucket",
        "parley_seat_queued_seconds_most",
        'parley_sessions{kind="whip"}',
        "parley_rooms 1.0",
    ):
        assert name in text


def test_figures_name_routes_and_no_identifiers(open_house: House) -> None:
    room = open_house.open_room()
    open_house.client.get(f"/rooms/{room}")
    open_house.client.get("/nothing/like/this")
    text = open_house.client.get("/metrics").text
    assert room not in text
    assert "/nothing" not in text


def test_the_admin_page_loads_from_this_server_alone(open_house: House) -> None:
    for path in ("/admin", "/admin/admin.js", "/admin/admin.css"):
        answer = open_house.client.get(path)
        assert answer.status_code == 200
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert "://" not in answer.text
    assert open_house.client.get("/admin/secret.py").status_code == 422


def test_the_openapi_document_names_every_call(open_house: House) -> None:
    paths = open_house.client.get("/openapi.json").json()["paths"]
    assert {"post", "options"} <= set(paths["/rooms/{room_id}/seats/{seat}/whip"])
    assert {"/rooms", "/scenes/{scene_id}", "/recordings/{room_id}", "/readyz"} <= set(paths)


def test_events_of_a_room_are_written_as_server_sent_events(open_house: House) -> None:
    room = open_house.open_room()

    async def begin_to_end() -> None:
        open_house.built.services.registry.get(room).close("deleted")

    with open_house.client.stream("GET", f"/rooms/{room}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert open_house.client.portal is not None
        open_house.client.portal.start_task_soon(begin_to_end)
        text = "".join(answer.iter_text())
    assert 'event: closing\ndata: {"seat": null' in text
    assert text.rstrip().rpartition("event: ")[2].startswith("ended\n")
