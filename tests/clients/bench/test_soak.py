"""`parley bench soak` as anybody runs it: a server, rooms, losses; and what cannot be run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import av
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from clients.bench.soak_cli import soak
from tests.clients.bench.test_load import environment
from tests.streamer.interop.served import ROOT

APP = typer.Typer()
APP.command()(soak)
PATIENCE = 120
GROWS = 3  # so short a run on a machine that others use may say that


def test_two_rooms_are_kept_busy_and_judged(tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "parley", "bench", "soak", "--minutes", "0.25",
        "--generator", "null", "--scene", "null", "--loss", "5", "--out", str(tmp_path / "new"),
        "--json",
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=PATIENCE,
        check=False,
    )  # fmt: skip
    assert done.returncode in (0, GROWS), done.stderr
    told = json.loads(done.stdout)
    assert json.loads((tmp_path / "new" / "soak.json").read_text()) == told
    assert told["verdict"] in (tmp_path / "new" / "table.md").read_text()
    assert (told["rooms"], told["scenes"]) == (2, ["null"])
    samples = told["samples"]
    assert 5 <= len(samples) <= 8
    assert samples[-1]["at_s"] == pytest.approx(15, abs=4)
    last = samples[-1]
    assert last["rss_mb"] > 30
    assert last["files"] > 5
    assert last["threads"] > 1
    assert last["tasks"] > 5
    assert last["real_time_factor"] > 0
    assert max(each["mic_to_send_ms"] or 0 for each in samples) > 100
    assert max(each["bot_to_send_ms"] or 0 for each in samples) > 10
    assert max(each["fps"] for each in samples) > 5
    assert sum(each["joined"] for each in samples) >= 4
    assert sum(each["sentences"] for each in samples) >= 4
    assert 10 < last["rgb"][0] < 245
    assert 0.02 < told["lost"] / (told["lost"] + told["datagrams"]) < 0.08
    names = {each["bound"]["name"] for each in told["trends"]}
    assert {"rss_mb", "files", "threads", "tasks", "mic_to_send_ms", "skew_ms", "red"} <= names
    assert all(each["identity"] is None for each in samples)
    assert "the judges did not judge" in told["unjudged"]  # bars have no faces
    assert f"identity was not judged: {told['unjudged']}" in (tmp_path / "new/table.md").read_text()
    with Image.open(tmp_path / "new" / "soak.png") as picture:
        assert picture.size == (1400, 1250)
    for room in range(2):
        with av.open(tmp_path / "new" / f"room{room}.mp4") as film:
            assert len(samples) - 2 <= sum(1 for _ in film.decode(video=0)) <= len(samples)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--url", "http://127.0.0.1:9"), "does not answer"),
        (("--voice", "/nowhere/a.wav"), "there is no file /nowhere/a.wav"),
        (("--bundle", "/nowhere"), "parley serve did not start"),
    ],
)
def test_what_cannot_be_run_is_told_in_a_line(
    args: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    done = CliRunner().invoke(APP, ["--out", str(tmp_path), "--minutes", "0.2", *args])
    assert done.exit_code == 1
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""
