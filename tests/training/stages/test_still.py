"""Reading what stills show: learned on dolls, and only from pictures of one person."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from models.checkpoints.compact import read_tensors
from models.errors import ConfigError, InputError
from models.studio.still_reader import PLACES, WIDTH, StillReader
from training.cli import app
from training.runs.draw import Draw
from training.stages.dit.banks import DOLLS
from training.stages.still.stills import ChangeConfig, changed, doll_stills, read_stills
from training.stages.still.task import errors, in_range

STILL = ChangeConfig(shift=0.0, zoom=0.0, light=0.0, tint=0.0)
DRAW = Draw(0, 0, 0, torch.device("cpu"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("still")
    result = CliRunner().invoke(app, ["still", "--smoke", "--out", str(out)])
    assert result.exit_code == 0, result.output
    return out


def test_the_stage_learns_where_dolls_look_that_it_never_saw(run: Path) -> None:
    reader = StillReader()
    reader.load_state_dict(read_tensors(run / "still.safetensors"))
    found = errors(reader, doll_stills(64, seed=77))
    assert found["yaw_error"] < 0.4 * found["nothing_yaw_error"]
    assert found["yaw_r"] > 0.9
    assert found["marks_error"] < 0.4 * found["nothing_marks_error"]
    told = json.loads((run / "still.json").read_text())
    assert told["pictures"] == 256
    assert told["measures"]["yaw_error"] < 0.4 * told["measures"]["nothing_yaw_error"]


def test_the_same_command_finds_nothing_left_to_do(run: Path) -> None:
    before = (run / "log.jsonl").read_text()
    assert CliRunner().invoke(app, ["still", "--smoke", "--out", str(run)]).exit_code == 0
    assert (run / "log.jsonl").read_text() == before


def test_stills_are_those_of_encoded_clips(single_run: Path) -> None:
    stills = read_stills([single_run / DOLLS])
    assert stills.pictures.shape == (len(stills.labels), 3, 80, 80)
    assert stills.pictures.float().std() > 10
    assert stills.labels.shape[1] == WIDTH
    assert not stills.labels[:, 0].any(), "these dolls look ahead"
    assert (marked(stills.pictures, stills.labels) < 100).all(), "pupils are dark"


def marked(pictures: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Give the darkest color near the left eye of each picture."""
    side = pictures.shape[-1]
    found = []
    for picture, told in zip(pictures, labels, strict=True):
        x, y = (told[PLACES][:2] * side).round().int().tolist()
        found.append(picture[:, y - 2 : y + 2, x - 2 : x + 2].max(0).values.min())
    return torch.stack(found)


def test_changed_pictures_are_moved_and_tinted_each_by_itself() -> None:
    stills = doll_stills(2, 3)
    pictures, labels = in_range(stills.pictures), stills.labels
    same, told = changed(pictures, labels, STILL, DRAW)
    torch.testing.assert_close(same, pictures, atol=1e-4, rtol=0)
    torch.testing.assert_close(told, labels)
    config = ChangeConfig(shift=0.0, zoom=0.0, light=0.0, tint=0.3)
    tinted, told = changed(pictures, labels, config, DRAW)
    torch.testing.assert_close(told, labels)
    offsets = (tinted - pictures).flatten(2)
    assert offsets.std(-1).max() < 1e-3
    assert (offsets.mean(-1)[0] - offsets.mean(-1)[1]).abs().min() > 1e-3
    with pytest.raises(ConfigError, match="not negative"):
        ChangeConfig(shift=-0.1, zoom=0.0, light=0.0, tint=0.0)


def test_marks_move_with_what_they_mark() -> None:
    stills = doll_stills(8, 4)
    config = ChangeConfig(shift=0.06, zoom=0.1, light=0.0, tint=0.0)
    moved, told = changed(in_range(stills.pictures), stills.labels, config, DRAW)
    assert (told - stills.labels)[:, PLACES].abs().max() > 0.02
    shown = ((moved + 1) * 127.5).round().byte()
    assert (marked(shown, told) < 100).all(), "pupils are where they are said to be"


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["still", "--out", str(tmp_path / "run")])
    assert result.exit_code == 1
    assert "--clips" in result.output
    with pytest.raises(InputError, match="no encoded clips"):
        read_stills([tmp_path])
