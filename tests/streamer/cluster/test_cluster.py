"""`parley serve --cluster` on two real Ray nodes: placement, redirects, lost workers, goodbyes."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import httpx2
import pytest

from clients.bot import Backoff, BotSession, BotSettings, RefusedError
from streamer.cluster.fleet import SILENT_SECONDS
from tests.clients.bot.door import tone
from tests.streamer.cluster.callers import events_of, until, watching
from tests.streamer.cluster.fronts import PATIENCE, Front, is_elsewhere, token, wait_for

DUE = 3.0  # seconds in which a lost room has ended, or goes on
QUICK = BotSettings(
    holder="bot", backoff=Backoff(first_seconds=0.1, longest_seconds=0.4, give_up_seconds=20)
)


def test_rooms_go_where_slots_are_free_and_then_503(front: Front) -> None:
    rooms = [front.open_room() for _ in range(4)]
    assert sorted(len(each["rooms"]) for each in front.workers()) == [2, 2]
    assert front.worker_of(rooms[0]) != front.worker_of(rooms[1])  # the emptiest comes first
    refused = front.http.post("/rooms", json={"scene": "null"})
    assert (refused.status_code, refused.json()["code"]) == (503, "full")
    assert int(refused.headers["retry-after"]) >= 1
    assert front.http.get("/readyz").status_code == 503
    listed = front.http.get("/rooms").json()
    assert (sorted(room["id"] for room in listed["rooms"]), listed["most_rooms"]) == (
        sorted(rooms),
        4,
    )
    gone = front.http.delete(f"/rooms/{rooms[0]}", follow_redirects=True)
    assert gone.status_code == 204
    wait_for(lambda: front.where(rooms[0]).status_code == 404, DUE)
    assert front.http.get("/readyz").status_code == 200
    front.open_room()


def test_a_wish_that_no_worker_can_grant_is_answered_as_without_a_cluster(front: Front) -> None:
    answer = front.http.post("/rooms", json={"scene": "elsewhere"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_strangers_are_not_sent_on(front: Front) -> None:
    room = front.open_room()
    without = httpx2.get(f"{front.url}/rooms/{room}")
    assert (without.status_code, without.json()["code"]) == (401, "token_missing")
    bearer = {"Authorization": f"Bearer {token('view', 'another')}"}
    other = httpx2.get(f"{front.url}/rooms/{room}", headers=bearer)
    assert (other.status_code, other.json()["code"]) == (403, "not_allowed")


def test_a_redirect_carries_what_the_token_allowed_and_no_more(front: Front) -> None:
    room, other = front.open_room(), front.open_room()
    bearer = {"Authorization": f"Bearer {token('view')}"}
    moved = httpx2.get(f"{front.url}/rooms/{room}?x=1", headers=bearer)
    assert moved.status_code == 307
    place = moved.headers["location"]
    assert place.startswith(front.worker_of(room)["url"])
    assert place.endswith(f"/rooms/{room}?x=1")
    assert httpx2.get(place).json()["id"] == room  # as if the token had been shown
    refused = httpx2.post(place.partition("?")[0] + "/prompt", json={"prompt": "they laugh"})
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    elsewhere = httpx2.get(place.replace(room, other))
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (403, "not_allowed")
    direct = httpx2.get(f"{front.worker_of(room)['url']}/rooms/{room}", headers=bearer)
    assert direct.json()["id"] == room  # the token itself counts at the worker, too


def test_media_comes_from_the_worker_and_a_voice_reaches_it(front: Front) -> None:
    asyncio.run(_talk_and_watch(front), debug=False)


async def _talk_and_watch(front: Front) -> None:
    room = front.open_room()
    async with (
        watching(front, room) as viewer,
        BotSession(front.url, room, 1, token=token("publish", room)) as bot,
    ):
        assert viewer.session.startswith(front.worker_of(room)["url"])
        saying = asyncio.create_task(bot.say(tone(5.0)))
        await until(lambda: viewer.opening[1] > 0.3)
        assert viewer.opening[0] < 0.1
        saying.cancel()
        await asyncio.gather(saying, return_exceptions=True)
        bearer = {"Authorization": f"Bearer {token('view', room)}"}
        assert httpx2.delete(viewer.session, headers=bearer).status_code == 200


def test_a_room_of_a_killed_worker_goes_on_elsewhere_and_its_bot_with_it(front: Front) -> None:
    asyncio.run(_lose_a_worker(front), debug=False)


async def _lose_a_worker(front: Front) -> None:
    lost, kept = front.open_room(), front.open_room()
    worker = front.worker_of(lost)
    async with (
        watching(front, kept) as onlooker,
        BotSession(front.url, lost, 0, token=token("publish", lost), settings=QUICK) as bot,
    ):
        await until(lambda: onlooker.frames > 10)
        os.kill(worker["pid"], signal.SIGKILL)
        seen = onlooker.frames
        await until(lambda: is_elsewhere(front, lost, worker["url"]), DUE)
        await until(lambda: bot.is_connected and bot.reconnects == 1)
        assert front.worker_of(lost)["name"] == front.worker_of(kept)["name"]
        async with watching(front, lost) as viewer:  # and whoever comes, comes to the new place
            saying = asyncio.create_task(bot.say(tone(5.0)))
            await until(lambda: viewer.opening[0] > 0.3)
            saying.cancel()
            await asyncio.gather(saying, return_exceptions=True)
        await until(lambda: onlooker.frames > seen + 25)  # its connection is the same as before
    figures = front.http.get("/metrics").text
    assert "parley_cluster_rooms_reopened_total 1.0" in figures
    await until(lambda: len(front.workers()) == 2)  # and its slots have a worker again


def test_a_room_that_finds_no_other_place_ends_with_the_reason(front: Front) -> None:
    rooms = [front.open_room() for _ in range(4)]
    worker = front.worker_of(rooms[0])
    kept = [room for room in rooms if room not in worker["rooms"]]

    async def keep_saying(bot: BotSession) -> None:
        while True:  # ended by the error that is expected
            await bot.say(tone(0.1))
            await asyncio.sleep(0.05)

    async def sit() -> None:
        async with BotSession(
            front.url, rooms[0], 0, token=token("publish", rooms[0]), settings=QUICK
        ) as bot:
            os.kill(worker["pid"], signal.SIGKILL)
            await until(lambda: front.where(rooms[0]).status_code == 410, DUE)
            with pytest.raises(RefusedError) as refused:
                await asyncio.wait_for(keep_saying(bot), PATIENCE)
            assert (refused.value.status, refused.value.code) == (410, "ended")
            assert "worker_lost" in str(refused.value)

    asyncio.run(sit(), debug=False)
    for room in worker["rooms"]:
        assert front.where(room).status_code == 410
        with events_of(front, room) as heard:
            pass
        assert [(kind, data["reason"]) for kind, data in heard] == [("ended", "worker_lost")]
    assert [front.where(room).status_code for room in kept] == [307, 307]


def test_a_worker_that_is_told_to_stop_says_goodbye(front: Front) -> None:
    told, other = front.open_room(), front.open_room()
    worker = front.worker_of(told)
    with events_of(front, told) as heard:
        os.kill(worker["pid"], signal.SIGTERM)
        wait_for(lambda: bool(heard) and heard[-1][0] == "ended", DUE)
    assert [kind for kind, _ in heard] == ["closing", "ended"]
    assert heard[-1][1]["reason"] == "going_away"
    wait_for(lambda: front.where(told).status_code == 404)  # it ended; it was not lost
    assert front.where(other).status_code == 307
    wait_for(lambda: worker["name"] not in {each["name"] for each in front.workers()})
    wait_for(lambda: not Path(f"/proc/{worker['pid']}").exists())


def test_a_worker_that_hangs_is_lost_as_well(front: Front) -> None:
    room, _ = front.open_room(), front.open_room()
    worker = front.worker_of(room)
    os.kill(worker["pid"], signal.SIGSTOP)
    took = wait_for(lambda: is_elsewhere(front, room, worker["url"]), 20)
    assert took > SILENT_SECONDS - 1  # not at the first moment of silence
    wait_for(lambda: not Path(f"/proc/{worker['pid']}").exists())
