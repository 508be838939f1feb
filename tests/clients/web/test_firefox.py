"""The pages in real Firefox against a real server: watch, speak, measure."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.web.conftest import OPENING, STATE, Served, wait_for
from tests.clients.web.firefox import PROGRAM, FirefoxPage, firefox

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(PROGRAM is None, reason="no Firefox: apt install firefox-esr"),
]
# Firefox counts no frames of a stream; its clock goes on with the pictures.
PLAYED = "document.querySelector('video').currentTime"
NEW_ROOM = """fetch("/rooms", {method: "POST", body: JSON.stringify({scene: "null"}),
  headers: {"Content-Type": "application/json"}}).then((answer) => answer.json())"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirefoxPage]:
    with firefox(tmp_path_factory.mktemp("firefox")) as page:
        yield page


@pytest.fixture
def page(running: FirefoxPage, empty_server: Served) -> FirefoxPage:
    """Show the meeting page in a room of its own, playing."""
    running.errors.clear()
    running.open(f"{empty_server.url}/?lobby")
    room = running.evaluate(NEW_ROOM)["id"]
    running.open(f"{empty_server.url}/?room={room}")
    wait_for(lambda: bool(running.evaluate(f"{PLAYED} > 0.5")))
    return running


def click(page: FirefoxPage, label: str) -> None:
    """Click the button that a screen reader calls so."""
    found = f"""(() => {{
      const all = [...document.querySelectorAll("button")];
      const one = all.find((b) => (b.ariaLabel ?? b.textContent).trim() === {label!r});
      if (one) one.click();
      return Boolean(one);
    }})()"""
    wait_for(lambda: bool(page.evaluate(found)))


def test_a_room_plays(page: FirefoxPage) -> None:
    assert page.evaluate(STATE) in {"live", "idle"}
    seen = page.evaluate(PLAYED)
    wait_for(lambda: page.evaluate(PLAYED) > seen + 1)
    assert page.errors == []


def test_a_microphone_opens_the_mouth_of_its_own_seat(page: FirefoxPage) -> None:
    click(page, "Speak as person 2 with your microphone")
    wait_for(lambda: page.evaluate(f"({OPENING})(1)") > 0.2)
    assert page.evaluate(f"({OPENING})(0)") < 0.1
    assert page.errors == []


@pytest.mark.parametrize("path", ["bot", "bench"])
def test_the_other_pages_load_without_complaint(
    running: FirefoxPage, empty_server: Served, path: str
) -> None:
    running.errors.clear()
    running.open(f"{empty_server.url}/{path}")
    assert running.evaluate("document.querySelector('h1').textContent")
    assert running.errors == []
