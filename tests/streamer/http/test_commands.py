"""`parley token` and `parley serve` as a user runs them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from streamer.http.tokens import Role, TokenKey
from streamer.serve_cli import serve
from streamer.token_cli import token

ROOT = Path(__file__).parents[3]
KEY = "0123456789abcdef0123456789abcdef"
SERVE = "import typer; from streamer.serve_cli import serve; typer.run(serve)"


def run(command: object, *arguments: str) -> tuple[int, str, str]:
    app = typer.Typer(add_completion=False)
    assert callable(command)
    app.command()(command)
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.stdout, done.stderr


def test_a_token_opens_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_AUTH__KEY", KEY)
    options = ["--role", "publish", "--room", "r1", "--seat", "1", "--minutes", "5"]
    code, text, _ = run(token, *options, "--name", "anna")
    assert code == 0
    claims = TokenKey(KEY.encode()).read(text.strip(), time.time)
    assert (claims.room, claims.role, claims.seat, claims.sub) == ("r1", Role.PUBLISH, 1, "anna")
    assert 200 < claims.exp - time.time() <= 301


def test_without_a_key_there_is_no_token() -> None:
    code, _, said = run(token, "--role", "view")
    assert code == 2
    assert "there is no key" in said


def test_every_fault_of_the_settings_is_printed_and_nothing_starts() -> None:
    code, _, said = run(
        serve, "--host", "192.0.2.1", "--port", "99", "--set", "limits.rooms=0", "--set", "a.b=1"
    )
    assert code == 2
    assert [line.split(":")[1].strip() for line in said.splitlines()] == [
        "limits.rooms",
        "a",
        "auth.key",
    ]


def test_the_settings_are_explained() -> None:
    code, text, _ = run(serve, "--list-settings")
    assert code == 0
    assert "| `limits.rooms` | 4 | Rooms at once; then 503. |" in text


def test_the_demo_serves_a_room_that_talks_and_stops_when_told() -> None:
    command = [sys.executable, "-c", SERVE, "--generator", "null", "--demo", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            url = re.findall(r"http://127\.0\.0\.1:\d+", server.stdout.readline())[0]
            room = re.findall(r"/rooms/([\w-]{22})", server.stdout.readline())[0]
            talking: set[int] = set()
            for _ in range(200):
                with urllib.request.urlopen(f"{url}/rooms/{room}") as answer:  # noqa: S310  # ours
                    seats = json.load(answer)["seats"]
                assert not any(seat["is_taken"] for seat in seats), "visitors may sit down"
                talking |= {seat["number"] for seat in seats if seat["kind"] == "bot"}
                if talking:
                    break
                time.sleep(0.1)
            assert talking == {0}, "the first speaks, and waits for somebody to watch"
            server.send_signal(signal.SIGTERM)
            assert server.wait(timeout=10) == 0
        finally:
            server.kill()
