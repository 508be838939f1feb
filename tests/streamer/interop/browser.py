"""A real browser on a page of another origin than the server's, with a file for a microphone."""

from __future__ import annotations

import http.server
import os
import shutil
import subprocess
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from streamer.media.types import Samples

PAGES = Path(__file__).parent / "pages"
ROOT = Path(__file__).parents[3]
PACKAGES = Path(os.environ.get("PARLEY_INTEROP", ROOT / ".assets" / "interop"))
BUNDLER = PACKAGES / "node_modules" / "@esbuild" / "linux-x64" / "bin" / "esbuild"
FLAGS = (
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-gpu",
    "--no-sandbox",
)


def what_is_missing() -> str:
    """Say what this machine lacks for tests with a browser; nothing when they can run."""
    try:
        import playwright  # noqa: F401
    except ImportError:
        return "playwright is not installed"
    if shutil.which("chromium") is None:
        return "chromium is not installed"
    return "" if BUNDLER.is_file() else f"no npm packages in {PACKAGES}; see docs/interop.md"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Tests have other things to say."""


@contextmanager
def pages(folder: Path, *entries: str) -> Iterator[str]:
    """Bundle scripts with what they import, serve them, and give the origin."""
    shutil.copytree(PAGES, folder, dirs_exist_ok=True)
    for entry in entries:
        source, target = str(folder / entry), str(folder / "made" / entry)
        subprocess.run(
            [str(BUNDLER), source, "--bundle", "--format=esm", f"--outfile={target}"],
            env={**os.environ, "NODE_PATH": str(PACKAGES / "node_modules")},
            check=True,
            capture_output=True,
        )
        shutil.move(target, source)
    handler = partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def browser_page(origin: str, microphone: Path, name: str = "index.html") -> Iterator[Any]:
    """Open a page in a browser of its own that hears a file, over and over."""
    from playwright.sync_api import sync_playwright

    flags = [*FLAGS, f"--use-file-for-fake-audio-capture={microphone}"]
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        try:
            page = browser.new_context(permissions=["microphone"]).new_page()
            page.goto(f"{origin}/{name}")
            page.wait_for_function("window.lab !== undefined")
            yield page
        finally:
            browser.close()


def write_wav(path: Path, samples: Samples, rate: int = 48_000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(samples * 32767).astype("<i2").tobytes())
    return path


def bursts(seconds: float, every: float, loud: float, first: float = 0.0) -> Samples:
    """A voice at 48 kHz that is loud for a while and silent for a while: lips with clear onsets."""
    times = np.arange(round(seconds * 48_000)) / 48_000
    voice = sum(np.sin(2 * np.pi * 140 * k * times) / k for k in range(1, 9))
    is_loud = ((times - first) % every < loud) & (times >= first)
    return np.asarray(0.25 * voice * is_loud, np.float32)
