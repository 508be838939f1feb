"""A real browser and a real server, for tests of the web pages; skipped without a browser."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError

import numpy as np
import pytest

if TYPE_CHECKING:
    from playwright import sync_api

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 60.0  # seconds, for a loaded machine
SERVE = "from parley.cli import main; main()"


@dataclass
class Served:
    """A server on one port, which can be ended and started again."""

    args: tuple[str, ...]
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-c", SERVE, "serve", "--generator", "null"]
        command += ["--port", str(self.port), "--set", "logs.level=error", *self.args]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self._answers)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "the server did not start"
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=PATIENCE) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except URLError:
            return False


@dataclass
class Visit:
    """A page, and what it complained about."""

    page: sync_api.Page
    errors: list[str] = field(default_factory=list)

    def wait(self, expression: str) -> None:
        """Wait until JavaScript holds; the page's policy forbids Playwright's own way."""
        wait_for(lambda: bool(self.page.evaluate(expression)))


def wait_for(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def serving(*args: str) -> Iterator[Served]:
    served = Served(args, free_port())
    try:
        served.start()
        yield served
    finally:
        served.kill()


@pytest.fixture(scope="module")
def voice_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a loud voice that never stops, for the browser's pretended microphone."""
    path = tmp_path_factory.mktemp("voice") / "voice.wav"
    times = np.arange(4 * 48_000) / 48_000
    syllables = 0.6 + 0.4 * np.sin(2 * np.pi * 4 * times)
    voice = sum(np.sin(2 * np.pi * 150 * k * times) / k for k in range(1, 8))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes((np.clip(0.4 * voice * syllables, -1, 1) * 32767).astype("<i2").tobytes())
    return path


# Of a module, not of the session: while Playwright runs, no other test may use asyncio.
@pytest.fixture(scope="module")
def browser(voice_file: Path) -> Iterator[sync_api.Browser]:
    """Give Chromium with a pretended microphone, which pages have to ask for."""
    driven = pytest.importorskip(
        "playwright.sync_api", reason="pages are driven by Playwright: pip install playwright"
    )
    if CHROMIUM is None:
        pytest.skip("pages are tested in Debian's Chromium: apt install chromium")
    arguments = [
        "--no-sandbox",  # containers have no user namespaces
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={voice_file}",
        "--autoplay-policy=no-user-gesture-required",
    ]
    with driven.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield running
        running.close()


@pytest.fixture
def visit(browser: sync_api.Browser) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    visited = Visit(context.new_page())
    visited.page.on(
        "console", lambda said: visited.errors.append(said.text) if said.type == "error" else None
    )
    visited.page.on("pageerror", lambda error: visited.errors.append(str(error)))
    yield visited
    context.close()
