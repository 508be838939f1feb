"""`parley bench load` against `parley serve` processes, each as anybody starts it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from clients.bench.load_cli import load
from clients.bench.load_errors import LoadError
from clients.bench.load_server import LoadServer
from tests.streamer.interop.served import ROOT, Served, served

APP = typer.Typer()
APP.command()(load)
SMALL = ("engine.null_width=128", "engine.null_height=64")
ENDING = 60.0
FIGURES = {"fps_p50", "fps_worst", "join_p50_s", "join_p95_s", "freezes", "refused", "server"}


def command(server: str, *args: str) -> list[str]:
    return [sys.executable, "-m", "parley", "bench", "load", "--url", server, *args]


def environment() -> dict[str, str]:
    """Without the debug mode that tests give asyncio: it costs what is measured."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONASYNCIODEBUG"}


def bench(server: str, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(server, *args),
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def report(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def open_rooms(server: Served) -> int:
    return len(server.http.get("/rooms").json()["rooms"])


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(*SMALL) as running:
        yield running


def test_viewers_and_a_bot_are_measured_and_leave_nothing(server: Served, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    args = ("--viewers", "2", "--bots", "1", "--ramp", "2", "--seconds", "3")
    told = report(bench(server.url, *args, "--json", "--out", str(folder)))
    assert open_rooms(server) == 0
    assert told["hardware"]["cores"] == os.cpu_count()
    assert re.fullmatch(r"[0-9a-f]{40}|0\..*", told["commit"])
    assert told["config"]["viewers"] == 2
    steps = told["steps"]
    assert [step["is_hold"] for step in steps] == [False, True]
    last = steps[-1]
    assert last.keys() >= FIGURES
    assert (last["rooms"], last["viewers"], last["bots"]) == (1, 2, 1)
    assert (last["server"]["rooms"], last["server"]["viewers"]) == (1, 2)
    assert 5 < last["fps_worst"] <= last["fps_p50"] < 30  # 25, on a machine that is busy
    assert last["kbps_p50"] > 10
    joins = [step["join_p95_s"] for step in steps if step["join_p95_s"] is not None]
    assert joins
    assert 0.01 < min(joins) <= max(joins) < 20
    assert 0 < last["server"]["real_time_factor"] < 5
    assert last["server"]["lag_p99_ms"] > 0
    assert last["server_cores"] > 0
    assert 0 < last["busiest_client_cores"] <= last["clients_cores"]
    assert sum(step["packets"] for step in steps) > 100
    assert not any(step["refused"] or step["failed"] for step in steps)
    assert any(step["speech_start_p50_s"] is not None for step in steps)
    assert told["bend"]["sentence"].endswith(".")
    assert json.loads((folder / "report.json").read_text()) == told
    assert told["bend"]["sentence"] in (folder / "table.md").read_text()
    page = (folder / "report.html").read_text()
    assert page.count("<svg") == 6
    assert "prefers-color-scheme: dark" in page
    assert not re.search(r"(src|href)=|url\(|@import", page)  # nothing is fetched


def test_who_is_refused_is_counted_and_no_error() -> None:
    with served(*SMALL, "limits.viewers=1", "limits.rooms=1") as full:
        args = ("--rooms", "2", "--viewers", "3", "--ramp", "1", "--seconds", "2", "--json")
        told = report(bench(full.url, *args))
        assert open_rooms(full) == 0
    refused: dict[str, int] = {}
    for step in told["steps"]:
        for why, count in step["refused"].items():
            refused[why] = refused.get(why, 0) + count
    assert refused == {"viewer: 503 full": 2, "room: 503 full": 1}
    assert told["steps"][-1]["viewers"] == 1
    assert "2 times viewer: 503 full" in told["bend"]["sentence"]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_closes_the_rooms(server: Served, stop: signal.Signals) -> None:
    running = subprocess.Popen(
        command(server.url, "--viewers", "1", "--ramp", "0", "--seconds", "60", "--json"),
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs these tests in the background has SIGINT ignored, and so would the command.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    began = time.monotonic()
    while server.figure("parley_viewers") < 1 and time.monotonic() - began < ENDING:
        time.sleep(0.1)
    assert open_rooms(server) == 1
    running.send_signal(stop)
    out, errors = running.communicate(timeout=ENDING)
    assert running.returncode == 1
    assert out == ""
    assert errors == "parley bench load: stopped; its rooms are closed\n"
    assert open_rooms(server) == 0
    assert server.figure("parley_viewers") == 0


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--url", "http://127.0.0.1:9"), "does not answer"),
        (("--url", "ftp://x"), "--url is http"),
        (("--scene", "nowhere"), "there are: null (2)"),
        (("--bots", "3"), "no scene has 3 seats"),
        (("--out", "/proc/nowhere"), "cannot make the folder"),
    ],
)
def test_what_cannot_be_measured_is_told_in_a_line(
    server: Served, args: tuple[str, ...], says: str
) -> None:
    done = CliRunner().invoke(APP, ["--url", server.url, *args])
    assert done.exit_code == 1
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_a_token_is_asked_for_and_what_came_is_not_repeated() -> None:
    key = "0123456789abcdef0123456789abcdef"
    with served(*SMALL, "auth.mode=on", f"auth.key={key}") as locked:
        for args in ((), ("--token", "a.wrong.one")):
            done = CliRunner().invoke(APP, ["--url", locked.url, *args])
            assert done.exit_code == 1
            assert "401 token_" in done.stderr
            assert "parley token --role admin" in done.stderr
            assert "a.wrong.one" not in done.stderr
            assert len(done.stderr.splitlines()) == 1


@contextmanager
def answering(body: bytes) -> Iterator[str]:
    """Serve something that is no Parley server, or has nothing to show."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{httpd.server_address[1]}"
        finally:
            httpd.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"[]", "the server has no scene"),
        (b"<html>", "is no Parley server"),
        (b"{}", "is no Parley server"),
        (b'[{"id": "x"}]', "is no Parley server"),
    ],
)
def test_a_server_without_scenes_is_told_from_one_of_others(body: bytes, says: str) -> None:
    async def ask(url: str) -> None:
        async with LoadServer(url, "") as server:
            await server.scene(1)

    with answering(body) as url, pytest.raises(LoadError, match=says):
        asyncio.run(ask(url))
