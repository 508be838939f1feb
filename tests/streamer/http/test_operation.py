"""What those who run the server see: log lines, a late event loop, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import fields

import pytest
from starlette.requests import HTTPConnection

from streamer.http.fragments import describe_offer
from streamer.http.logs import About, JsonFormatter, TextFormatter
from streamer.http.loop_lag import LoopLag
from streamer.http.meters import Meters
from streamer.http.room_meters import LABELS
from streamer.rooms.measures import Measures
from tests.streamer.http.house import OFFER, House


def record(caplog: pytest.LogCaptureFixture) -> logging.LogRecord:
    log = About(logging.getLogger("test"), {"room": "r1", "session": "s1"})
    with caplog.at_level(logging.INFO):
        log.info("%s begins", "whip")
    return caplog.records[-1]


def test_a_line_for_machines_is_json_with_the_room(caplog: pytest.LogCaptureFixture) -> None:
    line = json.loads(JsonFormatter().format(record(caplog)))
    assert (line["message"], line["room"], line["session"]) == ("whip begins", "r1", "s1")
    assert line["level"] == "info"


def test_a_line_for_people_names_the_room_too(caplog: pytest.LogCaptureFixture) -> None:
    assert TextFormatter().format(record(caplog)).endswith("whip begins room=r1 session=s1")


def test_a_blocked_event_loop_is_seen() -> None:
    lags: list[float] = []

    async def block() -> None:
        task = asyncio.create_task(LoopLag(lags.append, every=0.01).run())
        await asyncio.sleep(0)
        time.sleep(0.1)  # noqa: ASYNC251  # that is the fault to be seen
        while not lags:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(block(), debug=False)
    assert lags[0] >= 0.08


def test_the_slowest_of_a_hundred_wakings_is_told() -> None:
    meters = Meters()
    assert meters.lag_p99() == 0.0
    for lag in [0.001] * 98 + [0.5, 0.5]:
        meters.lagged(lag)
    assert meters.lag_p99() == 0.5


def test_every_count_by_reason_has_a_name_for_the_reason() -> None:
    measures = Measures()
    named = [(field.name, getattr(measures, field.name)) for field in fields(Measures)]
    split = {name for name, value in named if isinstance(value, dict)}
    assert split == set(LABELS)


def test_a_client_that_hangs_up_before_the_answer_leaves_nothing(open_house: House) -> None:
    room_id = open_house.open_room()
    services = open_house.built.services

    async def hang_up() -> None:
        asked = asyncio.Event()

        async def never(offer: str, voice: object) -> None:
            asked.set()
            await asyncio.Event().wait()

        open_house.peers.answer_publisher = never  # type: ignore[method-assign,assignment]
        room, offer = services.registry.get(room_id), describe_offer(OFFER.encode(), 9)
        caller = services.doorman.admit(HTTPConnection({"type": "http", "headers": []}))
        call = asyncio.create_task(services.calls.publish(room, 0, offer, caller))
        await asked.wait()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert len(services.calls.sessions) == 0
        assert room.seats[0].kind is None

    try:
        open_house.run(hang_up)
    finally:
        del open_house.peers.answer_publisher
