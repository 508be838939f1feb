"""What a bot sends and hears, against the golden messages, and speech as bytes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clients.bot.backoff import Backoff
from clients.bot.connection import SeatAddress
from clients.bot.errors import InputError
from clients.bot.events import ProtocolError, read_event
from clients.bot.link import CLEAR, KEEP_ALIVE
from clients.bot.pcm import pcm16, pieces
from clients.bot.session import SEGMENT_END

GOLDEN = Path(__file__).parents[2] / "protocol"


def golden(name: str) -> list[dict[str, Any]]:
    said = json.loads((GOLDEN / name).read_text())["messages"]
    return [each["message"] for each in said if each["message"] is not None]


@pytest.mark.parametrize("message", golden("socket_server.json"), ids=lambda each: each["type"])
def test_every_message_of_the_server_is_read(message: dict[str, Any]) -> None:
    event = read_event(json.dumps(message))
    read = dataclasses.asdict(event)
    assert {"type": event.TYPE, **read}.items() <= message.items()
    assert set(message) - {"type", "at_ms"} <= set(read)


def test_what_a_bot_sends_is_what_the_protocol_has() -> None:
    sent = [json.loads(text) for text in (SEGMENT_END, CLEAR, KEEP_ALIVE)]
    known = golden("socket_client.json")
    assert all(message in known for message in sent)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"type": "dance"}',
        '{"type": "cleared", "at_ms": 1}',
        '{"type": "cleared", "at_ms": 1, "dropped_ms": "2"}',
        '{"type": "cleared", "at_ms": 1, "dropped_ms": true}',
    ],
)
def test_a_message_that_is_not_ours_is_an_error(text: str) -> None:
    with pytest.raises(ProtocolError):
        read_event(text)


def test_a_field_of_a_newer_server_is_no_error() -> None:
    event = read_event('{"type": "cleared", "at_ms": 1, "dropped_ms": 2, "more": 3}')
    assert dataclasses.asdict(event) == {"at_ms": 1, "dropped_ms": 2}


def test_speech_of_every_form_is_the_same_bytes() -> None:
    samples = np.array([0, 16384, -32767, 32767], np.int16)
    wanted = samples.astype("<i2").tobytes()
    assert pcm16(wanted) == wanted
    assert pcm16(samples) == wanted
    assert pcm16(samples.astype(">i2").astype(np.int16)) == wanted
    floats = pcm16(samples.astype(np.float32) / 32767)
    assert np.abs(np.frombuffer(floats, "<i2").astype(int) - samples).max() <= 1
    assert np.frombuffer(pcm16(np.array([2.0, -2.0])), "<i2").tolist() == [32767, -32767]


@pytest.mark.parametrize(
    ("speech", "says"),
    [
        (b"abc", "3 bytes"),
        (np.zeros((2, 3), np.int16), "mono"),
        (np.zeros(3, np.int64), "int64"),
        (np.array([np.nan]), "finite"),
    ],
)
def test_what_is_no_speech_is_said(speech: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        pcm16(speech)


def test_messages_hold_whole_samples() -> None:
    parts = list(pieces(bytes(10), 7))
    assert [len(part) for part in parts] == [6, 4]


def test_the_address_of_a_seat_keeps_a_path_and_hides_the_token() -> None:
    address = SeatAddress(
        server="https://example.org/avatars/",
        room="a b",
        seat=1,
        sample_rate=24_000,
        holder="me",
        token="secret",  # noqa: S106  # of a test
    )
    assert address.url == (
        "wss://example.org/avatars/rooms/a%20b/seats/1/audio?sample_rate=24000&holder=me"
    )


def test_waits_double_up_to_the_longest_and_end() -> None:
    class Chance:
        def uniform(self, low: float, high: float) -> float:
            return high

    plan = Backoff(first_seconds=1, longest_seconds=4, give_up_seconds=12)
    assert list(plan.waits(Chance())) == [1, 2, 4, 4, 1]  # type: ignore[arg-type]
    assert list(Backoff(give_up_seconds=0).waits(Chance())) == []  # type: ignore[arg-type]
    with pytest.raises(InputError):
        Backoff(first_seconds=2, longest_seconds=1)
