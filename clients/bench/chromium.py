"""Chromium of the system, driven without a window, on the latency page."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Error, Page, sync_playwright

from clients.bench.errors import BenchError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PAGES = Path(__file__).parents[1] / "web"
VIEWPORT = {"width": 800, "height": 600}
LOADED_MS = 30_000
NEEDS_TOKEN = ("token_missing", "token_invalid", "not_allowed")
# A refusal is a value, not an exception: only its sentence matters.
RUN = """async (wishes) => {
  try { return { result: await parleyBench.run(wishes) }; }
  catch (error) { return { error: error.message, code: error.code ?? "" }; }
}"""
REPORT = "([result, about]) => parleyBench.standalone(result, about)"
UNTIL_READY = "() => Boolean(globalThis.parleyBench)"


@dataclass(frozen=True, slots=True)
class BenchPage:
    """The latency page in a browser."""

    page: Page
    browser: str

    def measure(self, wishes: Mapping[str, object]) -> dict[str, Any]:
        """Measure; blocks for as long as the bursts take.

        Raises:
            BenchError: when the page says why it cannot.
        """
        try:
            told: dict[str, Any] = self.page.evaluate(RUN, dict(wishes))
        except Error as error:
            raise BenchError(f"the browser ended: {_first_line(error)}") from error
        if told.get("code") in NEEDS_TOKEN:
            raise BenchError(
                f"the server wants a token ({told['code']}): --token, see `parley token`"
            )
        if "error" in told:
            raise BenchError(str(told["error"]))
        result: dict[str, Any] = told["result"]
        return result

    def report(self, result: Mapping[str, object], about: Mapping[str, str]) -> str:
        """Write the page's report as one file of HTML."""
        return str(self.page.evaluate(REPORT, [dict(result), dict(about)]))


def find_chromium() -> str:
    """Find the browser.

    Raises:
        BenchError: when there is none.
    """
    for name in NAMES:
        found = shutil.which(name)
        if found is not None:
            return found
    raise BenchError(
        "there is no Chromium on the path: install it (Debian: apt install chromium), "
        "or measure by hand on the server's page /bench"
    )


@contextmanager
def bench_page(url: str, *, token: str, microphone: Path | None = None) -> Iterator[BenchPage]:
    """Open the page of a Parley server.

    Raises:
        BenchError: when no browser, no server or no such page is there.
    """
    root = url.rstrip("/")
    address = f"{root}/bench?driven" + (f"#token={token}" if token else "")
    arguments = [f"--unsafely-treat-insecure-origin-as-secure={_origin(root)}"]
    with _browser(arguments, microphone) as page, _opened(page, address, root) as opened:
        yield opened


@contextmanager
def foreign_page(*, token: str, microphone: Path | None = None) -> Iterator[BenchPage]:
    """Open the page for a server that has none: from here, and allowed to ask any host."""
    with _own_pages() as root, _browser(["--disable-web-security"], microphone) as page:
        address = f"{root}/bench?driven" + (f"#token={token}" if token else "")
        with _opened(page, address, root) as opened:
            yield opened


@contextmanager
def _browser(arguments: list[str], microphone: Path | None) -> Iterator[Page]:
    every = ["--autoplay-policy=no-user-gesture-required", *arguments]
    if os.geteuid() == 0:
        every.append("--no-sandbox")  # Chromium's own does not work for root
    if microphone is not None:
        every.append("--use-fake-device-for-media-stream")
        every.append(f"--use-file-for-fake-audio-capture={microphone.resolve()}")
    path = find_chromium()
    with sync_playwright() as driver:
        try:
            running = driver.chromium.launch(executable_path=path, args=every)
        except Error as error:
            raise BenchError(f"{path} does not start: {_first_line(error)}") from error
        try:
            permissions = ["microphone"] if microphone is not None else []
            context = running.new_context(
                viewport={"width": VIEWPORT["width"], "height": VIEWPORT["height"]},
                permissions=permissions,
            )
            yield context.new_page()
        finally:
            running.close()


@contextmanager
def _opened(page: Page, address: str, root: str) -> Iterator[BenchPage]:
    try:
        answer = page.goto(address, timeout=LOADED_MS)
    except Error as error:
        raise BenchError(
            f"nothing answers at {root}: start `parley serve --demo`, or give another --url"
        ) from error
    if answer is None or not answer.ok:
        raise BenchError(
            f"{root} has no page /bench: it is another server, or an older Parley; "
            "name its WHIP and WHEP by --publish and --play"
        )
    page.wait_for_function(UNTIL_READY, timeout=LOADED_MS)
    version = page.context.browser.version if page.context.browser else "unknown"
    yield BenchPage(page, f"Chromium {version}")


@contextmanager
def _own_pages() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_PageFiles, directory=str(PAGES))) as server:
        thread = threading.Thread(target=server.serve_forever, name="pages")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _PageFiles(SimpleHTTPRequestHandler):
    """Files of the pages, with `/bench` as a Parley server has it."""

    def translate_path(self, path: str) -> str:
        name = urlsplit(path).path
        return super().translate_path("/bench/index.html" if name == "/bench" else path)

    def log_message(self, *_: object) -> None:
        """Say nothing: requests are no news."""


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _first_line(error: Error) -> str:
    return str(error).strip().splitlines()[0]
