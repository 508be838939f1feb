"""Chromium with other people's WHIP and WHEP clients, on a page of another origin."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from tests.streamer.interop.browser import (
    browser_page,
    bursts,
    pages,
    what_is_missing,
    write_wav,
)
from tests.streamer.interop.onsets import beginnings, delays, differences
from tests.streamer.interop.served import Served, served

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(bool(what_is_missing()), reason=what_is_missing()),
]
FIRST_FRAME = 1500.0  # ms
WATCHED = 15.0  # seconds
SKEW_MINUTES = float(os.environ.get("PARLEY_SKEW_MINUTES", "10"))
MOST_SKEW = 40.0  # ms
SETTLING = 30.0  # seconds in which a browser brings sound and pictures together
EVERY, LOUD = 1.0, 0.4  # seconds, of a burst
OPEN, AUDIBLE = 0.15, 0.02
SIZE = ("engine.null_width=256", "engine.null_height=128")
Say = Callable[[str], None]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[tuple[Served, str, str]]:
    """A server, a room in it, and the origin of a page that may use it."""
    with pages(tmp_path / "pages", "lab.js") as origin, served(*SIZE, origins=(origin,)) as server:
        yield server, server.open_room(), origin


def publish(page: Any, library: str, server: Served, room: str, seat: int) -> float:
    url = f"{server.url}/rooms/{room}/seats/{seat}/whip"
    return float(page.evaluate("([l, u]) => lab.publish(l, u)", [library, url]))


def watch(page: Any, library: str, server: Served, room: str) -> float:
    """Give the milliseconds to the first picture."""
    url = f"{server.url}/rooms/{room}/whep"
    return float(page.evaluate("([l, u]) => lab.watch(l, u, 2)", [library, url]))


def seen(page: Any) -> dict[str, Any]:
    kept = "pictures: lab.pictures, sounds: lab.sounds, microphone: lab.microphone"
    return dict(page.evaluate(f"({{{kept}, playout: lab.playout, stats: lab.stats}})"))


def openings(found: dict[str, Any], seat: int) -> list[tuple[float, float]]:
    return [(each[0], each[1 + seat]) for each in found["pictures"]]


def goodbye(page: Any, server: Served, room: str) -> None:
    page.evaluate("async () => { await lab.stop_watching(); await lab.stop_publishing(); }")
    until = time.monotonic() + 10.0
    while time.monotonic() < until:
        shown = server.shown(room)
        if not shown["viewers"] and not any(seat["is_taken"] for seat in shown["seats"]):
            return
        time.sleep(0.1)
    raise AssertionError(f"the room is not clean: {server.shown(room)}")


@pytest.mark.parametrize("library", ["whip-whep", "eyevinn"])
@pytest.mark.parametrize("seat", [0, 1])
def test_a_voice_moves_its_own_mouth_in_a_browser(
    stage: tuple[Served, str, str], tmp_path: Path, library: str, seat: int, figure: Say
) -> None:
    server, room, origin = stage
    voice = write_wav(tmp_path / "voice.wav", bursts(10, EVERY, LOUD))
    with browser_page(origin, voice) as page:
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        published = publish(page, library, server, room, seat)
        first = watch(page, library, server, room)
        time.sleep(WATCHED)
        found = seen(page)
        goodbye(page, server, room)
    assert errors == []
    own, other = openings(found, seat), openings(found, 1 - seat)
    assert max(opened for _, opened in own) > 0.3
    assert max(opened for _, opened in other) < 0.05
    assert max(level for _, level in found["sounds"]) > AUDIBLE
    assert found["stats"]["video"]["framesDecoded"] > 100
    lips = beginnings(own, OPEN, 200)
    spoken = beginnings(found["microphone"], AUDIBLE, 200)
    late = delays(spoken, lips, 900)
    assert len(late) > 3
    figure(
        f"published in {published:.0f} ms, first picture after {first:.0f} ms, "
        f"{found['stats']['video']['framesDecoded']} pictures, "
        f"microphone to lips p50 {median(late):.0f} ms, p95 {np.percentile(late, 95):.0f} ms"
    )
    assert first <= FIRST_FRAME


def test_pictures_that_nobody_wants_do_not_keep_a_voice_out(
    stage: tuple[Served, str, str], tmp_path: Path
) -> None:
    server, room, origin = stage
    voice = write_wav(tmp_path / "voice.wav", bursts(10, EVERY, LOUD))
    url = f"{server.url}/rooms/{room}/seats/1/whip"
    with browser_page(origin, voice) as page:
        page.evaluate("(url) => lab.publish_with_pictures(url, 'video/VP9')", url)
        watch(page, "whip-whep", server, room)
        page.wait_for_timeout(4000)
        found = seen(page)
        goodbye(page, server, room)
    assert max(opened for _, opened in openings(found, 1)) > 0.3


def test_pipecats_client_joins(tmp_path: Path, figure: Say) -> None:
    voice = write_wav(tmp_path / "voice.wav", bursts(10, EVERY, LOUD))
    folder = tmp_path / "pages"
    with pages(folder, "pipecat.js") as origin, served(*SIZE, origins=(origin,)) as server:
        room = server.open_room()
        with browser_page(origin, voice, "pipecat.html") as page:
            page.set_default_timeout(20_000)
            size = page.evaluate("(url) => lab.join(url)", f"{server.url}/rooms/{room}/join")
            page.wait_for_timeout(2000)
            joined = server.shown(room)
            states = page.evaluate("lab.states")
            page.evaluate("async () => { await lab.leave(); }")
            page.wait_for_timeout(1000)
            left = server.shown(room)
    assert size == [256, 128]
    assert (joined["viewers"], joined["seats"][0]["kind"]) == (1, "live")
    assert (left["viewers"], left["seats"][0]["kind"]) == (0, None)
    figure(f"states {', '.join(states)}")


def test_two_browsers_have_two_seats_at_once(
    stage: tuple[Served, str, str], tmp_path: Path, figure: Say
) -> None:
    """One speaks in the first second of every four, the other in the third."""
    server, room, origin = stage
    voices = [write_wav(tmp_path / f"{n}.wav", bursts(12, 4.0, 1.0, first=2.0 * n)) for n in (0, 1)]
    with browser_page(origin, voices[0]) as one:
        publish(one, "whip-whep", server, room, 0)
        watch(one, "whip-whep", server, room)
        # The second browser has a thread of its own: Playwright has one loop a thread.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(speak_for, origin, voices[1], server, room, WATCHED).result()
        found = seen(one)
        goodbye(one, server, room)
    left = np.array([opened for _, opened in openings(found, 0)])
    right = np.array([opened for _, opened in openings(found, 1)])
    assert left.max() > 0.3
    assert right.max() > 0.3
    figure(f"left open in {np.mean(left > OPEN):.0%}, right in {np.mean(right > OPEN):.0%}")


def speak_for(origin: str, voice: Path, server: Served, room: str, seconds: float) -> None:
    with browser_page(origin, voice) as page:
        publish(page, "whip-whep", server, room, 1)
        time.sleep(seconds)
        page.evaluate("async () => { await lab.stop_publishing(); }")


@pytest.mark.soak
def test_sound_and_lips_stay_together_for_minutes(
    stage: tuple[Served, str, str], tmp_path: Path, figure: Say
) -> None:
    server, room, origin = stage
    voice = write_wav(tmp_path / "voice.wav", bursts(10, EVERY, LOUD))
    with browser_page(origin, voice) as page:
        publish(page, "whip-whep", server, room, 0)
        watch(page, "whip-whep", server, room)
        page.wait_for_timeout(SETTLING * 1000)
        page.evaluate(
            "() => { for (const x of ['pictures', 'sounds', 'playout']) lab[x].length = 0; }"
        )
        page.wait_for_timeout(SKEW_MINUTES * 60_000)
        found = seen(page)
        goodbye(page, server, room)
    lips = beginnings(openings(found, 0), OPEN, 200)
    sounds = beginnings(found["sounds"], AUDIBLE, 200)
    skews = differences(lips, sounds, 400)
    told = [each[1] for each in found["playout"]]
    half = len(told) // 2
    figure(
        f"{SKEW_MINUTES:g} min: lips to sound in pixels and samples {median(skews):+.0f} ms median "
        f"of {len(skews)}; by getStats {median(told):+.0f} ms, first half "
        f"{median(told[:half]):+.0f}, second half {median(told[half:]):+.0f}"
    )
    assert abs(median(told)) <= MOST_SKEW
    assert abs(median(told[:half]) - median(told[half:])) <= MOST_SKEW
