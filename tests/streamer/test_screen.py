"""Whoever starts the demo at a screen sees it; whoever has none is left alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

URL = "http://127.0.0.1:8080/"
# `webbrowser` looks for browsers once in a process.
SHOW = f"import sys, time\nfrom streamer.screen import show\nprint(show({URL!r}))\ntime.sleep(1)\n"


def shown(**environment: str) -> str:
    kept = {k: v for k, v in os.environ.items() if k not in {"DISPLAY", "WAYLAND_DISPLAY"}}
    ran = subprocess.run(
        [sys.executable, "-c", SHOW],
        env={**kept, "BROWSER": "", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.strip()


def program(path: Path, content: str) -> Path:
    path.write_text(f"#!/bin/sh\n{content}\n")
    path.chmod(0o755)
    return path


def test_the_chosen_browser_gets_the_address(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    browser = program(tmp_path / "browser", f'echo "$1" > {seen}')
    assert shown(BROWSER=str(browser)) == "True"
    deadline = time.monotonic() + 20
    while not seen.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert seen.read_text().strip() == URL


def test_without_a_screen_nothing_opens() -> None:
    if sys.platform.startswith("linux"):
        assert shown() == "False"


def test_a_browser_in_the_terminal_is_no_browser(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    program(tmp_path / "lynx", f"touch {touched}")
    python = Path(sys.executable).parent
    said = shown(DISPLAY=":99", PATH=f"{tmp_path}:{python}", TERM="xterm")
    assert said == "False"
    assert not touched.exists()
