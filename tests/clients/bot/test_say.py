"""`parley say`, the sync session and the ten-line bot against a server process."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from clients.bot import SyncBotSession
from clients.bot.say_cli import say
from tests.clients.bot.door import tone
from tests.clients.bot.watcher import watching
from tests.streamer.interop.served import Served, served

ROOT = Path(__file__).parents[3]
APP = typer.Typer()
APP.command()(say)
TEN_LINES = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served("engine.null_width=128", "engine.null_height=64") as running:
        yield running


@pytest.fixture(scope="module")
def room(server: Served) -> Iterator[str]:
    opened = server.open_room()
    with watching(server.url, opened):
        yield opened


def parley_say(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "parley", "say", *args]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_text_is_said(server: Served, room: str) -> None:
    done = parley_say("--url", server.url, "--room", room, "--seat", "1", "Hello.")
    assert done.returncode == 0, done.stderr
    said = re.fullmatch(r"said (\d\.\d\d) s\n", done.stdout)
    assert said is not None
    assert 0.3 < float(said[1]) < 2


def test_a_file_is_said_whatever_its_rate(server: Served, room: str, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 11_025, 0, "NONE", ""))
        file.writeframes(tone(0.6, 11_025))
    done = parley_say("--url", server.url, "--room", room, "--file", str(path))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "said 0.60 s\n"


def test_a_loop_is_not_needed(server: Served, room: str) -> None:
    with SyncBotSession(server.url, room, 0) as bot:
        whole = bot.say(tone(0.4))
        pieces = bot.say(tone(0.2) for _ in range(3))
        threading.Timer(0.5, bot.clear).start()
        cut = bot.say(tone(10))
    assert whole is not None
    assert whole.position_ms == 400
    assert pieces is not None
    assert pieces.position_ms == 600
    assert cut is not None
    assert cut.is_interrupted


def test_the_bot_of_the_docs_runs_as_written(server: Served, room: str, tmp_path: Path) -> None:
    found = TEN_LINES.search((ROOT / "docs" / "bots.md").read_text())
    assert found is not None
    program = found[1].replace("http://127.0.0.1:8080", server.url).replace("ROOM", room)
    lines = [line for line in program.splitlines() if line.strip()]
    assert len(lines) <= 12  # ten and two imports
    path = tmp_path / "bot.py"
    path.write_text(program)
    done = subprocess.run(
        [sys.executable, str(path)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--room", "x"), "say what"),
        (("--room", "x", "hello"), "not_found"),
        (("--room", "x", "--tts", "nobody", "hello"), "espeak, piper"),
        (("--room", "x", "--file", "nowhere.wav"), "nowhere.wav"),
    ],
)
def test_what_cannot_be_said_is_told_in_a_line(
    server: Served, args: tuple[str, ...], says: str
) -> None:
    done = CliRunner().invoke(APP, ["--url", server.url, *args])
    assert done.exit_code != 0
    assert isinstance(done.exception, SystemExit)
    assert says in done.stderr
