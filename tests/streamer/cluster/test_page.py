"""Pages served by a front: their room is on a worker, and moves when that is killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.clients.web.conftest import FRAMES, OPENING, STATE, Visit, say_file
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


def test_a_file_is_spoken_in_a_room_on_a_worker(
    visit: Visit, front: Front, voice_file: Path
) -> None:
    visit.page.goto(f"{front.url}/?room={front.open_room()}#token={token()}")
    visit.wait(f"{PLAYS} && {FRAMES} > 10")
    say_file(visit.page, voice_file)
    visit.wait(f"({OPENING})(0) > 0.2")
    visit.page.get_by_role("button", name="Stop the file of person 1").click()
    visit.wait(f"({OPENING})(0) < 0.1")
    assert visit.errors == []


def test_the_bot_page_speaks_in_a_room_on_a_worker(
    visit: Visit, front: Front, voice_file: Path
) -> None:
    page = visit.page
    page.goto(f"{front.url}/bot?room={front.open_room()}#token={token()}")
    visit.wait(f"{FRAMES} > 0")
    with page.expect_file_chooser() as choosing:
        page.get_by_role("button", name="Say a file").click()
    choosing.value.set_files(voice_file)
    visit.wait(f"({OPENING})(0) > 0.2")
    assert visit.errors == []
