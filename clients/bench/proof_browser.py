"""One Chromium for each voice: it opens the meeting page, takes a seat there, and speaks a file."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Error, Page, async_playwright

from clients.bench.chromium import find_chromium
from clients.bench.errors import BenchError

VIEWPORT_PX = (640, 480)  # the smallest in which the page shows everybody's buttons
LOADED_MS = 30_000
JOINED_S = 30.0
LOOK_S = 0.1
# Before the page's own code: keeps its connections, and notes when a microphone was given.
PREPARE = """
globalThis.parleyProof = { connections: [], microphoneAt: null };
globalThis.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...given) { super(...given); parleyProof.connections.push(this); }
};
const ask = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
if (ask) navigator.mediaDevices.getUserMedia = async (...given) => {
  const stream = await ask(...given);
  parleyProof.microphoneAt ??= (performance.timeOrigin + performance.now()) / 1000;
  return stream;
};
"""
FRAMES = "document.querySelector('video')?.getVideoPlaybackQuality().totalVideoFrames ?? 0"
NOTICE = "document.querySelector('#notice')?.innerText ?? ''"
HAS_SEAT = "Boolean(document.querySelector('#seats .own-seat'))"
MICROPHONE_AT = "parleyProof.microphoneAt"
PLAYOUT = """async () => {
  const open = parleyProof.connections.filter((each) => each.connectionState === "connected");
  if (!open.length) return null;
  const found = {};
  for (const each of (await open.at(-1).getStats()).values())
    if (each.type === "inbound-rtp") found[each.kind] = each;
  const { audio, video } = found;
  if (!video) return null;
  const both = audio?.estimatedPlayoutTimestamp && video.estimatedPlayoutTimestamp;
  return {
    skew_ms: both ? audio.estimatedPlayoutTimestamp - video.estimatedPlayoutTimestamp : null,
    frames: video.framesDecoded ?? 0, freezes: video.freezeCount ?? 0,
    lost: (video.packetsLost ?? 0) + (audio?.packetsLost ?? 0),
  };
}"""


@dataclass(frozen=True, slots=True)
class Playout:
    """What a browser said about what it plays."""

    at_s: float  # of the call
    skew_ms: float | None  # sound ahead of its picture; None: it does not know yet
    frames: int
    freezes: int
    lost: int


@dataclass(slots=True)
class Speaker:
    """A browser with a microphone, on the page of a room."""

    seat: int
    page: Page
    version: str
    microphone_at: float = 0.0  # seconds since 1970
    playouts: list[Playout] = field(default_factory=list)

    async def sit_down(self) -> None:
        """Press "Speak" at the seat, and wait until it is ours.

        Raises:
            BenchError: when the page says why not.
        """
        await self.page.locator("#seats > li").nth(self.seat).locator("button.primary").click()
        await self._until(HAS_SEAT, f"seat {self.seat} was not given")
        told = await self.page.evaluate(MICROPHONE_AT)
        if told is None:
            raise BenchError("the page took a seat without a microphone: an older Parley?")
        self.microphone_at = float(told)

    async def look(self, at_s: float) -> None:
        """Note how sound and pictures of one moment are played."""
        told: dict[str, Any] | None = await self.page.evaluate(PLAYOUT)
        if told is not None:
            self.playouts.append(Playout(at_s=at_s, **told))

    async def watch(self) -> None:
        """Wait for the first picture.

        Raises:
            BenchError: when none comes.
        """
        await self._until(f"{FRAMES} > 0", "the page shows no picture")

    async def _until(self, expression: str, otherwise: str) -> None:
        """Ask again and again: the page's policy forbids the way in which Playwright waits."""
        end = time.monotonic() + JOINED_S
        while not await self.page.evaluate(expression):
            if time.monotonic() > end:
                said = str(await self.page.evaluate(NOTICE)).strip()
                raise BenchError(f"{otherwise} in {JOINED_S:.0f} s. The page says: {said or '-'}")
            await asyncio.sleep(LOOK_S)


@asynccontextmanager
async def speakers(
    address: str, microphones: dict[int, Path], token: str
) -> AsyncIterator[list[Speaker]]:
    """Open the page in a browser for each microphone; everything is closed on the way out.

    Args:
        address: the room's page.
        microphones: a WAV file for each seat.
        token: empty where none is needed.

    Raises:
        BenchError: when there is no browser, or the page does not open.
    """
    path = find_chromium()
    async with async_playwright() as driver:
        running = []
        try:
            made = []
            for seat, microphone in sorted(microphones.items()):
                try:
                    browser = await driver.chromium.launch(
                        executable_path=path, args=flags(address, microphone)
                    )
                except Error as error:
                    raise BenchError(f"{path} does not start: {_first_line(error)}") from error
                running.append(browser)
                width, height = VIEWPORT_PX
                context = await browser.new_context(
                    viewport={"width": width, "height": height}, permissions=["microphone"]
                )
                page = await context.new_page()
                await page.add_init_script(PREPARE)
                made.append(Speaker(seat, page, f"Chromium {browser.version}"))
            fragment = f"#token={token}" if token else ""
            await asyncio.gather(*(_open(each, address + fragment) for each in made))
            yield made
        except Error as error:
            raise BenchError(f"the page did not do as it should: {_first_line(error)}") from error
        finally:
            for browser in running:
                await browser.close()


def flags(address: str, microphone: Path) -> list[str]:
    """Say how a browser is started: a file is its microphone, played once."""
    parts = urlsplit(address)
    chosen = [
        "--autoplay-policy=no-user-gesture-required",
        "--disable-gpu",  # there may be none, and to imitate one costs a core
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone.resolve()}%noloop",
        f"--unsafely-treat-insecure-origin-as-secure={parts.scheme}://{parts.netloc}",
    ]
    if os.geteuid() == 0:
        chosen.append("--no-sandbox")  # Chromium's own does not work for root
    return chosen


async def _open(speaker: Speaker, address: str) -> None:
    try:
        answer = await speaker.page.goto(address, timeout=LOADED_MS)
    except Error as error:
        raise BenchError(f"the page does not open: {_first_line(error)}") from error
    if answer is None or not answer.ok:
        raise BenchError(f"{address.partition('#')[0]} has no meeting page: an older Parley?")
    await speaker.watch()


def _first_line(error: Error) -> str:
    return str(error).strip().splitlines()[0]
