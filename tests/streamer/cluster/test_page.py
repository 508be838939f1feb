"""The meeting page, served by a front: its room is on a worker, and moves when that is killed."""

from __future__ import annotations

import os
import signal

from tests.clients.web.conftest import FRAMES, STATE, Visit
from tests.streamer.cluster.fronts import Front, token

PLAYS = f"['idle', 'live'].includes({STATE})"  # the people are silent, or speak


def test_a_page_follows_its_room_to_another_worker(visit: Visit, front: Front) -> None:
    room = front.open_room()
    worker = front.worker_of(room)
    visit.page.goto(f"{front.url}/?room={room}#token={token()}")
    visit.wait(f"{PLAYS} && {FRAMES} > 10")
    assert visit.errors == []
    os.kill(worker["pid"], signal.SIGKILL)
    visit.wait(f"!{PLAYS}")
    visit.wait(f"{PLAYS} && {FRAMES} > 10")
    assert front.worker_of(room)["name"] != worker["name"]
