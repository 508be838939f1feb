"""The meeting page in real Chromium against a real server: watch, speak, come back, be refused."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import jwt
import pytest

from tests.clients.web.conftest import (
    FRAMES,
    OPENING,
    STATE,
    Served,
    Visit,
    open_a_room,
    say_file,
    serving,
)

if TYPE_CHECKING:
    from playwright import sync_api

pytestmark = pytest.mark.browser
KEY = "0123456789abcdef0123456789abcdef"


def token(role: str) -> str:
    claims = {"room": "*", "role": role, "aud": "parley", "exp": time.time() + 600}
    return jwt.encode(claims, KEY, "HS256")


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


def test_push_to_talk_is_heard_while_the_space_bar_is_down(
    visit: Visit, empty_server: Served
) -> None:
    page = visit.page
    page.context.grant_permissions(["microphone"], origin=empty_server.url)
    open_a_room(visit, empty_server)
    page.get_by_role("button", name="Speak as person 1").click()
    page.get_by_role("button", name="Microphone", exact=True).click()
    page.get_by_label("Push to talk").check()
    visit.wait(f"({OPENING})(0) < 0.1")
    page.locator("#mute").focus()
    page.keyboard.down("Space")
    visit.wait(f"({OPENING})(0) > 0.2")
    page.keyboard.up("Space")
    visit.wait(f"({OPENING})(0) < 0.1")
    assert visit.errors == []


def test_a_denied_microphone_says_what_to_do(visit: Visit, empty_server: Served) -> None:
    open_a_room(visit, empty_server)
    visit.page.get_by_role("button", name="Speak as person 1").click()
    notice = visit.page.get_by_role("alert")
    notice.wait_for()
    assert "microphone is not allowed" in notice.inner_text()
    assert visit.page.evaluate(STATE) in {"live", "idle"}  # watching goes on
    assert visit.errors == []


def test_a_file_is_spoken_and_can_be_stopped(
    visit: Visit, empty_server: Served, voice_file: Path
) -> None:
    open_a_room(visit, empty_server)
    say_file(visit.page, voice_file)
    visit.wait(f"({OPENING})(0) > 0.2")
    visit.page.get_by_role("button", name="Stop the file of person 1").click()
    visit.wait(f"({OPENING})(0) < 0.1")
    visit.page.get_by_role("button", name="Say a file as person 1").wait_for()
    assert visit.errors == []


def test_somebody_else_barges_in(visit: Visit, empty_server: Served, voice_file: Path) -> None:
    open_a_room(visit, empty_server)
    other = visit.page.context.new_page()
    other.goto(visit.page.url)
    Visit(other).wait(f"{FRAMES} > 0")
    say_file(visit.page, voice_file)
    Visit(other).wait(f"({OPENING})(0) > 0.2")
    other.get_by_role("button", name="Interrupt person 1").click()
    Visit(other).wait(f"({OPENING})(0) < 0.1")
    visit.page.get_by_role("button", name="Say a file as person 1").wait_for()
    assert visit.errors == []


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


def test_a_viewer_of_a_full_room_can_speak(visit: Visit, empty_server: Served) -> None:
    visit.page.context.grant_permissions(["microphone"], origin=empty_server.url)
    open_a_room(visit, empty_server)
    second = visit.page.context.new_page()
    second.goto(visit.page.url)
    Visit(second).wait(f"{FRAMES} > 0")
    visit.page.get_by_role("button", name="Speak as person 1").click()
    visit.page.get_by_role("button", name="Leave the seat").wait_for()
    visit.wait(f"({OPENING})(0) > 0.2")


def test_a_room_that_ends_says_so(visit: Visit, empty_server: Served) -> None:
    open_a_room(visit, empty_server)
    visit.page.evaluate(
        "fetch(`/rooms/${new URLSearchParams(location.search).get('room')}`, { method: 'DELETE' })"
    )
    visit.wait(f"{STATE} === 'ended'")
    assert visit.page.get_by_role("button", name="See the rooms").is_visible()


def test_a_prompt_is_set_and_shown(visit: Visit, empty_server: Served) -> None:
    open_a_room(visit, empty_server)
    visit.page.get_by_role("button", name="they laugh together").click()
    visit.wait("document.querySelector('#prompt').placeholder === 'they laugh together'")
    assert visit.errors == []


def test_a_film_is_recorded_and_offered(visit: Visit, empty_server: Served) -> None:
    open_a_room(visit, empty_server)
    visit.page.get_by_role("button", name="Record").click()
    visit.wait(f"{FRAMES} > 30")
    with visit.page.expect_download() as download:
        visit.page.get_by_role("button", name="Stop").click()
    assert download.value.path().stat().st_size > 1000
    assert download.value.suggested_filename.endswith((".webm", ".mp4"))


def test_the_link_carries_the_token_behind_the_hash(
    visit: Visit, browser: sync_api.Browser
) -> None:
    with serving("--set", "auth.mode=on", "--set", f"auth.key={KEY}") as server:
        visit.page.goto(server.url)
        visit.page.get_by_role("heading", name="A token, please").wait_for()
        visit.page.goto(f"{server.url}/?lobby#token={token('admin')}")
        visit.page.locator("#scenes").get_by_role("button", name="Open").click()
        visit.wait(f"{FRAMES} > 0")
        assert "token" not in visit.page.url
        visit.page.get_by_role("button", name="Share").click()
        assert (
            "token" not in visit.page.get_by_label("Link", exact=True).input_value()
        )  # never an admin's
        visit.page.get_by_label("A token for those").fill(token("view"))
        link = visit.page.get_by_label("Link", exact=True).input_value()
        assert link.partition("#")[2].startswith("token=")
        guest = browser.new_page()
        guest.goto(link)
        Visit(guest).wait(f"{FRAMES} > 0")
        assert guest.get_by_role("button", name="Speak").count() == 0
        guest.close()
