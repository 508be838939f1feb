"""How the server finds and sends web pages: types, policy, caching, and nothing beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from clients.web.pages import BOT, MEETING
from streamer.errors import InvalidInput
from streamer.http import client_pages
from streamer.http.client_pages import page_routes
from tests.streamer.http.house import House, house

MOST_BYTES = 200_000
FOLDERS = {"meeting": MEETING, "bot": BOT}


@pytest.fixture(scope="module")
def server() -> Iterator[House]:
    with house() as running:
        yield running


def test_the_meeting_page_is_at_the_root(server: House) -> None:
    answer = server.client.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.text == (MEETING / "index.html").read_text()


@pytest.mark.parametrize("page", FOLDERS)
def test_every_file_of_a_page_is_sent_with_its_type(server: House, page: str) -> None:
    for path in FOLDERS[page].iterdir():
        answer = server.client.get(f"/{page}/{path.name}")
        assert answer.status_code == 200
        assert answer.content == path.read_bytes()
        assert answer.headers["content-type"] == client_pages.TYPES[path.suffix]


def test_what_a_browser_has_is_not_sent_again(server: House) -> None:
    first = server.client.get("/meeting/app.js", headers={"Accept-Encoding": "gzip"})
    assert first.headers["content-encoding"] == "gzip"
    again = server.client.get("/meeting/app.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/meeting/../pages.py",
        "/meeting/%2e%2e/pages.py",
        "/meeting/..%2fpages.py",
        "/meeting//etc/passwd",
        "/pages.py",
    ],
)
def test_nothing_beside_the_page_is_sent(server: House, path: str) -> None:
    answer = server.client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_the_page_stands_behind_the_calls(server: House) -> None:
    assert server.client.get("/rooms").json()["rooms"] == []
    assert server.client.post("/").json()["code"] == "method_not_allowed"
    assert server.client.put("/rooms").json()["code"] == "method_not_allowed"


def test_without_an_installed_page_the_root_says_so() -> None:
    client = TestClient(Starlette(routes=list(page_routes({}))))
    assert "no web page is installed" in client.get("/").text


@pytest.mark.parametrize("value", ["no_such_package:FOLDER", "clients.web:NOTHING", "re:compile"])
def test_a_package_that_names_no_folder_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    broken = EntryPoint("broken", value, client_pages.GROUP)
    monkeypatch.setattr(client_pages, "entry_points", lambda group: [broken])
    with pytest.raises(InvalidInput, match="broken"):
        client_pages.installed_pages()


def test_a_folder_without_an_index_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "planted_page.py").write_text(f"FOLDER = {str(tmp_path)!r}\n")
    monkeypatch.syspath_prepend(tmp_path)
    planted = EntryPoint("planted", "planted_page:FOLDER", client_pages.GROUP)
    monkeypatch.setattr(client_pages, "entry_points", lambda group: [planted])
    with pytest.raises(InvalidInput, match=r"no index\.html"):
        client_pages.installed_pages()


def test_only_the_bot_page_may_ask_a_speech_service(server: House) -> None:
    allowed = {
        path: re.findall(
            "connect-src ([^;]*)", server.client.get(path).headers["content-security-policy"]
        )
        for path in ("/", "/bot")
    }
    assert allowed["/"] == ["'self'"]
    assert allowed["/bot"] == ["'self' https: http://127.0.0.1:* http://localhost:*"]


def test_the_pages_are_light() -> None:
    weights = {
        name: sum(path.stat().st_size for path in folder.iterdir())
        for name, folder in FOLDERS.items()
    }
    assert sum(weights.values()) <= MOST_BYTES  # the bot page uses modules of the meeting page


@pytest.mark.parametrize("page", FOLDERS)
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    for path in FOLDERS[page].iterdir():
        text = path.read_text()
        named = re.findall(r'(?:href|src)="((?:meeting|bot)/[\w.-]+)', text)
        named += [f"{page}/{each}" for each in re.findall(r'from "\./([\w.-]+)"', text)]
        named += re.findall(r'from "\.\./([\w./-]+)"', text)
        for each in named:
            assert (MEETING.parent / each).is_file(), f"{path.name} names {each}"


@pytest.mark.parametrize("page", FOLDERS)
def test_a_page_asks_no_other_host(page: str) -> None:
    for path in FOLDERS[page].iterdir():
        hosts = set(re.findall(r"https?://([\w.-]+)", path.read_text()))
        # The namespace of SVG, and the example of an address that a user may type.
        assert hosts <= {"www.w3.org", "127.0.0.1", "api.openai.com"}, path.name
