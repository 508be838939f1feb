"""Pictures that are uploaded to a front, and shown by its workers; on a toy bundle."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from tests.engines import toy_bundle
from tests.streamer.cluster.callers import until, watching
from tests.streamer.cluster.fronts import front_on, is_elsewhere, wait_for
from tests.streamer.http.test_scenes import JPEG, picture

FACES = "30,30,140,140;160,30,270,140"
PATH = f"/scenes?name=us&consent=both&boxes={FACES}"
DUE = 3.0  # seconds in which a lost room goes on, or has ended


def test_rooms_show_it_wherever_they_are(ray_address: str, tmp_path: Path) -> None:
    toy_bundle.build(tmp_path / "toy")
    with front_on(ray_address, f"engine.bundle={tmp_path / 'toy'}", generator="bundle") as front:
        sent = front.http.post(PATH, content=picture(), headers=JPEG)
        assert sent.status_code == 201, sent.text
        scene = sent.json()["id"]
        room = front.open_room(scene=scene)
        worker = front.worker_of(room)
        seen = front.http.get(f"/rooms/{room}", follow_redirects=True).json()
        assert (seen["scene"], len(seen["seats"])) == (scene, 2)
        to_worker = front.http.post(worker["url"] + PATH, content=picture(), headers=JPEG)
        assert (to_worker.status_code, to_worker.json()["code"]) == (403, "not_allowed")

        async def watch() -> None:
            async with watching(front, room) as viewer:
                await until(lambda: viewer.frames > 10)

        asyncio.run(watch(), debug=False)
        os.kill(worker["pid"], signal.SIGKILL)
        wait_for(lambda: is_elsewhere(front, room, worker["url"]), DUE)
        asyncio.run(watch(), debug=False)

        now = front.worker_of(room)["url"]
        assert front.http.get(f"{now}/scenes/{scene}").json()["name"] == "us"
        assert front.http.delete(f"/scenes/{scene}").status_code == 204
        assert front.http.get(f"{now}/scenes/{scene}").status_code == 404, "not there either"
        assert front.http.post("/rooms", json={"scene": scene}).status_code == 404
        assert front.http.delete(f"/scenes/{scene}").status_code == 404
        wait_for(lambda: len(front.workers()) == 2)
        os.kill(front.worker_of(room)["pid"], signal.SIGKILL)
        wait_for(lambda: front.where(room).status_code == 410, DUE)
