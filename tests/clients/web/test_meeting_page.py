"""The meeting page in real Chromium against a real server: watch, speak, come back, be refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.clients.web.conftest import Served, Visit, serving

if TYPE_CHECKING:
    from playwright import sync_api

GOLDEN = Path(__file__).parents[2] / "protocol"
FRAMES = "document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames"
STATE = "document.querySelector('#stage').dataset.state"
# How much of a seat's bar is white: the null generator's way to open a mouth. Of two seats.
OPENING = """(seat) => {
  const video = document.querySelector("video");
  const canvas = new OffscreenCanvas(64, 64), pen = canvas.getContext("2d");
  const panel = video.videoWidth / 2, bar = panel * 0.2;
  const left = (seat + 0.5) * panel - bar / 2;
  pen.drawImage(video, left, video.videoHeight * 0.1, bar, video.videoHeight * 0.8, 0, 0, 64, 64);
  const { data } = pen.getImageData(0, 0, 64, 64);
  let white = 0;
  for (let i = 0; i < data.length; i += 4)
    white += Math.min(data[i], data[i + 1], data[i + 2]) > 200;
  return white / 4096;
}"""


@pytest.fixture(scope="module")
def empty_server(browser: sync_api.Browser) -> Iterator[Served]:
    with serving("--set", "limits.viewers=2") as served:
        yield served


def open_a_room(visit: Visit, server: Served) -> None:
    visit.page.goto(f"{server.url}/?lobby")
    visit.page.locator("#scenes").get_by_role("button", name="Open").click()
    visit.wait(f"{FRAMES} > 0")


def test_the_only_room_plays_at_once_and_comes_back_after_a_restart(visit: Visit) -> None:
    with serving("--demo") as server:
        visit.page.goto(server.url)
        visit.wait(f"{STATE} === 'live'")
        seen = visit.page.evaluate(FRAMES)
        visit.wait(f"{FRAMES} > {seen + 10}")
        assert visit.errors == []
        server.kill()
        visit.wait(f"{STATE} === 'lost'")
        assert visit.page.get_by_role("button", name="Try now").is_visible()
        server.start()
        visit.wait(f"{STATE} === 'live'")


def test_a_microphone_opens_the_mouth_of_its_own_seat(visit: Visit, empty_server: Served) -> None:
    page = visit.page
    page.context.grant_permissions(["microphone"], origin=empty_server.url)
    open_a_room(visit, empty_server)
    page.get_by_role("button", name="Speak as person 2").click()
    visit.wait(f"({OPENING})(1) > 0.2")
    assert page.evaluate(OPENING, 0) < 0.1
    visit.wait("document.querySelector('#level').getAttribute('aria-valuenow') > 20")
    page.get_by_role("button", name="Mute").click()
    visit.wait(f"({OPENING})(1) < 0.1")
    page.get_by_role("button", name="Leave the seat").click()
    page.get_by_role("button", name="Speak as person 2").wait_for()
    assert visit.errors == []


def test_a_denied_microphone_says_what_to_do(visit: Visit, empty_server: Served) -> None:
    open_a_room(visit, empty_server)
    visit.page.get_by_role("button", name="Speak as person 1").click()
    notice = visit.page.get_by_role("alert")
    notice.wait_for()
    assert "microphone is not allowed" in notice.inner_text()
    assert visit.page.evaluate(STATE) in {"live", "idle"}  # watching goes on


def test_a_file_is_spoken_and_can_be_stopped(
    visit: Visit, empty_server: Served, voice_file: Path
) -> None:
    open_a_room(visit, empty_server)
    with visit.page.expect_file_chooser() as choosing:
        visit.page.get_by_role("button", name="Say a file as person 1").click()
    choosing.value.set_files(voice_file)
    visit.wait(f"({OPENING})(0) > 0.2")
    visit.page.get_by_role("button", name="Stop the file of person 1").click()
    visit.wait(f"({OPENING})(0) < 0.1")
    visit.page.get_by_role("button", name="Say a file as person 1").wait_for()


def test_a_full_room_says_so_and_tries_again(visit: Visit, empty_server: Served) -> None:
    open_a_room(visit, empty_server)
    second, third = visit.page.context.new_page(), visit.page.context.new_page()
    second.goto(visit.page.url)
    Visit(second).wait(f"{FRAMES} > 0")
    third.goto(visit.page.url)
    Visit(third).wait(f"{STATE} === 'full'")
    assert "full" in third.locator("#curtain-title").inner_text()
    second.close()
    third.get_by_role("button", name="Try now").click()
    Visit(third).wait(f"{FRAMES} > 0")


def test_boxes_are_corrected_before_the_room_opens(visit: Visit, empty_server: Served) -> None:
    page = visit.page
    page.goto(f"{empty_server.url}/?lobby")
    page.locator("#scenes .card").wait_for()
    picture = page.screenshot(type="jpeg")
    golden = json.loads((GOLDEN / "rest.json").read_text())["scene"]
    scene = {**golden, "id": "own", "origin": "upload", "people_names": []}
    sent: list[Any] = []

    def correct(route: sync_api.Route) -> None:
        sent.append(route.request.post_data_json)
        route.fulfill(json={**scene, "is_ready": False, "problem": "too many people"})

    # Answers of a server with a bundle, which draws pictures of its own.
    page.route("**/scenes", lambda route: route.fulfill(json=[golden]))
    page.route("**/scenes?*", lambda route: route.fulfill(status=201, json=scene))
    page.route("**/scenes/own", correct)
    page.route(
        "**/picture.jpg", lambda route: route.fulfill(body=picture, content_type="image/jpeg")
    )
    page.reload()
    page.get_by_label("Who agreed").fill("Anna, today")
    with page.expect_file_chooser() as choosing:
        page.get_by_role("button", name="Choose a picture").click()
    choosing.value.set_files({"name": "us.jpg", "mimeType": "image/jpeg", "buffer": picture})
    page.get_by_label("Name of person 1").fill("Anna")
    page.locator(".box").nth(1).press("Delete")
    page.locator(".box").nth(0).press("ArrowRight")
    page.get_by_role("button", name="Add a face").click()
    page.get_by_role("button", name="Open the room").click()
    page.get_by_text("too many people").wait_for()
    moved, added = sent[0]["boxes"]
    assert moved == pytest.approx([64.48, 40, 144.48, 140])
    assert added == pytest.approx([185.6, 89.6, 262.4, 166.4])
    assert sent[0]["people_names"] == ["Anna", "Person 2"]
    assert visit.errors == []


def test_the_page_reads_every_golden_message(visit: Visit, empty_server: Served) -> None:
    golden = json.loads((GOLDEN / "socket_server.json").read_text())["messages"]
    visit.page.goto(f"{empty_server.url}/?lobby")
    read = visit.page.evaluate(
        """async (said) => {
          const { readSocketMessage } = await import("/meeting/protocol.js");
          return said.map((each) => readSocketMessage(JSON.stringify(each)));
        }""",
        [each["message"] for each in golden if each["message"]],
    )
    assert [each["type"] for each in read] == [e["message"]["type"] for e in golden if e["message"]]


def test_the_page_refuses_what_the_protocol_does_not_have(
    visit: Visit, empty_server: Served
) -> None:
    visit.page.goto(f"{empty_server.url}/?lobby")
    with pytest.raises(Exception, match="unknown message dance"):
        visit.page.evaluate(
            """async () => {
              const { readSocketMessage } = await import("/meeting/protocol.js");
              readSocketMessage('{"type": "dance"}');
            }"""
        )
