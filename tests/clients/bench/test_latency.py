"""`parley bench latency` without a browser: what it is told, what it says, how it is calibrated."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from clients.bench.calibration import compare, slope_error_ms, worst_error_ms
from clients.bench.chromium import find_chromium
from clients.bench.echo import EchoedBurst
from clients.bench.errors import BenchError
from clients.bench.latency_cli import latency, read_mouth
from clients.bench.latency_report import markdown, table, unexplained_share, write

PARTS = {"capture": 20.0, "wait_for_chunk": 160.0, "unexplained": 20.0}


def a_report() -> dict[str, Any]:
    spread = {"p50": 400.4, "p95": 450.0, "p99": 460.0}
    return {
        "mic_to_lips_ms": spread,
        "mic_to_ear_ms": spread,
        "av_skew_ms": None,
        "first_frame_ms": spread,
        "frame_interval_ms": spread,
        "freezes": {"count": 1, "total_ms": 300},
        "parts_ms": PARTS,
        "sent": 10,
        "seen": 9,
        "heard": 10,
        "config": {"scene": "two", "mouth": [0.1, 0.2, 0.3, 0.4], "has_server_figures": True},
        "about": {"hardware": "a machine", "commit": "0123"},
    }


def said(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(latency)
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.stderr.strip()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--mouth", "0.5,0.5,0.4,0.6"), "shares of the picture"),
        (("--mouth", "a,b,c,d"), "shares of the picture"),
        (("--play", "http://a/whep"), "--publish"),
        (("--join", "http://a", "--play", "http://a", "--publish", "http://a"), "not both"),
        (("--microphone", "/nowhere/voice.wav"), "/nowhere/voice.wav"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(arguments: tuple[str, ...], why: str) -> None:
    code, words = said(*arguments)
    assert code == 1
    assert words.startswith("parley bench latency: ")
    assert why in words
    assert "\n" not in words


def test_a_mouth_is_four_shares() -> None:
    assert read_mouth("0.4,0.5,0.6,0.7") == [0.4, 0.5, 0.6, 0.7]
    assert read_mouth("") is None


def test_without_chromium_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BenchError, match="apt install chromium"):
        find_chromium()


def test_the_table_says_figures_parts_and_where_they_come_from() -> None:
    console = Console(width=120, file=io.StringIO(), record=True)
    console.print(table(a_report()))
    text = console.export_text()
    for words in ("microphone to lips", "400", "wait for chunk", "160.0", "within 5%", "a machine"):
        assert words in text


def test_files_hold_the_same_figures(tmp_path: Path) -> None:
    report = a_report()
    write(tmp_path / "new", report, "<!doctype html>")
    assert json.loads((tmp_path / "new" / "report.json").read_text()) == report
    assert (tmp_path / "new" / "report.html").read_text() == "<!doctype html>"
    lines = (tmp_path / "new" / "table.md").read_text().splitlines()
    assert lines == markdown(report).splitlines()
    assert "| microphone to lips | 400 | 450 | 460 |" in lines
    assert "| lips after sound | - | - | - |" in lines
    assert "| wait for chunk | 160 |" in lines


def test_what_is_unexplained_is_a_share_of_the_whole() -> None:
    report = a_report()
    assert unexplained_share(report) == pytest.approx(20 / 400.4)
    report["parts_ms"] = {"server_and_unexplained": 300.0}
    assert unexplained_share(report) is None  # nobody knows how much of it is the server


def a_run(lips_ms: float, explained_ms: float, *, count: int = 3) -> dict[str, Any]:
    bursts = [
        {"sent_at": 10_000.0 * n, "lips_ms": lips_ms, "ear_ms": lips_ms + 50} for n in range(count)
    ]
    return {"bursts": bursts, "parts_ms": {"capture": explained_ms, "server_and_unexplained": 1.0}}


def echoed(held_ms: float, *, count: int = 3) -> list[EchoedBurst]:
    return [
        EchoedBurst(
            arrived=10_000.0 * n + 25,
            sound_sent=10_000.0 * n + 25 + held_ms,
            flash_sent=10_000.0 * n + 26 + held_ms,
        )
        for n in range(count)
    ]


def test_the_error_is_what_neither_the_echo_nor_the_parts_explain() -> None:
    found = compare(300, a_run(368, 60), echoed(300))
    assert (found.bursts, found.held_ms, found.to_echo_ms) == (3, 301, 25)
    assert found.error_ms == 368 - 301 - 60
    assert found.ear_ms - found.ear_held_ms == 118


def test_the_error_of_differences_knows_nothing_of_the_ways() -> None:
    runs = [compare(150, a_run(230, 60), echoed(150)), compare(300, a_run(368, 60), echoed(300))]
    assert worst_error_ms(runs) == 19
    assert slope_error_ms(runs) == 12


def test_an_echo_that_nobody_saw_is_no_calibration() -> None:
    with pytest.raises(BenchError, match="of 3 bursts none came back"):
        compare(300, a_run(368, 60), [])
