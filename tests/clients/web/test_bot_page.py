"""The bot page in real Chromium: typed text, files and clips, and what became of each."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.clients.web.conftest import FRAMES, OPENING, Served, Visit

if TYPE_CHECKING:
    from playwright import sync_api

pytestmark = pytest.mark.browser


@dataclass
class SpeechService:
    """What OpenAI's speech call is like; every text is the same tone."""

    url: str
    asked: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def service(voice_file: Path) -> Iterator[SpeechService]:
    class Handler(BaseHTTPRequestHandler):
        def do_OPTIONS(self) -> None:
            self._answer(204, b"")

        def do_GET(self) -> None:
            self._answer(200, json.dumps({"voices": ["anna", "ben"]}).encode())

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            spoken.asked.append({**asked, "key": self.headers.get("Authorization")})
            if asked["voice"] == "nobody":
                self._answer(400, b'{"error": {"message": "there is no voice nobody"}}')
            else:
                self._answer(200, voice_file.read_bytes())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Access-Control-Allow-Headers", "*")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Tests have other things to say."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        spoken = SpeechService(f"http://127.0.0.1:{server.server_port}/v1")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield spoken
        server.shutdown()
        thread.join()


@pytest.fixture
def bot(visit: Visit, empty_server: Served) -> sync_api.Page:
    """Open the page in a room of its own."""
    page = visit.page
    page.goto(f"{empty_server.url}/?lobby")
    room = page.evaluate(
        """async () => (await (await fetch("/rooms", {
          method: "POST", body: JSON.stringify({ scene: "null" }),
          headers: { "Content-Type": "application/json" },
        })).json()).id"""
    )
    page.goto(f"{empty_server.url}/bot?room={room}")
    visit.wait(f"{FRAMES} > 0")
    return page


def name_service(page: sync_api.Page, service: SpeechService) -> None:
    page.locator("summary").click()
    page.get_by_label("Address").fill(service.url)
    page.get_by_label("Key").fill("sesame")


def test_typed_text_is_spoken_by_the_chosen_person_and_voice(
    bot: sync_api.Page, visit: Visit, service: SpeechService
) -> None:
    name_service(bot, service)
    bot.get_by_label("Voice").fill("ben")
    bot.get_by_label("Who speaks").select_option("1")
    bot.get_by_label("What to say").fill("Good morning. How are you?")
    bot.get_by_label("What to say").press("Control+Enter")
    visit.wait(f"({OPENING})(1) > 0.2")
    assert bot.evaluate(OPENING, 0) < 0.1
    bot.get_by_text("said, 8.0 s").wait_for()  # two sentences, one segment
    assert [each["input"] for each in service.asked] == ["Good morning.", "How are you?"]
    wanted = ("ben", "wav", "Bearer sesame")
    for each in service.asked:
        assert (each["voice"], each["response_format"], each["key"]) == wanted
    assert visit.errors == []


def test_interrupting_shuts_the_mouth_and_drops_what_waits(
    bot: sync_api.Page, visit: Visit, service: SpeechService
) -> None:
    name_service(bot, service)
    for words in ("One.", "Two."):
        bot.get_by_label("What to say").fill(words)
        bot.get_by_role("button", name="Say it").click()
    visit.wait(f"({OPENING})(0) > 0.2")
    bot.get_by_role("button", name="Interrupt").click()
    visit.wait(f"({OPENING})(0) < 0.1")
    visit.wait("document.querySelectorAll('#log .interrupted').length === 2")
    bot.get_by_label("What to say").fill("Three.")
    bot.get_by_role("button", name="Say it").click()
    visit.wait("document.querySelector('#log li').className === 'said'")
    assert visit.errors == []


def test_what_the_service_refuses_is_told_and_can_be_tried_again(
    bot: sync_api.Page, service: SpeechService
) -> None:
    name_service(bot, service)
    bot.get_by_label("Voice").fill("nobody")
    bot.get_by_label("What to say").fill("Hello.")
    bot.get_by_role("button", name="Say it").click()
    bot.get_by_text("there is no voice nobody").wait_for()
    assert bot.get_by_label("What to say").input_value() == "Hello."


def test_without_a_service_text_says_what_it_needs(bot: sync_api.Page) -> None:
    bot.get_by_label("What to say").fill("Hello.")
    bot.get_by_role("button", name="Say it").click()
    assert "needs a speech service" in bot.get_by_role("alert").inner_text()
    assert bot.get_by_label("Address").is_visible()


def test_a_file_and_a_clip_are_spoken(
    bot: sync_api.Page, visit: Visit, empty_server: Served, voice_file: Path
) -> None:
    with bot.expect_file_chooser() as choosing:
        bot.get_by_role("button", name="Say a file").click()
    choosing.value.set_files(voice_file)
    visit.wait(f"({OPENING})(0) > 0.2")
    bot.get_by_text("said, 4.0 s").wait_for()
    bot.context.grant_permissions(["microphone"], origin=empty_server.url)
    bot.get_by_role("button", name="Record a clip").click()
    bot.get_by_role("button", name="Say the clip").wait_for()
    time.sleep(1.5)  # so long a clip
    bot.get_by_role("button", name="Say the clip").click()
    visit.wait(f"({OPENING})(0) > 0.2")
    visit.wait("document.querySelectorAll('#log .said').length === 2")
    assert visit.errors == []


def test_a_person_who_speaks_already_cannot_be_chosen(
    bot: sync_api.Page, visit: Visit, voice_file: Path
) -> None:
    with bot.expect_file_chooser() as choosing:
        bot.get_by_role("button", name="Say a file").click()
    choosing.value.set_files(voice_file)
    other = bot.context.new_page()
    other.goto(bot.url)
    taken = other.locator("#seat option[disabled]", has_text="person 1 (taken)")
    taken.wait_for(state="attached")
    assert other.get_by_label("Who speaks").input_value() == "1"
    assert "person 1 (yours)" in bot.get_by_label("Who speaks").inner_text()
