"""`parley bench latency` as anybody runs it: a process, a real Chromium, a real server."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from tests.clients.web.conftest import CHROMIUM, free_port, serving

pytest.importorskip("playwright", reason="the page is driven by Playwright: pip install playwright")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="measured in Debian's Chromium"),
]
COMMAND = [sys.executable, "-c", "from parley.cli import main; main()", "bench", "latency"]
PATIENCE = 240  # seconds
WANTED_MS = 20.0


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_one_json_object_and_three_files(tmp_path: Path) -> None:
    with serving() as server:
        done = bench(
            "--url", server.url, "--bursts", "4", "--views", "2", "--json", "--out", str(tmp_path)
        )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    for name in ("mic_to_lips_ms", "mic_to_ear_ms", "av_skew_ms", "first_frame_ms"):
        assert set(report[name]) == {"p50", "p95", "p99"}
    assert sum(report["parts_ms"].values()) == pytest.approx(report["mic_to_lips_ms"]["p50"], abs=1)
    assert len(report["first_frames_ms"]) == 2
    assert report["about"]["browser"].startswith("Chromium ")
    assert json.loads((tmp_path / "report.json").read_text()) == report
    assert "<svg" in (tmp_path / "report.html").read_text()
    assert "microphone to lips" in (tmp_path / "table.md").read_text()


def write_words(path: Path) -> Path:
    """Write a loud half second every three: the browser says it over and over."""
    times = np.arange(3 * 48_000) / 48_000
    voice = sum(np.sin(2 * np.pi * 150 * k * times) / k for k in range(1, 8))
    is_loud = (times > 1.0) & (times < 1.5)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes((np.clip(0.4 * voice * is_loud, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def test_a_recorded_voice_through_the_microphone_is_measured_too(tmp_path: Path) -> None:
    words = write_words(tmp_path / "words.wav")
    with serving() as server:
        done = bench(
            "--url", server.url, "--bursts", "3", "--views", "1", "--json",
            "--microphone", str(words),
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["config"]["voice"] == "microphone"
    assert report["seen"] >= 2
    assert 160 < report["mic_to_lips_ms"]["p50"] < 2000


def test_without_a_server_it_says_so_in_one_line() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = bench("--url", url)
    assert done.returncode == 1
    [line] = done.stderr.strip().splitlines()[-1:]
    assert line.startswith(f"parley bench latency: nothing answers at {url}: start")


def test_a_server_that_wants_a_token_says_so(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("k" * 64)
    with serving("--set", "auth.mode=on", "--set", f"auth.key_file={key}") as server:
        done = bench("--url", server.url)
    assert done.returncode == 1
    assert "wants a token (token_missing): --token" in done.stderr


def test_a_seat_that_is_not_there_is_named() -> None:
    with serving() as server:
        done = bench("--url", server.url, "--seat", "7")
    assert done.returncode == 1
    assert "the room has no seat 7: its seats are 0 to 1" in done.stderr


def test_the_method_is_off_by_20_ms_at_most() -> None:
    done = bench("--calibrate", "--bursts", "4", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["error_ms"] <= WANTED_MS
    assert [each["delay_ms"] for each in found["delays"]] == [150, 300, 600]
