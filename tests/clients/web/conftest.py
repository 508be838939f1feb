"""A real browser and a real server, for tests of the web pages; skipped without a browser."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import wave
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

import numpy as np
import pytest

if TYPE_CHECKING:
    from playwright import sync_api

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
PACKAGES = Path(
    os.environ.get("PARLEY_INTEROP", Path(__file__).parents[3] / ".assets" / "interop")
)  # npm packages; see docs/clients.md
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 60.0  # seconds, for a loaded machine
SERVE = "from parley.cli import main; main()"


@dataclass
class Served:
    """A server on one port, which can be ended and started again."""

    args: tuple[str, ...]
    port: int = field(default_factory=lambda: free_port())
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-c", SERVE, "serve", "--port", str(self.port)]
        command += ["--set", "logs.level=error", *self.args]
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

    def hear(self, kind: str, text: str, location: Mapping[str, Any]) -> None:
        """Keep what the page complains about."""
        if kind == "error":
            self.errors.append(f"{text} {location.get('url')}")

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


def say_file(page: sync_api.Page, voice_file: Path) -> None:
    """Let the meeting page speak a sound file as person 1."""
    with page.expect_file_chooser() as choosing:
        page.get_by_role("button", name="Say a file as person 1").click()
    choosing.value.set_files(voice_file)


def open_a_room(visit: Visit, server: Served) -> None:
    visit.page.goto(f"{server.url}/?lobby")
    visit.page.locator("#scenes").get_by_role("button", name="Open").click()
    visit.wait(f"{FRAMES} > 0")


@contextmanager
def serving(*args: str, source: tuple[str, ...] = ("--generator", "null")) -> Iterator[Served]:
    """Serve on a free port: bars that follow voices, or what `source` says."""
    served = Served((*source, *args))
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
    visited.page.on("console", lambda said: visited.hear(said.type, said.text, said.location))
    visited.page.on("pageerror", lambda error: visited.errors.append(str(error)))
    yield visited
    context.close()


@pytest.fixture(scope="module")
def empty_server(browser: sync_api.Browser) -> Iterator[Served]:
    """Serve a test picture of two, without rooms, for two viewers each."""
    with serving("--set", "limits.viewers=2", "--set", "limits.rooms=50") as served:
        yield served
