"""What a test needs a front of its own for: films in a folder, and a front that stops."""

from __future__ import annotations

import asyncio
from pathlib import Path

from clients.bot import Backoff, BotSession, BotSettings
from clients.bot.events import Closing
from tests.streamer.cluster.callers import until, watching
from tests.streamer.cluster.fronts import front_on, token, wait_for

BRIEF = BotSettings(backoff=Backoff(give_up_seconds=3))


def test_films_of_every_machine_are_found(ray_address: str, tmp_path: Path) -> None:
    with front_on(ray_address, f"recording.folder={tmp_path}") as front:
        room = front.open_room(is_recorded=True)

        async def watch() -> None:
            async with watching(front, room) as viewer:
                await until(lambda: viewer.frames > 10)

        asyncio.run(watch(), debug=False)
        busy = front.http.delete(f"/recordings/{room}", follow_redirects=True)
        assert (busy.status_code, busy.json()["code"]) == (409, "conflict")
        assert front.http.delete(f"/rooms/{room}", follow_redirects=True).status_code == 204
        films = front.http.get("/recordings").json()
        assert [(film["room"], film["is_complete"]) for film in films] == [(room, True)]
        film = front.http.get(f"/recordings/{room}", follow_redirects=True)
        assert (film.status_code, film.headers["content-type"]) == (200, "video/mp4")
        assert len(film.content) == films[0]["size_bytes"]
        assert front.http.get("/recordings/nothing").status_code == 404


def test_a_front_that_is_told_to_stop_says_goodbye_in_every_room(ray_address: str) -> None:
    with front_on(ray_address) as front:
        workers = front.workers()
        room = front.open_room()

        async def sit() -> set[str]:
            async with BotSession(
                front.url, room, 0, token=token("publish", room), settings=BRIEF
            ) as bot:
                front.process.terminate()
                return {e.reason async for e in bot.events() if isinstance(e, Closing)}

        assert asyncio.run(asyncio.wait_for(sit(), 90), debug=False) == {"going_away"}
        assert front.process.wait(15) == 0
        wait_for(lambda: not any(Path(f"/proc/{each['pid']}").exists() for each in workers))


def test_a_front_that_is_killed_takes_its_workers_along(ray_address: str) -> None:
    with front_on(ray_address) as front:
        workers = front.workers()
        front.process.kill()
        wait_for(lambda: not any(Path(f"/proc/{each['pid']}").exists() for each in workers), 20)
