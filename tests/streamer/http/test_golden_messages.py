"""The golden messages of tests/protocol, which every client's tests read too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from streamer.http.join_routes import JoinAnswer, JoinCandidates, JoinOffer
from streamer.http.problem import Code, Problem, answer
from streamer.http.recording_routes import RecordingView
from streamer.http.rest_models import BoxesWish, RoomView, RoomWish
from streamer.http.scene_shelf import SceneCard
from streamer.http.seat_messages import (
    MessageError,
    closing_text,
    error_text,
    event_text,
    read_message,
    ready_text,
)
from streamer.rooms.events import Event, EventKind
from streamer.settings_cli import markdown_table

FOLDER = Path(__file__).parents[2] / "protocol"
DOCS = Path(__file__).parents[3] / "docs" / "protocol.md"


def golden(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


SERVER, CLIENT, REST = (
    golden("socket_server.json"),
    golden("socket_client.json"),
    golden("rest.json"),
)
MODELS: dict[str, type[BaseModel]] = {
    "room_wish": RoomWish,
    "room": RoomView,
    "scene": SceneCard,
    "boxes_wish": BoxesWish,
    "join_offer": JoinOffer,
    "join_answer": JoinAnswer,
    "join_candidates": JoinCandidates,
    "recording": RecordingView,
}


def ids(entry: dict[str, Any]) -> str:
    return str(entry["name"])


@pytest.mark.parametrize("entry", CLIENT["messages"], ids=ids)
def test_a_client_message_is_understood_whole(entry: dict[str, Any]) -> None:
    assert read_message(json.dumps(entry["message"])).model_dump() == entry["message"]


@pytest.mark.parametrize("entry", CLIENT["refused"], ids=ids)
def test_a_message_that_is_not_ours_is_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(MessageError):
        read_message(json.dumps(entry["message"]))


@pytest.mark.parametrize("entry", [e for e in SERVER["messages"] if "event" in e], ids=ids)
def test_an_event_is_written_as_the_golden_one(entry: dict[str, Any]) -> None:
    said = entry["event"]
    event = Event(0, EventKind(said["kind"]), said["seat"], said["at_ms"], said["data"])
    text = event_text(event, seat=1)
    assert (None if text is None else json.loads(text)) == entry["message"]


def test_what_the_socket_says_by_itself_is_written_as_the_golden_ones() -> None:
    by_name = {entry["name"]: entry["message"] for entry in SERVER["messages"]}
    ready = dict(by_name["ready"])
    assert json.loads(ready_text({k: v for k, v in ready.items() if k != "type"})) == ready
    error = by_name["an error that ends nothing"]
    assert json.loads(error_text(Code.INVALID, error["message"])) == error
    assert json.loads(closing_text("replaced")) == by_name["this connection closes"]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_json_of_the_rest_calls_is_understood_and_written_again(name: str) -> None:
    model = MODELS[name].model_validate_json(json.dumps(REST[name]))
    assert model.model_dump(mode="json", exclude_unset=True) == REST[name]


def test_a_problem_is_written_as_the_golden_one() -> None:
    said = REST["problem"]
    written = answer(Problem(Code.FULL, said["detail"], retry_after=10))
    assert json.loads(bytes(written.body)) == said
    assert written.headers["retry-after"] == "10"


def test_the_documentation_names_every_code_event_and_message() -> None:
    text = DOCS.read_text()
    from_clients = [entry["message"]["type"] for entry in CLIENT["messages"]]
    from_us = [entry["message"]["type"] for entry in SERVER["messages"] if entry["message"]]
    names = [*Code, *EventKind, *from_clients, *from_us]
    assert [name for name in dict.fromkeys(map(str, names)) if f"`{name}`" not in text] == []


def test_the_documentation_explains_every_setting() -> None:
    text = (DOCS.parent / "serving.md").read_text()
    assert markdown_table() in text
