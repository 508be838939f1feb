"""Reading which way heads look: learned on dolls, and only from pictures of one person."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from models.checkpoints.compact import read_tensors
from models.errors import ConfigError, InputError
from models.studio.facing import FacingReader
from training.cli import app
from training.runs.draw import Draw
from training.stages.dit.banks import DOLLS
from training.stages.facing.stills import ChangeConfig, changed, doll_stills, read_stills
from training.stages.facing.task import errors, in_range

STILL = ChangeConfig(shift=0.0, zoom=0.0, light=0.0, tint=0.0)
DRAW = Draw(0, 0, 0, torch.device("cpu"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("facing")
    result = CliRunner().invoke(app, ["facing", "--smoke", "--out", str(out)])
    assert result.exit_code == 0, result.output
    return out


def test_the_stage_learns_where_dolls_look_that_it_never_saw(run: Path) -> None:
    reader = FacingReader()
    reader.load_state_dict(read_tensors(run / "facing.safetensors"))
    found = errors(reader, doll_stills(64, seed=77))
    assert found["error"] < 0.4 * found["nothing_error"]
    assert found["r"] > 0.9
    told = json.loads((run / "facing.json").read_text())
    assert told["pictures"] == 256
    assert told["measures"]["error"] < 0.4 * told["measures"]["nothing_error"]


def test_the_same_command_finds_nothing_left_to_do(run: Path) -> None:
    before = (run / "log.jsonl").read_text()
    assert CliRunner().invoke(app, ["facing", "--smoke", "--out", str(run)]).exit_code == 0
    assert (run / "log.jsonl").read_text() == before


def test_stills_are_those_of_encoded_clips(single_run: Path) -> None:
    stills = read_stills([single_run / DOLLS])
    assert stills.pictures.shape == (len(stills.yaws), 3, 80, 80)
    assert stills.pictures.float().std() > 10
    assert not stills.yaws.any(), "these dolls look ahead"


def test_changed_pictures_are_moved_and_tinted_each_by_itself() -> None:
    pictures = in_range(doll_stills(2, 3).pictures)
    torch.testing.assert_close(changed(pictures, STILL, DRAW), pictures, atol=1e-4, rtol=0)
    tinted = changed(pictures, ChangeConfig(shift=0.0, zoom=0.0, light=0.0, tint=0.3), DRAW)
    offsets = (tinted - pictures).flatten(2)
    assert offsets.std(-1).max() < 1e-3
    assert (offsets.mean(-1)[0] - offsets.mean(-1)[1]).abs().min() > 1e-3
    moved = changed(pictures, ChangeConfig(shift=0.1, zoom=0.0, light=0.0, tint=0.0), DRAW)
    assert (moved - pictures).abs().mean() > 0.01
    with pytest.raises(ConfigError, match="not negative"):
        ChangeConfig(shift=-0.1, zoom=0.0, light=0.0, tint=0.0)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["facing", "--out", str(tmp_path / "run")])
    assert result.exit_code == 1
    assert "--clips" in result.output
    with pytest.raises(InputError, match="no encoded clips"):
        read_stills([tmp_path])
