"""`parley bench proof` as anybody runs it: real browsers, a real server; and what cannot be run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from clients.bench import proof_judges
from clients.bench.errors import BenchError
from clients.bench.judges import judge
from clients.bench.proof_browser import Playout
from clients.bench.proof_cli import proof
from clients.bench.proof_film import FPS
from clients.bench.proof_report import SETTLING_S, skew
from tests.clients.bench.test_load import environment
from tests.clients.web.conftest import CHROMIUM
from tests.streamer.interop.served import ROOT

APP = typer.Typer()
APP.command()(proof)
PATIENCE = 180
TALK = ROOT / "bundles" / "studio" / "conversations" / "welcome"
SAID = ("00-0.ogg", "01-1.ogg")
SECONDS = 12


def voices() -> list[str]:
    """Two voices of the shipped conversation: browsers take made syllables for noise."""
    return [word for seat, name in enumerate(SAID) for word in ("--voice", f"{seat}={TALK / name}")]


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="spoken in Debian's Chromium")
def test_two_browsers_speak_and_the_film_has_their_voices_in_time(tmp_path: Path) -> None:
    out = tmp_path / "proof"
    command = [
        sys.executable, "-m", "parley", "bench", "proof", *voices(), "--out", str(out),
        "--generator", "null", "--seconds", str(SECONDS), "--no-judge", "--clip-seconds", "4",
        "--json",
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=PATIENCE,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert json.loads((out / "proof.json").read_text()) == told
    assert told["browser"].startswith("Chromium ")
    assert told["judged"] is None
    assert [each["seat"] for each in told["voices"]] == [0, 1]
    assert all(2 * each["found"] >= each["pieces"] for each in told["voices"])
    assert told["frames"] > (SECONDS - 2) * FPS
    assert {path.name for path in out.iterdir()} == {
        "proof.mp4", "voice0.wav", "voice1.wav", "clip.mp4", "proof.json", "table.md",
    }  # fmt: skip
    heard, (first, second) = (
        sound(out / "proof.mp4"),
        (sound(out / f"voice{n}.wav") for n in (0, 1)),
    )
    assert abs(len(heard) - len(first)) < 0.2 * 16_000
    assert not ((np.abs(first) > 0.05) & (np.abs(second) > 0.05)).any()
    for voice in (first, second):  # the film is loud where the voice is
        at = np.flatnonzero(np.abs(voice) > 0.05)
        assert np.abs(heard[at]).mean() > 3 * np.abs(heard[: 16_000 // 2]).mean()
    with av.open(out / "clip.mp4") as clip:
        assert sum(1 for _ in clip.decode(video=0)) == 4 * FPS


def sound(path: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    with av.open(path) as container:
        resampler = av.AudioResampler("flt", "mono", 16_000)
        frames = container.decode(container.streams.audio[0])
        parts = [part for frame in frames for part in resampler.resample(frame)]
    return np.concatenate([part.to_ndarray()[0] for part in parts])


def playouts(values: list[float | None], from_s: float = SETTLING_S) -> list[Playout]:
    return [
        Playout(at_s=from_s + n, skew_ms=value, frames=n, freezes=1, lost=2)
        for n, value in enumerate(values)
    ]


def test_skew_is_told_by_its_worst_minute_and_its_slope() -> None:
    found = skew(1, playouts([10.0] * 90 + [30.0] * 60 + [None]))
    assert found is not None
    assert (found.seat, found.looks, found.freezes, found.lost) == (1, 150, 1, 2)
    assert found.median_ms == 10.0
    assert found.worst_minute_ms == 30.0
    assert found.p95_ms == 30.0
    drifting = skew(0, playouts([0.1 * n for n in range(200)]))
    assert drifting is not None
    assert drifting.slope_ms == pytest.approx(6.0)


def test_what_is_played_before_buffers_have_settled_does_not_count() -> None:
    assert skew(0, playouts([500.0] * 5, from_s=0.0)) is None
    assert skew(0, playouts([None] * 5)) is None


def test_the_judges_are_asked_for_every_voice_and_say_why_not(tmp_path: Path) -> None:
    words = proof_judges.command(tmp_path, [0, 1], 3, has_picture=True)
    assert words[:3] == ["bench", "quality", str(tmp_path / "proof.mp4")]
    assert f"1={tmp_path / 'voice1.wav'}" in words
    assert words[words.index("--people") + 1] == "3"
    assert words[words.index("--reference") + 1] == str(tmp_path / "scene.jpg")
    with pytest.raises(BenchError, match=r"the judges did not judge: .*repeat them by: parley"):
        judge(words, tmp_path / "quality.json")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((), "whose voices"),
        (("--voice", "0=/nowhere/a.wav"), "there is no file /nowhere/a.wav"),
    ],
)
def test_what_cannot_be_proved_is_told_in_a_line(
    args: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    done = CliRunner().invoke(APP, ["--out", str(tmp_path), *args])
    assert done.exit_code == 1
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_without_a_server_it_says_so_in_one_line(tmp_path: Path) -> None:
    args = [*voices(), "--out", str(tmp_path), "--url", "http://127.0.0.1:9"]
    done = CliRunner().invoke(APP, args)
    assert done.exit_code == 1
    assert "http://127.0.0.1:9 does not answer" in done.stderr
    assert list(tmp_path.glob("microphone*.wav")) == []
